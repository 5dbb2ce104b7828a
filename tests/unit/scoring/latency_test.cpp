#include "gateway/scoring/latency.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace switchyard::scoring {
namespace {

constexpr std::int64_t kMinute = 60'000, kHour = 60 * kMinute;
// A Monday, 00:00 UTC.
constexpr std::int64_t kStart = 1'782'691'200'000;

TEST(LogHistogram, QuantilesAreWithinAHundredth) {
  std::mt19937_64 rng(1);
  std::lognormal_distribution<double> times(6.5, 0.8);
  LogHistogram histogram;
  std::vector<double> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(std::clamp(times(rng), 1.0, 119'000.0));
    histogram.add(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double q : {0.0, 0.001, 0.25, 0.5, 0.95, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::max(std::ceil(q * 20'000), 1.0)) - 1;
    EXPECT_NEAR(histogram.quantile(q) / values[rank], 1, 0.01 + 1e-9) << q;
  }
}

TEST(LogHistogram, ItsEndsHoldTheRest) {
  LogHistogram histogram;
  for (const double value : {-1.0, 0.0, 0.5, 1.0, std::nan("")}) histogram.add(value);
  EXPECT_NEAR(histogram.quantile(1), 1, 0.01);
  histogram.add(120'000);
  EXPECT_NEAR(histogram.quantile(1) / 120'000, 1, 0.0101);
  histogram.add(1e12);
  EXPECT_NEAR(histogram.quantile(1) / 120'000, 1, 0.0101);
  EXPECT_EQ(LogHistogram().quantile(0.5), 0);
}

TEST(LogHistogram, AddingIsInAnyOrderAndCanBeTakenBack) {
  std::mt19937_64 rng(2);
  std::lognormal_distribution<double> times(6, 1);
  LogHistogram a, b, both;
  for (int i = 0; i < 2'000; ++i) {
    const double value = times(rng);
    (i % 3 ? a : b).add(value);
    both.add(value);
  }
  LogHistogram ab = a, ba = b;
  ab.add(b);
  ba.add(a);
  for (double q = 0; q <= 1; q += 0.01) {
    EXPECT_EQ(ab.quantile(q), both.quantile(q));
    EXPECT_EQ(ba.quantile(q), both.quantile(q));
  }
  ab.subtract(b);
  for (double q = 0; q <= 1; q += 0.01) EXPECT_EQ(ab.quantile(q), a.quantile(q));
  ab.subtract(a);
  EXPECT_EQ(ab.count(), 0u);
}

TEST(WindowedHistogram, ForgetsASlotAtATime) {
  WindowedHistogram window(6, 10'000);
  for (int second = 0; second < 600; ++second) {
    window.advance(kStart + second * 1'000);
    window.add(100);
    EXPECT_LE(window.total().count(), 60u);
  }
  EXPECT_EQ(window.total().count(), 60u);
  window.advance(kStart + 600'000 + 30'000);
  EXPECT_EQ(window.total().count(), 20u);
  window.advance(kStart + 100 * kHour);
  EXPECT_EQ(window.total().count(), 0u);
}

// Requests at a steady pace whose times are log-normal around a median, under a load that follows itself:
// ln(load) is AR(1) with a correlation over 200 requests.
struct Traffic {
  explicit Traffic(std::uint64_t seed, double load_sd = 0) : rng(seed), load_sd(load_sd) {}

  // `per_second` requests for so long; returns what was noticed.
  std::vector<LatencyNotice> run(std::int64_t duration_ms, double per_second, double median_ms,
                                 std::uint32_t input_tokens = 500) {
    std::vector<LatencyNotice> notices;
    std::normal_distribution<double> normal;
    const double keep = std::exp(-1.0 / 200);
    const auto gap_ms = static_cast<std::int64_t>(1'000 / per_second);
    for (const std::int64_t end = now_ms + duration_ms; now_ms < end; now_ms += gap_ms) {
      load = keep * load + load_sd * std::sqrt(1 - keep * keep) * normal(rng);
      Observation o;
      o.input_tokens = input_tokens;
      o.ttft_ms = static_cast<float>(median_ms * std::exp(load + 0.35 * normal(rng)));
      o.inter_token_ms = 14;
      store.observe(o, now_ms);
      if (auto notice = store.tick(now_ms)) notices.push_back(*notice);
    }
    return notices;
  }

  TargetView view() const {
    TargetView out;
    store.fill(out);
    return out;
  }

  std::mt19937_64 rng;
  double load_sd, load = 0;
  std::int64_t now_ms = kStart;
  LatencyStore store;
};

TEST(LatencyStore, FillsTheViewBySizeClass) {
  Traffic traffic(1);
  traffic.run(30 * kMinute, 4, 800, 500);
  traffic.run(30 * kMinute, 4, 3'000, 20'000);
  const TargetView view = traffic.view();
  const auto& small = view.latency[static_cast<std::size_t>(size_bucket(500))];
  const auto& large = view.latency[static_cast<std::size_t>(size_bucket(20'000))];
  EXPECT_NEAR(small.ttft_ms_p50, 800, 40);
  EXPECT_NEAR(small.ttft_ms_p95, 800 * std::exp(0.35 * 1.645), 80);
  EXPECT_NEAR(small.ttft_ms_p99, 800 * std::exp(0.35 * 2.326), 180);
  EXPECT_NEAR(small.samples, 7'200, 700);
  EXPECT_NEAR(large.ttft_ms_p50, 3'000, 150);
  EXPECT_NEAR(view.inter_token_ms, 14, 0.15);
  EXPECT_EQ(view.latency[5].ttft_ms_p50, 0) << "no such request was seen";
  EXPECT_EQ(view.latency[5].samples, 0u);
}

TEST(LatencyStore, CachedTokensAreNotWaitedFor) {
  LatencyStore store;
  Observation o;
  o.input_tokens = 20'000, o.cached_tokens = 19'900, o.ttft_ms = 300;
  store.observe(o, kStart);
  TargetView view;
  store.fill(view);
  EXPECT_EQ(view.latency[0].samples, 1u);
}

TEST(LatencyStore, FailuresSayNothing) {
  LatencyStore store;
  Observation o;
  o.ttft_ms = 300;
  for (const auto ending : {Ending::fault, Ending::limited, Ending::no_verdict}) {
    o.ending = ending;
    store.observe(o, kStart);
  }
  TargetView view;
  store.fill(view);
  EXPECT_EQ(view.latency[0].samples, 0u);
}

TEST(LatencyStore, TheRatioIsOfTheLastMinute) {
  Traffic traffic(2);
  traffic.run(2 * kHour, 4, 800);
  EXPECT_NEAR(traffic.view().latency_ratio, 1, 0.12);
  traffic.run(kMinute, 4, 1'600);
  EXPECT_NEAR(traffic.view().latency_ratio, 2, 0.25);
  EXPECT_NEAR(traffic.view().latency[1].ttft_ms_p50, 800, 60) << "the slow window hardly moved";
}

TEST(LatencyStore, AnIdleTargetKeepsItsUsualMedian) {
  Traffic traffic(3);
  traffic.run(3 * kHour, 1, 800);
  traffic.now_ms += 5 * kHour;
  traffic.store.tick(traffic.now_ms);
  const TargetView view = traffic.view();
  EXPECT_EQ(view.latency[1].samples, 0u);
  EXPECT_NEAR(view.latency[1].ttft_ms_p50, 800, 25);
  EXPECT_EQ(view.latency_ratio, 1);
}

TEST(LatencyBaseline, AnHourOfTheWeekWeighsWhatItWasSeen) {
  LatencyBaseline baseline;
  EXPECT_EQ(baseline.median_ms(0, kStart), 0);
  for (int block = 0; block < 12; ++block) baseline.learn_block(0, std::log(100));
  EXPECT_NEAR(baseline.median_ms(0, kStart), 100, 0.01);
  baseline.learn_hour(0, kStart, std::log(400));
  EXPECT_NEAR(baseline.median_ms(0, kStart), 200, 0.01) << "one week against all hours";
  EXPECT_NEAR(baseline.median_ms(0, kStart + kHour), 100, 0.01) << "other hours as before";
  EXPECT_NEAR(baseline.median_ms(0, kStart + 7 * 24 * kHour), 200, 0.01) << "the same hour a week later";
  for (int week = 0; week < 30; ++week) baseline.learn_hour(0, kStart, std::log(400));
  EXPECT_NEAR(std::log(baseline.median_ms(0, kStart)), (8 * std::log(400) + std::log(100)) / 9, 1e-4);
}

TEST(LatencyAlarm, HearsOfATenthMoreWithinHoursAndOfHalfMoreWithinOne) {
  const struct {
    double factor;
    int blocks_max;
  } rows[] = {{1.1, 60}, {1.5, 8}};

  for (const auto& row : rows) {
    Traffic traffic(4, 0.10);
    EXPECT_TRUE(traffic.run(4 * 24 * kHour, 4, 800).empty());
    const auto notices = traffic.run(row.blocks_max * 5 * kMinute, 4, 800 * row.factor);
    ASSERT_EQ(notices.size(), 1u) << row.factor;
    EXPECT_TRUE(notices[0].raised);
    EXPECT_TRUE(traffic.view().slow);
  }
}

TEST(LatencyAlarm, EndsWhenTimesAreUsualAgain) {
  Traffic traffic(5, 0.10);
  traffic.run(24 * kHour, 4, 800);
  EXPECT_EQ(traffic.run(2 * kHour, 4, 1'200).size(), 1u);
  const auto notices = traffic.run(6 * kHour, 4, 800);
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_FALSE(notices[0].raised);
  EXPECT_FALSE(traffic.view().slow);
  EXPECT_TRUE(traffic.run(24 * kHour, 4, 800).empty());
}

// What stays slow is usual after a week; until then the alarm's own times are not learnt from.
TEST(LatencyAlarm, AWeekMakesANewUsual) {
  Traffic traffic(6, 0.05);
  traffic.run(24 * kHour, 1, 800);
  ASSERT_EQ(traffic.run(3 * kHour, 1, 1'600).size(), 1u);
  EXPECT_TRUE(traffic.run(6 * 24 * kHour, 1, 1'600).empty());
  EXPECT_GT(traffic.view().latency_ratio, 1.7);
  const auto notices = traffic.run(2 * 24 * kHour, 1, 1'600);
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_FALSE(notices[0].raised);
  EXPECT_LT(traffic.view().latency_ratio, 1.2);
}

// Loads that follow themselves, in which a detector that counts single requests cries hundreds of times.
TEST(LatencyAlarm, AtMostOneFalseAlarmInNinetyDaysOfMovingLoad) {
  int alarms = 0;
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    for (const double load_sd : {0.05, 0.10, 0.20}) {
      Traffic traffic(100 + seed, load_sd);
      for (const auto& notice : traffic.run(10 * 24 * kHour, 0.5, 800)) alarms += notice.raised;
    }
  }
  EXPECT_LE(alarms, 1);
}

TEST(LatencyStore, SurvivesARestart) {
  Traffic traffic(7, 0.10);
  traffic.run(24 * kHour, 4, 800);
  traffic.run(2 * kHour, 4, 1'600);
  ASSERT_TRUE(traffic.store.is_slow());
  LatencyStore restored;
  ASSERT_TRUE(restored.load(traffic.store.save()));
  EXPECT_EQ(restored.save(), traffic.store.save());
  EXPECT_TRUE(restored.is_slow());
  restored.tick(traffic.now_ms);
  TargetView view;
  restored.fill(view);
  EXPECT_NEAR(view.latency[1].ttft_ms_p50, 800, 25);
}

TEST(LatencyStore, RefusesWhatItCannotRead) {
  Traffic traffic(8);
  traffic.run(kHour, 1, 800);
  const std::string good = traffic.store.save();
  ASSERT_TRUE(traffic.store.load(good));
  for (std::size_t size = 0; size < good.size(); size += 7) {
    EXPECT_FALSE(traffic.store.load(good.substr(0, size)));
  }
  for (const char* text : {"null", "[]", "{}", R"({"usual":[[1,1]]})"})
    EXPECT_FALSE(traffic.store.load(text));
  std::string wild = good;
  wild.replace(wild.find("\"hours\":["), 9, "\"hours\":[[999,0,1,1],");
  EXPECT_FALSE(traffic.store.load(wild.replace(wild.find(",]"), 2, "]")));
  EXPECT_EQ(traffic.store.save(), good) << "it is as it was";
}

}  // namespace
}  // namespace switchyard::scoring
