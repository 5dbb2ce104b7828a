// Health, plan and retry together under simulated time, for many seeds: what an outage of one target costs.
#include "gateway/routing/plan.h"
#include "gateway/routing/retry.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace switchyard::routing {
namespace {

using namespace std::chrono_literals;

struct Provider {
  SharedHealth health;
  std::optional<ErrorKind> fails;  // How it fails now; nothing: it serves.
  int asked = 0, served = 0;
};

struct World {
  explicit World(std::uint64_t seed) : rng(seed) {}

  // One request at `now`: the loop of the relay, without the I/O. True when it was served.
  bool request() {
    budget.on_request(now, 0.2);
    PlanInput input;
    input.strategy = strategy;
    input.now = now;
    input.seed = rng();
    for (auto& provider : providers) {
      Candidate& candidate = input.candidates.emplace_back();
      candidate.id = input.candidates.size();
      candidate.health = provider.health.snapshot(now);
    }
    const Plan plan = make_plan(input);
    bool first = true;
    for (const auto& planned : plan.attempts) {
      Provider& provider = providers[static_cast<std::size_t>(planned.target)];
      if (!provider.health.on_attempt(now) && planned.reason != Reason::last_resort) continue;
      if (!first && !budget.try_retry(now)) {
        provider.health.on_abandoned(now);
        return false;
      }
      first = false;
      ++provider.asked;
      if (!provider.fails) {
        provider.health.on_success(now);
        ++provider.served;
        return true;
      }
      provider.health.on_failure(Error(*provider.fails, ""), now);
    }
    return false;
  }

  // 200 requests a second. Returns how many were not served.
  int run(Duration duration) {
    int lost = 0;
    for (const TimePoint end = now + duration; now < end; now += 5ms) lost += !request();
    return lost;
  }

  TimePoint now{1h};
  std::mt19937_64 rng;
  RetryBudget budget;
  config::Strategy strategy = config::Strategy::weighted;
  std::array<Provider, 2> providers;
};

TEST(Simulation, AnOutageOfOneTargetIsNotSeen) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(seed);
    auto& sick = world.providers[0];
    EXPECT_EQ(world.run(10s), 0);
    sick.fails = seed % 2 ? ErrorKind::unreachable : ErrorKind::provider_error;
    const int asked_before = sick.asked;
    EXPECT_EQ(world.run(60s), 0) << "no request is lost while the other serves";
    EXPECT_LE(sick.asked - asked_before, 5 + 20) << "five failures, then about one trial in four seconds";
    sick.fails.reset();
    const int served_before = sick.served;
    EXPECT_EQ(world.run(5s), 0);
    EXPECT_GT(sick.served, served_before) << "back within 5 s";
    const int healthy_before = sick.served;
    EXPECT_EQ(world.run(30s), 0);
    EXPECT_NEAR(sick.served - healthy_before, 3000, 5 * 40) << "with its full share";
  }
}

TEST(Simulation, TheLastTargetIsAlwaysTried) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    World world(seed);
    for (auto& provider : world.providers) provider.fails = ErrorKind::bad_reply;
    EXPECT_EQ(world.run(20s), 4000);
    for (auto& provider : world.providers) provider.fails.reset();
    EXPECT_EQ(world.run(10s), 0) << "recovery needs no waiting, seed " << seed;
  }
}

TEST(Simulation, ARateLimitedTargetIsLeftAlone) {
  World world(7);
  world.strategy = config::Strategy::priority;
  world.providers[0].fails = ErrorKind::rate_limited;
  EXPECT_EQ(world.run(60s), 0);
  EXPECT_EQ(world.providers[0].asked, 12) << "once in five seconds";
}

}  // namespace
}  // namespace switchyard::routing
