#include "gateway/routing/retry.h"

#include <algorithm>
#include <numeric>
#include <string>

namespace switchyard::routing {

namespace {

bool is_timeout(ErrorKind kind) {
  return kind == ErrorKind::connect_timeout || kind == ErrorKind::first_token_timeout ||
         kind == ErrorKind::between_tokens_timeout || kind == ErrorKind::total_timeout;
}

template <class Predicate>
bool all(std::span<const Error> errors, Predicate is_so) {
  return std::all_of(errors.begin(), errors.end(), [&](const Error& error) { return is_so(error.kind); });
}

std::chrono::milliseconds soonest_retry(std::span<const Error> errors) {
  using std::chrono::milliseconds;
  milliseconds soonest = milliseconds::max();
  for (const Error& error : errors) {
    if (error.retry_after) soonest = std::min(soonest, *error.retry_after);
  }
  if (soonest == milliseconds::max()) return milliseconds(1'000);
  return std::clamp(soonest, milliseconds(1'000), milliseconds(60'000));
}

}  // namespace

bool may_try_another(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::unsupported:
    case ErrorKind::context_too_long:
    case ErrorKind::credential:
    case ErrorKind::quota:
    case ErrorKind::rate_limited:
    case ErrorKind::overloaded:
    case ErrorKind::provider_error:
    case ErrorKind::unreachable:
    case ErrorKind::bad_reply:
    case ErrorKind::connect_timeout:
    case ErrorKind::first_token_timeout:
    case ErrorKind::between_tokens_timeout:
      return true;
    case ErrorKind::invalid_request:
    case ErrorKind::invalid_key:
    case ErrorKind::forbidden:
    case ErrorKind::not_found:
    case ErrorKind::method_not_allowed:
    case ErrorKind::too_large:
    case ErrorKind::limited:
    case ErrorKind::total_timeout:
    case ErrorKind::unavailable:
    case ErrorKind::exhausted:
    case ErrorKind::cancelled:
    case ErrorKind::internal:
      return false;
  }
  return false;
}

Error final_error(std::span<const Error> errors) {
  if (errors.empty()) {
    Error error = fail(ErrorKind::unavailable, "no target can serve this model now");
    error.retry_after = std::chrono::milliseconds(1'000);
    return error;
  }
  const auto is = [](ErrorKind wanted) { return [wanted](ErrorKind kind) { return kind == wanted; }; };
  const auto is_pressure = [](ErrorKind kind) {
    return kind == ErrorKind::rate_limited || kind == ErrorKind::overloaded;
  };
  // The provider's own words and code are the better answer for the one fault that the caller can mend.
  if (all(errors, is(ErrorKind::context_too_long))) return errors.back();
  if (all(errors, is(ErrorKind::rate_limited))) {
    Error error = fail(ErrorKind::rate_limited, "every provider of this model limits the rate now");
    error.retry_after = soonest_retry(errors);
    return error;
  }
  if (all(errors, is_pressure)) {
    Error error = fail(ErrorKind::overloaded, "every provider of this model is overloaded now");
    error.retry_after = soonest_retry(errors);
    for (const Error& one : errors) {
      if (one.upstream_status == 529) error.upstream_status = 529;
    }
    return error;
  }
  if (all(errors, is_timeout)) return fail(errors.back().kind, "every target of this model timed out");
  std::string reasons;
  for (const Error& error : errors) {
    const std::string_view reason =
        error.message.empty() ? name_of(error.kind) : std::string_view(error.message);
    if (reasons.find(reason) != std::string::npos) continue;
    if (!reasons.empty()) reasons += "; ";
    reasons += reason;
  }
  Error error = fail(ErrorKind::exhausted, "every target that was tried failed: " + reasons);
  error.upstream_status = errors.back().upstream_status;
  return error;
}

// The slot of the current second; those that passed since the last call are emptied.
double& RetryBudget::slot(TimePoint now) {
  const std::int64_t second = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
  const std::int64_t passed = std::min<std::int64_t>(second - second_, kSeconds);
  for (std::int64_t i = 1; i <= passed; ++i) slots_[static_cast<std::size_t>((second_ + i) % kSeconds)] = 0;
  if (second > second_) second_ = second;
  return slots_[static_cast<std::size_t>(second_ % kSeconds)];
}

void RetryBudget::on_request(TimePoint now, double budget) {
  slot(now) += budget;
}

double RetryBudget::balance(TimePoint now) {
  slot(now);
  return reserve_ + std::accumulate(slots_.begin(), slots_.end(), 0.0);
}

bool RetryBudget::try_retry(TimePoint now) {
  if (balance(now) < 1) return false;
  slot(now) -= 1;
  return true;
}

}  // namespace switchyard::routing
