#pragma once

#include "gateway/scoring/observation.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace switchyard::scoring {

// What the scorer publishes for routing, explanations, metrics and the admin port. Immutable: a new one
// replaces it whole. What is shown is what the router used, not a later computation.

enum class State : std::uint8_t { serving, reduced, ejected, probation, drained };
std::string_view name_of(State state);

// The size classes of latency: uncached input tokens up to 256, 1k, 4k, 16k, 64k, more.
inline constexpr int kSizeBuckets = 6;
int size_bucket(std::uint32_t uncached_input_tokens);

// Times of one size class; 0: not known yet.
struct LatencyView {
  float ttft_ms_p50 = 0, ttft_ms_p95 = 0, ttft_ms_p99 = 0;
  std::uint32_t samples = 0;
};

// One signal's evidence at the time of the view.
struct Evidence {
  Signal signal = Signal::tool_call_invalid;
  std::uint8_t stratum = 0;
  std::uint64_t seen = 0;  // Since the change point when there is one, else of the last window.
  double bad = 0;
  double mean = 0;      // p-hat since the change point.
  double allowed = 0;   // m0.
  double baseline = 0;  // The healthy mean that was learnt.
  std::uint32_t baseline_version = 0;
  bool learning = false;  // The baseline is a shipped prior still.
  double odds = 1;        // Q: how much more likely "worse" than "healthy" is.
  double ejects = 0;      // The weighted evidence M times its weight, compared with 1 when summed over A.
  double severity = 0, belief = 0, factor = 1;  // The factor in the quality.
  std::int64_t since_ms = 0;                    // The change point, wall clock; 0: none.
};

// The quality of a target whose identity changed, until it is known whether that does harm.
inline constexpr double kIdentityFactor = 0.85;

struct TargetView {
  std::uint32_t target = 0;
  State state = State::serving;
  std::int64_t state_since_ms = 0;  // Wall clock.
  std::int64_t state_until_ms = 0;  // The earliest end of an ejection; 0: none.
  // What routing uses: `measured`, but rising slowly; 1 where the settings only watch.
  double quality = 1;
  double measured = 1;  // The product of the factors, times kIdentityFactor while identity_armed.
  double ramp = 1;  // The part of its share that it may have: the steps of probation and of a restored one.
  bool identity_armed = false;
  double latency_ratio = 1;  // Recent TTFT over the baseline's median.
  bool slow = false;  // It has been slower than usual for a while: for people, traffic goes by estimates.
  double availability = 1;  // Of recent attempts.
  double inter_token_ms = 0;
  double output_tokens_mean = 0;
  std::array<LatencyView, kSizeBuckets> latency{};
  std::array<std::uint64_t, 5> recent_requests{};  // Hashes of request ids behind the evidence; 0: none.
  std::vector<Evidence> evidence;  // Of signals that are watched, the strongest first; at most 8.
  std::string why;                 // Why the state is what it is, in a few words; empty when serving.
  bool alone = false;              // Would be ejected, but nothing better is left.
};

struct BoardView {
  std::uint64_t version = 0;
  std::int64_t at_ms = 0;           // Wall clock.
  std::vector<TargetView> targets;  // Indexed by score id; one that is not known has the defaults.

  const TargetView& of(std::uint32_t target) const {
    static const TargetView unknown;
    return target < targets.size() ? targets[target] : unknown;
  }
};

using BoardViewPtr = std::shared_ptr<const BoardView>;

}  // namespace switchyard::scoring
