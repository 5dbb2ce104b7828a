#include "gateway/routing/shares.h"

#include <algorithm>
#include <cmath>

namespace switchyard::routing {

namespace {

constexpr double kExponent = 6;       // Of quality.md's product: an objective of 1 makes a half a 64th.
constexpr double kFactorMin = 0.01;   // Of each objective.
constexpr double kWeightMin = 1e-18;  // Weight 0: behind every other, equal among themselves.

std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// ln of base^exponent, not below kFactorMin. A base of 1, which most have, costs no logarithm.
double log_factor(double base, double exponent) {
  static const double lowest = std::log(kFactorMin);
  if (base >= 1 || exponent <= 0) return 0;
  if (base <= 0) return lowest;
  return std::max(exponent * std::log(base), lowest);
}

double log_of(double value) {
  return value == 1 ? 0 : std::log(std::max(value, kWeightMin));
}

const Candidate& at(const PlanInput& input, int index) {
  return input.candidates[static_cast<std::size_t>(index)];
}

// What the latency score compares.
double score_ms(const Candidate& candidate, const RequestFacts& facts, double inter_token_ms) {
  const double median = predicted_ms(candidate, facts, candidate.ttft_ms_p50, inter_token_ms);
  if (median == 0 || candidate.ttft_ms_p95 <= 0) return median;
  return 0.5 * median + 0.5 * predicted_ms(candidate, facts, candidate.ttft_ms_p95, inter_token_ms);
}

// In the place of the weight: what makes a share `part` of the whole when the others' factors add up to
// `rest` and have 1 - parts of it.
double log_canary_weight(double part, double parts, double rest) {
  return std::log(std::max(part, kWeightMin) / std::max(1 - parts, kWeightMin)) + std::log(rest);
}

}  // namespace

double uniform(std::uint64_t seed, std::uint64_t id, std::uint64_t salt) {
  return (static_cast<double>(mixed(seed ^ mixed(id ^ salt)) >> 11) + 1) * 0x1p-53;
}

double predicted_ms(const Candidate& candidate, const RequestFacts& facts, double ttft_ms,
                    double inter_token_ms_fallback) {
  if (ttft_ms <= 0) return 0;
  const double inter_token_ms =
      candidate.inter_token_ms > 0 ? candidate.inter_token_ms : inter_token_ms_fallback;
  return ttft_ms * candidate.latency_ratio + facts.output_tokens * inter_token_ms;
}

Known known_of(const PlanInput& input, std::span<const int> members) {
  Known known;
  const auto take_least = [](double& least, double value) {
    if (value > 0 && (least == 0 || value < least)) least = value;
  };
  for (const int member : members) take_least(known.inter_token_ms, at(input, member).inter_token_ms);
  for (const int member : members) {
    const Candidate& candidate = at(input, member);
    if (input.strategy != config::Strategy::score) {
      take_least(known.soonest_ms,
                 predicted_ms(candidate, input.facts, candidate.ttft_ms_p50, known.inter_token_ms));
      continue;
    }
    take_least(known.soonest_score_ms, score_ms(candidate, input.facts, known.inter_token_ms));
    if (candidate.usd < 0) continue;
    if (known.usd_min < 0 || candidate.usd < known.usd_min) known.usd_min = candidate.usd;
    known.usd_max = std::max(known.usd_max, candidate.usd);
  }
  return known;
}

double factor_of(const Terms& terms) {
  return std::exp(terms.weight + terms.quality + terms.latency + terms.cost + terms.availability);
}

double canary_part(const Candidate& candidate) {
  return std::clamp(*candidate.canary * candidate.ramp * candidate.quota, 0.0, 1.0);
}

void fill_terms(const PlanInput& input, std::span<const int> members, std::vector<Terms>& terms) {
  using config::Strategy;
  if (input.strategy != Strategy::weighted && input.strategy != Strategy::score) return;
  const bool is_score = input.strategy == Strategy::score;
  const Known known = is_score ? known_of(input, members) : Known();
  const auto& objectives = input.objectives;
  double total = 0, parts = 0;
  for (const int member : members) {
    const Candidate& candidate = at(input, member);
    Terms& own = terms[static_cast<std::size_t>(member)];
    if (candidate.canary) {
      parts += canary_part(candidate);
      continue;
    }
    own.weight = log_of(candidate.weight);
    own.availability = log_of(std::clamp(candidate.availability, kFactorMin, 1.0) * candidate.ramp *
                              std::min(candidate.quota, 1.0));
    if (is_score) {
      own.quality = log_factor(candidate.quality, kExponent * objectives.quality);
      const double ms = score_ms(candidate, input.facts, known.inter_token_ms);
      if (ms > 0) own.latency = log_factor(known.soonest_score_ms / ms, kExponent * objectives.latency);
      const double usd = candidate.usd < 0 ? known.usd_max : candidate.usd;
      if (usd > 0) own.cost = log_factor(known.usd_min / usd, kExponent * objectives.cost);
    }
    own.share = factor_of(own);
    total += own.share;
  }
  const double rest = total > 0 ? total : 1;
  parts = std::min(parts, 1.0);
  for (const int member : members) {
    if (!at(input, member).canary) continue;
    Terms& own = terms[static_cast<std::size_t>(member)];
    own.weight = log_canary_weight(canary_part(at(input, member)), parts, rest);
    own.share = factor_of(own);
    total += own.share;
  }
  for (const int member : members) terms[static_cast<std::size_t>(member)].share /= total;
}

}  // namespace switchyard::routing
