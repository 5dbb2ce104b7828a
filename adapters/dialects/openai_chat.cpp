#include "adapters/dialects/openai_chat.h"

#include "adapters/canonical/json_text.h"
#include "adapters/dialects/json.h"
#include "adapters/dialects/openai_chat_scan.h"

#include <nlohmann/json.hpp>
#include <simdjson.h>

#include <algorithm>
#include <charconv>

namespace switchyard {

namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kMessageBytesMax = 500;

// An error body is one of {"error":{...}}, {"error":"..."}, {"message":...}, {"detail":"..." or a list of
// {"msg":...}} (FastAPI), or a list of the first.
dom::element error_in(const dom::element& body) {
  dom::array list;
  dom::element inner = body;
  if (!body.get_array().get(list) && list.size() > 0) inner = list.at(0).value_unsafe();
  dom::element error;
  return !inner["error"].get(error) && !error.is_null() ? error : inner;
}

std::string message_in(const dom::element& error) {
  std::string_view text;
  if (error.get_string().get(text)) {
    text = string_at(error, "message");
    if (text.empty()) text = string_at(error, "detail");
    dom::element first;
    if (text.empty() && !error["detail"].at(0).get(first)) text = string_at(first, "msg");
  }
  std::string message(text.substr(0, kMessageBytesMax));
  std::ranges::replace_if(
      message, [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  return message;
}

// A code is a string, or a number that repeats the status.
std::string code_in(const dom::element& error) {
  const std::string_view text = string_at(error, "code");
  if (!text.empty()) return std::string(text.substr(0, 100));
  const auto number = integer_at(error, "code");
  return number != 0 ? std::to_string(number) : std::string();
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(
      words, [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

bool says_too_long(std::string_view code, std::string_view message) {
  return code == "context_length_exceeded" ||
         contains_any(message, {"maximum context length", "context length", "context window", "context size",
                                "prompt is too long"});
}

ErrorKind kind_of_status(int status) {
  switch (status) {
    case 400:
    case 422:
      return ErrorKind::invalid_request;
    case 401:
    case 402:
    case 403:
      return ErrorKind::credential;
    case 404:
      return ErrorKind::not_found;
    case 413:
      return ErrorKind::too_large;
    case 429:
      return ErrorKind::rate_limited;
    case 503:
    case 529:
      return ErrorKind::overloaded;
    default:
      return ErrorKind::provider_error;
  }
}

// The HTTP status that an error inside a 200 stands for, by its numeric code or its words.
int status_in_stream(std::string_view type, std::string_view code) {
  int number = 0;
  const auto [end, failed] = std::from_chars(code.data(), code.data() + code.size(), number);
  if (failed == std::errc() && end == code.data() + code.size() && number >= 400 && number < 600)
    return number;
  if (type == "insufficient_quota" || code == "insufficient_quota") return 429;
  if (contains_any(type, {"rate_limit"}) || contains_any(code, {"rate_limit"})) return 429;
  if (contains_any(type, {"overloaded"}) || contains_any(code, {"overloaded"})) return 503;
  if (code == "context_length_exceeded" || type == "invalid_request_error") return 400;
  return 500;
}

bool is_callers(ErrorKind kind) {
  return kind == ErrorKind::invalid_request || kind == ErrorKind::not_found || kind == ErrorKind::too_large ||
         kind == ErrorKind::context_too_long;
}

// What the caller is told: the provider's words where the caller can act on them, and words of our own for
// the rest, which may speak of the operator's account or repeat a credential.
std::string fixed_message(ErrorKind kind, int status) {
  switch (kind) {
    case ErrorKind::credential:
      return "the provider refused the gateway's credential";
    case ErrorKind::quota:
      return "the provider's quota is used up";
    case ErrorKind::rate_limited:
      return "the provider limits the rate of requests";
    case ErrorKind::overloaded:
      return "the provider is overloaded";
    case ErrorKind::not_found:
      return "the provider does not know the model or the path";
    case ErrorKind::too_large:
      return "the provider finds the request too large";
    case ErrorKind::invalid_request:
      return "the provider refused the request";
    default:
      return "the provider failed with status " + std::to_string(status);
  }
}

struct Shape {
  int status;
  std::string_view type, code;  // code: when the error brings none of its own.
};

// The contract's table (docs/errors.md).
Shape shape_of(const Error& error) {
  switch (error.kind) {
    case ErrorKind::invalid_request:
    case ErrorKind::unsupported:
      return {400, "invalid_request_error", {}};
    case ErrorKind::context_too_long:
      return {400, "invalid_request_error", "context_length_exceeded"};
    case ErrorKind::invalid_key:
      return {401, "invalid_request_error", "invalid_api_key"};
    case ErrorKind::forbidden:
      return {403, "permission_error", {}};
    case ErrorKind::not_found:
      return {404, "invalid_request_error", {}};
    case ErrorKind::method_not_allowed:
      return {405, "invalid_request_error", {}};
    case ErrorKind::too_large:
      return {413, "invalid_request_error", {}};
    case ErrorKind::quota:
      return {429, "rate_limit_exceeded", "insufficient_quota"};
    case ErrorKind::limited:
    case ErrorKind::rate_limited:
      return {429, "rate_limit_exceeded", "rate_limit_exceeded"};
    case ErrorKind::overloaded:
    case ErrorKind::unavailable:
      return {503, "overloaded", {}};
    case ErrorKind::connect_timeout:
    case ErrorKind::first_token_timeout:
    case ErrorKind::between_tokens_timeout:
    case ErrorKind::total_timeout:
      return {504, "timeout", name_of(error.kind)};
    case ErrorKind::cancelled:
      return {499, "cancelled", {}};
    case ErrorKind::internal:
      return {500, "server_error", {}};
    case ErrorKind::credential:
    case ErrorKind::provider_error:
    case ErrorKind::unreachable:
    case ErrorKind::bad_reply:
    case ErrorKind::exhausted:
      break;
  }
  return {502, "upstream_error", name_of(error.kind)};
}

std::string error_body(const Error& error) {
  const Shape shape = shape_of(error);
  const auto text_or_null = [](std::string_view text, std::string& out) {
    if (text.empty()) {
      out += "null";
    } else {
      append_json_string(text, out);
    }
  };
  std::string body = R"({"error":{"message":)";
  append_json_string(error.message, body);
  body += R"(,"type":)";
  append_json_string(shape.type, body);
  body += R"(,"param":)";
  text_or_null(error.param, body);
  body += R"(,"code":)";
  text_or_null(error.code.empty() ? shape.code : std::string_view(error.code), body);
  body += "}}";
  return body;
}

Json model_object(const std::string& name, std::int64_t created_s) {
  return {{"id", name}, {"object", "model"}, {"created", created_s}, {"owned_by", "switchyard"}};
}

Error not_json() {
  return fail(ErrorKind::bad_reply, "the provider's answer is not valid JSON");
}

class OpenAiChat final : public Dialect {
 public:
  std::string_view name() const override { return "openai_chat"; }

  std::string_view family() const override { return "openai"; }

  Result<ChatRequest> parse_request(std::string_view body) const override {
    return openai::parse_request(body);
  }

  Result<WrittenRequest> write_request(const ChatRequest& request,
                                       const TargetTraits& target) const override {
    return openai::write_request(request, target);
  }

  std::unique_ptr<EventParser> make_event_parser() const override { return openai::make_event_parser(); }

  Result<> parse_reply(std::string_view body, std::vector<Event>& out) const override {
    return openai::parse_reply(body, out);
  }

  Error parse_error(int status, std::string_view body) const override {
    const auto json = parse_event_json(body);
    if (json && (json->is_object() || json->is_array())) return openai::read_error(error_in(*json), status);
    Error error(kind_of_status(status), fixed_message(kind_of_status(status), status));
    error.upstream_status = status;
    return error;
  }

  std::unique_ptr<EventWriter> make_event_writer(ReplyContext context) const override {
    return openai::make_event_writer(std::move(context));
  }

  std::string write_reply(const std::vector<Event>& events, const ReplyContext& context) const override {
    return openai::write_reply(events, context);
  }

  WrittenError write_error(const Error& error, std::string_view) const override {
    return {shape_of(error).status, error_body(error)};
  }

  std::string write_error_frame(const Error& error, std::string_view) const override {
    return "data: " + error_body(error) + "\n\n";
  }

  std::string write_models(const std::vector<std::string>& names, std::int64_t created_s) const override {
    Json list = Json::array();
    for (const std::string& name : names) list.push_back(model_object(name, created_s));
    return to_text({{"object", "list"}, {"data", std::move(list)}});
  }

  std::string write_model(const std::string& name, std::int64_t created_s) const override {
    return to_text(model_object(name, created_s));
  }

  std::unique_ptr<StreamScanner> make_scanner(ScanOptions options) const override {
    return openai::make_scanner(options);
  }

  using Dialect::scan_reply;

  Result<Usage> scan_reply(std::string_view body, std::size_t capacity, ReplyTap* tap) const override {
    OnDemand document;
    simdjson::ondemand::object reply;
    if (document.open(body, capacity, reply)) return not_json();
    Usage usage;
    bool has_choices = false;
    std::string_view model, build;
    for (auto field : reply) {
      std::string_view name, text;
      if (field.error() || field.unescaped_key().get(name)) return not_json();
      simdjson::ondemand::value value = field.value_unsafe().value();
      if (name == "choices") {
        if (openai::walk_choices(value, tap, has_choices)) return not_json();
      } else if (tap && (name == "model" || name == "system_fingerprint")) {
        if (walk_string(value, name == "model" ? model : build)) return not_json();
      } else if (name == "usage" || name == "error") {
        const bool is_usage = name == "usage";
        if (walk_text(value, text)) return not_json();
        if (text.empty()) continue;
        const auto parsed = parse_event_json(text);
        if (!parsed) return parsed.error();
        if (!is_usage) return openai::read_error(*parsed, 0);
        if (parsed->is_object()) usage = openai::read_usage(*parsed);
      } else if (walk(value, 2)) {
        return not_json();
      }
    }
    if (!document.at_end()) return not_json();
    if (!has_choices) return fail(ErrorKind::bad_reply, "the provider's answer has no choices");
    if (tap && !model.empty()) tap->on_model(model, build);
    return usage;
  }
};

}  // namespace

namespace openai {

Usage read_usage(const dom::element& usage) {
  Usage read;
  read.input_tokens = integer_at(usage, "prompt_tokens");
  read.output_tokens = integer_at(usage, "completion_tokens");
  dom::element details;
  if (!usage["prompt_tokens_details"].get(details)) {
    read.cached_tokens = integer_at(details, "cached_tokens");
    read.cache_written_tokens = integer_at(details, "cache_write_tokens");
  }
  if (read.cached_tokens == 0)
    read.cached_tokens = integer_at(usage, "prompt_cache_hit_tokens");  // DeepSeek.
  if (!usage["completion_tokens_details"].get(details)) {
    read.reasoning_tokens = integer_at(details, "reasoning_tokens");
  }
  return read;
}

Error read_error(const dom::element& element, int status) {
  std::string message = message_in(element);
  const std::string code = code_in(element);
  const std::string_view type = string_at(element, "type");
  if (status == 0) status = status_in_stream(type, code);
  ErrorKind kind = kind_of_status(status);
  if (kind == ErrorKind::invalid_request && says_too_long(code, message)) kind = ErrorKind::context_too_long;
  if (kind == ErrorKind::rate_limited && (code == "insufficient_quota" || type == "insufficient_quota")) {
    kind = ErrorKind::quota;
  }
  Error error(kind, is_callers(kind) && !message.empty() ? std::move(message) : fixed_message(kind, status));
  error.upstream_status = status;
  if (is_callers(kind)) {
    error.param = string_at(element, "param").substr(0, 100);
    error.code = kind == ErrorKind::context_too_long ? "context_length_exceeded" : code;
  }
  return error;
}

}  // namespace openai

const Dialect& openai_chat() {
  static const OpenAiChat dialect;
  return dialect;
}

}  // namespace switchyard
