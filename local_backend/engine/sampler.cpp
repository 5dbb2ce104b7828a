#include "local_backend/engine/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace switchyard::local {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

Random::Random(std::uint64_t seed) {
  for (auto& word : state_) {
    seed += 0x9e3779b97f4a7c15U;
    std::uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    word = z ^ (z >> 31);
  }
}

std::uint64_t Random::next() {
  const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

// Fills choices_ with the top_k largest logits (all, if it is off), the largest first as far as later cuts
// need the order.
void Sampler::keep_likeliest(std::span<const float> logits) {
  choices_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (logits[i] > -kInfinity) choices_.push_back({logits[i], static_cast<int>(i)});
  const auto likelier = [](const Choice& a, const Choice& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
  };
  const auto k = static_cast<std::size_t>(std::max(sampling_.top_k, 0));
  if (k > 0 && k < choices_.size()) {
    std::nth_element(choices_.begin(), choices_.begin() + static_cast<std::ptrdiff_t>(k) - 1, choices_.end(),
                     likelier);
    choices_.resize(k);
  }
  if (sampling_.top_p < 1.0F) std::sort(choices_.begin(), choices_.end(), likelier);
}

int Sampler::pick(std::span<const float> logits) {
  const auto best = std::max_element(logits.begin(), logits.end(), [](float a, float b) {
    return a < b || (std::isnan(a) && !std::isnan(b));
  });
  const int best_id = static_cast<int>(best - logits.begin());
  if (!(sampling_.temperature > 0) || !std::isfinite(*best)) return best_id;
  keep_likeliest(logits);
  double total = 0;
  for (Choice& choice : choices_) {
    choice.weight = std::exp((choice.weight - *best) / sampling_.temperature);
    total += choice.weight;
  }
  if (sampling_.min_p > 0) {
    // The likeliest has weight 1.
    std::erase_if(choices_, [&](const Choice& c) { return c.weight < std::min(sampling_.min_p, 1.0F); });
    total = 0;
    for (const Choice& choice : choices_) total += choice.weight;
  }
  if (sampling_.top_p < 1.0F) {
    double kept = 0;
    std::size_t count = 0;
    while (count < choices_.size() && (count == 0 || kept < sampling_.top_p * total))
      kept += choices_[count++].weight;
    choices_.resize(count);
    total = kept;
  }
  double left = random_.uniform() * total;
  for (const Choice& choice : choices_) {
    left -= choice.weight;
    if (left < 0) return choice.id;
  }
  return choices_.back().id;  // Rounding left a crumb.
}

}  // namespace switchyard::local
