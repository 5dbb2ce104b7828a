#include "gateway/scoring/baseline.h"
#include "gateway/scoring/peer_guard.h"
#include "gateway/scoring/profile.h"
#include "gateway/scoring/score.h"
#include "gateway/scoring/sessions.h"
#include "gateway/scoring/signals.h"
#include "gateway/scoring/standing.h"
#include "tests/unit/scoring/traffic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::scoring {
namespace {

constexpr std::int64_t kDay = 86'400'000;

TEST(Signals, AllHaveNamesThatFindThem) {
  for (int i = 0; i < kSignals; ++i) {
    const auto signal = static_cast<Signal>(i);
    EXPECT_FALSE(name_of(signal).empty());
    EXPECT_EQ(find_signal(name_of(signal)), signal);
  }
  EXPECT_FALSE(find_signal("no_such_thing"));
}

TEST(Signals, FollowTheConfiguration) {
  config::Quality settings;
  settings.signals = {{.signal = "canary", .mode = config::QualityMode::watch, .tolerance = .1, .rate = .2}};
  const auto rule = rules_of(settings)[static_cast<std::size_t>(Signal::canary)];
  EXPECT_EQ(rule.mode, config::QualityMode::watch);
  EXPECT_EQ(rule.traits.tolerance, .1);
  EXPECT_EQ(rule.rate, .2);
  settings.mode = config::QualityMode::off;
  settings.signals[0].mode = config::QualityMode::act;
  EXPECT_EQ(rules_of(settings)[static_cast<std::size_t>(Signal::canary)].mode, config::QualityMode::off);
}

TEST(Signals, AllowMoreThanThePriorUntilMoreIsKnown) {
  EXPECT_NEAR(prior_allowed(.01), .0298, 1e-3);
  EXPECT_NEAR(prior_allowed(.10), .283, 1e-3);
}

TEST(Strata, AreOfSizeToolsAndStreaming) {
  EXPECT_EQ(stratum_of(0, false, false), 0);
  EXPECT_EQ(stratum_of(1024, true, true), 3);
  EXPECT_EQ(stratum_of(1025, false, true), 5);
  EXPECT_EQ(stratum_of(4097, true, false), 10);
  EXPECT_EQ(stratum_of(1'000'000, true, true), 15);
  const std::uint32_t ends[] = {256, 1024, 4096, 16384, 65536};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(size_bucket(ends[i]), i);
    EXPECT_EQ(size_bucket(ends[i] + 1), i + 1);
  }
}

TEST(Baseline, AllowsForErrorForDaysAndForWhatIsNotWorthIt) {
  EXPECT_NEAR(wilson_upper(.01, 500), .0268, 1e-4);
  EXPECT_NEAR(allowed_rate(.01, 1e9, .2, 0), .01594, 1e-4);
  EXPECT_NEAR(allowed_rate(.01, 1e9, .3, 0), .02012, 1e-4);
  EXPECT_NEAR(allowed_rate(.01, 1e9, 0, .005), .015, 1e-4);
  EXPECT_GT(allowed_rate(0, 500, .2, 0), .01);  // No bad one in 500 is not never.
}

TEST(Baseline, MeasuresDaysWithoutTheNoiseOfChance) {
  Random random(1);
  for (const double sd : {0.0, .3, .5}) {
    SCOPED_TRACE(sd);
    double sum = 0;
    constexpr int kRuns = 60;
    for (int run = 0; run < kRuns; ++run) {
      Moments days;
      for (int day = 0; day < 28; ++day) {
        const double rate = .02 * std::exp(sd * random.normal() - sd * sd / 2);
        int bad = 0;
        for (int i = 0; i < 1500; ++i) bad += random.event(rate) > 0;
        days.add(1500, bad);
      }
      sum += days.log_sd().value();
    }
    EXPECT_NEAR(sum / kRuns, sd, .09);
  }
  EXPECT_FALSE(Moments().log_sd());
}

// Days differ by themselves: what is allowed has to cover that, or a healthy target goes every few days.
TEST(Baseline, KeepsTheBoundOnFalseAlarmsWhenDaysDiffer) {
  constexpr double kRate = .01, kDaySd = .3;
  const auto alarms = [&](double allowed) {
    const Bets bets(allowed);
    Random random(3);
    Detector detector;
    int count = 0;
    for (int day = 0; day < 200; ++day) {
      const double rate = kRate * std::exp(kDaySd * random.normal() - kDaySd * kDaySd / 2);
      for (int i = 0; i < 20'000; ++i) {
        detector.observe(random.event(rate), bets);
        if (detector.evidence() < 1e6) continue;
        ++count;
        detector.reset();
      }
    }
    return count;  // In 4 million observations.
  };
  EXPECT_LE(alarms(allowed_rate(kRate, 1e9, kDaySd, 0)), 4);
  EXPECT_GE(alarms(kRate), 40);
}

