#include "gateway/routing/plan.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace switchyard::routing {
namespace {

using namespace std::chrono_literals;

const TimePoint kNow = TimePoint(1h);

HealthView serving() {
  return {};
}

HealthView out(State state, Duration left) {
  return {state, kNow + left};
}

HealthView probation(bool trial_running) {
  return {State::probation, {}, trial_running};
}

std::string render(const Plan& plan) {
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

PlanInput input_of(config::Strategy strategy, const std::vector<Row>& rows, std::uint64_t seed = 1) {
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

Plan plan_of(config::Strategy strategy, const std::vector<Row>& rows, std::uint64_t seed = 1) {
  return make_plan(input_of(strategy, rows, seed));
}

TEST(Plan, Priority) {
  const struct {
    std::vector<Row> candidates;
    const char* plan;
    const char* why;
  } rows[] = {
      {{}, "", "no targets"},
      {{{1, 0, serving()}}, "0:only_target", "one target"},
      {{{1, 0, serving()}, {5, 0, serving()}},
       "0:priority 1:fallback",
       "the configuration's order, not the weight"},
      {{{1, 1, serving()}, {1, 0, serving()}}, "1:priority 0:fallback", "lower tiers first"},
      {{{1, 0, out(State::ejected, 2s)}, {1, 0, serving()}},
       "1:priority -0:ejected",
       "an ejected one is left out"},
      {{{1, 0, out(State::cooling, 2s)}, {1, 1, serving()}}, "1:higher_tier -0:cooling", "the tier is out"},
      {{{1, 0, probation(false)}, {1, 0, serving()}}, "0:probation 1:fallback", "a trial keeps its place"},
      {{{1, 0, probation(true)}, {1, 0, serving()}}, "1:priority -0:trial_running", "one trial at a time"},
      {{{1, 0, serving(), false}, {1, 0, serving()}},
       "1:priority -0:incapable",
       "it cannot express the request"},
      {{{1, 0, out(State::ejected, 3s)}, {1, 1, out(State::ejected, 2s)}},
       "1:last_resort -0:ejected",
       "all ejected: the one whose ejection ends first"},
      {{{1, 0, out(State::ejected, 3s)}, {1, 0, probation(true)}},
       "1:last_resort -0:ejected",
       "one whose trial runs is nearer to serving"},
      {{{1, 0, out(State::ejected, 3s)}, {1, 0, out(State::cooling, 1s)}},
       "0:last_resort -1:cooling",
       "a pause that was asked for is kept, an ejection is a guess"},
      {{{1, 0, out(State::cooling, 7s)}, {1, 0, out(State::credential_out, 3500ms)}},
       "-0:cooling -1:credential_out retry_after=3500ms",
       "all paused: the soonest end"},
      {{{1, 0, out(State::cooling, 10ms)}}, "-0:cooling retry_after=1000ms", "at least a second"},
      {{{1, 0, out(State::cooling, 10min)}}, "-0:cooling retry_after=60000ms", "at most a minute"},
      {{{1, 0, serving(), false}}, "-0:incapable", "nothing that waiting would change"},
      {{{1, 0, serving(), false}, {1, 0, out(State::ejected, 1s)}},
       "1:last_resort -0:incapable",
       "the last capable target is never refused for an ejection"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    EXPECT_EQ(render(plan_of(config::Strategy::priority, row.candidates)), row.plan);
  }
}

TEST(Plan, WeightedWords) {
  EXPECT_EQ(render(plan_of(config::Strategy::weighted, {{0, 0, serving()}, {1, 0, serving()}})),
            "1:weighted 0:fallback")
      << "weight 0 comes behind every other";
  EXPECT_EQ(
      render(plan_of(config::Strategy::weighted, {{9, 2, serving()}, {1, 0, serving()}, {9, 1, serving()}})),
      "1:weighted 2:fallback 0:fallback")
      << "weights are compared within a tier only";
}

// First places go by weight; second places by weight among the rest. Bounds are five standard deviations.
TEST(Plan, WeightedOrderFollowsTheWeights) {
  constexpr int kDraws = 60'000;
  PlanInput input = input_of(config::Strategy::weighted, {{1}, {2}, {3}});
  std::array<std::array<int, 3>, 3> counts{};
  for (int i = 0; i < kDraws; ++i) {
    input.seed = static_cast<std::uint64_t>(i);
    const Plan plan = make_plan(input);
    ASSERT_EQ(plan.attempts.size(), 3u);
    ++counts[static_cast<std::size_t>(plan.attempts[0].target)]
            [static_cast<std::size_t>(plan.attempts[1].target)];
  }
  const double weights[] = {1, 2, 3};
  for (std::size_t first = 0; first < 3; ++first) {
    for (std::size_t second = 0; second < 3; ++second) {
      if (first == second) continue;
      const double p = weights[first] / 6 * weights[second] / (6 - weights[first]);
      const double bound = 5 * std::sqrt(kDraws * p * (1 - p));
      EXPECT_NEAR(counts[first][second], kDraws * p, bound) << first << " then " << second;
    }
  }
}

TEST(Plan, SameSeedSameOrder) {
  const std::vector<Row> candidates(8);
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_EQ(render(plan_of(config::Strategy::weighted, candidates, seed)),
              render(plan_of(config::Strategy::weighted, candidates, seed)));
  }
}

}  // namespace
}  // namespace switchyard::routing
