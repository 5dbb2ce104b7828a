#pragma once

#include "config/config.h"
#include "gateway/routing/health.h"

#include <chrono>
#include <optional>
#include <random>
#include <string_view>
#include <vector>

namespace switchyard::routing {

using Rng = std::mt19937_64;

// One target of the model, in the configuration's order.
struct Candidate {
  double weight = 1;
  int tier = 0;
  HealthView health;
  bool capable = true;  // False: it cannot express the request.
};

struct PlanInput {
  config::Strategy strategy = config::Strategy::priority;
  std::vector<Candidate> candidates;
  TimePoint now{};
};

// Why a target is tried at its place: the word in `x-switchyard-reason`.
enum class Reason {
  only_target,  // The model has no other.
  priority,     // The first by the configuration's order.
  weighted,     // Drawn by weight.
  higher_tier,  // Every lower tier is out.
  fallback,     // Behind another target, for when that one fails.
  probation,    // A trial after an ejection.
  last_resort,  // Ejected, but nothing else is left.
};
std::string_view name_of(Reason reason);

// Why a target is not tried.
enum class Exclusion { incapable, cooling, credential_out, ejected, trial_running };
std::string_view name_of(Exclusion exclusion);

struct PlannedAttempt {
  int target = 0;  // Index into the candidates.
  Reason reason = Reason::priority;
};

struct Excluded {
  int target = 0;
  Exclusion reason = Exclusion::incapable;
};

// In the order to try. `attempts` is empty when no target may be tried: then `retry_after` is the soonest end
// of a pause, from 1 to 60 s, or nothing when no target is capable at all.
struct Plan {
  std::vector<PlannedAttempt> attempts;
  std::vector<Excluded> excluded;
  std::optional<std::chrono::milliseconds> retry_after;
};

// Lower tiers first; within a tier the configuration's order, or an order drawn by weight: each place goes to
// one of the remaining targets with a probability proportional to its weight, weight 0 behind all others.
// Targets that are out are left out; but when every capable one is ejected, the one whose ejection ends first
// is tried.
Plan make_plan(const PlanInput& input, Rng& rng);

}  // namespace switchyard::routing
