#pragma once

#include "adapters/providers/provider.h"
#include "config/config.h"
#include "gateway/routing/plan.h"
#include "gateway/scoring/view.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace switchyard::simulator {

// One target of a model as a plan needs it, without a gateway around it.
struct SimTarget {
  const config::Target* config = nullptr;
  std::uint64_t id = 0;
  std::uint32_t score_id = 0;
  std::optional<config::Prices> prices;  // Nothing: not known.
  std::int64_t context_tokens = 0;       // 0: not known.
};

// What finds things in a configuration by name: the module config is not pure, so its functions are handed
// in. Null for what is not there.
struct Lookup {
  std::function<const ProviderType*(const config::Config&, std::string_view name)> type;
  std::function<const config::Model*(const config::Config&, std::string_view name)> model;
};

// The targets of a model, with score ids from `first_score_id` on. They point into `model`.
std::vector<SimTarget> targets_of(const config::Config& config, const Lookup& lookup,
                                  const config::Model& model, std::uint32_t first_score_id);

// A candidate as the gateway fills it in from the scores, without its health and load. `mode`: scores that
// are only watched move nothing; what was drained by hand is out in every mode.
routing::Candidate candidate_of(const SimTarget& target, const scoring::TargetView& view,
                                config::QualityMode mode, const routing::RequestFacts& facts);

}  // namespace switchyard::simulator
