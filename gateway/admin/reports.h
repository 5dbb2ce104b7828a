#pragma once

#include "gateway/relay/snapshot.h"
#include "gateway/scoring/view.h"

#include <nlohmann/json.hpp>

#include <cstdint>

namespace switchyard::admin {

// GET /admin/providers: each target with the state that routing sees now, and the evidence behind it.
nlohmann::json providers_report(const relay::Snapshot& snapshot, const scoring::BoardView& scores,
                                TimePoint now);

// GET /admin/routes: for each model what a request of `input_tokens` would meet now: each target's share as a
// sum of logarithms, or why it is out.
nlohmann::json routes_report(const relay::Snapshot& snapshot, const scoring::BoardView& scores, TimePoint now,
                             std::uint32_t input_tokens);

}  // namespace switchyard::admin
