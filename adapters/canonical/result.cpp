#include "adapters/canonical/result.h"

namespace switchyard {

std::string_view name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_request:
      return "invalid_request";
    case ErrorKind::unsupported:
      return "unsupported";
    case ErrorKind::invalid_key:
      return "invalid_key";
    case ErrorKind::forbidden:
      return "forbidden";
    case ErrorKind::not_found:
      return "not_found";
    case ErrorKind::method_not_allowed:
      return "method_not_allowed";
    case ErrorKind::too_large:
      return "too_large";
    case ErrorKind::limited:
      return "limited";
    case ErrorKind::context_too_long:
      return "context_too_long";
    case ErrorKind::credential:
      return "credential";
    case ErrorKind::quota:
      return "quota";
    case ErrorKind::rate_limited:
      return "rate_limited";
    case ErrorKind::overloaded:
      return "overloaded";
    case ErrorKind::provider_error:
      return "provider_error";
    case ErrorKind::unreachable:
      return "unreachable";
    case ErrorKind::bad_reply:
      return "bad_reply";
    case ErrorKind::connect_timeout:
      return "connect_timeout";
    case ErrorKind::first_token_timeout:
      return "first_token_timeout";
    case ErrorKind::between_tokens_timeout:
      return "between_tokens_timeout";
    case ErrorKind::total_timeout:
      return "total_timeout";
    case ErrorKind::unavailable:
      return "unavailable";
    case ErrorKind::exhausted:
      return "exhausted";
    case ErrorKind::cancelled:
      return "cancelled";
    case ErrorKind::internal:
      return "internal";
  }
  return "internal";
}

}  // namespace switchyard
