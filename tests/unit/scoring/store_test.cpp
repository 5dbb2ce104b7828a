#include "tests/unit/scoring/traffic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::scoring {
namespace {

void expect_equal(const BoardView& a, const BoardView& b) {
  EXPECT_EQ(a.version, b.version);
  EXPECT_EQ(a.at_ms, b.at_ms);
  ASSERT_EQ(a.targets.size(), b.targets.size());
  for (std::size_t i = 0; i < a.targets.size(); ++i) {
    SCOPED_TRACE(i);
    const TargetView &left = a.targets[i], &right = b.targets[i];
    EXPECT_EQ(left.state, right.state);
    EXPECT_EQ(left.state_since_ms, right.state_since_ms);
    EXPECT_EQ(left.state_until_ms, right.state_until_ms);
    EXPECT_EQ(left.quality, right.quality);
    EXPECT_EQ(left.measured, right.measured);
    EXPECT_EQ(left.ramp, right.ramp);
    EXPECT_EQ(left.availability, right.availability);
    EXPECT_EQ(left.why, right.why);
    EXPECT_EQ(left.recent_requests, right.recent_requests);
    ASSERT_EQ(left.evidence.size(), right.evidence.size());
    for (std::size_t k = 0; k < left.evidence.size(); ++k) {
      const Evidence &l = left.evidence[k], &r = right.evidence[k];
      EXPECT_EQ(l.signal, r.signal);
      EXPECT_EQ(l.seen, r.seen);
      EXPECT_EQ(l.bad, r.bad);
      EXPECT_EQ(l.mean, r.mean);
      EXPECT_EQ(l.allowed, r.allowed);
      EXPECT_EQ(l.baseline, r.baseline);
      EXPECT_EQ(l.baseline_version, r.baseline_version);
      EXPECT_EQ(l.odds, r.odds);
      EXPECT_EQ(l.ejects, r.ejects);
      EXPECT_EQ(l.factor, r.factor);
      EXPECT_EQ(l.since_ms, r.since_ms);
    }
  }
}

// At every stage of an incident: what was saved and loaded goes on bit by bit as what was not.
TEST(Store, GoesOnBitByBitAfterARestart) {
  Traffic traffic(3);
  const auto check = [&](const char* stage) {
    SCOPED_TRACE(stage);
    const std::string saved = traffic.board.save();
    Board again;
    ASSERT_TRUE(again.load(saved));
    again.configure(quick_settings(), traffic.infos(), 77);
    // Another process: another steady clock, the same wall clock.
    const std::int64_t moved = 5'000'000 - traffic.now_ms;
    Random random(9);
    for (int tick = 0; tick < 50; ++tick) {
      traffic.now_ms += 100;
      again.tick(traffic.now_ms + moved, Traffic::kWall + traffic.now_ms);
      traffic.board.tick(traffic.now_ms, Traffic::kWall + traffic.now_ms);
      expect_equal(*traffic.board.view(), *again.view());
      for (int i = 0; i < 5; ++i) {
        Observation o;
        o.target = static_cast<std::uint32_t>(random.next() % 3);
        o.at_ms = traffic.now_ms;
        o.seen = bit(Signal::tool_call_invalid) | bit(Signal::truncated);
        o.bad = random.uniform() < .05 ? bit(Signal::tool_call_invalid) : 0;
        o.output_tokens = static_cast<std::uint32_t>(random.next() % 500);
        traffic.board.observe(o);
        o.at_ms += moved;
        again.observe(o);
      }
    }
    EXPECT_EQ(traffic.board.save(), again.save());
  };
  traffic.run(5);
  check("learning");
  traffic.run(60);
  check("learnt");
  traffic.upstreams[1].bad = .3;
  traffic.run(2);
  check("suspicious");
  ASSERT_TRUE(traffic.run_until(1, State::ejected, 60));
  check("ejected");
  traffic.upstreams[1].bad = .01;
  ASSERT_TRUE(traffic.run_until(1, State::probation, 60));
  check("probation");
}

TEST(Store, RefusesWhatItCannotReadAsAWhole) {
  Traffic traffic(2);
  traffic.run(20);
  const std::string saved = traffic.board.save();
  for (std::size_t length : {std::size_t{0}, std::size_t{1}, saved.size() / 2, saved.size() - 1}) {
    Board board;
    EXPECT_FALSE(board.load(saved.substr(0, length)));
    EXPECT_TRUE(board.load(saved));
  }
  Board board;
  EXPECT_FALSE(board.load("{}"));
  EXPECT_FALSE(board.load("[1, 2]"));
  std::string later = saved;
  later.replace(later.find("\"format\":1"), 10, "\"format\":2");
  EXPECT_FALSE(board.load(later));
}

TEST(Store, KeepsATargetThroughReloadsOfTheConfiguration) {
  Traffic traffic(2);
  traffic.run(60);
  traffic.upstreams[1].bad = .3;
  ASSERT_TRUE(traffic.run_until(1, State::ejected, 60));
  std::vector<TargetInfo> targets = traffic.infos();
  const TargetInfo moved = targets[1];
  targets.pop_back();
  traffic.board.configure(quick_settings(), targets, traffic.now_ms);
  traffic.board.tick(traffic.now_ms, Traffic::kWall + traffic.now_ms);
  EXPECT_EQ(traffic.board.view()->of(1).evidence.size(), 0);
  targets.push_back(moved);
  targets[1].id = 7;
  traffic.board.configure(quick_settings(), targets, traffic.now_ms);
  traffic.board.tick(traffic.now_ms, Traffic::kWall + traffic.now_ms);
  EXPECT_EQ(traffic.state(7), State::ejected);
}

}  // namespace
}  // namespace switchyard::scoring
