#pragma once

#include "gateway/routing/plan.h"

#include <string>
#include <vector>

// Plans in a few words, for the tests of routing.
namespace switchyard::routing {

using namespace std::chrono_literals;

inline const TimePoint kNow = TimePoint(1h);

inline HealthView serving() {
  return {};
}

inline HealthView out(State state, Duration left) {
  return {state, kNow + left};
}

inline HealthView probation(bool trial_running) {
  return {State::probation, {}, trial_running};
}

inline std::string render(const Plan& plan) {
  std::string text;
  for (const auto& attempt : plan.attempts) {
    text += std::to_string(attempt.target) + ":" + std::string(name_of(attempt.reason)) + " ";
  }
  for (const auto& excluded : plan.excluded) {
    text += "-" + std::to_string(excluded.target) + ":" + std::string(name_of(excluded.reason)) + " ";
  }
  if (plan.retry_after) text += "retry_after=" + std::to_string(plan.retry_after->count()) + "ms ";
  if (!text.empty()) text.pop_back();
  return text;
}

// What most rows say of a target; the rest has its defaults.
struct Row {
  double weight = 1;
  int tier = 0;
  HealthView health = {};
  bool capable = true;
};

inline PlanInput input_of(config::Strategy strategy, const std::vector<Row>& rows, std::uint64_t seed = 1) {
  PlanInput input;
  input.strategy = strategy;
  input.now = kNow;
  input.seed = seed;
  for (const Row& row : rows) {
    Candidate& candidate = input.candidates.emplace_back();
    candidate.id = input.candidates.size();
    candidate.weight = row.weight;
    candidate.tier = row.tier;
    candidate.health = row.health;
    candidate.capable = row.capable;
  }
  return input;
}

inline Plan plan_of(config::Strategy strategy, const std::vector<Row>& rows, std::uint64_t seed = 1) {
  return make_plan(input_of(strategy, rows, seed));
}

}  // namespace switchyard::routing
