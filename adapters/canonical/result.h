#pragma once

#include <boost/system/result.hpp>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace switchyard {

// Monotonic time; the wall clock is used for nothing but log lines and dates shown to people.
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

// What went wrong, by whose fault it is; the routing rule and the HTTP status follow from it
// (docs/errors.md).
enum class ErrorKind {
  // The caller's: never retried elsewhere.
  invalid_request,     // 400: the body is no JSON, a field is wrong
  unsupported,         // 400: the chosen target cannot express a field; another target may
  invalid_key,         // 401: no key, or a wrong one
  forbidden,           // 403: the key may not use the model
  not_found,           // 404: no such model or path
  method_not_allowed,  // 405
  too_large,           // 413
  limited,             // 429: a limit of this gateway
  // The target's: another one may serve.
  context_too_long,  // 400 from a provider: the prompt does not fit the model
  credential,        // 401, 402, 403 from a provider: the credential is out, not the caller's fault
  quota,             // 429 from a provider: the account's quota is used up
  rate_limited,      // 429 from a provider
  overloaded,        // 503, 529 from a provider, or a full local queue
  provider_error,    // any other 5xx
  unreachable,       // DNS, connect, TLS, or the connection broke before the reply
  bad_reply,         // the reply is malformed, cut short, or over a limit
  connect_timeout,
  first_token_timeout,
  between_tokens_timeout,
  total_timeout,  // the request's own deadline: no time is left for another target
  // This gateway's.
  unavailable,  // 503: no target may be tried now, or the gateway is draining
  exhausted,    // 502: every target was tried and failed
  cancelled,    // the client left
  internal,     // a bug
};

// The enumerator's name: a label in metrics, logs and decisions.
std::string_view name_of(ErrorKind kind);

// A failure as a value. `message` and `param` go to the caller, so they never hold a credential, an address
// of an upstream or text of the caller's prompt.
struct Error {
  Error() = default;

  Error(ErrorKind kind, std::string message, std::string param = {})
      : kind(kind), message(std::move(message)), param(std::move(param)) {}

  ErrorKind kind = ErrorKind::internal;
  std::string message;
  std::string param;        // The request's field at fault, as the caller's dialect names it; may be empty.
  std::string code;         // The dialect's own finer code ("context_length_exceeded"); may be empty.
  int upstream_status = 0;  // The provider's HTTP status, 0 when there was none.
  std::optional<std::chrono::milliseconds> retry_after;  // As the provider asked.
};

template <class T = void>
using Result = boost::system::result<T, Error>;

// Makes the failure of any Result: `return fail(ErrorKind::bad_reply, "...")`.
inline Error fail(ErrorKind kind, std::string message, std::string param = {}) {
  return {kind, std::move(message), std::move(param)};
}

// boost::system::result calls this when value() is taken of a failure: always a bug of ours.
[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw std::logic_error("value() of a failed Result: " + error.message);
}

}  // namespace switchyard
