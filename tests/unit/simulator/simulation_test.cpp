#include "gateway/simulator/simulation.h"

#include "tests/unit/simulator/worlds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::simulator {
namespace {

using test::lookup;
using test::three_targets;
using test::world_of;

// Learns within minutes, and lets a target back within minutes.
constexpr const char* kQuick =
    "quality: { learn: { observations: 200, blocks: 5, for: 5m, block: 1m }, dwell: 10m, rise: 10s,\n"
    "           probes: { enabled: true } }\n";

Summary run(const config::Config& config, const World& world, const Options& options = {}) {
  auto summary = simulate(config, lookup(), world, options);
  if (!summary) {
    ADD_FAILURE() << summary.error().message;
    return {};
  }
  return std::move(*summary);
}

TEST(Simulation, TheSameSeedGivesTheSameRunBitByBit) {
  const auto config = three_targets(kQuick);
  const std::string traffic = R"("requests":20000,"rate":50,"seed":)";
  const Summary first = run(config, world_of(traffic + "4")), again = run(config, world_of(traffic + "4")),
                other = run(config, world_of(traffic + "5"));
  EXPECT_EQ(to_text(first), to_text(again));
  EXPECT_EQ(first.seconds, again.seconds);
  EXPECT_NE(to_text(first), to_text(other));
}

TEST(Simulation, EveryRequestIsServedOrNot) {
  const auto config = three_targets(kQuick);
  for (const char* fast : {"true", "false"}) {
    const Summary summary = run(config, world_of(R"("requests":5000,"rate":50,"fast":)" + std::string(fast)));
    EXPECT_EQ(summary.requests, 5000u);
    EXPECT_EQ(summary.served, 5000u);
    EXPECT_EQ(summary.unserved, 0u);
    EXPECT_NEAR(summary.seconds, 100, 15);
    std::uint64_t attempts = 0;
    for (const TargetSummary& target : summary.targets) {
      EXPECT_NEAR(static_cast<double>(target.attempts), 5000 / 3.0, 300) << "three alike share alike";
      attempts += target.attempts;
    }
    EXPECT_EQ(attempts, 5000u);
  }
}

// With one of two hundred thousand healthy requests too many the rate of false ejections would be out by far.
TEST(Simulation, HealthyTargetsAreNotEjected) {
  for (const char* noise : {"", R"(,"day_sd":0.3,"day_seconds":600)"}) {
    const Summary summary = run(three_targets(kQuick),
                                world_of(R"("requests":200000,"rate":50,"fast":true)" + std::string(noise)));
    for (const TargetSummary& target : summary.targets) EXPECT_EQ(target.ejections, 0u);
    EXPECT_EQ(summary.last_target_ejections, 0u);
  }
}

TEST(Simulation, ASilentlyDegradedTargetLosesItsTrafficAndGetsItBack) {
  const World world = world_of(
      R"("requests":360000,"rate":60,"fast":true,"probes_per_hour":600)",
      {R"({"type":"change","at":1500,"provider":"b","model":"x","bad":{"tool_call_invalid":0.4,"canary":0.4}})",
       R"({"type":"restore","at":2100,"provider":"b","model":"x"})"});
  std::vector<Point> points;
  Options options;
  options.every_s = 60;
  options.point = [&](const Point& point) { points.push_back(point); };
  const Summary summary = run(three_targets(kQuick), world, options);
  ASSERT_EQ(summary.incidents.size(), 1u);
  const Incident& incident = summary.incidents[0];
  EXPECT_EQ(incident.target, 1u);
  EXPECT_GE(incident.own_until_half, 0);
  EXPECT_LT(incident.own_until_half, 500);
  EXPECT_GE(incident.own_until_ejected, incident.own_until_half);
  EXPECT_LT(incident.seconds_until_ejected, 300);
  EXPECT_GE(incident.seconds_until_back, 0) << to_text(summary);
  EXPECT_LE(incident.state_changes, 4u) << to_text(summary);
  EXPECT_EQ(summary.targets[1].false_ejections, 0u);
  EXPECT_EQ(summary.targets[0].ejections + summary.targets[2].ejections, 0u);
  EXPECT_EQ(summary.last_target_ejections, 0u);
  ASSERT_GT(points.size(), 50u);
  double share_least = 1;
  for (const Point& point : points) share_least = std::min(share_least, point.shares[1]);
  EXPECT_LT(share_least, 0.02);
  EXPECT_NEAR(points.back().shares[1], 1 / 3.0, 0.05);
}

TEST(Simulation, TheLastTargetIsNeverEjected) {
  std::vector<std::string> all_worse;
  for (const char* name : {"a", "b", "c"}) {
    all_worse.push_back(R"({"type":"change","at":1200,"model":"x","provider":")" + std::string(name) +
                        R"(","bad":{"tool_call_invalid":0.5,"output_invalid":0.5}})");
  }
  const Summary summary =
      run(three_targets(kQuick), world_of(R"("requests":150000,"rate":60,"fast":true)", all_worse));
  EXPECT_EQ(summary.last_target_ejections, 0u);
  EXPECT_EQ(summary.unserved, 0u);
}

// Errors, not quality: the passive health of the same code, and retries.
TEST(Simulation, FailuresAreTriedElsewhere) {
  const World world = world_of(R"("requests":20000,"rate":50)",
                               {R"({"type":"change","at":60,"provider":"a","model":"x","failures":1})"});
  const Summary summary = run(three_targets(kQuick), world);
  EXPECT_EQ(summary.served, 20000u);
  EXPECT_GT(summary.targets[0].failures, 4u);
  EXPECT_LT(summary.targets[0].failures, 600u) << "ejected, but for trials";
}

TEST(Simulation, WorldAndConfigurationMustFit) {
  const auto config = three_targets();
  const auto message = [&](const World& world) {
    const auto summary = simulate(config, lookup(), world, {});
    return summary ? std::string("none") : summary.error().message;
  };
  World world = world_of(R"("requests":1)");
  world.traffic.model = "n";
  EXPECT_EQ(message(world), "no model is called `n`");
  world.traffic.model = "m";
  EXPECT_EQ(message(world), "none");
  std::swap(world.targets[0], world.targets[1]);
  EXPECT_EQ(message(world), "target 1 of `m` is a x: describe the targets in the configuration's order");
  world.targets.pop_back();
  EXPECT_EQ(message(world), "`m` has 3 targets, and 2 are described");
}

}  // namespace
}  // namespace switchyard::simulator
