#include "bench/quality/identity_arms.h"

#include "gateway/probing/identity.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace switchyard::evaluation {
namespace {

constexpr int kRelearnEvery = 2'000;  // Rounds.
constexpr int kTopLogprobs = 20, kCallsOfTest = 10;

std::vector<std::uint64_t> draw_round(const Mixture& mixture, int per_prompt, Random& random) {
  std::vector<std::uint64_t> tokens;
  for (int again = 0; again < per_prompt; ++again)
    for (std::size_t i = 0; i < mixture.healthy->size(); ++i) tokens.push_back(mixture.draw(i, random));
  return tokens;
}

probing::SamplingTest learnt_sampling(const Replies& healthy, int per_prompt, Random& random) {
  probing::SamplingTest test(healthy.size());
  const Mixture honest{&healthy, &healthy, 0};
  while (test.is_learning()) test.add_round(draw_round(honest, per_prompt, random), random.uniform());
  return test;
}

probing::ReplyTest learnt_replies(const Replies& healthy, Random& random) {
  probing::ReplyTest test(healthy.size());
  while (test.is_learning())
    for (std::size_t i = 0; i < healthy.size() && test.is_learning(); ++i)
      test.add(i, healthy[i].draw(random));
  return test;
}

std::vector<probing::Logprobs> draw_logprobs(const std::vector<std::vector<float>>& logits, double noise,
                                             Random& random) {
  std::vector<probing::Logprobs> out;
  for (const auto& row : logits) {
    std::vector<double> noisy(row.begin(), row.end());
    for (double& x : noisy) x += noise * random.normal();
    const double peak = *std::max_element(noisy.begin(), noisy.end());
    double sum = 0;
    for (const double x : noisy) sum += std::exp(x - peak);
    std::vector<std::size_t> ids(noisy.size());
    std::iota(ids.begin(), ids.end(), std::size_t{0});
    std::partial_sort(ids.begin(), ids.begin() + kTopLogprobs, ids.end(),
                      [&](std::size_t a, std::size_t b) { return noisy[a] > noisy[b]; });
    auto& list = out.emplace_back();
    for (int i = 0; i < kTopLogprobs; ++i)
      list.emplace_back(ids[static_cast<std::size_t>(i)] + 1,
                        noisy[ids[static_cast<std::size_t>(i)]] - peak - std::log(sum));
  }
  return out;
}

probing::LogprobTest learnt_logprobs(const LogprobArm& arm, Random& random) {
  probing::LogprobTest test(arm.healthy.size());
  while (test.is_learning()) test.add_round(draw_logprobs(arm.healthy, arm.noise, random), random.uniform());
  return test;
}

// The mean score of the rounds that make ten calls.
double score_of_ten(probing::LogprobTest& test, const std::vector<std::vector<float>>& logits, double noise,
                    Random& random) {
  const int rounds = std::max(1, kCallsOfTest / static_cast<int>(logits.size()));
  double sum = 0;
  for (int i = 0; i < rounds; ++i)
    sum += test.add_round(draw_logprobs(logits, noise, random), random.uniform()).score;
  return sum / rounds;
}

}  // namespace

Categorical::Categorical(const Distribution& p) {
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (p[i] <= 0) continue;
    cumulative_.push_back(sum += p[i]);
    outcomes_.push_back(i + 1);
  }
}

Categorical::Categorical(const std::vector<std::uint64_t>& outcomes) : outcomes_(outcomes) {
  for (std::size_t i = 0; i < outcomes.size(); ++i) cumulative_.push_back(static_cast<double>(i + 1));
}

std::uint64_t Categorical::draw(Random& random) const {
  const double at = random.uniform() * cumulative_.back();
  const auto found = std::upper_bound(cumulative_.begin(), cumulative_.end(), at);
  const auto index = std::min<std::ptrdiff_t>(found - cumulative_.begin(), std::ssize(outcomes_) - 1);
  return outcomes_[static_cast<std::size_t>(index)];
}

