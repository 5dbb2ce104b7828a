#pragma once

#include "local_backend/engine/engine.h"

#include <cstdint>
#include <span>
#include <vector>

namespace switchyard::local {

// xoshiro256++ (Blackman & Vigna 2019), seeded by splitmix64. The same on every platform, unlike the standard
// library's distributions.
class Random {
 public:
  explicit Random(std::uint64_t seed);
  std::uint64_t next();

  // 0 <= result < 1, in steps of 2^-53.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  std::uint64_t state_[4];
};

// Picks the next token. At temperature 0 the largest logit, the lowest id of equals. Otherwise from
// softmax(logits / temperature), cut to the top_k most likely, to those with at least min_p of the
// likeliest's probability, and to the smallest set that holds top_p of what is left; each in this order. A
// logit of minus infinity, or that is no number, is no choice.
class Sampler {
 public:
  explicit Sampler(const Sampling& sampling) : sampling_(sampling), random_(sampling.seed) {}

  int pick(std::span<const float> logits);

 private:
  struct Choice {
    float weight;  // First the logit, then its probability up to a factor.
    int id;
  };

  void keep_likeliest(std::span<const float> logits);

  Sampling sampling_;
  Random random_;
  std::vector<Choice> choices_;
};

}  // namespace switchyard::local
