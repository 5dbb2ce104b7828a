#include "gateway/probing/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace switchyard::probing {
namespace {

constexpr std::size_t kPrompts = 20;

// A model as far as its first tokens go: logits for each prompt. `temperature` and `noise` (standard
// deviation on the logits, a stand-in for other weights) make another one of it.
class FirstTokens {
 public:
  FirstTokens(std::uint64_t seed, double temperature, double noise) {
    std::mt19937_64 logits(1), changes(seed);
    std::normal_distribution<double> spread(0, 3), change(0, 1);
    for (std::size_t prompt = 0; prompt < kPrompts; ++prompt) {
      std::vector<double> weights;
      for (int token = 0; token < 200; ++token) {
        weights.push_back(std::exp(spread(logits) / temperature + noise * change(changes)));
      }
      prompts_.emplace_back(weights.begin(), weights.end());
    }
  }

  std::vector<std::uint64_t> round(std::mt19937_64& rng) {
    std::vector<std::uint64_t> tokens;
    for (auto& prompt : prompts_) tokens.push_back(1 + static_cast<std::uint64_t>(prompt(rng)));
    return tokens;
  }

 private:
  std::vector<std::discrete_distribution<int>> prompts_;
};

double draw(std::mt19937_64& rng) {
  return std::uniform_real_distribution<double>(0, 1)(rng);
}

SamplingTest learnt(FirstTokens& model, std::mt19937_64& rng) {
  SamplingTest test(kPrompts);
  while (test.is_learning()) test.add_round(model.round(rng), draw(rng));
  return test;
}

// Rounds until the alarm, `rounds_max` without one.
int rounds_to_alarm(SamplingTest& test, FirstTokens& model, std::mt19937_64& rng, int rounds_max) {
  for (int round = 1; round <= rounds_max; ++round) {
    if (test.add_round(model.round(rng), draw(rng)).alarm) return round;
  }
  return rounds_max;
}

TEST(SamplingTest, HealthyRoundsRaiseAtMostOneAlarmInTenThousand) {
  std::mt19937_64 rng(7);
  FirstTokens model(0, 1, 0);
  int alarms = 0;
  constexpr int kReferences = 20, kRounds = 1000;
  for (int reference = 0; reference < kReferences; ++reference) {
    SamplingTest test = learnt(model, rng);
    alarms += rounds_to_alarm(test, model, rng, kRounds) < kRounds ? 1 : 0;
  }
  // 20,000 rounds: 2 alarms are promised at most in the mean. 7 and more then come once in two hundred seeds.
  EXPECT_LE(alarms, 6);
}

TEST(SamplingTest, FindsKnownChangesInTheTokensThatTheyNeed) {
  const struct {
    const char* what;
    double temperature, noise;
    int rounds_max;
  } rows[] = {{"other weights", 1, 3, 10},
              {"temperature 0.7", 0.7, 0, 25},
              {"temperature 1.2", 1.2, 0, 50},
              {"temperature 0.9", 0.9, 0, 400}};

  for (const auto& row : rows) {
    SCOPED_TRACE(row.what);
    std::mt19937_64 rng(11);
    FirstTokens model(0, 1, 0), changed(5, row.temperature, row.noise);
    SamplingTest test = learnt(model, rng);
    EXPECT_LT(rounds_to_alarm(test, changed, rng, row.rounds_max), row.rounds_max);
  }
}

TEST(SamplingTest, FindsAChangeAfterALongHealthyTime) {
  std::mt19937_64 rng(3);
  FirstTokens model(0, 1, 0), changed(5, 1, 3);
  SamplingTest test = learnt(model, rng);
  ASSERT_EQ(rounds_to_alarm(test, model, rng, 3000), 3000);
  EXPECT_LT(rounds_to_alarm(test, changed, rng, 20), 20);
}

TEST(SamplingTest, ARoundThatMostlyCouldNotRunIsUnknown) {
  std::mt19937_64 rng(3);
  FirstTokens model(0, 1, 0);
  SamplingTest test = learnt(model, rng);
  const double before = test.add_round(model.round(rng), 0.5).evidence;
  std::vector<std::uint64_t> missing(kPrompts, kUnknown);
  missing[0] = 1;
  EXPECT_FALSE(test.add_round(missing, 0.5).counted);
  auto half = model.round(rng);
  std::fill_n(half.begin(), kPrompts / 2, kUnknown);
  const Round round = test.add_round(half, 0.5);
  EXPECT_TRUE(round.counted);
  EXPECT_NE(round.evidence, before);
}

TEST(SamplingTest, LearnsAnewWhatIsThereNow) {
  std::mt19937_64 rng(3);
  FirstTokens model(0, 1, 0), changed(5, 1, 3);
  SamplingTest test = learnt(model, rng);
  ASSERT_LT(rounds_to_alarm(test, changed, rng, 20), 20);
  test.relearn();
  EXPECT_TRUE(test.is_learning());
  while (test.is_learning()) test.add_round(changed.round(rng), draw(rng));
  EXPECT_EQ(rounds_to_alarm(test, changed, rng, 500), 500);
}

// Of a target that always, or nearly always, says the same, a new round must not stand out by being compared
// with one round more than the reference's own are.
TEST(SamplingTest, ATargetWithoutChanceIsNoAlarm) {
  for (const double other : {0.0, 0.001, 0.02, 0.5}) {
    SCOPED_TRACE(other);
    std::mt19937_64 rng(3);
    const auto round = [&rng, other] {
      std::vector<std::uint64_t> tokens(kPrompts, 1);
      for (std::uint64_t& token : tokens) token += std::bernoulli_distribution(other)(rng) ? 1 : 0;
      return tokens;
    };
    SamplingTest test(kPrompts);
    while (test.is_learning()) test.add_round(round(), draw(rng));
    for (int i = 0; i < 300; ++i) ASSERT_FALSE(test.add_round(round(), draw(rng)).alarm) << i;
  }
}

TEST(SamplingTest, CountsATokenOfTheSameRoundAsUnseen) {
  // One prompt asked twice a round: the two equal tokens of a round must not vouch for each other.
  SamplingTest test(1, 3);
  for (const std::uint64_t token : {1, 2, 3}) test.add_round(std::vector<std::uint64_t>{token, token}, 0);
  ASSERT_FALSE(test.is_learning());
  EXPECT_GT(test.unseen_allowed(), 0.8);
}

TEST(RankTest, TheFiniteReferenceCostsNoFalseAlarms) {
  // References that happen to be low are the hard case: p-values against them are too small for ever.
  std::mt19937_64 rng(1);
  std::normal_distribution<double> normal(0, 1);
  int alarms = 0;
  for (int run = 0; run < 200; ++run) {
    std::vector<double> reference(20);
    for (double& score : reference) score = normal(rng);
    RankTest test(reference.size(), RankTest::Tails::both);
    for (int i = 0; i < 500; ++i) {
      test.add(normal(rng), reference, draw(rng));
      if (test.evidence() < 1e3) continue;
      ++alarms;
      break;
    }
  }
  EXPECT_LE(alarms, 200 * 500 / 1000);
}

TEST(RankTest, FindsAShiftOnEitherSideAndOnOneWhenAsked) {
  const auto evidence_after = [](double shift, RankTest::Tails tails) {
    std::mt19937_64 rng(2);
    std::normal_distribution<double> normal(0, 1);
    std::vector<double> reference(100);
    for (double& score : reference) score = normal(rng);
    RankTest test(reference.size(), tails);
    for (int i = 0; i < 60; ++i) test.add(normal(rng) + shift, reference, draw(rng));
    return test.evidence();
  };
  EXPECT_GT(evidence_after(1.5, RankTest::Tails::both), 1e4);
  EXPECT_GT(evidence_after(-1.5, RankTest::Tails::both), 1e4);
  EXPECT_GT(evidence_after(1.5, RankTest::Tails::upper), 1e4);
  EXPECT_LT(evidence_after(-1.5, RankTest::Tails::upper), 1e2);
}

TEST(RankTest, EqualScoresAreNoEvidence) {
  const std::vector<double> reference(100, 1.0);
  RankTest test(reference.size(), RankTest::Tails::both);
  std::mt19937_64 rng(2);
  for (int i = 0; i < 1000; ++i) test.add(1.0, reference, draw(rng));
  EXPECT_LT(test.evidence(), 1e4);
}

TEST(BitTest, KeepsItsPromiseAtTheAllowedRateAndFindsAHigherOne) {
  std::mt19937_64 rng(9);
  const auto steps_to_alarm = [&rng](double rate, int steps_max) {
    BitTest test(0.05);
    std::bernoulli_distribution bit(rate);
    for (int step = 1; step <= steps_max; ++step) {
      test.add(bit(rng));
      if (test.evidence() >= 1e4) return step;
    }
    return steps_max;
  };
  int false_alarms = 0, steps = 0;
  for (int run = 0; run < 20; ++run) {
    false_alarms += steps_to_alarm(0.05, 3000) < 3000 ? 1 : 0;
    steps += steps_to_alarm(0.30, 3000);
  }
  EXPECT_LE(false_alarms, 12);  // 60,000 steps: 6 in the mean at most.
  EXPECT_LT(steps / 20, 60);
}

TEST(ReplyTest, LearnsEachPromptsRepliesAndCountsNewOnes) {
  ReplyTest test(2, 20);
  for (int round = 0; round < 20; ++round) {
    EXPECT_TRUE(test.is_learning());
    test.add(0, 100);
    test.add(1, round % 2 == 0 ? 200 : 201);
  }
  ASSERT_FALSE(test.is_learning());
  EXPECT_FALSE(test.add(0, 100).is_new);
  EXPECT_FALSE(test.add(1, 201).is_new);
  EXPECT_TRUE(test.add(0, 200).is_new) << "the other prompt's";
  EXPECT_FALSE(test.add(0, kUnknown).counted);
  int probes = 0;
  while (!test.add(0, 300 + static_cast<std::uint64_t>(probes++)).alarm) ASSERT_LT(probes, 10);
}

TEST(ReplyTest, ANoisyTargetIsAllowedItsNoise) {
  std::mt19937_64 rng(4);
  ReplyTest test(20, 20);
  const auto reply = [&rng](double noise) {
    return std::bernoulli_distribution(noise)(rng) ? 1000 + rng() % 100'000 : 1u;
  };
  while (test.is_learning()) {
    for (std::size_t prompt = 0; prompt < 20; ++prompt) test.add(prompt, reply(0.12));
  }
  bool alarm = false;
  for (std::size_t probe = 0; probe < 1000; ++probe) alarm |= test.add(probe % 20, reply(0.12)).alarm;
  EXPECT_FALSE(alarm);
  int probes = 0;
  while (!test.add(static_cast<std::size_t>(probes++ % 20), reply(0.6)).alarm) ASSERT_LT(probes, 60);
}

// Lists of the top tokens with noise, and all of them moved by `shift` times a fixed pattern.
std::vector<Logprobs> logprobs(std::mt19937_64& rng, double shift) {
  std::normal_distribution<double> noise(0, 0.02);
  std::vector<Logprobs> round(5);
  for (std::size_t prompt = 0; prompt < round.size(); ++prompt) {
    for (std::uint64_t token = 1; token <= 20; ++token) {
      const double value = -0.3 * static_cast<double>(token) + shift * std::sin(static_cast<double>(token));
      round[prompt].emplace_back(token, value + noise(rng));
    }
  }
  return round;
}

TEST(LogprobTest, SeesASmallShiftInThreeRoundsAndNoneInNoise) {
  std::mt19937_64 rng(8);
  LogprobTest test(5);
  while (test.is_learning()) test.add_round(logprobs(rng, 0), draw(rng));
  for (int round = 0; round < 500; ++round) ASSERT_FALSE(test.add_round(logprobs(rng, 0), draw(rng)).alarm);
  int rounds = 1;
  while (!test.add_round(logprobs(rng, 0.05), draw(rng)).alarm) ASSERT_LT(rounds++, 4);
}

TEST(LogprobTest, ATokenThatIsNotListedHasTheLeastValue) {
  LogprobTest test(1, 4);
  const std::vector<Logprobs> with{{{1, -0.1}, {2, -3.0}}}, without{{{1, -0.1}, {3, -3.0}}};
  for (int i = 0; i < 4; ++i) test.add_round(with, 0);
  ASSERT_FALSE(test.is_learning());
  // Token 2 has -3 either way; token 3 had the least before, which was -3.
  EXPECT_NEAR(test.add_round(without, 0).score, 0, 1e-12);
  EXPECT_FALSE(test.add_round(std::vector<Logprobs>{{}}, 0).counted);
}

}  // namespace
}  // namespace switchyard::probing