Summary tokens_to_alarm(const Mixture& mixture, int per_prompt, const SearchLimits& limits,
                        std::uint64_t seed) {
  std::vector<double> delays;
  std::size_t missed = 0;
  for (int run = 0; run < limits.runs; ++run) {
    Random random(seed + static_cast<std::uint64_t>(run));
    auto test = learnt_sampling(*mixture.healthy, per_prompt, random);
    int tokens = 0;
    bool alarm = false;
    while (!alarm && tokens < limits.tokens_max) {
      const auto round = draw_round(mixture, per_prompt, random);
      tokens += static_cast<int>(round.size());
      alarm = test.add_round(round, random.uniform()).alarm;
    }
    if (!alarm) ++missed;
    delays.push_back(tokens);
  }
  return summarize(delays, missed);
}

Summary probes_to_alarm(const Mixture& mixture, const SearchLimits& limits, std::uint64_t seed) {
  std::vector<double> delays;
  std::size_t missed = 0;
  for (int run = 0; run < limits.runs; ++run) {
    Random random(seed + static_cast<std::uint64_t>(run));
    auto test = learnt_replies(*mixture.healthy, random);
    int probes = 0;
    bool alarm = false;
    for (std::size_t prompt = 0; !alarm && probes < limits.tokens_max / 16; ++probes) {
      alarm = test.add(prompt, mixture.draw(prompt, random)).alarm;
      prompt = (prompt + 1) % mixture.healthy->size();
    }
    if (!alarm) ++missed;
    delays.push_back(probes);
  }
  return summarize(delays, missed);
}

NullRun sampling_null(const Replies& healthy, int per_prompt, int rounds, std::uint64_t seed) {
  NullRun out;
  const Mixture honest{&healthy, &healthy, 0};
  Random random(seed);
  while (out.steps < rounds) {
    auto test = learnt_sampling(healthy, per_prompt, random);
    for (int i = 0; i < kRelearnEvery; ++i, ++out.steps)
      if (test.add_round(draw_round(honest, per_prompt, random), random.uniform()).alarm) {
        ++out.alarms;
        test = learnt_sampling(healthy, per_prompt, random);
      }
  }
  return out;
}

NullRun greedy_null(const Replies& healthy, int probes, std::uint64_t seed) {
  NullRun out;
  Random random(seed);
  while (out.steps < probes) {
    auto test = learnt_replies(healthy, random);
    for (int i = 0; i < kRelearnEvery * 10; ++i, ++out.steps) {
      const auto prompt = static_cast<std::size_t>(i) % healthy.size();
      if (test.add(prompt, healthy[prompt].draw(random)).alarm) {
        ++out.alarms;
        test = learnt_replies(healthy, random);
      }
    }
  }
  return out;
}

LogprobResult logprob_calls(const LogprobArm& arm, const SearchLimits& limits, std::uint64_t seed) {
  LogprobResult out;
  std::vector<double> delays, healthy_scores, degraded_scores;
  std::size_t missed = 0;
  const int rounds_max = limits.tokens_max / static_cast<int>(arm.healthy.size());
  for (int run = 0; run < limits.runs; ++run) {
    Random random(seed + static_cast<std::uint64_t>(run));
    auto test = learnt_logprobs(arm, random);
    auto other = test;  // The fixed-size test must not see what the sequential one has.
    for (int i = 0; i < 25; ++i)
      healthy_scores.push_back(score_of_ten(other, arm.healthy, arm.noise, random));
    for (int i = 0; i < 5; ++i)
      degraded_scores.push_back(score_of_ten(other, arm.degraded, arm.noise, random));
    int rounds = 0;
    bool alarm = false;
    while (!alarm && rounds < rounds_max) {
      alarm = test.add_round(draw_logprobs(arm.degraded, arm.noise, random), random.uniform()).alarm;
      ++rounds;
    }
    if (!alarm) ++missed;
    delays.push_back(rounds * static_cast<double>(arm.healthy.size()));
  }
  out.calls = summarize(delays, missed);
  const double limit = quantile(healthy_scores, 0.99);
  const auto above = std::count_if(degraded_scores.begin(), degraded_scores.end(),
                                   [&](double score) { return score > limit; });
  out.power_of_10 = static_cast<double>(above) / static_cast<double>(degraded_scores.size());
  return out;
}

}  // namespace switchyard::evaluation
