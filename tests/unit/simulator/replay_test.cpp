#include "gateway/simulator/replay.h"

#include "gateway/simulator/random.h"
#include "tests/unit/simulator/worlds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace switchyard::simulator {
namespace {

using test::config_of;
using test::lookup;
using testing::HasSubstr;

constexpr const char* kTargets =
    "{ provider: a, model: x }, { provider: b, model: x }, { provider: c, model: x }";

// Decisions as a gateway with that configuration would have recorded them, under scores that go up and down.
std::vector<routing::Decision> record(const config::Config& config, int count) {
  const config::Model& model = config.models[0];
  const auto targets = targets_of(config, lookup(), model, 0);
  Random random(17);
  std::vector<routing::Decision> decisions;
  for (int i = 0; i < count; ++i) {
    routing::Decision& decision = decisions.emplace_back();
    decision.request_id = "r" + std::to_string(i);
    decision.model = model.name;
    decision.input.strategy = model.strategy;
    decision.input.objectives = model.objectives;
    decision.input.seed = random.bits();
    decision.input.now = TimePoint(std::chrono::seconds(1000 + i));
    decision.input.facts = {static_cast<std::uint32_t>(random.uniform() * 4000), 200, 0};
    for (const SimTarget& target : targets) {
      auto& candidate = decision.input.candidates.emplace_back(
          candidate_of(target, scoring::TargetView(), config::QualityMode::act, decision.input.facts));
      candidate.quality = 0.5 + random.uniform() / 2;
      candidate.ttft_ms_p50 = 200 + 400 * random.uniform();
      candidate.ttft_ms_p95 = 2 * candidate.ttft_ms_p50;
      candidate.inter_token_ms = 10;
      if (random.chance(0.05)) candidate.health = {routing::State::ejected, TimePoint(), false};
      decision.providers.push_back(target.config->provider);
      decision.target_models.push_back(target.config->model);
    }
  }
  return decisions;
}

std::string first_of(const routing::PlanInput& input, const std::vector<std::string>& providers) {
  const routing::Plan plan = routing::make_plan(input);
  return plan.attempts.empty() ? "" : providers[static_cast<std::size_t>(plan.attempts[0].target)];
}

TEST(Replay, ARecordedPlanIsMadeAgainBitByBit) {
  const auto config = config_of(kTargets);
  Replay replay(&config, nullptr, lookup());
  for (const auto& decision : record(config, 2000)) ASSERT_TRUE(replay.add(routing::to_json(decision)));
  EXPECT_EQ(replay.summary().decisions, 2000u);
  EXPECT_EQ(replay.summary().identical, 2000u);
  EXPECT_THAT(to_text(replay.summary(), false),
              HasSubstr("2000 decisions made again: 2000 identical, 0 not"));
}

TEST(Replay, ShowsWhatIsNotMadeAgain) {
  const auto config = config_of(kTargets);
  std::string line = routing::to_json(record(config, 1)[0]);
  const auto at = line.find(R"("share":0.)");
  ASSERT_NE(at, std::string::npos);
  line[at + 12] = line[at + 12] == '5' ? '6' : '5';  // One digit of one share.
  Replay replay(&config, nullptr, lookup());
  ASSERT_TRUE(replay.add(line));
  EXPECT_EQ(replay.summary().identical, 0u);
  ASSERT_EQ(replay.summary().differences.size(), 1u);
  EXPECT_EQ(replay.summary().differences[0].first, "r0");
  EXPECT_THAT(replay.summary().differences[0].second, HasSubstr("the share of target"));
}

TEST(Replay, ALineThatIsNoDecision) {
  const auto config = config_of(kTargets);
  Replay replay(&config, nullptr, lookup());
  const auto added = replay.add("{}");
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().message, "`input` is missing");
}

