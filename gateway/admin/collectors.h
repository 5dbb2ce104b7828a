#pragma once

#include "gateway/relay/snapshot.h"
#include "gateway/telemetry/metrics.h"

namespace switchyard::admin {

// What a scrape gathers from the running configuration: each target's state and scores, and each local
// model's numbers.
void collect_targets(const relay::Snapshot& snapshot, const scoring::BoardView& scores, TimePoint now,
                     telemetry::Samples& samples);
void collect_local_models(const relay::Snapshot& snapshot, telemetry::Samples& samples);
void collect_store(const relay::Snapshot& snapshot, telemetry::Samples& samples);

}  // namespace switchyard::admin
