#pragma once

#include "config/config.h"
#include "gateway/routing/decision.h"
#include "gateway/simulator/plan_input.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::simulator {

// One request that another configuration would send to another target. Empty names: to none.
struct Move {
  std::string request_id, model;
  std::string from, to;  // "PROVIDER/MODEL".
};

// What the requests would meet, each at the first target of its plan, by what was known of it then.
struct Expectation {
  double latency_ms = 0;
  std::uint64_t latency_known = 0;
  double usd = 0;
  std::uint64_t usd_known = 0;
  double quality = 0;
  std::uint64_t quality_known = 0;
  std::map<std::string, std::uint64_t> load;  // Requests by target; by "" those that nothing would serve.
};

struct ReplaySummary {
  std::uint64_t decisions = 0, identical = 0;
  // Of the first ten that are not made again as they were: the request's id, and what differs.
  std::vector<std::pair<std::string, std::string>> differences;
  // With another configuration:
  std::uint64_t moved = 0, unknown_models = 0;
  std::map<std::pair<std::string, std::string>, std::uint64_t> moves;  // From, to.
  Expectation before, after;
  // Conditions of requests that a record does not hold (headers, metadata, what the body has) and that the
  // configuration has changed: their verdicts are taken as recorded.
  std::uint64_t conditions_taken_over = 0;
};

// Makes recorded plans again. Without a configuration to compare with it holds each to its record, bit by
// bit; with one it also makes each plan as that configuration would, from the same numbers.
class Replay {
 public:
  // Both configurations may be null; `against` without `base` is compared with the recorded plans. They must
  // live as long.
  Replay(const config::Config* base, const config::Config* against, Lookup lookup)
      : base_(base), against_(against), lookup_(std::move(lookup)) {}

  // Called with each request that moves.
  std::function<void(const Move&)> on_move;

  // One line of the ledger or of GET /admin/decisions. Fails as recorded_from_json() does.
  Result<> add(std::string_view line);

  const ReplaySummary& summary() const { return summary_; }

 private:
  void compare(const routing::Decision& decision, const routing::Plan& recorded);

  const config::Config* base_;
  const config::Config* against_;
  Lookup lookup_;
  ReplaySummary summary_;
};

// The plan's input as a configuration would have it: strategy, objectives, weights, tiers, canaries, prices
// and sizes are its own; targets that it has not are gone, those that it adds are there with nothing known.
// What was measured stays as recorded. `names`: of the candidates, "PROVIDER/MODEL". `taken_over` counts the
// conditions that could not be judged.
routing::PlanInput under(const config::Config& config, const config::Model& model, const Lookup& lookup,
                         const routing::Decision& decision, std::vector<std::string>& names,
                         std::uint64_t& taken_over);

// For people.
std::string to_text(const ReplaySummary& summary, bool compares);

}  // namespace switchyard::simulator
