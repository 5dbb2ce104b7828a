#pragma once

#include "adapters/canonical/result.h"
#include "gateway/routing/rate_headers.h"

#include <array>
#include <atomic>
#include <cstdint>

namespace switchyard::routing {

// How busy a target is and what it bears, from the requests that this process has there: numbers that cannot
// wait for the scorer. As in health.h, each is a value of eight bytes with the time as an argument;
// SharedLoad lets several threads step them without a lock.

struct LoadPolicy {
  Duration peak_decay = std::chrono::seconds(10);    // Tau of the peak-EWMA.
  Duration inflow_decay = std::chrono::seconds(10);  // Tau of what is sent a second.
  Duration window = std::chrono::seconds(1);         // Of the limit: at most one step in it,
  int window_samples_min = 10;  // and not before so many first tokens (one, when it is low).
  double limit_start = 1000, limit_max = 10'000;
  double tolerance = 1.5;  // A window that is so much slower than usual calls for a lower limit.
  double smoothing = 0.2;  // Of a step down.
  double backoff = 0.9;    // Of a step down after a 429 or a timeout.
  int long_windows = 600;  // What is usual: an average over about so many windows.
  Duration proven_decay = std::chrono::hours(1);
  double unproven_min = 16;  // Slowness alone takes no limit below this.
};

inline constexpr LoadPolicy kLoadPolicy{};

// A number that fades: an average, or a count of the last while. Times are milliseconds of the steady clock
// modulo 2^32 (49 days).
struct Fading {
  std::uint32_t at_ms = 0;
  float value = 0;
};

// Peak-EWMA as in Finagle's load balancer (com.twitter.finagle.loadbalancer.aperture PeakEwma): a slower
// sample counts at once, faster ones by w = e^(-dt/tau). Of ratios to what is usual: without samples it fades
// toward 1.
Fading after_sample(Fading peak, double ratio, TimePoint now, Duration tau);
double faded_ratio(Fading peak, TimePoint now, Duration tau);

// A sum that fades toward 0; divided by tau it is the rate of the last while.
Fading after_amount(Fading sum, double amount, TimePoint now, Duration tau);
double faded_rate(Fading sum, TimePoint now, Duration tau);  // A second.

// First tokens since the limit's last step: their number, and the sum of ln(ratio) in 1/1024.
struct LimitWindow {
  std::uint64_t number : 22 = 0;  // Of the window in which the step was made, modulo 2^22.
  std::uint64_t samples : 16 = 0;
  std::int64_t sum : 26 = 0;
};

// How many requests at a time. `usual`: ln(ratio), averaged over long_windows.
struct Limit {
  float value = 0;
  float usual = 0;
};

// One step by Gradient2 of Netflix's concurrency-limits (Gradient2Limit.java): value x clip(tolerance x usual
// / recent, 0.5, 1) + queue. Two differences, so that a healthy target is never held back: a step down starts
// from what really was in flight and never goes below twice what the target has borne at its usual speed
// (`proven`); and the way back up to that is by half of the value a step. `mean`: of ln(ratio) in the window.
Limit after_window(Limit limit, double mean, int in_flight_peak, double proven, const LoadPolicy& policy);
// One step by AIMD, after a 429, an overload or a timeout.
Limit after_pressure(Limit limit, int in_flight, const LoadPolicy& policy);

// What a reply said is left of a limit, and until when.
struct QuotaLeft {
  std::uint32_t reset_ms = 0;  // Steady clock modulo 2^32.
  float count = -1;            // Negative: nothing is known.
};

// The part of our pace that a limit has room for: left / (inflow a second x seconds until the reset), 0 to 1.
double quota_factor(QuotaLeft left, double inflow, TimePoint now);

// What the plan sees.
struct LoadView {
  int in_flight = 0;
  int in_flight_max = 0;     // Adapted, at most the configured one.
  double latency_ratio = 1;  // Candidate::latency_ratio.
  double quota = 1;          // Candidate::quota.
};

// The limit for a request of this priority (config::Key::priority: 0 batch, 1 normal, 2 interactive): batch
// finds a target full at 80 % and normal at 95 % of its limit, so that what is shed first is what can wait.
// 0 stays 0: no limit.
int limit_for(int in_flight_max, int priority);

// One target's load, shared by all workers; it lives on through reloads like SharedHealth. A request costs a
// handful of uncontended compare-exchanges.
class SharedLoad {
 public:
  explicit SharedLoad(const LoadPolicy& policy = kLoadPolicy);

  // `concurrent`: the configured limit (config::Target::concurrent); 0: it adapts.
  LoadView snapshot(TimePoint now, int concurrent) const;

  // Before each attempt, with the tokens that it is expected to use. False: the target is full by now; go on
  // to the next one and call nothing more. `in_flight_max`: the candidate's, 0 for none.
  bool on_start(TimePoint now, double input_tokens, double output_tokens, int in_flight_max);
  // The attempt's first content, `ttft_ms` after the request was written. `usual_ms`: the median of such
  // requests (TargetView::latency), 0 when it is not known: then the sample says nothing.
  void on_first_token(TimePoint now, double ttft_ms, double usual_ms);
  // The reply's head; `now`: when it came.
  void on_headers(TimePoint now, const RateHeaders& headers);
  // After each attempt that started, exactly once. `error`: how it failed, or null.
  void on_end(TimePoint now, const Error* error);

 private:
  void close_window(TimePoint now, LimitWindow window);

  LoadPolicy policy_;
  std::atomic<int> in_flight_{0};
  std::atomic<int> in_flight_peak_{0};  // Since the window began.
  std::atomic<Fading> peak_{Fading{}};
  std::atomic<Fading> requests_{Fading{}}, input_tokens_{Fading{}}, output_tokens_{Fading{}};  // Sent.
  std::atomic<Fading> proven_{Fading{}};  // The most that was in flight in a window of usual speed.
  std::atomic<LimitWindow> window_{LimitWindow{}};
  std::atomic<std::uint32_t> pressed_ms_{0};  // The last step down by after_pressure().
  std::atomic<Limit> limit_;
  std::array<std::atomic<QuotaLeft>, kRateKinds> left_;
};

}  // namespace switchyard::routing
