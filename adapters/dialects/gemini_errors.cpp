#include "adapters/dialects/gemini.h"

#include <nlohmann/json.hpp>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace switchyard::google {

namespace {

using Element = simdjson::dom::element;

constexpr std::size_t kMessageBytesMax = 500;
constexpr std::chrono::milliseconds kRetryAfterMax = std::chrono::hours(24 * 31);

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool holds_any(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words, [&](std::string_view word) { return text.find(word) != text.npos; });
}

// At most kMessageBytesMax bytes, cut between characters.
std::string_view shortened(std::string_view text) {
  if (text.size() <= kMessageBytesMax) return text;
  std::size_t size = kMessageBytesMax;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return text.substr(0, size);
}

// "7s", "0.5s": protobuf's JSON of a Duration.
std::optional<std::chrono::milliseconds> duration_of(std::string_view text) {
  if (!text.ends_with('s')) return std::nullopt;
  text.remove_suffix(1);
  double seconds = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size() || !(seconds >= 0)) return std::nullopt;
  const double capped = std::min(seconds * 1000, static_cast<double>(kRetryAfterMax.count()));
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(capped)));
}

struct WireError {
  int status = 0;
  std::string_view name;  // "RESOURCE_EXHAUSTED"
  std::string message;    // In lower case.
  std::string reasons;    // Of ErrorInfo and the ids of used-up quotas, in lower case.
  bool names_quota = false;
  std::optional<std::chrono::milliseconds> retry_after;
};

void read_details(const Element& error, WireError& out) {
  simdjson::dom::array details;
  if (error["details"].get(details)) return;
  for (const Element detail : details) {
    const std::string_view type = string_at(detail, "@type");
    if (type.ends_with("RetryInfo")) out.retry_after = duration_of(string_at(detail, "retryDelay"));
    if (type.ends_with("ErrorInfo")) out.reasons += lower(string_at(detail, "reason")) + ' ';
    simdjson::dom::array violations;
    if (!type.ends_with("QuotaFailure") || detail["violations"].get(violations)) continue;
    for (const Element violation : violations) {
      out.names_quota = true;
      out.reasons += lower(string_at(violation, "quotaId")) + ' ';
    }
  }
}

// A limit of each minute and a spent quota have the same status and message; what tells them apart is which
// quota it was.
bool is_spent(const WireError& error) {
  if (holds_any(error.reasons, {"perday", "permonth"})) return true;
  if (holds_any(error.message, {"credits are depleted", "spending cap", "spend cap"})) return true;
  return !error.names_quota && !error.retry_after && holds_any(error.message, {"current quota", "billing"});
}

ErrorKind kind_of(const WireError& error) {
  switch (error.status) {
    case 400:
      if (holds_any(error.reasons, {"api_key_invalid"}) || holds_any(error.message, {"api key"})) {
        return ErrorKind::credential;
      }
      // The account may not use the API from here, or without paying.
      if (error.name == "FAILED_PRECONDITION" &&
          holds_any(error.message, {"location", "billing", "country"})) {
        return ErrorKind::credential;
      }
      // "The input token count (N) exceeds the maximum number of tokens allowed (M)."
      if (holds_any(error.message, {"input token count", "maximum number of tokens", "context window"})) {
        return ErrorKind::context_too_long;
      }
      if (holds_any(error.message, {"payload size exceeds"})) return ErrorKind::too_large;
      return ErrorKind::invalid_request;
    case 401:
    case 402:
    case 403:
      return ErrorKind::credential;
    case 404:
      return ErrorKind::not_found;
    case 408:
    case 499:
      return ErrorKind::provider_error;
    case 413:
      return ErrorKind::too_large;
    case 429:
      return is_spent(error) ? ErrorKind::quota : ErrorKind::rate_limited;
    case 503:
    case 529:
      return ErrorKind::overloaded;
    default:
      return error.status >= 400 && error.status < 500 ? ErrorKind::invalid_request
                                                       : ErrorKind::provider_error;
  }
}

std::string_view generic_message(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_request:
      return "the provider refused the request";
    case ErrorKind::context_too_long:
      return "the prompt does not fit the model";
    case ErrorKind::credential:
      return "the provider refused the gateway's credential";
    case ErrorKind::not_found:
      return "the provider has no such model";
    case ErrorKind::too_large:
      return "the request is too large for the provider";
    case ErrorKind::quota:
      return "the quota of the provider's account is used up";
    case ErrorKind::rate_limited:
      return "the provider limits the rate of requests";
    case ErrorKind::overloaded:
      return "the provider is overloaded";
    default:
      return "the provider failed";
  }
}

// A provider's words go to the caller unless they could hold a key, an address inside, or the operator's
// project.
bool is_fit_for_caller(ErrorKind kind, std::string_view lower_message) {
  if (kind == ErrorKind::credential || lower_message.empty()) return false;
  const bool is_inside = kind == ErrorKind::provider_error || kind == ErrorKind::overloaded;
  if (is_inside && holds_any(lower_message, {"://"})) return false;
  return !holds_any(lower_message, {"aiza", "ya29.", "api-key", "api_key", "api key", "apikey", "bearer ",
                                    "key=", "projects/", "project_number", "project number"});
}

