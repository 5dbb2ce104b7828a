#include "gateway/scoring/board.h"

#include "tests/unit/scoring/traffic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::scoring {
namespace {

using testing::HasSubstr;

const Evidence* find(const TargetView& view, Signal signal) {
  for (const Evidence& evidence : view.evidence)
    if (evidence.signal == signal) return &evidence;
  return nullptr;
}

std::string told(const Traffic& traffic) {
  std::string out;
  for (const Notice& notice : traffic.notices)
    out += std::to_string(notice.target) + " " + std::string(name_of(notice.from)) + " -> " +
           std::string(name_of(notice.to)) + ": " + notice.text + "\n";
  return out;
}

TEST(Board, LearnsWhatIsUsual) {
  Traffic traffic(2);
  traffic.upstreams[1].bad = .05;
  traffic.run(60);
  const BoardViewPtr view = traffic.board.view();
  for (std::uint32_t i = 0; i < 2; ++i) {
    SCOPED_TRACE(i);
    const Evidence* const tools = find(view->of(i), Signal::tool_call_invalid);
    ASSERT_TRUE(tools);
    EXPECT_FALSE(tools->learning);
    EXPECT_EQ(tools->baseline_version, 1);
    EXPECT_NEAR(tools->baseline, traffic.upstreams[i].bad, .02);
    EXPECT_EQ(view->of(i).state, State::serving);
  }
}

TEST(Board, MovesTrafficAwayFromATargetThatBecameWorseAndSaysWhy) {
  Traffic traffic(3);
  traffic.run(60);
  traffic.upstreams[1].bad = .30;
  const std::int64_t before = traffic.served[1];
  ASSERT_TRUE(traffic.run_until(1, State::ejected, 30));
  EXPECT_LE(traffic.served[1] - before, 120);
  EXPECT_EQ(traffic.state(0), State::serving);
  EXPECT_EQ(traffic.state(2), State::serving);
  const BoardViewPtr view = traffic.board.view();
  const TargetView& target = view->of(1);
  EXPECT_THAT(target.why, HasSubstr("tool_call_invalid"));
  EXPECT_LT(target.quality, .9);
  EXPECT_NE(target.recent_requests[4], 0);
  EXPECT_EQ(target.state_until_ms, target.state_since_ms + 20'000);
  const std::int64_t out = traffic.served[1];
  traffic.run(15);
  EXPECT_EQ(traffic.served[1], out);
}

TEST(Board, GivesTrafficBackInStepsWhenItIsGoodAgain) {
  Traffic traffic(2);
  traffic.run(60);
  traffic.upstreams[1].bad = .30;
  ASSERT_TRUE(traffic.run_until(1, State::ejected, 60));
  traffic.upstreams[1].bad = .01;
  ASSERT_TRUE(traffic.run_until(1, State::probation, 30));
  EXPECT_LE(traffic.board.view()->of(1).ramp, .011);
  ASSERT_TRUE(traffic.run_until(1, State::serving, 300));
  traffic.run(30);
  EXPECT_EQ(traffic.state(1), State::serving);
  EXPECT_EQ(traffic.board.view()->of(1).ramp, 1);
  EXPECT_EQ(traffic.board.view()->of(1).quality, 1);
  EXPECT_LE(traffic.state_changes[1], 4) << told(traffic);
  EXPECT_EQ(traffic.ejections, 1);
}

TEST(Board, SendsBackWhoIsStillBadAndWaitsTwiceAsLong) {
  Traffic traffic(2);
  traffic.run(60);
  traffic.upstreams[1].bad = .30;
  ASSERT_TRUE(traffic.run_until(1, State::ejected, 60));
  ASSERT_TRUE(traffic.run_until(1, State::probation, 30));
  ASSERT_TRUE(traffic.run_until(1, State::ejected, 600));
  const BoardViewPtr view = traffic.board.view();
  EXPECT_EQ(view->of(1).state_until_ms - view->of(1).state_since_ms, 40'000);
}

TEST(Board, NeverTakesTheLastTargetOut) {
  Traffic traffic(2);
  traffic.run(60);
  traffic.upstreams[0].bad = .4;
  traffic.run(60);
  EXPECT_EQ(traffic.state(0), State::ejected);
  traffic.upstreams[1].bad = .4;
  traffic.run(15);
  EXPECT_EQ(traffic.state(1), State::reduced);
  EXPECT_TRUE(traffic.board.view()->of(1).alone);
  traffic.run(600);
  EXPECT_TRUE(traffic.always_one_serves);
}

TEST(Board, NeverTakesMoreThanHalfOut) {
  Traffic traffic(5);
  traffic.run(60);
  for (const std::size_t i : {0, 1, 2, 3}) {
    traffic.upstreams[i].bad = .4;
    traffic.run(30);
  }
  int out = 0;
  for (std::uint32_t i = 0; i < 5; ++i)
    out += traffic.state(i) == State::ejected || traffic.state(i) == State::probation;
  EXPECT_LE(out, 2);
  EXPECT_GE(out, 1) << told(traffic);
  EXPECT_TRUE(traffic.always_one_serves);
}

TEST(Board, CallsTheOneThatIsOutBackWhenTheOthersFail) {
  Traffic traffic(2);
  traffic.run(60);
  traffic.upstreams[0].bad = .3;
  ASSERT_TRUE(traffic.run_until(0, State::ejected, 60));
  traffic.upstreams[1].failing = 1;
  traffic.run(5);
  EXPECT_EQ(traffic.state(0), State::reduced);
  EXPECT_TRUE(traffic.board.view()->of(0).alone);
  traffic.upstreams[1].failing = 0;
  traffic.run(30);
  EXPECT_EQ(traffic.state(1), State::serving);
  EXPECT_TRUE(traffic.always_one_serves);
}

TEST(Board, DoesNotBelieveCanariesWhereTrafficWasBad) {
  Traffic traffic(2);
  traffic.canaries_a_second = 5;
  traffic.burst = 10;
  for (auto& upstream : traffic.upstreams) upstream.bad_canary = .02;
  traffic.run(120);
  traffic.upstreams[1].bad = .30;  // Its canaries stay good: it knows them.
  ASSERT_TRUE(traffic.run_until(1, State::ejected, 60));
  const std::int64_t before = traffic.served[1];
  traffic.run(1200);
  EXPECT_NE(traffic.state(1), State::serving);
  EXPECT_LT(traffic.served[1] - before, 0.02 * 120'000);
}

TEST(Board, LetsCanariesBringBackWhatCanariesTookOut) {
  Traffic traffic(2);
  traffic.canaries_a_second = 5;
  traffic.burst = 10;
  for (auto& upstream : traffic.upstreams) upstream.bad_canary = .05;
  traffic.run(120);
  traffic.upstreams[1].bad_canary = .5;
  ASSERT_TRUE(traffic.run_until(1, State::ejected, 60));
  EXPECT_THAT(traffic.board.view()->of(1).why, HasSubstr("canary"));
  traffic.run(60);
  EXPECT_EQ(traffic.state(1), State::ejected);
  traffic.upstreams[1].bad_canary = .05;
  ASSERT_TRUE(traffic.run_until(1, State::serving, 600));
  EXPECT_LE(traffic.state_changes[1], 4) << told(traffic);
}

TEST(Board, TellsAShiftOfTheRequestsFromABadTarget) {
  Traffic traffic(3);
  traffic.run(60);
  for (auto& upstream : traffic.upstreams) upstream.bad = .15;  // A prompt that breaks everywhere.
  traffic.run(120);
  EXPECT_EQ(traffic.ejections, 0);
}

TEST(Board, DoesNotTakeOneSessionForMany) {
  const auto state_after = [](bool one_session) {
    Traffic traffic(2);
    traffic.run(60);
    for (std::uint64_t i = 1; i <= 200; ++i) {
      Observation o;
      o.target = 1;
      o.at_ms = traffic.now_ms;
      o.seen = o.bad = bit(Signal::tool_call_invalid);
      o.session = one_session ? 1 : i;
      traffic.board.observe(o);
    }
    traffic.board.tick(traffic.now_ms + 100, Traffic::kWall + traffic.now_ms + 100);
    return traffic.state(1);
  };
  EXPECT_EQ(state_after(true), State::serving);
  EXPECT_EQ(state_after(false), State::ejected);
}

TEST(Board, ArmsOnAnotherIdentityAndClearsItWhenNoHarmIsSeen) {
  Traffic traffic(2);
  traffic.run(60);
  const auto verdict = [&](float x) {
    Observation o;
    o.target = 1;
    o.source = Source::probe;
    o.at_ms = traffic.now_ms;
    o.graded = true;
    o.graded_signal = Signal::identity_sampling;
    o.x = x;
    traffic.board.observe(o);
  };
  verdict(0);
  traffic.run(1);
  EXPECT_FALSE(traffic.board.view()->of(1).identity_armed);
  verdict(1);
  traffic.run(1, 10);
  EXPECT_TRUE(traffic.board.view()->of(1).identity_armed);
  EXPECT_NEAR(traffic.board.view()->of(1).quality, kIdentityFactor, 1e-9);
  EXPECT_TRUE(traffic.board.wants_burst(1));
  EXPECT_EQ(traffic.state(1), State::reduced);
  traffic.run(60);
  EXPECT_FALSE(traffic.board.view()->of(1).identity_armed);
  EXPECT_EQ(traffic.ejections, 0);
  EXPECT_EQ(traffic.state(1), State::serving);
}

TEST(Board, EjectsAtThreeBrokenContractsInARow) {
  Traffic traffic(2);
  traffic.run(20);
  for (const bool bad : {true, true, false, true, true, true}) {
    EXPECT_NE(traffic.state(1), State::ejected);
    Observation o;
    o.target = 1;
    o.source = Source::probe;
    o.at_ms = traffic.now_ms;
    o.seen = bit(Signal::contract);
    if (bad) o.bad = o.seen;
    traffic.board.observe(o);
    traffic.run(1, 10);
  }
  EXPECT_EQ(traffic.state(1), State::ejected);
}

TEST(Board, KeepsAHealthySystemAlone) {
  Traffic traffic(3);
  traffic.run(3000, 300);
  EXPECT_EQ(traffic.ejections, 0);
}

TEST(Board, DrainsAndRestoresByHand) {
  Traffic traffic(2);
  traffic.run(20);
  traffic.board.drain(1, traffic.now_ms);
  EXPECT_EQ(traffic.state(1), State::drained);
  const std::int64_t before = traffic.served[1];
  traffic.run(60);
  EXPECT_EQ(traffic.served[1], before);
  EXPECT_EQ(traffic.state(1), State::drained);
  traffic.board.restore(1, traffic.now_ms);
  EXPECT_EQ(traffic.state(1), State::serving);
  EXPECT_LT(traffic.board.view()->of(1).ramp, .5);
  traffic.run(20);
  EXPECT_EQ(traffic.board.view()->of(1).ramp, 1);
}

TEST(Board, OnlyWatchesWhenToldTo) {
  config::Quality settings = quick_settings();
  settings.mode = config::QualityMode::watch;
  Traffic traffic(2, settings);
  traffic.run(60);
  traffic.upstreams[1].bad = .3;
  traffic.run(60);
  EXPECT_EQ(traffic.state(1), State::serving);
  const BoardViewPtr view = traffic.board.view();
  EXPECT_EQ(view->of(1).quality, 1);
  EXPECT_LT(view->of(1).measured, .6);
}

TEST(Board, TakesAKnownRateInPlaceOfLearning) {
  config::Quality settings = quick_settings();
  settings.signals.push_back({.signal = "tool_call_invalid", .mode = {}, .tolerance = {}, .rate = .01});
  settings.signals.push_back(
      {.signal = "truncated", .mode = config::QualityMode::off, .tolerance = {}, .rate = {}});
  Traffic traffic(2, settings);
  traffic.upstreams[1].bad = .3;  // From the start.
  ASSERT_TRUE(traffic.run_until(1, State::ejected, 10));
  EXPECT_FALSE(find(traffic.board.view()->of(0), Signal::truncated));
}

TEST(Board, IsTheSameForTheSameObservations) {
  const auto run = [] {
    Traffic traffic(3);
    traffic.run(60);
    traffic.upstreams[2].bad = .2;
    traffic.run(60);
    return traffic.board.save();
  };
  EXPECT_EQ(run(), run());
}

}  // namespace
}  // namespace switchyard::scoring
