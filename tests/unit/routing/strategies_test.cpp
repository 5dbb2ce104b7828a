// Distributions of the strategies' first places, and what moves when something changes. Bounds are five
// standard deviations.
#include "tests/unit/routing/plan_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>

namespace switchyard::routing {
namespace {

using config::Strategy;

constexpr int kDraws = 40'000;

std::vector<int> firsts(PlanInput input, int draws = kDraws) {
  std::vector<int> first;
  for (int i = 0; i < draws; ++i) {
    input.seed = static_cast<std::uint64_t>(i);
    first.push_back(make_plan(input).attempts.at(0).target);
  }
  return first;
}

std::vector<double> parts(const PlanInput& input, int draws = kDraws) {
  std::vector<double> counts(input.candidates.size());
  for (const int target : firsts(input, draws)) counts[static_cast<std::size_t>(target)] += 1.0 / draws;
  return counts;
}

void expect_parts(const PlanInput& input, const std::vector<double>& expected) {
  const auto seen = parts(input);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(seen[i], expected[i], 5 * std::sqrt(expected[i] * (1 - expected[i]) / kDraws) + 1e-9) << i;
  }
}

// Of the requests that went elsewhere after the change, none may have both come from and gone to another
// target than `changed`.
void expect_moves_only_at(const PlanInput& before, const PlanInput& after, int changed, bool wins) {
  const auto then = firsts(before), now = firsts(after);
  int moved = 0;
  for (std::size_t i = 0; i < then.size(); ++i) {
    if (then[i] == now[i]) continue;
    ++moved;
    ASSERT_EQ(wins ? now[i] : then[i], changed) << "request " << i;
  }
  EXPECT_GT(moved, 100);
}

// First places go by weight; second places by weight among the rest.
TEST(Strategies, WeightedOrderFollowsTheWeights) {
  PlanInput input = input_of(Strategy::weighted, {{1}, {2}, {3}});
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

TEST(Strategies, ScoreDrawsByTheSharesThatItShows) {
  PlanInput input = input_of(Strategy::score, {{1}, {2}, {1}, {1}});
  input.facts = {1'000, 200, 0};
  auto& c = input.candidates;
  c[0].quality = 0.8;
  c[1].ttft_ms_p50 = 400, c[1].ttft_ms_p95 = 900, c[1].latency_ratio = 1.5, c[1].inter_token_ms = 10;
  c[2].ttft_ms_p50 = 300, c[2].ttft_ms_p95 = 500, c[2].inter_token_ms = 8;
  c[2].usd = 0.004, c[3].usd = 0.001;
  c[3].ramp = 0.25, c[3].quota = 0.5;
  const Plan plan = make_plan(input);
  expect_parts(input, {plan.terms[0].share, plan.terms[1].share, plan.terms[2].share, plan.terms[3].share});
  EXPECT_LT(plan.terms[3].share, plan.terms[2].share);
}

// Quality.md 2.5 by hand: 0.66^(6 x 0.6) at equal weights and nothing else.
TEST(Strategies, ScoreOfQualityAlone) {
  PlanInput input = input_of(Strategy::score, {{}, {}});
  input.candidates[0].quality = 0.66;
  const Plan plan = make_plan(input);
  EXPECT_NEAR(plan.terms[0].quality, -1.4958, 1e-4);
  EXPECT_NEAR(plan.terms[0].share, 0.1830, 1e-4);
  EXPECT_EQ(plan.terms[1].quality, 0);
}

TEST(Strategies, NoObjectiveTakesAwayMoreThanAHundredth) {
  PlanInput input = input_of(Strategy::score, {{}, {}, {}, {}});
  input.objectives = {1, 1, 1};
  auto& c = input.candidates;
  c[0].quality = 0;
  c[1].ttft_ms_p50 = 100'000, c[3].ttft_ms_p50 = 1;
  c[2].usd = 1, c[3].usd = 0;
  const Plan plan = make_plan(input);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(plan.terms[i].share, 0.01 / 1.03, 1e-3) << i;
}

TEST(Strategies, WhatIsNotKnownIsTriedAndTakenForDear) {
  PlanInput input = input_of(Strategy::score, {{}, {}, {}});
  auto& c = input.candidates;
  c[0].ttft_ms_p50 = 100, c[0].ttft_ms_p95 = 100, c[0].usd = 1;
  c[1].ttft_ms_p50 = 300, c[1].ttft_ms_p95 = 300, c[1].usd = 3;
  c[2].usd = -1;
  const Plan plan = make_plan(input);
  EXPECT_EQ(plan.terms[2].latency, 0) << "as soon as the soonest";
  EXPECT_DOUBLE_EQ(plan.terms[2].cost, plan.terms[1].cost) << "as dear as the dearest";
  EXPECT_LT(plan.terms[1].latency, 0);
}

TEST(Strategies, AChangedWeightMovesOnlyWhatItWinsOrLoses) {
  for (const auto strategy : {Strategy::weighted, Strategy::score}) {
    const PlanInput before = input_of(strategy, {{1}, {1}, {1}, {2}});
    PlanInput after = before;
    after.candidates[1].weight = 1.5;
    expect_moves_only_at(before, after, 1, true);
    after.candidates[1].weight = 0.5;
    expect_moves_only_at(before, after, 1, false);
  }
}

TEST(Strategies, AWorseScoreMovesOnlyWhatItLoses) {
  const PlanInput before = input_of(Strategy::score, {{1}, {1}, {1}});
  PlanInput after = before;
  after.candidates[2].quality = 0.8;
  expect_moves_only_at(before, after, 2, false);
  after = before;
  after.candidates[2].state = scoring::State::ejected;
  expect_moves_only_at(before, after, 2, false);
  after = before;
  after.candidates.push_back(before.candidates[0]);
  after.candidates.back().id = 77;
  expect_moves_only_at(before, after, 3, true);
}

TEST(Strategies, TheOrderInTheFileChangesNothing) {
  PlanInput one = input_of(Strategy::score, {{1}, {2}, {3}});
  PlanInput other = one;
  std::reverse(other.candidates.begin(), other.candidates.end());
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    one.seed = other.seed = seed;
    EXPECT_EQ(make_plan(one).attempts[0].target, 2 - make_plan(other).attempts[0].target);
  }
}

TEST(Strategies, LatencyTakesTheSoonerOfTwo) {
  PlanInput input = input_of(Strategy::latency, {{}, {}, {}});
  auto& c = input.candidates;
  c[0].ttft_ms_p50 = 300;
  c[1].ttft_ms_p50 = 200;
  c[2].ttft_ms_p50 = 100;
  // Each pair is drawn by a third; one in a hundred goes to the one that is drawn first.
  expect_parts(input, {0.01 / 3, 0.99 / 3 + 0.01 / 3, 0.99 * 2 / 3 + 0.01 / 3});

  c[2].in_flight = 2;  // 100 ms x 3 = 300 ms: as much as the slowest; the first drawn of equals stays.
  const auto seen = parts(input);
  EXPECT_GT(seen[1], 0.6) << "requests in flight count";
}

TEST(Strategies, LatencyPredictsTheWholeReply) {
  PlanInput input = input_of(Strategy::latency, {{}, {}});
  auto& c = input.candidates;
  c[0].ttft_ms_p50 = 100, c[0].inter_token_ms = 20;
  c[1].ttft_ms_p50 = 400, c[1].inter_token_ms = 10;
  input.facts.output_tokens = 10;
  EXPECT_GT(parts(input)[0], 0.98) << "300 ms against 500";
  input.facts.output_tokens = 100;
  EXPECT_GT(parts(input)[1], 0.98) << "2,100 ms against 1,400";
  c[1].latency_ratio = 4;
  EXPECT_GT(parts(input)[0], 0.98) << "2,100 ms against 2,600: it is slow just now";
}

TEST(Strategies, LatencyTriesWhatIsNotKnown) {
  PlanInput input = input_of(Strategy::latency, {{}, {}});
  input.candidates[0].ttft_ms_p50 = 100;
  expect_parts(input, {0.5, 0.5});
  input.candidates[1].in_flight = 1;
  EXPECT_GT(parts(input)[0], 0.98) << "with one there already it is no longer the sooner";
}

TEST(Strategies, CostTakesTheCheapestAndUnknownPricesLast) {
  PlanInput input = input_of(Strategy::cost, {{}, {}, {}, {}});
  auto& c = input.candidates;
  c[0].usd = -1, c[1].usd = 0.02, c[2].usd = 0.01, c[3].usd = 0.03;
  EXPECT_EQ(render(make_plan(input)), "2:cost 1:fallback 3:fallback 0:fallback");
  c[1].usd = 0.01;
  expect_parts(input, {0, 0.5, 0.5, 0});
}

TEST(Strategies, LeastBusyTakesTheLessBusyOfTwoByWeight) {
  PlanInput input = input_of(Strategy::least_busy, {{1}, {1}, {4}});
  auto& c = input.candidates;
  c[0].in_flight = 2, c[1].in_flight = 5, c[2].in_flight = 9;
  // (2 + 1) / 1, (5 + 1) / 1, (9 + 1) / 4: the third is the least busy.
  expect_parts(input, {1.0 / 3, 0, 2.0 / 3});
}

TEST(Strategies, ARampGatesStrategiesWithoutShares) {
  for (const auto strategy : {Strategy::priority, Strategy::cost}) {
    PlanInput input = input_of(strategy, {{}, {}});
    input.candidates[1].usd = 1;
    input.candidates[0].state = scoring::State::probation;
    input.candidates[0].ramp = 0.05;
    expect_parts(input, {0.05, 0.95});
    input.candidates[0].ramp = 1;
    input.candidates[0].quota = 0.3;
    expect_parts(input, {0.3, 0.7});
    input.candidates[0].quota = 0;
    EXPECT_EQ(make_plan(input).attempts.size(), 2u) << "behind the others, not out";
    expect_parts(input, {0, 1});
  }
}

TEST(Strategies, ACanaryHasItsShareWhateverTheStrategy) {
  for (const auto strategy : {Strategy::priority, Strategy::weighted, Strategy::latency, Strategy::cost,
                              Strategy::least_busy, Strategy::score}) {
    SCOPED_TRACE(static_cast<int>(strategy));
    PlanInput input = input_of(strategy, {{3}, {1}, {9}, {9}});
    auto& c = input.candidates;
    c[2].canary = 0.1, c[3].canary = 0.2;
    auto seen = parts(input);
    EXPECT_NEAR(seen[2], 0.1, 0.0075);
    EXPECT_NEAR(seen[3], 0.2, 0.01);
    const Plan plan = make_plan(input);
    if (plan.attempts[0].target >= 2) EXPECT_EQ(plan.attempts[0].reason, Reason::canary);
    if (strategy == Strategy::weighted || strategy == Strategy::score) {
      EXPECT_NEAR(plan.terms[2].share, 0.1, 1e-12);
      EXPECT_NEAR(plan.terms[3].share, 0.2, 1e-12);
      EXPECT_NEAR(plan.terms[0].share, 0.7 * 0.75, 1e-12);
      expect_parts(input, {0.7 * 0.75, 0.7 * 0.25, 0.1, 0.2});
    }
    PlanInput more = input;
    more.candidates[2].canary = 0.15;
    const auto then = firsts(input), now = firsts(more);
    for (std::size_t i = 0; i < then.size(); ++i) {
      if (then[i] == 2) ASSERT_EQ(now[i], 2) << "a larger canary keeps what it had";
    }
    c[0].health = c[1].health = out(State::ejected, 1s);
    EXPECT_EQ(make_plan(input).attempts.size(), 2u) << "with nothing else left it serves all";
  }
}

TEST(Strategies, ACanaryOfAnotherTierWaitsForItsTier) {
  PlanInput input = input_of(Strategy::score, {{1, 0}, {1, 1}});
  input.candidates[1].canary = 0.5;
  expect_parts(input, {1, 0});
}

TEST(Strategies, StickyIsTheSameForAnAffinityAndFollowsTheWeights) {
  for (const auto strategy : {Strategy::weighted, Strategy::latency, Strategy::least_busy, Strategy::score}) {
    SCOPED_TRACE(static_cast<int>(strategy));
    PlanInput input = input_of(strategy, {{1}, {2}, {1}});
    std::vector<double> counts(3);
    for (std::uint64_t session = 1; session <= kDraws; ++session) {
      input.facts.affinity = session * 0x9e3779b97f4a7c15u;
      input.seed = 1;
      const Plan one = make_plan(input);
      input.seed = session;
      const Plan other = make_plan(input);
      ASSERT_EQ(render(one), render(other));
      ASSERT_EQ(one.attempts[0].reason, Reason::sticky);
      counts[static_cast<std::size_t>(one.attempts[0].target)] += 1.0 / kDraws;
    }
    EXPECT_NEAR(counts[0], 0.25, 0.011);
    EXPECT_NEAR(counts[1], 0.5, 0.0125);
  }
}

TEST(Strategies, StickyMovesOnlyTheSessionsOfTheTargetThatIsOut) {
  PlanInput input = input_of(Strategy::score, {{1}, {1}, {1}});
  for (std::uint64_t session = 1; session <= 2'000; ++session) {
    input.facts.affinity = session;
    input.candidates[1].state = scoring::State::serving;
    const int before = make_plan(input).attempts[0].target;
    input.candidates[1].state = scoring::State::ejected;
    const int after = make_plan(input).attempts[0].target;
    if (before == 1) {
      EXPECT_NE(after, 1);
    } else {
      EXPECT_EQ(after, before);
    }
  }
}

TEST(Strategies, StickyIsBoundedByItsFairPartOfTheLoad) {
  PlanInput input = input_of(Strategy::score, {{1}, {1}});
  input.facts.affinity = 5;
  const int home = make_plan(input).attempts[0].target;
  auto& own = input.candidates[static_cast<std::size_t>(home)];
  auto& other = input.candidates[static_cast<std::size_t>(1 - home)];

  const struct {
    int own, other;
    bool stays;
  } rows[] = {
      {0, 0, true},  {1, 0, true},
      {2, 0, false},                 // The third of three: at most 1.25 x 1.5, rounded up.
      {5, 5, true},  {12, 8, true},  // The 13th of 21: at most 14.
      {14, 8, true}, {18, 8, false},
      {20, 0, false}  // The 15th of 23: at most 15. The 19th of 27: at most 17.
  };

  for (const auto& row : rows) {
    own.in_flight = row.own, other.in_flight = row.other;
    const Plan plan = make_plan(input);
    EXPECT_EQ(plan.attempts[0].target == home, row.stays) << row.own << " and " << row.other;
    EXPECT_EQ(plan.attempts[0].reason, row.stays ? Reason::sticky : Reason::score);
  }
}

TEST(Strategies, PriorityAndCostNeedNoAffinity) {
  for (const auto strategy : {Strategy::priority, Strategy::cost}) {
    PlanInput input = input_of(strategy, {{1}, {1}});
    input.candidates[1].usd = 1;
    for (std::uint64_t session = 1; session < 50; ++session) {
      input.facts.affinity = session;
      EXPECT_EQ(render(make_plan(input)),
                strategy == Strategy::cost ? "0:cost 1:fallback" : "0:priority 1:fallback");
    }
  }
}

// However the terms came about, their sums give every share back.
TEST(Strategies, TermsReproduceEveryShare) {
  std::uint64_t state = 1;
  const auto next = [&] {
    return static_cast<double>((state = state * 6364136223846793005u + 1) >> 40) * 0x1p-24;
  };
  for (int round = 0; round < 2'000; ++round) {
    PlanInput input = input_of(round % 2 ? Strategy::score : Strategy::weighted, std::vector<Row>(6));
    input.facts.output_tokens = 100;
    for (Candidate& candidate : input.candidates) {
      candidate.weight = round % 7 == 0 ? 0 : 3 * next();
      candidate.tier = next() < 0.3;
      candidate.quality = next();
      candidate.ramp = next();
      candidate.availability = next();
      candidate.quota = next();
      candidate.ttft_ms_p50 = next() < 0.2 ? 0 : 1'000 * next();
      candidate.ttft_ms_p95 = 2 * candidate.ttft_ms_p50;
      candidate.usd = next() - 0.1;
      if (next() < 0.1) candidate.canary = 0.05;
      if (next() < 0.1) candidate.state = scoring::State::drained;
    }
    const Plan plan = make_plan(input);
    for (const int tier : {0, 1}) {
      double total = 0, shares = 0;
      const auto sum = [](const Terms& t) {
        return t.weight + t.quality + t.latency + t.cost + t.availability;
      };
      const auto is_in = [&](std::size_t i) {
        return input.candidates[i].tier == tier && input.candidates[i].state != scoring::State::drained;
      };
      for (std::size_t i = 0; i < 6; ++i) {
        if (is_in(i)) total += std::exp(sum(plan.terms[i]));
      }
      for (std::size_t i = 0; i < 6; ++i) {
        if (!is_in(i)) continue;
        EXPECT_NEAR(plan.terms[i].share, std::exp(sum(plan.terms[i])) / total, 1e-12);
        shares += plan.terms[i].share;
      }
      if (total > 0) EXPECT_NEAR(shares, 1, 1e-12);
    }
  }
}

}  // namespace
}  // namespace switchyard::routing
