#pragma once

#include "config/config.h"
#include "gateway/scoring/view.h"

#include <chrono>
#include <string>
#include <string_view>

namespace switchyard::routing {

// Whether a request that is slow to begin gets a second attempt beside the first (Dean and Barroso, "The Tail
// at Scale", 2013). Before the first token only; the first of the two to answer serves, the other is closed.

// The time that a share q of first tokens come within, from the three that are known: between them by a
// log-normal distribution. 0: not known.
double ttft_quantile_ms(const scoring::LatencyView& times, double q);

// What a hedge would be made of. The views are of the request's size class.
struct HedgeInput {
  config::Hedge settings;
  scoring::LatencyView primary, backup;
  double backup_quota = 1;   // Candidate::quota of the backup: below 0.1 it gets no hedges.
  bool keeps_cache = false;  // The prompt's cache is at the primary (config::Sticky::prompt).
};

enum class HedgeVerdict {
  worth_it,
  not_worth_it,  // By the time that it could help, the primary has almost always begun.
  unknown,       // Too few samples.
  cache_lost,    // The primary has the prompt's cache.
  quota_short,   // The backup's rate limit is nearly used up.
  fixed_time,    // Too few samples, but the configuration says when.
};

// `delay`: after which the backup starts: the configured time, or the larger of the percentile (q95 unless
// configured) and 1.5 x q50. `starts`: only then may it, with a HedgeGate's leave.
struct HedgeAdvice {
  bool starts = false;
  HedgeVerdict verdict = HedgeVerdict::unknown;
  std::chrono::milliseconds delay{0};
};

// Worth it only if q99(primary) > delay + q50(backup). Needs 100 samples of the primary and 20 of the backup;
// with fewer there is a hedge only after a configured time.
HedgeAdvice advise_hedge(const HedgeInput& input);
// In words, with the numbers, for explanations.
std::string to_text(const HedgeAdvice& advice, const HedgeInput& input);

// Keeps hedges rare. Pure and not thread-safe: one a worker and model.
//  - Budget: each request deposits the configured share, each hedge takes 1; at most 10 are saved.
//  - Throttle as gRPC's retries have it (gRFC A6, "Throttling Retry Attempts"): of ten tokens a failed
//  attempt
//    takes one and a good one gives 0.1 back; at five or fewer there are no hedges.
//  - When more than 10 % of the last hundred or so requests were slower than their delay, all is slow, not
//    one: no hedges.
class HedgeGate {
 public:
  // A request that could be hedged begins.
  void on_request(double budget);
  // Of its first attempt, once: whether its first token, or its failure, came later than the delay.
  void on_first_token(bool was_late);
  // Each attempt's end, hedges too; `ok`: it did not fail. One that was closed for the other counts as ok.
  void on_attempt_end(bool ok);
  // Takes a hedge. Empty: it may start; else why not, a word: "budget", "throttled", "all_slow".
  std::string_view try_hedge();

 private:
  static constexpr double kTokensMax = 10, kSavedMax = 10;
  double saved_ = 1;
  double tokens_ = kTokensMax;
  double late_ = 0, seen_ = 0;  // The part that was late of the last hundred or so, and how many were seen.
};

}  // namespace switchyard::routing
