#include "gateway/routing/load.h"

#include <algorithm>
#include <cmath>

namespace switchyard::routing {

namespace {

using std::chrono::milliseconds;

// Milliseconds modulo 2^32, and never 0, which stands for "not yet".
std::uint32_t to_ms(TimePoint time) {
  const auto ms = std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
  return std::max<std::uint32_t>(static_cast<std::uint32_t>(ms), 1);
}

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// Since `then`; times of other threads may be a little in the future.
double seconds_since(std::uint32_t then, TimePoint now) {
  const auto passed = static_cast<std::int32_t>(to_ms(now) - then);
  return std::max(passed, 0) / 1000.0;
}

double remaining_part(std::uint32_t then, TimePoint now, Duration tau) {
  return then == 0 ? 0 : std::exp(-seconds_since(then, now) / seconds(tau));
}

template <class T, class Step>
T update(std::atomic<T>& value, Step step) {
  T old = value.load(std::memory_order_relaxed);
  for (;;) {
    const T next = step(old);
    if (value.compare_exchange_weak(old, next, std::memory_order_relaxed)) return old;
  }
}

void raise_to(std::atomic<int>& peak, int value) {
  int old = peak.load(std::memory_order_relaxed);
  while (old < value && !peak.compare_exchange_weak(old, value, std::memory_order_relaxed)) {
  }
}

constexpr double kSumUnit = 1024;
constexpr double kRatioMax = 100;  // Of one sample: 2^16 of them then fit the window's sum.

std::uint64_t window_number(TimePoint now, const LoadPolicy& policy) {
  return static_cast<std::uint64_t>(now.time_since_epoch() / policy.window) & 0x3fffffu;
}

bool is_pressure(ErrorKind kind) {
  return kind == ErrorKind::rate_limited || kind == ErrorKind::overloaded ||
         kind == ErrorKind::connect_timeout || kind == ErrorKind::first_token_timeout;
}

}  // namespace

Fading after_sample(Fading peak, double ratio, TimePoint now, Duration tau) {
  const double before = faded_ratio(peak, now, tau);
  if (peak.at_ms == 0 || ratio >= before) return {to_ms(now), static_cast<float>(ratio)};
  const double w = remaining_part(peak.at_ms, now, tau);
  // Of the value itself, not of what has faded of it: that a sample came is what makes it old.
  return {to_ms(now), static_cast<float>(peak.value * w + ratio * (1 - w))};
}

double faded_ratio(Fading peak, TimePoint now, Duration tau) {
  return 1 + (peak.value - 1) * remaining_part(peak.at_ms, now, tau);
}

Fading after_amount(Fading sum, double amount, TimePoint now, Duration tau) {
  const double left = sum.value * remaining_part(sum.at_ms, now, tau);
  return {to_ms(now), static_cast<float>(left + amount)};
}

double faded_rate(Fading sum, TimePoint now, Duration tau) {
  return sum.value * remaining_part(sum.at_ms, now, tau) / seconds(tau);
}

Limit after_window(Limit limit, double mean, int in_flight_peak, double proven, const LoadPolicy& policy) {
  const double value = limit.value;
  const double gradient = std::clamp(std::exp(std::log(policy.tolerance) + limit.usual - mean), 0.5, 1.0);
  double next = value;
  if (gradient < 1) {
    const double bears = std::max(policy.unproven_min, 2 * proven);
    const double wanted = std::min<double>(value, in_flight_peak) * gradient + 4;
    const double stepped = value * (1 - policy.smoothing) + wanted * policy.smoothing;
    next = std::min(value, std::max(stepped, bears));
  } else if (in_flight_peak >= value / 2) {
    const double queue = std::max(4.0, std::sqrt(value));
    next = std::min(policy.limit_max, std::max(value + queue, std::min(value * 1.5, 2 * proven)));
  }
  // An overload that lasts is not usual, however long.
  const double usual =
      std::min(limit.usual + (mean - limit.usual) / policy.long_windows, std::log(policy.tolerance));
  return {static_cast<float>(next), static_cast<float>(usual)};
}

Limit after_pressure(Limit limit, int in_flight, const LoadPolicy& policy) {
  const double from = std::min<double>(limit.value, std::max(in_flight, 1));
  limit.value = static_cast<float>(std::max(1.0, from * policy.backoff));
  return limit;
}

double quota_factor(QuotaLeft left, double inflow, TimePoint now) {
  if (left.count < 0) return 1;
  const auto ms_left = static_cast<std::int32_t>(left.reset_ms - to_ms(now));
  const double wanted = inflow * ms_left / 1000.0;
  if (ms_left <= 0 || wanted <= left.count) return 1;
  return left.count / wanted;
}

int limit_for(int in_flight_max, int priority) {
  if (in_flight_max <= 0) return 0;
  const double part = priority <= 0 ? 0.8 : priority == 1 ? 0.95 : 1.0;
  return std::max(1, static_cast<int>(in_flight_max * part));
}

SharedLoad::SharedLoad(const LoadPolicy& policy)
    : policy_(policy), limit_(Limit{static_cast<float>(policy.limit_start), 0}) {
  for (auto& left : left_) left.store(QuotaLeft{}, std::memory_order_relaxed);
}

LoadView SharedLoad::snapshot(TimePoint now, int concurrent) const {
  LoadView view;
  view.in_flight = in_flight_.load(std::memory_order_relaxed);
  const int adapted = static_cast<int>(limit_.load(std::memory_order_relaxed).value);
  view.in_flight_max = concurrent > 0 ? std::min(concurrent, adapted) : adapted;
  view.latency_ratio = faded_ratio(peak_.load(std::memory_order_relaxed), now, policy_.peak_decay);
  const auto rate = [&](const std::atomic<Fading>& sum) {
    return faded_rate(sum.load(std::memory_order_relaxed), now, policy_.inflow_decay);
  };
  for (int kind = 0; kind < kRateKinds; ++kind) {
    const QuotaLeft left = left_[static_cast<std::size_t>(kind)].load(std::memory_order_relaxed);
    if (left.count < 0) continue;
    double inflow = 0;
    switch (static_cast<RateKind>(kind)) {
      case RateKind::requests:
        inflow = rate(requests_);
        break;
      case RateKind::tokens:
        inflow = rate(input_tokens_) + rate(output_tokens_);
        break;
      case RateKind::input_tokens:
        inflow = rate(input_tokens_);
        break;
      case RateKind::output_tokens:
        inflow = rate(output_tokens_);
        break;
    }
    view.quota = std::min(view.quota, quota_factor(left, inflow, now));
  }
  return view;
}

bool SharedLoad::on_start(TimePoint now, double input_tokens, double output_tokens, int in_flight_max) {
  int in_flight = in_flight_.load(std::memory_order_relaxed);
  do {
    if (in_flight_max > 0 && in_flight >= in_flight_max) return false;
  } while (!in_flight_.compare_exchange_weak(in_flight, in_flight + 1, std::memory_order_relaxed));
  raise_to(in_flight_peak_, in_flight + 1);
  const auto add = [&](std::atomic<Fading>& sum, double amount) {
    update(sum, [&](Fading old) { return after_amount(old, amount, now, policy_.inflow_decay); });
  };
  add(requests_, 1);
  add(input_tokens_, input_tokens);
  add(output_tokens_, output_tokens);
  return true;
}

void SharedLoad::on_first_token(TimePoint now, double ttft_ms, double usual_ms) {
  if (!(ttft_ms > 0 && usual_ms > 0)) return;
  const double ratio = std::clamp(ttft_ms / usual_ms, 1 / kRatioMax, kRatioMax);
  update(peak_, [&](Fading peak) { return after_sample(peak, ratio, now, policy_.peak_decay); });
  const std::uint64_t number = window_number(now, policy_);
  // A low limit goes by every first token: slowness does not lower it any further.
  const bool is_low = limit_.load(std::memory_order_relaxed).value <= policy_.unproven_min;
  const unsigned samples_min = is_low ? 1 : static_cast<unsigned>(policy_.window_samples_min);
  const auto ends = [&](const LimitWindow& window) {
    return window.number != number && window.samples >= samples_min;
  };
  const LimitWindow before = update(window_, [&](LimitWindow window) {
    if (ends(window) || window.samples == 0) {
      window = LimitWindow();
      window.number = number;
    }
    if (window.samples == 0xffff) return window;
    window.samples += 1;
    window.sum += std::lround(std::log(ratio) * kSumUnit);
    return window;
  });
  if (ends(before)) close_window(now, before);
}

void SharedLoad::close_window(TimePoint now, LimitWindow window) {
  const int samples = window.samples;
  const double mean = static_cast<double>(window.sum) / kSumUnit / samples;
  const int peak = in_flight_peak_.exchange(in_flight_.load(std::memory_order_relaxed));
  const Fading proven = proven_.load(std::memory_order_relaxed);
  const double borne = proven.value * remaining_part(proven.at_ms, now, policy_.proven_decay);
  const Limit before =
      update(limit_, [&](Limit limit) { return after_window(limit, mean, peak, borne, policy_); });
  const bool was_usual = mean <= before.usual + std::log(policy_.tolerance);
  if (was_usual && peak >= borne) proven_.store({to_ms(now), static_cast<float>(peak)});
}

void SharedLoad::on_headers(TimePoint now, const RateHeaders& headers) {
  for (int kind = 0; kind < kRateKinds; ++kind) {
    const RateHeaders::Left& left = headers.kinds[static_cast<std::size_t>(kind)];
    if (!left.count) continue;
    const milliseconds reset = left.reset.value_or(std::chrono::minutes(1));
    left_[static_cast<std::size_t>(kind)].store({to_ms(now + reset), static_cast<float>(*left.count)},
                                                std::memory_order_relaxed);
  }
}

void SharedLoad::on_end(TimePoint now, const Error* error) {
  const int in_flight = in_flight_.fetch_sub(1, std::memory_order_relaxed);
  // A full queue or pool of this side has no status: it says nothing of the target.
  const bool is_own = error && error->kind == ErrorKind::overloaded && error->upstream_status == 0;
  if (!error || is_own || !is_pressure(error->kind)) return;
  // What was sent together fails together: one step a window.
  std::uint32_t pressed = pressed_ms_.load(std::memory_order_relaxed);
  if (pressed != 0 && seconds_since(pressed, now) < seconds(policy_.window)) return;
  if (!pressed_ms_.compare_exchange_strong(pressed, to_ms(now), std::memory_order_relaxed)) return;
  update(limit_, [&](Limit limit) { return after_pressure(limit, in_flight, policy_); });
}

}  // namespace switchyard::routing
