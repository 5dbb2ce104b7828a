#pragma once

#include "gateway/routing/plan.h"

#include <cstdint>
#include <span>
#include <vector>

namespace switchyard::routing {

// The numbers behind a plan's order: draws, predictions and shares. Pure functions of the plan's input.

// A draw in (0, 1] that depends on the three alone: SplitMix64's finisher over them (Steele, Lea, Flood:
// "Fast splittable pseudorandom number generators", 2014). Different salts give independent draws.
double uniform(std::uint64_t seed, std::uint64_t id, std::uint64_t salt = 0);

// Milliseconds until the request's last token: ttft x latency_ratio + output_tokens x inter_token_ms. For an
// inter-token time that is not known `inter_token_ms_fallback` stands. 0: the time to first token is not
// known.
double predicted_ms(const Candidate& candidate, const RequestFacts& facts, double ttft_ms,
                    double inter_token_ms_fallback = 0);

// What of some candidates stands in for what is not known of another: it is taken to be as soon as the
// soonest, so that it is tried, and as dear as the dearest.
struct Known {
  double inter_token_ms = 0;          // The least that is known; 0: none is.
  double soonest_ms = 0;              // The least predicted_ms() at the median; 0: none is known.
  double soonest_score_ms = 0;        // The least half of the median's and half of the 95th percentile's.
  double usd_min = -1, usd_max = -1;  // Negative: none is known.
};

// What the strategy needs of it: the soonest's time for latency, the rest for score.
Known known_of(const PlanInput& input, std::span<const int> members);

// Plan::terms of `members`, the candidates of one tier that may be tried:
//   weighted   weight x availability
//   score      weight x quality^(6 o_q) x latency^(6 o_l) x cheapness^(6 o_c) x availability
// as logarithms, with o_* the objectives, latency = the soonest's time over its own (half of the median's,
// half of the 95th percentile's), cheapness = the cheapest's price over its own, availability = its
// availability x ramp x quota. No factor of an objective takes away more than 99 %: a target that is never
// asked is never seen to be good again. A canary has the weight that makes its share the configured one. With
// the other strategies, which draw no shares, the terms stay 0.
void fill_terms(const PlanInput& input, std::span<const int> members, std::vector<Terms>& terms);

// e^(sum of the terms).
double factor_of(const Terms& terms);

// A canary's part of the requests: the configured one, less while it rises or is short of quota.
double canary_part(const Candidate& candidate);

}  // namespace switchyard::routing
