#include "gateway/scoring/detector.h"

#include "tests/unit/scoring/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace switchyard::scoring {
namespace {

struct Delays {
  double mean = 0, p95 = 0;
};

// Observations from a change until M >= 10^6. The change comes while a healthy stream is running.
Delays delays(double m0, double p1, int runs) {
  const Bets bets(m0);
  std::vector<int> all;
  Random random(1);
  Detector healthy;
  for (int run = 0; run < runs; ++run) {
    for (int i = 0; i < 500; ++i) healthy.observe(random.event(m0), bets);
    if (healthy.evidence() >= 1e6) healthy.reset();
    Detector detector = healthy;
    int n = 0;
    while (detector.evidence() < 1e6) detector.observe(random.event(p1), bets), ++n;
    all.push_back(n);
  }
  std::sort(all.begin(), all.end());
  double sum = 0;
  for (const int n : all) sum += n;
  return {sum / runs, static_cast<double>(all[all.size() * 95 / 100])};
}

TEST(Detector, IsAsQuickAsTheTableOfItsDesign) {
  const struct {
    double m0, p1, mean, p95;
  } rows[] = {{.001, .01, 629, 1334}, {.001, .03, 154, 324}, {.001, .13, 30, 57},  {.01, .02, 2118, 4205},
              {.01, .03, 693, 1389},  {.01, .05, 244, 472},  {.01, .10, 80, 161},  {.05, .10, 485, 914},
              {.05, .15, 153, 287},   {.05, .30, 38, 70},    {.10, .20, 237, 435}, {.10, .30, 76, 139},
              {.10, .50, 25, 44},     {.5, .6, 505, 909},    {.5, .7, 134, 232}};

  for (const auto& row : rows) {
    SCOPED_TRACE(testing::Message() << row.m0 << " -> " << row.p1);
    const Delays measured = delays(row.m0, row.p1, 2000);
    EXPECT_NEAR(measured.mean, row.mean, 0.1 * row.mean);
    EXPECT_NEAR(measured.p95, row.p95, 0.12 * row.p95);
  }
}

// The mean number of observations of a healthy stream until M >= A is at least A, and not much more.
TEST(Detector, AlarmsOnHealthyStreamsAsRarelyAsPromised) {
  constexpr double kThreshold = 1000;
  for (const double m0 : {.001, .01, .1, .5}) {
    SCOPED_TRACE(m0);
    const Bets bets(m0);
    Random random(2);
    double sum = 0;
    constexpr int kRuns = 1500;
    for (int run = 0; run < kRuns; ++run) {
      Detector detector;
      while (detector.evidence() < kThreshold) detector.observe(random.event(m0), bets), ++sum;
    }
    EXPECT_GE(sum / kRuns, kThreshold);
    EXPECT_LE(sum / kRuns, 3 * kThreshold);
  }
}

// Graded observations keep the bound too: it needs the mean alone.
TEST(Detector, HoldsForObservationsBetweenGoodAndBad) {
  const Bets bets(.3);
  Random random(3);
  double sum = 0;
  constexpr int kRuns = 500;
  for (int run = 0; run < kRuns; ++run) {
    Detector detector;
    while (detector.evidence() < 1000) detector.observe(random.uniform() * .6, bets), ++sum;
  }
  EXPECT_GE(sum / kRuns, 1000);
}

TEST(Detector, LeavesHealthyTrafficNearlyAlone) {
  for (const double m0 : {.001, .01, .1}) {
    SCOPED_TRACE(m0);
    const Bets bets(m0);
    Random random(4);
    Detector detector;
    int suspicious = 0;
    constexpr int kObservations = 1'000'000;
    for (int i = 0; i < kObservations; ++i) {
      detector.observe(random.event(m0), bets);
      if (detector.odds() >= 100) ++suspicious;
    }
    EXPECT_LE(suspicious, 0.01 * kObservations);
    EXPECT_GT(suspicious, 0);
  }
}

TEST(Detector, TellsSinceWhenAndHowMuch) {
  const Bets bets(.01);
  std::vector<double> errors, means;
  for (std::uint64_t seed = 0; seed < 101; ++seed) {
    Random random(seed);
    Detector detector;
    std::uint32_t second = 1000;
    for (int i = 0; i < 5000; ++i) detector.observe(random.event(.01), bets, second++);
    const std::uint32_t changed = second;
    for (int i = 0; i < 600; ++i) detector.observe(random.event(.10), bets, second++);
    const Change change = detector.change();
    EXPECT_NEAR(change.allowed, .01, 1e-5);
    EXPECT_EQ(change.seen, second - 1 - change.since_s);
    EXPECT_GT(detector.odds(), 1e4);
    errors.push_back(std::abs(static_cast<double>(change.since_s) - changed));
    means.push_back(change.mean);
  }
  std::sort(errors.begin(), errors.end());
  std::sort(means.begin(), means.end());
  EXPECT_LE(errors[50], 40);
  EXPECT_NEAR(means[50], .10, .01);
}

TEST(Detector, ForgetsWhenItIsGoodAgain) {
  const Bets bets(.05);
  Detector detector;
  for (int i = 0; i < 100'000; ++i) detector.observe(1, bets);
  EXPECT_LT(detector.evidence(), 1e19);  // Bounded, however long it was bad.
  int n = 0;
  while (detector.odds() >= 10) detector.observe(0, bets), ++n;
  EXPECT_LT(n, 2000);
  while (detector.change().seen > 0) detector.observe(0, bets);
  EXPECT_EQ(detector.change().mean, 0);
}

TEST(Detector, KeepsCountingAChangeThatLastsForMillions) {
  const Bets bets(.001);
  Detector detector;
  for (int i = 0; i < 3'000'000; ++i) detector.observe(i % 10 == 0, bets);
  EXPECT_NEAR(detector.change().mean, .1, 1e-3);
  EXPECT_NEAR(detector.change().allowed, .001, 1e-5);
}

TEST(Detector, IsTheSameAfterItsNumbers) {
  const Bets bets(.02);
  Random random(6);
  Detector detector;
  for (int i = 0; i < 777; ++i) detector.observe(random.event(.1), bets, i);
  Detector again = Detector::from_numbers(detector.numbers());
  EXPECT_EQ(again, detector);
  detector.observe(1, bets, 999), again.observe(1, bets, 999);
  EXPECT_EQ(again, detector);
}

TEST(Detector, IsSmall) {
  EXPECT_LE(sizeof(Detector) + sizeof(Bets), 400);
}

TEST(Recovery, ComesWithGoodObservationsAndNotWithoutThem) {
  const auto observations_until = [](double mean, double evidence, int at_most) {
    double sum = 0;
    constexpr int kRuns = 300;
    Random random(7);
    for (int run = 0; run < kRuns; ++run) {
      Recovery recovery;
      int n = 0;
      while (recovery.evidence() < evidence && n < at_most)
        recovery.observe(random.event(mean), .30, .05), ++n;
      sum += n;
    }
    return sum / kRuns;
  };
  EXPECT_NEAR(observations_until(.05, 100, 10'000), 28, 8);
  EXPECT_GE(observations_until(.30, 100, 2'000), 1800);
  Recovery says_nothing;
  says_nothing.observe(0, .05, .05);
  EXPECT_EQ(says_nothing.evidence(), 1);
  Recovery long_bad;
  for (int i = 0; i < 100; ++i) long_bad.observe(i % 3 == 0, .30, .05);
  EXPECT_LT(long_bad.evidence(), .2);  // Begun so often, it has to win more.
}

}  // namespace
}  // namespace switchyard::scoring
