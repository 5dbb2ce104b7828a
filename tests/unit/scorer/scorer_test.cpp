#include "gateway/scorer/scorer.h"

#include <gtest/gtest.h>

namespace switchyard::scorer {
namespace {

constexpr std::int64_t kWall = 1'700'000'000'000;

class ScorerTest : public testing::Test {
 protected:
  static std::vector<scoring::TargetInfo> targets() {
    return {
        {0, "a|p0|m", "a", "p0", "m", 0}, {1, "a|p1|m", "a", "p1", "m", 0}, {2, "b|p0|m", "b", "p0", "m", 1}};
  }

  Scorer::Hooks hooks() {
    return {[this](scoring::BoardViewPtr view) { published.push_back(std::move(view)); },
            [this](std::string state) { saved.push_back(std::move(state)); }};
  }

  void pass(Scorer& scorer, int ms) {
    now += ms;
    scorer.pass(now, kWall + now);
  }

  static scoring::Observation good(std::uint32_t target) {
    scoring::Observation observation;
    observation.target = target;
    observation.output_tokens = 100;
    return observation;
  }

  telemetry::Log log{config::LogLevel::error};
  std::vector<scoring::BoardViewPtr> published;
  std::vector<std::string> saved;
  std::int64_t now = 1'000'000;
};

TEST_F(ScorerTest, AProviderIsDrainedInAllItsModelsUntilItIsRestored) {
  Scorer scorer(1, log, hooks());
  scorer.configure({}, targets());
  pass(scorer, 100);
  std::vector<std::size_t> found;
  const auto note = [&](std::size_t count) {
    found.push_back(count);
    // Whoever hears of it finds it done.
    EXPECT_EQ(published.back(), scorer.view());
  };
  scorer.set_drained("p0", true, note);
  scorer.set_drained("nobody", true, note);
  pass(scorer, 100);
  EXPECT_EQ(found, (std::vector<std::size_t>{2, 0}));
  EXPECT_EQ(scorer.view()->of(0).state, scoring::State::drained);
  EXPECT_EQ(scorer.view()->of(1).state, scoring::State::serving);
  EXPECT_EQ(scorer.view()->of(2).state, scoring::State::drained);
  // A reload that keeps the targets keeps them out.
  scorer.configure({}, targets());
  pass(scorer, 100);
  EXPECT_EQ(scorer.view()->of(0).state, scoring::State::drained);
  scorer.set_drained("p0", false, note);
  pass(scorer, 100);
  EXPECT_NE(scorer.view()->of(0).state, scoring::State::drained);
}

TEST_F(ScorerTest, AViewIsPublishedOnce) {
  Scorer scorer(1, log, hooks());
  scorer.configure({}, targets());
  for (int i = 0; i < 5; ++i) pass(scorer, 100);
  std::uint64_t last = 0;
  for (const auto& view : published) {
    EXPECT_GT(view->version, last);
    last = view->version;
  }
}

TEST_F(ScorerTest, WhatWorkersSawReachesTheBoard) {
  Scorer scorer(2, log, hooks());
  scorer.configure({}, targets());
  pass(scorer, 100);
  for (int i = 0; i < 300; ++i) {
    scoring::Observation failed = good(0);
    failed.ending = scoring::Ending::fault;
    failed.at_ms = now;
    scorer.ring(i % 2).push(failed);
  }
  for (int i = 0; i < 20; ++i) pass(scorer, 1000);
  EXPECT_LT(scorer.view()->of(0).availability, 1);
  EXPECT_EQ(scorer.view()->of(1).availability, 1);
}

TEST_F(ScorerTest, WhatIsSavedIsKnownToTheNextProcess) {
  {
    Scorer scorer(1, log, hooks());
    scorer.configure({}, targets());
    scorer.set_drained("p1", true, {});
    pass(scorer, 100);
    scorer.stop();
  }
  ASSERT_FALSE(saved.empty());
  const std::string state = saved.back();
  Scorer next(1, log, hooks());
  ASSERT_TRUE(next.load(state));
  next.configure({}, targets());
  pass(next, 100);
  EXPECT_EQ(next.view()->of(1).state, scoring::State::drained);
  EXPECT_FALSE(Scorer(1, log, hooks()).load("{"));
}

TEST_F(ScorerTest, IsSavedWhenThereIsNewsAndNotTooOften) {
  Scorer scorer(1, log, hooks());
  scorer.configure({}, targets());
  pass(scorer, 100);
  const std::size_t before = saved.size();
  for (int i = 0; i < 100; ++i) pass(scorer, 1000);
  EXPECT_EQ(saved.size(), before) << "nothing happened";
  for (int i = 0; i < 30; ++i) {
    scorer.ring(0).push(good(0));
    pass(scorer, 1000);
  }
  EXPECT_EQ(saved.size(), before + 3);
}

TEST_F(ScorerTest, JudgementsFromElsewhereThatFindNoRoomAreCounted) {
  Scorer scorer(1, log, hooks());
  for (std::size_t i = 0; i < Scorer::kWaitingMax + 3; ++i) scorer.observe(good(0));
  telemetry::Samples samples;
  scorer.collect(samples);
  const auto families = samples.take();
  ASSERT_FALSE(families.empty());
  EXPECT_EQ(families.front().name, "switchyard_observations_dropped_total");
  EXPECT_EQ(families.front().metric.front().counter.value, 3);
}

}  // namespace
}  // namespace switchyard::scorer
