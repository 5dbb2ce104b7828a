#pragma once

#include "gateway/relay/snapshot.h"
#include "gateway/routing/plan.h"
#include "gateway/scoring/view.h"

namespace switchyard::relay {

// What a request, or an operator who looks, brings to a plan.
struct PlanQuestion {
  const Model& model;
  config::QualityMode mode = config::QualityMode::act;
  const scoring::BoardView* scores = nullptr;  // Null: nothing is known.
  routing::RequestFacts facts = {};            // output_tokens: the limit asked for; 0: none.
  int priority = 2;                            // config::Key::priority.
  TimePoint now{};
  std::uint64_t seed = 0;
};

// Fills `input` in place, all but what only the request itself can say (capable, is_meant). Allocates nothing
// once `input` has held as many candidates.
void fill_plan_input(const PlanQuestion& question, routing::PlanInput& input);

// USD for what was used; negative: the price is not known.
double cost_usd(const std::optional<config::Prices>& prices, const Usage& usage);

}  // namespace switchyard::relay
