#include "gateway/routing/health.h"

#include <algorithm>

namespace switchyard::routing {

namespace {

using std::chrono::milliseconds;

std::uint64_t to_ms(TimePoint time) {
  return static_cast<std::uint64_t>(std::max<milliseconds::rep>(
      0, std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count()));
}

std::uint64_t to_ms(Duration duration) {
  return to_ms(TimePoint(duration));
}

TimePoint from_ms(std::uint64_t ms) {
  return TimePoint(milliseconds(ms));
}

// base doubled `doublings` times, at most max.
Duration doubled(Duration base, std::uint64_t doublings, Duration max) {
  for (; doublings > 0 && base < max; --doublings) base *= 2;
  return std::min(base, max);
}

// One more doubling, unless the longest pause is reached already.
std::uint64_t next_doublings(Duration base, std::uint64_t doublings, Duration max) {
  return doubled(base, doublings, max) < max ? doublings + 1 : doublings;
}

bool trial_runs(const Breaker& breaker, TimePoint now, const HealthPolicy& policy) {
  return breaker.trial && to_ms(now) < breaker.since_ms + to_ms(policy.trial_max);
}

bool needs_credential_trial(const Pause& credential, TimePoint now) {
  return credential.probation && to_ms(now) >= credential.until_ms;
}

Breaker eject(Breaker breaker, std::uint64_t doublings, bool slow, TimePoint now,
              const HealthPolicy& policy) {
  const Duration max = slow ? policy.dwell_max_slow : policy.dwell_max_quick;
  Breaker next;
  next.since_ms = to_ms(now + doubled(policy.dwell_base, doublings, max));
  next.failures = breaker.failures;
  next.doublings = next_doublings(policy.dwell_base, doublings, policy.dwell_max_slow);
  next.ejected = 1;
  return next;
}

bool is_timeout(ErrorKind kind) {
  return kind == ErrorKind::connect_timeout || kind == ErrorKind::first_token_timeout ||
         kind == ErrorKind::between_tokens_timeout;
}

// Replaces the value by what `step` makes of it; a step that changes nothing writes nothing. Returns the
// value before.
template <class T, class Step>
T update(std::atomic<T>& value, Step step) {
  T old = value.load(std::memory_order_acquire);
  for (;;) {
    const T next = step(old);
    if (next == old || value.compare_exchange_weak(old, next, std::memory_order_acq_rel)) return old;
  }
}

void add_one(std::atomic<std::uint64_t>& counter) {
  counter.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

std::string_view name_of(State state) {
  switch (state) {
    case State::serving:
      return "serving";
    case State::probation:
      return "probation";
    case State::ejected:
      return "ejected";
    case State::cooling:
      return "cooling";
    case State::credential_out:
      return "credential_out";
  }
  return "unknown";
}

Effect effect_of(const Error& error) {
  switch (error.kind) {
    case ErrorKind::invalid_request:
    case ErrorKind::not_found:
    case ErrorKind::too_large:
    case ErrorKind::context_too_long:
      return Effect::alive;
    case ErrorKind::rate_limited:
      return Effect::cool;
    case ErrorKind::overloaded:
      // Without a status it is a limit of this side: a full queue, a full pool.
      if (error.upstream_status == 0) return Effect::none;
      return error.retry_after ? Effect::cool : Effect::fault;
    case ErrorKind::credential:
    case ErrorKind::quota:
      return Effect::credential_out;
    case ErrorKind::provider_error:
    case ErrorKind::unreachable:
    case ErrorKind::bad_reply:
    case ErrorKind::connect_timeout:
    case ErrorKind::first_token_timeout:
    case ErrorKind::between_tokens_timeout:
      return Effect::fault;
    case ErrorKind::unsupported:
    case ErrorKind::invalid_key:
    case ErrorKind::forbidden:
    case ErrorKind::method_not_allowed:
    case ErrorKind::limited:
    case ErrorKind::total_timeout:
    case ErrorKind::unavailable:
    case ErrorKind::exhausted:
    case ErrorKind::cancelled:
    case ErrorKind::internal:
      return Effect::none;
  }
  return Effect::none;
}

bool is_local_origin(ErrorKind kind) {
  return kind == ErrorKind::unreachable || is_timeout(kind);
}

Admission admit(Breaker breaker, bool credential_probation, TimePoint now, const HealthPolicy& policy) {
  if (!breaker.ejected && !credential_probation) return {breaker, true};
  if (breaker.ejected && !breaker.trial && to_ms(now) < breaker.since_ms) {
    breaker.forced = 1;
    return {breaker, true};
  }
  if (trial_runs(breaker, now, policy)) return {breaker, false};
  breaker.trial = 1;
  breaker.since_ms = to_ms(now);
  return {breaker, true};
}

Breaker after_success(Breaker breaker, TimePoint now) {
  if (!breaker.ejected) {
    breaker.failures = 0;
    breaker.trial = 0;
    return breaker;
  }
  // An attempt from before the ejection says nothing new; one that was made in spite of it does.
  if (to_ms(now) < breaker.since_ms && !breaker.forced) return breaker;
  Breaker restored;
  restored.since_ms = to_ms(now);
  restored.doublings = breaker.doublings;
  return restored;
}

Breaker after_fault(Breaker breaker, bool ratio_exceeded, bool slow, TimePoint now,
                    const HealthPolicy& policy) {
  if (breaker.ejected) {
    // Only the trial decides: attempts from before the ejection may still end for as long as their timeouts.
    return breaker.trial ? eject(breaker, breaker.doublings, slow, now, policy) : breaker;
  }
  breaker.trial = 0;
  if (breaker.failures < 255) breaker.failures += 1;
  if (breaker.failures < policy.consecutive_failures && !ratio_exceeded) return breaker;
  const std::uint64_t in_service_ms = to_ms(now) - std::min<std::uint64_t>(to_ms(now), breaker.since_ms);
  const std::uint64_t forgiven = in_service_ms / to_ms(policy.decay);
  const std::uint64_t doublings = breaker.doublings - std::min<std::uint64_t>(breaker.doublings, forgiven);
  return eject(breaker, doublings, slow, now, policy);
}

Breaker after_nothing(Breaker breaker, TimePoint) {
  breaker.trial = 0;
  return breaker;
}

Counted count(Window window, bool failed, TimePoint now, const HealthPolicy& policy) {
  const std::uint64_t number = (to_ms(now) / to_ms(policy.window)) & 0xffffffffu;
  if (window.number != number) {
    window = Window();
    window.number = number;
  }
  if (window.attempts == 0xffff) {  // Full: half of each keeps the ratio.
    window.attempts /= 2;
    window.failures /= 2;
  }
  window.attempts += 1;
  if (!failed) return {window, false};
  window.failures += 1;
  const double ratio = static_cast<double>(window.failures) / static_cast<double>(window.attempts);
  if (window.attempts < policy.window_attempts_min || ratio < policy.failure_ratio) return {window, false};
  window.attempts = 0;
  window.failures = 0;
  return {window, true};
}

Pause cool(Pause pause, const Error& error, TimePoint now, const HealthPolicy& policy) {
  const Duration asked = error.retry_after ? Duration(*error.retry_after) : policy.cool_default;
  const std::uint64_t until = to_ms(now + std::clamp(asked, Duration::zero(), policy.cool_max));
  pause.until_ms = std::max<std::uint64_t>(pause.until_ms, until);
  return pause;
}

Pause take_credential_out(Pause pause, const Error& error, TimePoint now, const HealthPolicy& policy) {
  // Requests that were under way together fail together: one outage, one doubling.
  if (to_ms(now) < pause.until_ms) return pause;
  Duration out = doubled(policy.credential_base, pause.doublings, policy.credential_max);
  if (error.kind == ErrorKind::quota && error.retry_after) {
    out = std::clamp(Duration(*error.retry_after), Duration(std::chrono::seconds(1)), policy.quota_max);
  }
  pause.until_ms = to_ms(now + out);
  pause.doublings = next_doublings(policy.credential_base, pause.doublings, policy.credential_max);
  pause.probation = 1;
  return pause;
}

HealthView view(Breaker breaker, Pause cooling, Pause credential, TimePoint now, const HealthPolicy& policy) {
  const std::uint64_t now_ms = to_ms(now);
  if (now_ms < credential.until_ms) return {State::credential_out, from_ms(credential.until_ms)};
  if (now_ms < cooling.until_ms) return {State::cooling, from_ms(cooling.until_ms)};
  if (!breaker.ejected && !needs_credential_trial(credential, now)) return {};
  if (breaker.ejected && now_ms < breaker.since_ms) return {State::ejected, from_ms(breaker.since_ms)};
  return {State::probation, {}, trial_runs(breaker, now, policy)};
}

HealthView SharedHealth::snapshot(TimePoint now) const {
  return view(breaker_.load(std::memory_order_acquire), cooling_.load(std::memory_order_acquire),
              credential_.load(std::memory_order_acquire), now, policy_);
}

bool SharedHealth::on_attempt(TimePoint now) {
  const bool credential_probation = needs_credential_trial(credential_.load(std::memory_order_acquire), now);
  const Breaker before = update(
      breaker_, [&](Breaker breaker) { return admit(breaker, credential_probation, now, policy_).breaker; });
  return admit(before, credential_probation, now, policy_).admitted;
}

void SharedHealth::on_success(TimePoint now) {
  add_one(successes_);
  update(window_, [&](Window window) { return count(window, false, now, policy_).window; });
  update(breaker_, [&](Breaker breaker) { return after_success(breaker, now); });
  update(credential_, [&](Pause pause) { return needs_credential_trial(pause, now) ? Pause() : pause; });
}

void SharedHealth::on_failure(const Error& error, TimePoint now) {
  const Effect effect = effect_of(error);
  if (effect == Effect::none) return on_abandoned(now);
  if (effect == Effect::fault) {
    add_one(is_local_origin(error.kind) ? local_failures_ : reply_failures_);
    const Window window =
        update(window_, [&](Window before) { return count(before, true, now, policy_).window; });
    const bool exceeded = count(window, true, now, policy_).exceeded;
    const auto step = [&](Breaker breaker) {
      return after_fault(breaker, exceeded, is_timeout(error.kind), now, policy_);
    };
    const Breaker before = update(breaker_, step);
    const Breaker after = step(before);
    if (after.ejected && !(after == before)) add_one(ejections_);
    return;
  }
  // The target answered: for the breaker that is as good as a success.
  update(window_, [&](Window window) { return count(window, false, now, policy_).window; });
  update(breaker_, [&](Breaker breaker) { return after_success(breaker, now); });
  if (effect == Effect::alive) {
    update(credential_, [&](Pause pause) { return needs_credential_trial(pause, now) ? Pause() : pause; });
    return;
  }
  add_one(pauses_);
  if (effect == Effect::cool) {
    update(cooling_, [&](Pause pause) { return cool(pause, error, now, policy_); });
  } else {
    update(credential_, [&](Pause pause) { return take_credential_out(pause, error, now, policy_); });
  }
}

void SharedHealth::on_abandoned(TimePoint now) {
  update(breaker_, [&](Breaker breaker) { return after_nothing(breaker, now); });
}

SharedHealth::Totals SharedHealth::totals() const {
  const auto read = [](const std::atomic<std::uint64_t>& counter) {
    return counter.load(std::memory_order_relaxed);
  };
  return {read(successes_), read(local_failures_), read(reply_failures_), read(pauses_), read(ejections_)};
}

}  // namespace switchyard::routing
