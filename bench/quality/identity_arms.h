#pragma once

#include "bench/quality/arms.h"
#include "bench/quality/statistics.h"

#include <cstdint>
#include <vector>

namespace switchyard::evaluation {

// How long the gateway's own identity tests (gateway/probing/identity.h) need to see an arm. What a provider
// says to a fixed prompt has a fixed distribution, so each is computed once and then drawn from.

// Draws by bisection from a fixed distribution.
class Categorical {
 public:
  explicit Categorical(const Distribution& p);
  // Of equally likely outcomes, which may repeat.
  explicit Categorical(const std::vector<std::uint64_t>& outcomes);
  std::uint64_t draw(Random& random) const;

 private:
  std::vector<double> cumulative_;
  std::vector<std::uint64_t> outcomes_;
};

// One a prompt.
using Replies = std::vector<Categorical>;

// A reply comes from `degraded` with probability `share`, else from `healthy`.
struct Mixture {
  const Replies* healthy;
  const Replies* degraded;
  double share = 1;

  std::uint64_t draw(std::size_t prompt, Random& random) const {
    return (random.chance(share) ? *degraded : *healthy)[prompt].draw(random);
  }
};

struct SearchLimits {
  int runs = 40;
  int tokens_max = 50'000;  // After which a run is given up.
};

// Probe tokens from the change to the alarm of one-token sampling: `per_prompt` tokens of each prompt a
// round, the reference being 100 healthy rounds.
Summary tokens_to_alarm(const Mixture& mixture, int per_prompt, const SearchLimits& limits,
                        std::uint64_t seed);

// Probes of 16 greedy tokens from the change to the alarm, the reference being 20 healthy replies a prompt.
Summary probes_to_alarm(const Mixture& mixture, const SearchLimits& limits, std::uint64_t seed);

struct NullRun {
  double steps = 0, alarms = 0;  // Rounds, or probes.
};

// Healthy rounds: how often sampling alarms. A new reference is learnt every 2,000 rounds, so that its own
// luck is part of the figure.
NullRun sampling_null(const Replies& healthy, int per_prompt, int rounds, std::uint64_t seed);
NullRun greedy_null(const Replies& healthy, int probes, std::uint64_t seed);

// First-token logits of a few prompts, seen as log-probabilities of the 20 likeliest under noise.
struct LogprobArm {
  std::vector<std::vector<float>> healthy, degraded;  // (prompts, vocabulary)
  double noise = 0;
};

struct LogprobResult {
  Summary calls;           // One-token calls to the sequential alarm.
  double power_of_10 = 0;  // Of one test of ten calls, at 1 % false alarms.
};

LogprobResult logprob_calls(const LogprobArm& arm, const SearchLimits& limits, std::uint64_t seed);

}  // namespace switchyard::evaluation