TEST(Baseline, IsLearntFromEnoughOfEverythingAndAWeekend) {
  const config::Quality settings;
  BaselineState baseline;
  const std::int64_t monday = 4 * kDay;  // 1970-01-05.
  for (std::int64_t now = monday; now < monday + 5 * kDay; now += 300'000)
    EXPECT_EQ(learn(baseline, 10, .1, true, settings, now), Lesson::none);
  EXPECT_EQ(learn(baseline, 10, .1, true, settings, monday + 5 * kDay), Lesson::learnt);
  EXPECT_NEAR(baseline.frozen.mean, .01, 1e-6);
  EXPECT_EQ(baseline.frozen.version, 1);
}

TEST(Baseline, NeverFollowsWhatBecomesWorseAndTakesABetterOneAfterAWeek) {
  config::Quality settings;
  settings.learn_for = std::chrono::hours(24);
  BaselineState baseline;
  std::int64_t now = 4 * kDay;
  Random random(2);
  std::vector<Lesson> lessons;
  const auto days = [&](double rate, int count) {
    for (const std::int64_t end = now + count * kDay; now < end; now += 300'000) {
      double bad = 0;
      for (int i = 0; i < 50; ++i) bad += random.event(rate);
      const Lesson lesson = learn(baseline, 50, bad, true, settings, now);
      if (lesson != Lesson::none && lesson != Lesson::day_sd_measured) lessons.push_back(lesson);
    }
  };
  days(.02, 3);
  EXPECT_THAT(lessons, testing::ElementsAre(Lesson::learnt));
  days(.05, 20);
  EXPECT_THAT(lessons, testing::ElementsAre(Lesson::learnt));
  EXPECT_NEAR(baseline.frozen.mean, .02, .003);
  days(.005, 10);
  EXPECT_THAT(lessons, testing::ElementsAre(Lesson::learnt, Lesson::better_proposed, Lesson::better_adopted));
  EXPECT_NEAR(baseline.frozen.mean, .005, .001);
}

TEST(PeerGuard, FollowsWhatAllSee) {
  EXPECT_EQ(guard_ratio(0, 0), 1);
  EXPECT_EQ(guard_ratio(0, 100), 1);
  EXPECT_EQ(guard_ratio(5, 1), 1.35);  // Little was expected: little is believed.
  EXPECT_NEAR(guard_ratio(200, 100), 1.9, .06);
  EXPECT_EQ(guard_ratio(1e6, 10), kGuardMax);
}

TEST(PeerGuard, CallsItAShiftWhenHalfOfTheTargetsOfTwoProvidersSeeItTogether) {
  const auto shift = [](std::vector<PeerSuspicion> group) { return is_workload_shift(group); };
  EXPECT_TRUE(shift({{0, 1000}, {1, 2000}}));
  EXPECT_TRUE(shift({{0, 1000}, {1, 2000}, {2, 0}, {3, 0}}));
  EXPECT_FALSE(shift({{0, 1000}, {1, 2000}, {2, 0}, {3, 0}, {4, 0}}));
  EXPECT_FALSE(shift({{0, 1000}, {0, 2000}}));
  EXPECT_FALSE(shift({{0, 1000}, {1, 1000 + kWorkloadMs + 1}}));
  EXPECT_FALSE(shift({{0, 1000}, {1, 0}}));
}

TEST(Score, IsAProductThatFallsAtOnceAndRisesSlowly) {
  EXPECT_EQ(severity(.11, .01, .2), .5);
  EXPECT_EQ(severity(.005, .01, .2), 0);
  EXPECT_EQ(belief(100), 0);
  EXPECT_EQ(belief(1000), .5);
  EXPECT_EQ(belief(1e9), 1);
  EXPECT_NEAR(factor(.9, .5, 1), .55, 1e-12);
  EXPECT_EQ(risen_quality(1, .3, 100, 1000), .3);
  EXPECT_NEAR(std::pow(risen_quality(.5, 1, 1000, 1000) / .5, 6), 1.5, 1e-9);
  EXPECT_NEAR(risen_ramp(.01, 1, 1000, 1000), .015, 1e-12);
  EXPECT_EQ(risen_ramp(.9, 1, 1000, 1000), 1);
}

TEST(Standing, DwellDoublesToItsMaximumAndADayTakesOneBack) {
  const config::Quality settings;
  EXPECT_EQ(dwell_ms(settings, 1), 600'000);
  EXPECT_EQ(dwell_ms(settings, 3), 2'400'000);
  EXPECT_EQ(dwell_ms(settings, 60), kDay);
  Standing standing;
  eject(standing, .5, "", settings, 0);
  set_state(standing, State::serving, "", 1000);
  pass_time(standing, settings, 0, kDay);
  EXPECT_EQ(standing.ejections, 1);
  pass_time(standing, settings, 0, kDay + 1000);
  EXPECT_EQ(standing.ejections, 0);
}

TEST(Sessions, GiveOneObservationInTenMinutesTheMeanOfTheirTurns) {
  Sessions sessions;
  Sessions::Observed out, evicted;
  const auto turn = [&](bool bad, std::int64_t at_ms) {
    return sessions
        .add({.session = 5,
              .target = 1,
              .seen = 1,
              .bad = bad ? 1u : 0u,
              .harmful = 1,
              .stratum = 3,
              .at_ms = at_ms},
             out, evicted)
        .observed;
  };
  EXPECT_TRUE(turn(true, 1000));  // The first one at once.
  EXPECT_EQ(out.x[0], 1);
  EXPECT_FALSE(turn(true, 2000));
  EXPECT_FALSE(turn(false, 3000));
  EXPECT_FALSE(turn(false, 4000));
  EXPECT_TRUE(turn(true, 1000 + Sessions::kEveryMs));
  EXPECT_EQ(out.x[0], .5);
  EXPECT_EQ(out.stratum, 3);
  ASSERT_TRUE(out.clustered);
  EXPECT_TRUE(*out.clustered);
}

TEST(Sessions, AreSweptWhenNothingMoreComes) {
  Sessions sessions;
  Sessions::Observed out, evicted;
  constexpr int kCount = 1000;
  for (int turn = 0; turn < 3; ++turn)
    for (std::uint64_t i = 1; i <= kCount; ++i)
      sessions.add({.session = i, .target = 0, .seen = 1, .bad = 0, .harmful = 1, .at_ms = 1000 + turn}, out,
                   evicted);
  int observed = 0, clusters = 0;
  for (std::size_t i = 0; i < Sessions::kSweeps; ++i) {
    sessions.begin_sweep();
    while (sessions.sweep(1000 + 2 * Sessions::kEveryMs, out)) {
      observed += out.seen != 0;
      clusters += out.clustered.has_value();
    }
  }
  EXPECT_EQ(observed, kCount);
  EXPECT_EQ(clusters, kCount);
}

TEST(Sessions, ForgetTheOldestWhenTheyAreTooMany) {
  Sessions sessions;
  Sessions::Observed out, evicted;
  std::uint64_t given = 0, taken = 0;
  for (std::uint64_t i = 1; i <= 100'000; ++i)
    for (int turn = 0; turn < 2; ++turn) {
      const auto outcome = sessions.add(
          {.session = i, .target = 0, .seen = 1, .bad = 0, .harmful = 1, .at_ms = 1000}, out, evicted);
      ++given;
      taken += outcome.observed + outcome.evicted;
    }
  EXPECT_GE(taken + Sessions::kSets * Sessions::kWays, given);
}

TEST(Profile, JudgesSizesByTheTargetsOwn) {
  const config::Quality settings = quick_settings();
  Profile profile;
  Random random(3);
  Observation o;
  o.asked_to_reason = o.had_tools = true;
  for (int block = 0; block < 20; ++block) {
    for (int i = 0; i < 50; ++i) {
      o.output_tokens = static_cast<std::uint32_t>(100 * std::exp(.5 * random.normal()));
      o.reasoning_tokens = 2 * o.output_tokens;
      o.chunk_tokens = 1, o.gap_variation = .5F;
      profile.add(o);
    }
    profile.end_block(settings, 1000 * (block + 1));
  }
  ASSERT_TRUE(profile.is_learnt());
  const auto judge = [&](std::uint32_t tokens, std::uint32_t reasoning) {
    std::uint32_t seen = 0, bad = 0;
    o.output_tokens = tokens, o.reasoning_tokens = reasoning;
    profile.judge(o, seen, bad);
    EXPECT_EQ(bad & ~seen, 0);
    return bad;
  };
  EXPECT_EQ(judge(100, 200), bit(Signal::tools_low));
  EXPECT_EQ(judge(20, 200), bit(Signal::tools_low) | bit(Signal::length_low));
  EXPECT_EQ(judge(1000, 200), bit(Signal::tools_low) | bit(Signal::length_high));
  EXPECT_EQ(judge(100, 20), bit(Signal::tools_low) | bit(Signal::reasoning_low));
  EXPECT_EQ(judge(100, 0),
            bit(Signal::tools_low) | bit(Signal::reasoning_low) | bit(Signal::reasoning_absent));
  o.chunk_tokens = 20;
  o.finished_with_tools = true;
  EXPECT_EQ(judge(100, 200), bit(Signal::tools_high) | bit(Signal::chunk_pattern));
}

}  // namespace
}  // namespace switchyard::scoring
