#include "gateway/routing/load.h"

#include <gtest/gtest.h>

#include <cmath>
#include <queue>
#include <random>
#include <thread>

namespace switchyard::routing {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart = TimePoint(1h);

Error error_of(ErrorKind kind, int status = 0) {
  Error error(kind, "");
  error.upstream_status = status;
  return error;
}

TEST(PeakEwma, ASlowSampleCountsAtOnceAndFades) {
  Fading peak = after_sample({}, 1, kStart, 10s);
  EXPECT_DOUBLE_EQ(faded_ratio(peak, kStart, 10s), 1);
  peak = after_sample(peak, 3, kStart + 1s, 10s);
  EXPECT_DOUBLE_EQ(faded_ratio(peak, kStart + 1s, 10s), 3) << "the first slow one";
  EXPECT_NEAR(faded_ratio(peak, kStart + 11s, 10s), 1 + 2 * std::exp(-1), 1e-6)
      << "nobody asked: toward usual";
  peak = after_sample(peak, 1, kStart + 11s, 10s);
  EXPECT_NEAR(faded_ratio(peak, kStart + 11s, 10s), 3 * std::exp(-1) + 1 - std::exp(-1), 1e-6)
      << "Finagle's w";
}

TEST(PeakEwma, AQuickTargetIsQuick) {
  Fading peak = after_sample({}, 1, kStart, 10s);
  for (int i = 1; i <= 100; ++i) peak = after_sample(peak, 0.5, kStart + i * 1s, 10s);
  EXPECT_NEAR(faded_ratio(peak, kStart + 100s, 10s), 0.5, 0.01);
}

TEST(PeakEwma, TimeThatRunsBackwardsIsNoTime) {
  const Fading peak = after_sample({}, 3, kStart, 10s);
  EXPECT_DOUBLE_EQ(faded_ratio(peak, kStart - 5s, 10s), 3);
}

TEST(Rate, IsOfTheLastWhile) {
  Fading sum;
  for (int i = 0; i < 10'000; ++i) sum = after_amount(sum, 2, kStart + i * 10ms, 10s);
  EXPECT_NEAR(faded_rate(sum, kStart + 100s, 10s), 200, 2);
  EXPECT_LT(faded_rate(sum, kStart + 200s, 10s), 0.1);
}

TEST(Quota, IsWhatIsLeftOverWhatIsWanted) {
  const auto in = [](Duration reset) {
    return static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>((kStart + reset).time_since_epoch()).count());
  };
  EXPECT_EQ(quota_factor({}, 1'000, kStart), 1) << "nothing is known";
  EXPECT_EQ(quota_factor({in(60s), 100}, 1, kStart), 1) << "60 wanted, 100 left";
  EXPECT_DOUBLE_EQ(quota_factor({in(60s), 15}, 1, kStart), 0.25);
  EXPECT_DOUBLE_EQ(quota_factor({in(60s), 15}, 1, kStart + 30s), 0.5);
  EXPECT_EQ(quota_factor({in(60s), 0}, 1, kStart), 0);
  EXPECT_EQ(quota_factor({in(60s), 0}, 1, kStart + 60s), 1) << "it is full again";
  EXPECT_EQ(quota_factor({in(60s), 0}, 0, kStart), 1) << "nobody asks";
}

TEST(Quota, FollowsTheHeadersAndThePace) {
  SharedLoad load;
  for (int i = 0; i < 1'000; ++i) load.on_start(kStart + i * 100ms, 300, 100, 0);
  const TimePoint now = kStart + 100s;
  EXPECT_EQ(load.snapshot(now, 0).quota, 1);
  RateHeaders headers;
  read_rate_header("x-ratelimit-remaining-requests", "300", 0, headers);
  load.on_headers(now, headers);  // 10 a second until a minute from now.
  EXPECT_NEAR(load.snapshot(now, 0).quota, 0.5, 0.01);
  read_rate_header("x-ratelimit-remaining-tokens", "10000", 0, headers);
  read_rate_header("x-ratelimit-reset-tokens", "10s", 0, headers);
  load.on_headers(now, headers);  // 4,000 a second for ten.
  EXPECT_NEAR(load.snapshot(now, 0).quota, 0.25, 0.01);
  EXPECT_NEAR(load.snapshot(now + 20s, 0).quota, 1, 1e-9) << "both have room at what is left of the pace";
}

TEST(Limit, StepsByHand) {
  const LoadPolicy policy;

  const struct {
    Limit limit;
    double ratio;
    int in_flight;
    double proven, expected;
    const char* why;
  } rows[] = {
      {{100, 0}, 1.0, 80, 0, 110, "usual and used: up by its root"},
      {{9, 0}, 1.4, 9, 0, 13, "by 4 at least"},
      {{100, 0}, 1.0, 49, 0, 100, "usual and not used: as it was"},
      {{100, 0}, 3.0, 100, 0, 100 * 0.8 + 54 * 0.2, "twice as slow as tolerated"},
      {{1000, 0}, 3.0, 40, 0, 1000 * 0.8 + 24 * 0.2, "from what was in flight"},
      {{100, 0}, 3.0, 100, 60, 100, "it has borne 60 at its usual speed: slow is not full"},
      {{17, 0}, 9.0, 8, 0, 16, "slowness alone leaves 16"},
      {{5, 0}, 9.0, 5, 0, 5, "and takes nothing from less"},
      {{10, 0}, 1.0, 10, 40, 15, "back to what it has borne by half a step"},
      {{70, 0}, 1.0, 70, 40, 80, "and no further"},
      {{100, std::log(1.4f)}, 2.0, 100, 0, 110, "what is usual may be slower than the median"},
  };

  for (const auto& row : rows) {
    EXPECT_NEAR(after_window(row.limit, std::log(row.ratio), row.in_flight, row.proven, policy).value,
                row.expected, 0.01)
        << row.why;
  }
  EXPECT_NEAR(after_pressure({1000, 0}, 40, policy).value, 36, 1e-4);
  EXPECT_NEAR(after_pressure({20, 0}, 40, policy).value, 18, 1e-4);
  EXPECT_EQ(after_pressure({1, 0}, 0, policy).value, 1);
}

TEST(Limit, UsualFollowsSlowly) {
  Limit limit{100, 0};
  for (int i = 0; i < 600; ++i) limit = after_window(limit, std::log(1.2), 10, 0, kLoadPolicy);
  EXPECT_NEAR(limit.usual, std::log(1.2) * (1 - std::exp(-1)), 0.01);
}

TEST(Limit, AnOverloadThatLastsIsNotUsual) {
  Limit limit{100, 0};
  for (int i = 0; i < 6'000; ++i) limit = after_window(limit, std::log(20), 100, 0, kLoadPolicy);
  EXPECT_NEAR(limit.usual, std::log(1.5), 1e-4);
  EXPECT_NEAR(limit.value, 16, 1e-4);
}

TEST(LimitFor, ShedsWhatCanWaitFirst) {
  EXPECT_EQ(limit_for(100, 0), 80);
  EXPECT_EQ(limit_for(100, 1), 95);
  EXPECT_EQ(limit_for(100, 2), 100);
  EXPECT_EQ(limit_for(1, 0), 1) << "one at a time for all";
  EXPECT_EQ(limit_for(0, 0), 0) << "no limit";
}

TEST(SharedLoad, CountsAndRefusesAtTheLimit) {
  SharedLoad load;
  EXPECT_TRUE(load.on_start(kStart, 1, 1, 2));
  EXPECT_TRUE(load.on_start(kStart, 1, 1, 2));
  EXPECT_FALSE(load.on_start(kStart, 1, 1, 2));
  EXPECT_EQ(load.snapshot(kStart, 0).in_flight, 2) << "the refused one is not counted";
  load.on_end(kStart, nullptr);
  EXPECT_TRUE(load.on_start(kStart, 1, 1, 2));
  EXPECT_EQ(load.snapshot(kStart, 7).in_flight_max, 7) << "the configured limit";
  EXPECT_EQ(load.snapshot(kStart, 0).in_flight_max, 1000);
}

TEST(SharedLoad, PressureCutsOnceAWindow) {
  SharedLoad load;
  for (int i = 0; i < 50; ++i) load.on_start(kStart, 1, 1, 0);
  const Error limited = error_of(ErrorKind::rate_limited, 429);
  for (int i = 0; i < 10; ++i) load.on_end(kStart + 1s, &limited);
  EXPECT_EQ(load.snapshot(kStart + 1s, 0).in_flight_max, 45) << "0.9 of the fifty";
  load.on_end(kStart + 3s, &limited);
  EXPECT_EQ(load.snapshot(kStart + 3s, 0).in_flight_max, 36) << "0.9 of the forty that are left";
  const Error timed_out = error_of(ErrorKind::first_token_timeout);
  load.on_end(kStart + 5s, &timed_out);
  EXPECT_EQ(load.snapshot(kStart + 5s, 0).in_flight_max, 32);  // 0.9 x 36.
}

TEST(SharedLoad, OtherEndsCutNothing) {
  SharedLoad load;
  for (int i = 0; i < 20; ++i) load.on_start(kStart, 1, 1, 0);
  for (const auto kind : {ErrorKind::provider_error, ErrorKind::cancelled, ErrorKind::invalid_request,
                          ErrorKind::credential, ErrorKind::between_tokens_timeout, ErrorKind::overloaded}) {
    const Error error = error_of(kind);
    load.on_end(kStart + 10s, &error);
  }
  EXPECT_EQ(load.snapshot(kStart + 10s, 0).in_flight_max, 1000)
      << "a full queue of this side is none of theirs";
}

// A target with `servers` places (0: without end), of which each takes 100 ms to the first token (log-normal,
// sd 0.5); what comes more waits. Poisson arrivals; those that find it full are counted. Returns the limit at
// the end.
struct Queue {
  Queue(int servers, std::uint64_t seed) : free_at(static_cast<std::size_t>(servers), kStart), rng(seed) {}

  void run(Duration duration, double per_second, double slowness = 1) {
    const TimePoint end = now + duration;
    std::exponential_distribution<double> gap(per_second);
    std::lognormal_distribution<double> service(0, 0.5);
    while (now < end) {
      now += std::chrono::duration_cast<Duration>(std::chrono::duration<double>(gap(rng)));
      while (!ends.empty() && ends.top().first <= now) {
        const auto [at, began] = ends.top();
        ends.pop();
        load.on_first_token(at, std::chrono::duration<double, std::milli>(at - began).count(), 100);
        load.on_end(at, nullptr);
      }
      asked += 1;
      if (!load.on_start(now, 100, 100, load.snapshot(now, 0).in_flight_max)) {
        refused += 1;
        continue;
      }
      const auto took =
          std::chrono::duration_cast<Duration>(std::chrono::duration<double>(0.1 * slowness * service(rng)));
      if (free_at.empty()) {
        ends.push({now + took, now});
        continue;
      }
      auto& server = *std::min_element(free_at.begin(), free_at.end());
      server = std::max(server, now) + took;
      ends.push({server, now});
    }
  }

  using End = std::pair<TimePoint, TimePoint>;
  std::vector<TimePoint> free_at;
  std::mt19937_64 rng;
  SharedLoad load;
  TimePoint now = kStart;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends;
  int asked = 0, refused = 0;
};

TEST(SharedLoad, AHealthyTargetIsNeverHeldBack) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    Queue queue(0, seed);
    queue.run(120s, 20);
    queue.run(120s, 600);
    queue.run(60s, 600, 2);  // A slow minute for everybody: as many come, each stays for twice as long.
    queue.run(60s, 600);
    EXPECT_EQ(queue.refused, 0) << seed;
  }
}

TEST(SharedLoad, AQueueThatGrowsIsCut) {
  Queue queue(20, 3);  // Bears about 175 a second.
  queue.run(60s, 100);
  EXPECT_EQ(queue.refused, 0);
  queue.run(60s, 350);
  EXPECT_LT(queue.load.snapshot(queue.now, 0).in_flight_max, 120);
  queue.run(60s, 350);
  EXPECT_LT(queue.load.snapshot(queue.now, 0).in_flight_max, 80) << "of what would be more than ten thousand";
  const int refused = queue.refused;
  queue.run(30s, 100);
  queue.run(60s, 100);
  EXPECT_LT(queue.refused - refused, 100) << "what it bears it gets";
}

TEST(SharedLoad, ComesBackFromAnOutageWithinTenSeconds) {
  Queue queue(0, 5);
  queue.run(30s, 600);
  const Error timed_out = error_of(ErrorKind::connect_timeout);
  for (int second = 0; second < 60; ++second) {
    queue.now += 1s;
    queue.load.on_start(queue.now, 1, 1, 0);
    queue.load.on_end(queue.now, &timed_out);
  }
  EXPECT_LE(queue.load.snapshot(queue.now, 0).in_flight_max, 2);
  queue.run(12s, 600);
  const int refused = queue.refused;
  queue.run(30s, 600);
  EXPECT_LT(queue.refused - refused, 30);
}

TEST(SharedLoad, ThreadsLoseNothing) {
  SharedLoad load;
  constexpr int kThreads = 4, kEach = 20'000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) {
        const TimePoint now = kStart + i * 1ms;
        load.on_start(now, 1, 1, 0);
        load.on_first_token(now, 100, 100);
        load.on_end(now, nullptr);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const LoadView view = load.snapshot(kStart + 20s, 0);
  EXPECT_EQ(view.in_flight, 0);
  EXPECT_EQ(view.latency_ratio, 1);
  EXPECT_GE(view.in_flight_max, 1000);
}

}  // namespace
}  // namespace switchyard::routing
