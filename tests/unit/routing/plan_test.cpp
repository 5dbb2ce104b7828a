#include "tests/unit/routing/plan_rows.h"

#include <gtest/gtest.h>

#include <string>

namespace switchyard::routing {
namespace {

constexpr config::Strategy kStrategies[] = {config::Strategy::priority,   config::Strategy::weighted,
                                            config::Strategy::latency,    config::Strategy::cost,
                                            config::Strategy::least_busy, config::Strategy::score};

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

TEST(Plan, SameSeedSameOrder) {
  const std::vector<Row> candidates(8);
  for (const auto strategy : kStrategies) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      EXPECT_EQ(render(plan_of(strategy, candidates, seed)), render(plan_of(strategy, candidates, seed)));
    }
  }
}

// Whatever the strategy is, each of these is out of the plan, and says why.
TEST(Plan, EachExclusionHoldsForEveryStrategy) {
  const struct {
    void (*make_out)(Candidate&);
    const char* reason;
  } rows[] = {
      {[](Candidate& c) { c.capable = false; }, "incapable"},
      {[](Candidate& c) { c.is_meant = false; }, "not_meant"},
      {[](Candidate& c) { c.has_room = false; }, "no_room"},
      {[](Candidate& c) { c.state = scoring::State::drained; }, "drained"},
      {[](Candidate& c) { c.health = out(State::credential_out, 1s); }, "credential_out"},
      {[](Candidate& c) { c.health = out(State::cooling, 1s); }, "cooling"},
      {[](Candidate& c) { c.health = out(State::ejected, 1s); }, "ejected"},
      {[](Candidate& c) { c.health = probation(true); }, "trial_running"},
      {[](Candidate& c) { c.in_flight = c.in_flight_max = 4; }, "full"},
  };

  for (const auto strategy : kStrategies) {
    for (const auto& row : rows) {
      SCOPED_TRACE(row.reason);
      PlanInput input = input_of(strategy, {{}, {}, {}});
      row.make_out(input.candidates[1]);
      // Not by its score as well: the first reason stands.
      input.candidates[1].canary = 1;
      const Plan plan = make_plan(input);
      ASSERT_EQ(plan.attempts.size(), 2u);
      EXPECT_NE(plan.attempts[0].target, 1);
      EXPECT_NE(plan.attempts[1].target, 1);
      ASSERT_EQ(plan.excluded.size(), 1u);
      EXPECT_EQ(plan.excluded[0].target, 1);
      EXPECT_EQ(name_of(plan.excluded[0].reason), row.reason);
      EXPECT_EQ(plan.terms[1].share, 0);
      EXPECT_FALSE(plan.degraded || plan.is_full);
    }
  }
}

TEST(Plan, OutByScore) {
  using scoring::State;
  for (const auto strategy : kStrategies) {
    SCOPED_TRACE(static_cast<int>(strategy));
    PlanInput input = input_of(strategy, {{}, {}, {1, 1}});
    input.candidates[0].state = State::ejected;
    input.candidates[0].quality = 0.4;
    Plan plan = make_plan(input);
    ASSERT_EQ(plan.attempts.size(), 3u);
    EXPECT_EQ(plan.attempts[0].target, 1);
    EXPECT_EQ(plan.attempts[1].target, 2) << "a higher tier before what is known to be worse";
    EXPECT_EQ(plan.attempts[2].target, 0) << "a worse answer is better than none";
    EXPECT_EQ(plan.attempts[2].reason, Reason::last_resort);
    EXPECT_FALSE(plan.degraded);

    input.candidates[1].state = State::ejected;
    input.candidates[1].quality = 0.3;
    plan = make_plan(input);
    EXPECT_EQ(render(plan), "0:last_resort 2:fallback 1:last_resort")
        << "when a whole tier is out by its scores, its best serves before the next tier";
    EXPECT_TRUE(plan.degraded);

    input.candidates[1].health = out(switchyard::routing::State::ejected, 1s);
    EXPECT_EQ(render(make_plan(input)), "0:last_resort 2:fallback -1:ejected");

    input.candidates[0].state = State::drained;
    plan = make_plan(input);
    EXPECT_EQ(plan.attempts.size(), 1u);
    EXPECT_EQ(plan.attempts[0].reason, Reason::higher_tier) << "by hand is by hand";
  }
}

TEST(Plan, TheLastTargetOfAllIsDegradedNotRefused) {
  PlanInput input = input_of(config::Strategy::score, {{}});
  input.candidates[0].state = scoring::State::ejected;
  input.candidates[0].quality = 0.01;
  const Plan plan = make_plan(input);
  EXPECT_EQ(render(plan), "0:last_resort");
  EXPECT_TRUE(plan.degraded);
  EXPECT_EQ(plan.terms[0].share, 1);
}

TEST(Plan, Full) {
  PlanInput input = input_of(config::Strategy::score, {{}, {}});
  for (Candidate& candidate : input.candidates) candidate.in_flight = candidate.in_flight_max = 3;
  Plan plan = make_plan(input);
  EXPECT_TRUE(plan.is_full);
  EXPECT_EQ(render(plan), "-0:full -1:full retry_after=1000ms");

  input.candidates[1].health = out(State::ejected, 1s);
  plan = make_plan(input);
  EXPECT_TRUE(plan.is_full) << "load is not sent to what has failed";
  EXPECT_EQ(render(plan), "-0:full -1:ejected retry_after=1000ms");

  input.candidates[0].in_flight_max = 4;
  EXPECT_EQ(render(make_plan(input)), "0:score -1:ejected");

  input.candidates[0].in_flight_max = 0;
  input.candidates[0].in_flight = 100'000;
  EXPECT_EQ(render(make_plan(input)), "0:score -1:ejected") << "no limit";
}

TEST(Plan, NothingToWaitFor) {
  for (const auto exclude :
       {+[](Candidate& c) { c.is_meant = false; }, +[](Candidate& c) { c.has_room = false; },
        +[](Candidate& c) { c.state = scoring::State::drained; }}) {
    PlanInput input = input_of(config::Strategy::priority, {{}});
    exclude(input.candidates[0]);
    const Plan plan = make_plan(input);
    EXPECT_TRUE(plan.attempts.empty());
    EXPECT_FALSE(plan.retry_after || plan.is_full);
  }
}

}  // namespace
}  // namespace switchyard::routing