// The code that a status name stands for, where no number says it.
int code_of(std::string_view name) {
  using Row = std::pair<std::string_view, int>;
  static constexpr Row kRows[] = {{"INVALID_ARGUMENT", 400},   {"FAILED_PRECONDITION", 400},
                                  {"OUT_OF_RANGE", 400},       {"UNAUTHENTICATED", 401},
                                  {"PERMISSION_DENIED", 403},  {"NOT_FOUND", 404},
                                  {"RESOURCE_EXHAUSTED", 429}, {"CANCELLED", 499},
                                  {"UNAVAILABLE", 503},        {"DEADLINE_EXCEEDED", 504}};
  const auto row = std::ranges::find(kRows, name, &Row::first);
  return row != std::end(kRows) ? row->second : 500;
}

struct Shape {
  int status;
  std::string_view name;
};

Shape shape_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_request:
    case ErrorKind::unsupported:
    case ErrorKind::context_too_long:
      return {400, "INVALID_ARGUMENT"};
    case ErrorKind::invalid_key:
      return {401, "UNAUTHENTICATED"};
    case ErrorKind::forbidden:
      return {403, "PERMISSION_DENIED"};
    case ErrorKind::not_found:
      return {404, "NOT_FOUND"};
    case ErrorKind::method_not_allowed:
      return {405, "INVALID_ARGUMENT"};
    case ErrorKind::too_large:
      return {413, "INVALID_ARGUMENT"};
    case ErrorKind::limited:
    case ErrorKind::rate_limited:
    case ErrorKind::quota:
      return {429, "RESOURCE_EXHAUSTED"};
    case ErrorKind::overloaded:
    case ErrorKind::unavailable:
      return {503, "UNAVAILABLE"};
    case ErrorKind::connect_timeout:
    case ErrorKind::first_token_timeout:
    case ErrorKind::between_tokens_timeout:
    case ErrorKind::total_timeout:
      return {504, "DEADLINE_EXCEEDED"};
    case ErrorKind::exhausted:
    case ErrorKind::unreachable:
    case ErrorKind::bad_reply:
    case ErrorKind::provider_error:
    case ErrorKind::credential:
      return {502, "INTERNAL"};
    case ErrorKind::cancelled:
      return {499, "CANCELLED"};
    case ErrorKind::internal:
      break;
  }
  return {500, "INTERNAL"};
}

std::string duration_text(std::chrono::milliseconds delay) {
  std::string fraction = std::to_string(1000 + delay.count() % 1000).substr(1);
  std::string text = std::to_string(delay.count() / 1000);
  if (fraction != "000") text += '.' + fraction;
  return text + 's';
}

// There is no access to headers in this dialect's SDKs: whatever a caller should know is in the body.
Json details_of(const Error& error, const std::string& message, std::string_view request_id) {
  Json details = Json::array();
  const auto add = [&](std::string_view type, const char* name, Json value) {
    details.push_back(
        {{"@type", "type.googleapis.com/google.rpc." + std::string(type)}, {name, std::move(value)}});
  };
  if (error.retry_after) add("RetryInfo", "retryDelay", duration_text(*error.retry_after));
  if (!error.param.empty()) {
    Json violation{{"field", error.param}, {"description", message}};
    add("BadRequest", "fieldViolations", Json::array({std::move(violation)}));
  }
  if (!request_id.empty()) add("RequestInfo", "requestId", request_id);
  return details;
}

}  // namespace

Error to_error(const Element& holder, int status) {
  WireError wire;
  wire.status = status;
  Element error = holder;
  if (simdjson::dom::array list; !holder.get(list) && list.size() > 0) error = *list.begin();
  Element inner;
  std::string_view message = string_at(error, "message");
  if (!error["error"].get(inner)) {
    if (inner.get_string().get(message)) message = string_at(inner, "message");
    error = inner;
  }
  wire.name = string_at(error, "status");
  if (wire.status == 0)
    wire.status = static_cast<int>(std::clamp<std::int64_t>(integer_at(error, "code"), 0, 599));
  if (wire.status < 400) wire.status = code_of(wire.name);
  message = shortened(message);
  wire.message = lower(message);
  read_details(error, wire);
  const ErrorKind kind = kind_of(wire);
  Error out =
      fail(kind, std::string(is_fit_for_caller(kind, wire.message) ? message : generic_message(kind)));
  if (kind == ErrorKind::context_too_long) out.code = "context_length_exceeded";
  out.upstream_status = status;
  out.retry_after = wire.retry_after;
  return out;
}

Error to_error(int status) {
  WireError wire;
  wire.status = status;
  const ErrorKind kind = kind_of(wire);
  Error out = fail(kind, std::string(generic_message(kind)));
  out.upstream_status = status;
  return out;
}

WrittenError write_error(const Error& error, std::string_view request_id) {
  const Shape shape = shape_of(error.kind);
  std::string message(error.message.empty() ? name_of(error.kind) : error.message);
  if (!error.param.empty() && message.find(error.param) == std::string::npos) {
    message = error.param + ": " + message;
  }
  Json body{{"code", shape.status}, {"message", message}, {"status", shape.name}};
  Json details = details_of(error, message, request_id);
  if (!details.empty()) body["details"] = std::move(details);
  return {shape.status, to_text(Json{{"error", std::move(body)}})};
}

std::string write_error_element(const Error& error, std::string_view request_id, bool has_elements) {
  return (has_elements ? ",\r\n" : "[") + write_error(error, request_id).body + "]";
}

}  // namespace switchyard::google