// The moves are those, and only those, that making each plan with the other weight gives; and they are all
// toward the target whose weight has grown.
TEST(Replay, AChangedWeightMovesExactlyTheRequestsItMust) {
  const auto base = config_of(kTargets);
  const auto other =
      config_of("{ provider: a, model: x }, { provider: b, model: x, weight: 2 }, { provider: c, model: x }");
  const auto decisions = record(base, 5000);
  Replay replay(&base, &other, lookup());
  std::set<std::string> moved, must;
  replay.on_move = [&](const Move& move) {
    moved.insert(move.request_id);
    EXPECT_EQ(move.to, "b/x");
    EXPECT_NE(move.from, "b/x");
  };
  for (const auto& decision : decisions) {
    ASSERT_TRUE(replay.add(routing::to_json(decision)));
    routing::PlanInput input = decision.input;
    const std::string before = first_of(input, decision.providers);
    input.candidates[1].weight = 2;
    if (first_of(input, decision.providers) != before) must.insert(decision.request_id);
  }
  EXPECT_EQ(moved, must);
  EXPECT_GT(moved.size(), 500u);
  EXPECT_LT(moved.size(), 1200u) << "about 1/2 - 1/3 of all";
  const ReplaySummary& summary = replay.summary();
  EXPECT_EQ(summary.moved, moved.size());
  EXPECT_EQ(summary.identical, 5000u);
  EXPECT_GT(summary.after.load.at("b/x"), summary.before.load.at("b/x"));
}

TEST(Replay, TheSameConfigurationMovesNothing) {
  const auto config = config_of(kTargets);
  Replay replay(&config, &config, lookup());
  for (const auto& decision : record(config, 1000)) ASSERT_TRUE(replay.add(routing::to_json(decision)));
  EXPECT_EQ(replay.summary().moved, 0u);
}

TEST(Replay, TargetsThatGoAndComeAndOtherPrices) {
  const auto base = config_of(kTargets);
  const auto other = config_of(
      "{ provider: a, model: x, prices: { input: 10, output: 10 } }, { provider: c, model: y, tier: 1 }",
      "strategy: priority");
  Replay replay(&base, &other, lookup());
  for (const auto& decision : record(base, 1000)) ASSERT_TRUE(replay.add(routing::to_json(decision)));
  const ReplaySummary& summary = replay.summary();
  EXPECT_FALSE(summary.after.load.contains("b/x"));
  EXPECT_GT(summary.after.load.at("a/x"), 900u);
  EXPECT_GT(summary.after.load.at("c/y"), 10u) << "where a is out";
  EXPECT_EQ(summary.before.usd_known, 0u);
  EXPECT_EQ(summary.after.usd_known, summary.after.load.at("a/x"));
  EXPECT_GT(summary.after.usd, 0);
  EXPECT_THAT(to_text(summary, true), HasSubstr("b/x -> a/x: "));
}

TEST(Replay, ConditionsThatARecordCannotAnswerStayAsRecorded) {
  const auto base = config_of(kTargets);
  const auto other = config_of(
      "{ provider: a, model: x, when: { input_tokens: { max: 1000 } } }, "
      "{ provider: b, model: x, when: { tools: true } }, { provider: c, model: x }");
  Replay replay(&base, &other, lookup());
  for (const auto& decision : record(base, 1000)) ASSERT_TRUE(replay.add(routing::to_json(decision)));
  EXPECT_EQ(replay.summary().conditions_taken_over, 1000u) << "b's";
  EXPECT_LT(replay.summary().after.load.at("a/x"), replay.summary().before.load.at("a/x") / 2);
}

TEST(Replay, AModelThatTheOtherHasNot) {
  const auto base = config_of(kTargets);
  auto other = base;
  other.models[0].name = "n";
  Replay replay(&base, &other, lookup());
  ASSERT_TRUE(replay.add(routing::to_json(record(base, 1)[0])));
  EXPECT_EQ(replay.summary().unknown_models, 1u);
}

}  // namespace
}  // namespace switchyard::simulator
