#include "gateway/probing/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

namespace switchyard::probing {
namespace {

constexpr std::int64_t kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;

config::Probes probes(int tokens_per_hour = 2000) {
  config::Probes probes;
  probes.enabled = true;
  probes.tokens_per_hour = tokens_per_hour;
  return probes;
}

double cost_of(const Due& due) {
  if (due.needle_tokens > 0) return due.needle_tokens + 60;
  return due.kind == Kind::canary ? 250 : due.kind == Kind::contract ? 150 : 20;
}

struct Sent {
  std::int64_t at_ms;
  Due due;
};

// Runs a schedule from `from_ms` on, looked at once a second; every probe costs what cost_of() says.
std::vector<Sent> run(Schedule& schedule, std::int64_t from_ms, std::int64_t until_ms, Pace pace,
                      End end = End::ran) {
  std::vector<Sent> sent;
  for (std::int64_t now = from_ms; now < until_ms; now += kSecond) {
    while (const auto due = schedule.next(now, pace)) {
      sent.push_back({now, *due});
      schedule.on_end(*due, end == End::ran ? cost_of(*due) : 0, end, now);
    }
  }
  return sent;
}

double tokens_of(const std::vector<Sent>& sent) {
  double tokens = 0;
  for (const Sent& each : sent) tokens += cost_of(each.due);
  return tokens;
}

TEST(Schedule, KeepsItsBudgetAndUsesIt) {
  for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
    SCOPED_TRACE(seed);
    Schedule schedule(probes(), seed, 0);
    schedule.set_context(128'000);
    const double tokens = tokens_of(run(schedule, 0, 3 * kDay, Pace::steady));
    EXPECT_LE(tokens, 2000 * 72 * 1.05);
    EXPECT_GE(tokens, 2000 * 72 * 0.7);
  }
}

TEST(Schedule, SplitsTheBudgetBetweenTheKinds) {
  Schedule schedule(probes(), 9, 0);
  schedule.set_context(128'000);
  std::map<Kind, double> tokens;
  for (const Sent& each : run(schedule, 0, 5 * kDay, Pace::steady))
    tokens[each.due.kind] += cost_of(each.due);
  const double all = 2000 * 120;
  EXPECT_NEAR(tokens[Kind::canary] / all, 0.58, 0.1);
  EXPECT_NEAR((tokens[Kind::sampling] + tokens[Kind::greedy] + tokens[Kind::logprobs]) / all, 0.34, 0.07);
  EXPECT_NEAR(tokens[Kind::contract] / all, 0.08, 0.03);
  EXPECT_GT(tokens[Kind::sampling], tokens[Kind::greedy]);
  EXPECT_GT(tokens[Kind::greedy], tokens[Kind::logprobs]);
}

// Waits of a Poisson process have a standard deviation like their mean; those of a timetable have none.
TEST(Schedule, HasNoTimetable) {
  Schedule schedule(probes(), 9, 0);
  std::vector<double> waits;
  std::int64_t before = 0;
  for (const Sent& each : run(schedule, 0, 20 * kDay, Pace::steady)) {
    if (each.due.kind != Kind::canary) continue;
    waits.push_back(static_cast<double>(each.at_ms - before));
    before = each.at_ms;
  }
  double mean = 0, square = 0;
  for (const double wait : waits) mean += wait / static_cast<double>(waits.size());
  for (const double wait : waits) square += (wait - mean) * (wait - mean) / static_cast<double>(waits.size());
  EXPECT_NEAR(std::sqrt(square) / mean, 1, 0.25);
}

TEST(Schedule, EveryHourOfTheDayGetsItsShare) {
  std::array<int, 24> hours{};
  for (const std::uint64_t seed : {1, 2, 3}) {
    Schedule schedule(probes(), seed, 0);
    for (const Sent& each : run(schedule, 0, 20 * kDay, Pace::steady)) {
      if (each.due.kind == Kind::canary) ++hours[static_cast<std::size_t>(each.at_ms % kDay / kHour)];
    }
  }
  const auto [least, most] = std::ranges::minmax(hours);
  EXPECT_GT(least, 150);
  EXPECT_LT(most, 2 * least);
}

TEST(Schedule, BurstsTwentyfoldForAQuarterOfAnHour) {
  Schedule schedule(probes(), 4, 0);
  const auto canaries_in = [&schedule](std::int64_t from, std::int64_t until, Pace pace) {
    return std::ranges::count_if(run(schedule, from, until, pace),
                                 [](const Sent& sent) { return sent.due.kind == Kind::canary; });
  };
  const auto steady = canaries_in(0, 10 * kHour, Pace::steady);
  const auto burst = canaries_in(10 * kHour, 10 * kHour + 15 * kMinute, Pace::burst);
  const auto after = canaries_in(10 * kHour + 15 * kMinute, 11 * kHour, Pace::burst);
  const double usual_quarter = static_cast<double>(steady) / 40;
  EXPECT_GT(static_cast<double>(burst), 12 * usual_quarter);
  EXPECT_LT(static_cast<double>(burst), 30 * usual_quarter);
  EXPECT_LT(static_cast<double>(after), 9 * usual_quarter);
  const auto second = canaries_in(11 * kHour, 11 * kHour + 15 * kMinute, Pace::burst);
  EXPECT_GT(static_cast<double>(second), 12 * usual_quarter);
}

TEST(Schedule, ATargetThatIsOutIsProbedAtBurstRateUntilItIsBack) {
  Schedule schedule(probes(), 4, 0);
  const double tokens = tokens_of(run(schedule, 0, 2 * kHour, Pace::recovering));
  EXPECT_NEAR(tokens / (2000 * 20 * 2), 1, 0.3);
}

TEST(Schedule, ABusyTargetsBudgetIsAShareOfItsTraffic) {
  config::Probes settings = probes(100);
  settings.budget = 0.01;
  Schedule schedule(settings, 4, 0);
  EXPECT_DOUBLE_EQ(schedule.tokens_per_hour(), 100);
  for (std::int64_t now = 0; now < 2 * kDay; now += kMinute) {
    schedule.on_traffic(10'000);
    while (const auto due = schedule.next(now, Pace::steady))
      schedule.on_end(*due, cost_of(*due), End::ran, now);
  }
  EXPECT_NEAR(schedule.tokens_per_hour(), 6000, 120);
}

TEST(Schedule, CanariesThatAreAlwaysDueDoNotHoldUpTheOthers) {
  Schedule schedule(probes(50'000'000), 4, 0);
  std::map<Kind, int> sent;
  // Asked for one probe at a time, far less often than they are due.
  for (std::int64_t now = 0; now < 100 * kSecond; now += 100) {
    const auto due = schedule.next(now, Pace::steady);
    if (!due) continue;
    ++sent[due->kind];
    schedule.on_end(*due, 8, End::ran, now);
  }
  EXPECT_GT(sent[Kind::contract], 100);
  EXPECT_GT(sent[Kind::sampling], 100);
  EXPECT_GT(sent[Kind::canary], 100);
}

TEST(Schedule, WhatIsOffIsNotSent) {
  config::Probes settings = probes();
  settings.identity = settings.contract = false;
  settings.families = {"json", "sorting"};
  Schedule schedule(settings, 4, 0);
  std::set<Family> families;
  for (const Sent& each : run(schedule, 0, 2 * kDay, Pace::steady)) {
    EXPECT_EQ(each.due.kind, Kind::canary);
    families.insert(each.due.family);
  }
  EXPECT_THAT(families, testing::UnorderedElementsAre(Family::json, Family::sorting));
}

TEST(Schedule, AKindThatCannotRunRestsForADay) {
  Schedule schedule(probes(20'000), 4, 0);
  int tried = 0;
  std::int64_t last = 0;
  for (std::int64_t now = 0; now < 20 * kHour; now += kSecond) {
    while (const auto due = schedule.next(now, Pace::steady)) {
      const bool cannot = due->kind == Kind::logprobs;
      tried += cannot ? 1 : 0;
      if (cannot) last = now;
      schedule.on_end(*due, cannot ? 0 : cost_of(*due), cannot ? End::cannot : End::ran, now);
    }
  }
  EXPECT_EQ(tried, 20);
  const auto later = run(schedule, last + kDay, last + kDay + 5 * kHour, Pace::steady);
  EXPECT_TRUE(std::ranges::any_of(later, [](const Sent& sent) { return sent.due.kind == Kind::logprobs; }));
}

TEST(Schedule, AnOutageRestsNothing) {
  Schedule schedule(probes(20'000), 4, 0);
  run(schedule, 0, 10 * kHour, Pace::steady, End::failed);
  std::set<Kind> kinds;
  for (const Sent& each : run(schedule, 10 * kHour, 20 * kHour, Pace::steady)) kinds.insert(each.due.kind);
  EXPECT_EQ(kinds.size(), static_cast<std::size_t>(kKinds));
}

TEST(Schedule, IdentityPromptsComeRoundByRound) {
  Schedule schedule(probes(), 4, 0);
  std::size_t expected = 0;
  for (const Sent& each : run(schedule, 0, kDay, Pace::steady)) {
    if (each.due.kind == Kind::sampling) EXPECT_EQ(each.due.prompt, expected++ % kIdentityPrompts);
  }
  EXPECT_GT(expected, 100u);
}

TEST(Schedule, UsageProbesShareASeedAndOthersAreFresh) {
  Schedule schedule(probes(), 4, 0);
  std::set<std::uint64_t> usage, others;
  std::size_t sent = 0;
  for (const Sent& each : run(schedule, 0, 4 * kDay, Pace::steady)) {
    if (each.due.kind == Kind::contract && each.due.contract == Contract::usage) {
      usage.insert(each.due.seed);
    } else {
      others.insert(each.due.seed);
      ++sent;
    }
  }
  EXPECT_EQ(usage.size(), 1u);
  EXPECT_EQ(others.size(), sent);
}

TEST(Schedule, ANeedleADayWithinTheContextAndTheBudget) {
  Schedule schedule(probes(), 4, 0);
  schedule.set_context(2'000);
  int needles = 0;
  for (const Sent& each : run(schedule, 0, 10 * kDay, Pace::steady)) {
    if (each.due.needle_tokens == 0) continue;
    ++needles;
    EXPECT_LE(each.due.needle_tokens, 1'800);
  }
  EXPECT_GE(needles, 6);
  EXPECT_LE(needles, 10);
  Schedule unknown(probes(), 4, 0);
  for (const Sent& each : run(unknown, 0, 10 * kDay, Pace::steady)) EXPECT_EQ(each.due.needle_tokens, 0);
}

TEST(Schedule, TheSameSeedGivesTheSameProbes) {
  Schedule a(probes(), 4, 0), b(probes(), 4, 0), c(probes(), 5, 0);
  const auto first = run(a, 0, kDay, Pace::steady), second = run(b, 0, kDay, Pace::steady);
  ASSERT_EQ(first.size(), second.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].at_ms, second[i].at_ms);
    EXPECT_EQ(first[i].due.seed, second[i].due.seed);
  }
  EXPECT_NE(run(c, 0, kDay, Pace::steady)[0].due.seed, first[0].due.seed);
}

TEST(Families, EachBlockHasEveryFamilyOnce) {
  Families families({}, 3);
  for (int block = 0; block < 5; ++block) {
    std::set<Family> seen;
    for (int i = 0; i < kFamilies; ++i) seen.insert(*families.next());
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(kFamilies));
  }
}

TEST(Families, OneThatTheTargetCannotDoIsLeftOutAndOneThatDecaysIsNot) {
  Families families({Family::code, Family::sorting}, 3);
  for (int i = 0; i < Families::kTried; ++i) {
    EXPECT_TRUE(families.is_trying(Family::code));
    families.on_grade(Family::code, i < 2 ? Grade::fail : Grade::pass);
    families.on_grade(Family::sorting, i < 1 ? Grade::fail : Grade::pass);
    families.on_grade(Family::sorting, Grade::unknown);
  }
  EXPECT_FALSE(families.is_trying(Family::code));
  EXPECT_TRUE(families.is_left_out(Family::code));
  EXPECT_FALSE(families.is_left_out(Family::sorting));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(families.next(), Family::sorting);
  for (int i = 0; i < 50; ++i) families.on_grade(Family::sorting, Grade::fail);
  EXPECT_EQ(families.next(), Family::sorting);
}

TEST(Families, ATargetThatCanDoNoneGetsNone) {
  Families families({Family::code}, 3);
  for (int i = 0; i < Families::kTried; ++i) families.on_grade(Family::code, Grade::fail);
  EXPECT_EQ(families.next(), std::nullopt);
}

}  // namespace
}  // namespace switchyard::probing
