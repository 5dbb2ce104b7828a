#pragma once

#include "config/config.h"
#include "gateway/routing/health.h"
#include "gateway/scoring/view.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace switchyard::routing {

// What of a request decides where it goes.
struct RequestFacts {
  std::uint32_t input_tokens = 0;   // Estimated.
  std::uint32_t output_tokens = 0;  // Expected: the limit asked for, or the target's mean when that is less.
  std::uint64_t affinity = 0;  // Hash of the session or of the prompt's beginning (Model::sticky); 0: none.
};

// One target of the model, in the configuration's order, with everything that the plan knows of it. Numbers
// only: a recorded plan is made again from them, bit by bit.
struct Candidate {
  std::uint64_t id =
      0;  // Hash of provider and target model: draws depend on it, not on the place in the file.
  double weight = 1;
  int tier = 0;
  std::optional<double> canary;
  HealthView health;
  bool capable = true;   // False: it cannot express the request.
  bool is_meant = true;  // False: its condition (Target::when) does not hold.
  bool has_room = true;  // False: the prompt does not fit its context.
  scoring::State state = scoring::State::serving;
  double quality = 1, ramp = 1, availability = 1;
  double ttft_ms_p50 = 0, ttft_ms_p95 = 0;  // For the request's size; 0: not known.
  double latency_ratio = 1;                 // Peak-EWMA of TTFT over its median.
  double inter_token_ms = 0;                // 0: not known.
  double usd = 0;                           // What the request is expected to cost; negative: not known.
  int in_flight = 0, in_flight_max = 0;     // 0: no limit.
  double quota = 1;  // Below 1: its rate limit will be reached at this pace (docs/routing.md).
};

struct PlanInput {
  config::Strategy strategy = config::Strategy::priority;
  config::Objectives objectives;
  RequestFacts facts;
  std::vector<Candidate> candidates;
  TimePoint now{};
  std::uint64_t seed = 0;  // Of this request's draws.
};

// Why a target is tried at its place: the word in `x-switchyard-reason`.
enum class Reason {
  only_target,   // The model has no other.
  priority,      // The first by the configuration's order.
  weighted,      // Drawn by weight.
  latency,       // The soonest of two drawn.
  cost,          // The cheapest.
  least_busy,    // The less busy of two drawn.
  score,         // Drawn by its share.
  sticky,        // Its session, or its prompt's beginning, was there before.
  canary,        // Drawn by its fixed share.
  higher_tier,   // Every lower tier is out.
  fallback,      // Behind another target, for when that one fails.
  probation,     // A trial after an ejection.
  last_resort,   // Out, but nothing better is left.
  hedge,         // Beside another that is slow to begin.
  continuation,  // Goes on where a stream broke.
};
std::string_view name_of(Reason reason);

// Why a target is not tried.
enum class Exclusion {
  incapable,
  not_meant,
  no_room,
  cooling,
  credential_out,
  ejected,
  trial_running,
  degraded,  // Ejected by its score.
  drained,
  full,  // It has all the requests that it bears.
};
std::string_view name_of(Exclusion exclusion);

struct PlannedAttempt {
  int target = 0;  // Index into the candidates.
  Reason reason = Reason::priority;
};

struct Excluded {
  int target = 0;
  Exclusion reason = Exclusion::incapable;
};

// A candidate's share of its tier as a sum of logarithms: share = e^sum / (sum over the tier of e^sum). Of
// the strategies weighted and score only (shares.h); with the others all is 0.
struct Terms {
  double weight = 0, quality = 0, latency = 0, cost = 0, availability = 0;
  double share = 0;  // 0 for what is excluded.
};

// In the order to try. `attempts` is empty when no target may be tried: then `retry_after` is the soonest end
// of a pause, from 1 to 60 s, a second when all that could serve is full, and nothing when waiting would
// change nothing.
struct Plan {
  std::vector<PlannedAttempt> attempts;
  std::vector<Excluded> excluded;
  std::vector<Terms> terms;  // One a candidate.
  std::optional<std::chrono::milliseconds> retry_after;
  bool degraded = false;  // What serves first is known to be worse than it should be.
  bool is_full = false;   // Nothing is out, but all that could serve is full: shed.
};

// Lower tiers first; within a tier as the strategy says (docs/routing.md). Every draw of a candidate comes
// from the seed (the affinity, when there is one) and the candidate's id alone: another candidate's change
// moves no request but those that it wins or loses. Targets that are out are left out; but when every capable
// one is ejected, the best of them is tried. What is out by its score alone still answers: the best of a tier
// of which nothing else is left leads it, and the others stand behind all, both as last resorts.
Plan make_plan(const PlanInput& input);

}  // namespace switchyard::routing
