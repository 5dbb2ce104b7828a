#include "adapters/dialects/anthropic_messages.h"

#include "adapters/dialects/stream_scanner.h"
#include "adapters/dialects/walk.h"

#include <nlohmann/json.hpp>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace switchyard {

namespace anthropic {

namespace {

constexpr std::size_t kMessageBytesMax = 500;

// Where a number from the wire stops, so that sums of them cannot overflow.
constexpr std::int64_t kTokensMax = std::int64_t{1} << 50;

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

// The status that goes with an error type in a stream, where the HTTP status was 200.
int status_of(std::string_view type) {
  using Row = std::pair<std::string_view, int>;
  static constexpr std::array<Row, 11> kRows{{{"invalid_request_error", 400},
                                              {"authentication_error", 401},
                                              {"billing_error", 402},
                                              {"permission_error", 403},
                                              {"not_found_error", 404},
                                              {"conflict_error", 409},
                                              {"request_too_large", 413},
                                              {"rate_limit_error", 429},
                                              {"api_error", 500},
                                              {"timeout_error", 504},
                                              {"overloaded_error", 529}}};
  const auto row = std::ranges::find(kRows, type, &Row::first);
  return row != kRows.end() ? row->second : 500;
}

ErrorKind kind_of(int status, const WireError& error, std::string_view message) {
  const bool spent = holds_any(error.error_code, {"spend_limit", "on_hold"}) ||
                     error.type == "billing_error" || holds_any(message, {"credit balance"});
  switch (status) {
    case 400:
      if (spent) return ErrorKind::credential;
      // "prompt is too long: N tokens > M maximum", "input length and `max_tokens` exceed context limit".
      if (holds_any(message, {"prompt is too long", "context limit", "context window", "context length",
                              "maximum context"}))
        return ErrorKind::context_too_long;
      return ErrorKind::invalid_request;
    case 401:
    case 402:
    case 403:
      return ErrorKind::credential;
    case 404:
      return ErrorKind::not_found;
    case 408:
      return ErrorKind::provider_error;
    case 413:
      return ErrorKind::too_large;
    case 429:
      return spent ? ErrorKind::quota : ErrorKind::rate_limited;
    case 503:
    case 529:
      return ErrorKind::overloaded;
    default:
      if (error.type == "overloaded_error") return ErrorKind::overloaded;
      return status >= 400 && status < 500 ? ErrorKind::invalid_request : ErrorKind::provider_error;
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

// A provider's words go to the caller unless they could hold a key, or the address of a server of its own: a
// fault of the request comes with links to the documentation, a failure inside the provider does not.
bool is_fit_for_caller(ErrorKind kind, std::string_view lower_message) {
  if (kind == ErrorKind::credential || lower_message.empty()) return false;
  const bool is_inside = kind == ErrorKind::provider_error || kind == ErrorKind::overloaded;
  if (is_inside && holds_any(lower_message, {"://"})) return false;
  return !holds_any(lower_message, {"sk-", "api-key", "api_key", "api key", "apikey", "bearer ", "key="});
}

}  // namespace

Error to_error(const WireError& error) {
  const int status = error.status != 0 ? error.status : status_of(error.type);
  const std::string_view message = shortened(error.message);
  const std::string searched = lower(message);
  const ErrorKind kind = kind_of(status, error, searched);
  Error out = fail(kind, std::string(is_fit_for_caller(kind, searched) ? message : generic_message(kind)));
  if (kind == ErrorKind::context_too_long) out.code = "context_length_exceeded";
  out.upstream_status = error.status;
  // So that a caller of this dialect sees the 529 that the frame stands for.
  if (error.status == 0 && kind == ErrorKind::overloaded) out.upstream_status = 529;
  return out;
}

WireError read_error(const simdjson::dom::element& holder, int status) {
  WireError out;
  out.status = status;
  simdjson::dom::element error;
  if (!holder["error"].get(error)) {
    out.type = string_at(error, "type");
    out.message = string_at(error, "message");
    simdjson::dom::element details;
    if (!error["details"].get(details)) out.error_code = string_at(details, "error_code");
    if (error.is_string()) out.message = string_at(holder, "error");
  }
  if (out.message.empty()) out.message = string_at(holder, "message");
  if (out.message.empty()) out.message = string_at(holder, "detail");
  return out;
}

void TokenCounts::merge(const simdjson::dom::element& holder) {
  simdjson::dom::element usage;
  if (holder["usage"].get(usage) || !usage.is_object()) return;
  seen = true;
  const auto take = [](const simdjson::dom::element& object, std::string_view name, std::int64_t& count) {
    count = std::max(count, std::min(integer_at(object, name), kTokensMax));
  };
  take(usage, "input_tokens", input);
  take(usage, "cache_read_input_tokens", cache_read);
  take(usage, "cache_creation_input_tokens", cache_written);
  take(usage, "output_tokens", output);
  simdjson::dom::element details;
  if (!usage["output_tokens_details"].get(details)) take(details, "thinking_tokens", thinking);
}

Usage TokenCounts::total() const {
  return {.input_tokens = input + cache_read + cache_written,
          .cached_tokens = cache_read,
          .cache_written_tokens = cache_written,
          .output_tokens = output,
          .reasoning_tokens = thinking};
}

Json input_of(std::string_view arguments) {
  auto input = parse_arguments(arguments, {});
  if (input) return std::move(*input);
  return {{"arguments", arguments}};
}

namespace {

struct Shape {
  int status;
  std::string_view type;
};

Shape shape_of(const Error& error) {
  switch (error.kind) {
    case ErrorKind::invalid_request:
    case ErrorKind::unsupported:
    case ErrorKind::context_too_long:
      return {400, "invalid_request_error"};
    case ErrorKind::invalid_key:
      return {401, "authentication_error"};
    case ErrorKind::forbidden:
      return {403, "permission_error"};
    case ErrorKind::not_found:
      return {404, "not_found_error"};
    case ErrorKind::method_not_allowed:
      return {405, "invalid_request_error"};
    case ErrorKind::too_large:
      return {413, "request_too_large"};
    case ErrorKind::limited:
    case ErrorKind::rate_limited:
    case ErrorKind::quota:
      return {429, "rate_limit_error"};
    case ErrorKind::overloaded:
      return {error.upstream_status == 529 ? 529 : 503, "overloaded_error"};
    case ErrorKind::unavailable:
      return {503, "overloaded_error"};
    case ErrorKind::connect_timeout:
    case ErrorKind::first_token_timeout:
    case ErrorKind::between_tokens_timeout:
    case ErrorKind::total_timeout:
      return {504, "timeout_error"};
    case ErrorKind::exhausted:
    case ErrorKind::unreachable:
    case ErrorKind::bad_reply:
    case ErrorKind::provider_error:
    case ErrorKind::credential:
      return {502, "api_error"};
    case ErrorKind::cancelled:
      return {499, "api_error"};
    case ErrorKind::internal:
      break;
  }
  return {500, "api_error"};
}

// RFC 3339 in UTC.
std::string date_text(std::int64_t seconds) {
  using namespace std::chrono;
  const sys_seconds time{std::chrono::seconds(seconds)};
  const sys_days day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  const auto two = [](auto number) { return (number < 10 ? "0" : "") + std::to_string(number); };
  return std::to_string(static_cast<int>(date.year())) + '-' + two(static_cast<unsigned>(date.month())) +
         '-' + two(static_cast<unsigned>(date.day())) + 'T' + two(clock.hours().count()) + ':' +
         two(clock.minutes().count()) + ':' + two(clock.seconds().count()) + 'Z';
}

Json model_json(const std::string& name, std::int64_t created_s) {
  return {{"type", "model"}, {"id", name}, {"display_name", name}, {"created_at", date_text(created_s)}};
}

class AnthropicMessages final : public Dialect {
 public:
  std::string_view name() const override { return "anthropic_messages"; }

  std::string_view family() const override { return "anthropic"; }

  Result<ChatRequest> parse_request(std::string_view body) const override {
    return anthropic::parse_request(body);
  }

  Result<WrittenRequest> write_request(const ChatRequest& request,
                                       const TargetTraits& target) const override {
    return anthropic::write_request(request, target);
  }

  std::unique_ptr<EventParser> make_event_parser() const override { return anthropic::make_event_parser(); }

  Result<> parse_reply(std::string_view body, std::vector<Event>& out) const override {
    return anthropic::parse_reply(body, out);
  }

  Error parse_error(int status, std::string_view body) const override {
    // A proxy in front of the provider answers with HTML or nothing: the status says enough.
    WireError error;
    if (const auto parsed = parse_event_json(body)) error = read_error(*parsed, status);
    error.status = status;
    return to_error(error);
  }

  std::unique_ptr<EventWriter> make_event_writer(ReplyContext context) const override {
    return anthropic::make_event_writer(std::move(context));
  }

  std::string write_reply(const std::vector<Event>& events, const ReplyContext& context) const override {
    return anthropic::write_reply(events, context);
  }

  WrittenError write_error(const Error& error, std::string_view request_id) const override {
    const Shape shape = shape_of(error);
    std::string message(error.message.empty() ? name_of(error.kind) : error.message);
    // The dialect has no member for the field at fault.
    if (!error.param.empty() && message.find(error.param) == std::string::npos)
      message = error.param + ": " + message;
    const Json body{{"type", "error"},
                    {"error", {{"type", shape.type}, {"message", message}}},
                    {"request_id", request_id}};
    return {shape.status, to_text(body)};
  }

  std::string write_error_frame(const Error& error, std::string_view request_id) const override {
    return "event: error\ndata: " + write_error(error, request_id).body + "\n\n";
  }

  std::string write_models(const std::vector<std::string>& names, std::int64_t created_s) const override {
    Json list{{"data", Json::array()}, {"has_more", false}, {"first_id", nullptr}, {"last_id", nullptr}};
    for (const std::string& name : names) list["data"].push_back(model_json(name, created_s));
    if (!names.empty()) {
      list["first_id"] = names.front();
      list["last_id"] = names.back();
    }
    return to_text(list);
  }

  std::string write_model(const std::string& name, std::int64_t created_s) const override {
    return to_text(model_json(name, created_s));
  }

  std::unique_ptr<StreamScanner> make_scanner(ScanOptions) const override {
    return anthropic::make_scanner();
  }

  using Dialect::scan_reply;

  Result<Usage> scan_reply(std::string_view body, std::size_t capacity, ReplyTap* tap) const override {
    return anthropic::scan_reply(body, capacity, tap);
  }
};

}  // namespace

}  // namespace anthropic

const Dialect& anthropic_messages() {
  static const anthropic::AnthropicMessages dialect;
  return dialect;
}

}  // namespace switchyard
