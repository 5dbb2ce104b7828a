#include "adapters/dialects/openai_responses.h"

#include "adapters/dialects/json.h"
#include "adapters/dialects/openai_chat.h"
#include "adapters/dialects/stream_scanner.h"
#include "adapters/dialects/walk.h"

#include <nlohmann/json.hpp>
#include <simdjson.h>

#include <algorithm>

namespace switchyard {

namespace responses {

namespace {

namespace dom = simdjson::dom;
namespace ondemand = simdjson::ondemand;

// Where a number from the wire stops, so that sums of them cannot overflow.
constexpr std::int64_t kTokensMax = std::int64_t{1} << 50;
// What the id of a reasoning item begins with, and all of it where the provider gave none.
constexpr std::string_view kNoId = "rs_";

Error not_json() {
  return fail(ErrorKind::bad_reply, "the provider's answer is not valid JSON");
}

bool is_id(std::string_view text) {
  return text.starts_with(kNoId) && text.size() <= 128 && std::ranges::all_of(text, [](unsigned char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
                  c == '-';
         });
}

class Scanner final : public FrameScanner {
 private:
  Result<Verdict> inspect(const SseRecord& record) override {
    if (record.data == "[DONE]") return Verdict::drop;  // Some servers add it; it ends nothing here.
    const auto event = parse_event_json(record.data, record.readable);
    if (!event) return event.error();
    if (!event->is_object())
      return fail(ErrorKind::bad_reply, "the provider's stream has an event that is no object");
    const std::string_view named = string_at(*event, "type");
    const std::string_view type = named.empty() ? record.event : named;
    dom::element response;
    const bool has_response = !(*event)["response"].get(response) && response.is_object();
    dom::element error;
    if (type == "error" || (!(*event)["error"].get(error) && !error.is_null())) {
      error_ = read_error_event(*event);
      return Verdict::drop;
    }
    if (type == "response.failed") {
      error_ = has_response ? read_error_event(response) : read_error_event(*event);
      return Verdict::drop;
    }
    if (type == "response.completed" || type == "response.incomplete") {
      complete_ = true;
      dom::element usage;
      if (has_response && !response["usage"].get(usage) && usage.is_object()) usage_ = read_usage(usage);
    } else if (!has_content_) {
      look_at(type, *event);
    }
    return Verdict::forward;
  }

  // A message or a reasoning item may be added long before its first token; every other item is content.
  void look_at(std::string_view type, const dom::element& event) {
    if (type.ends_with(".delta")) {
      std::string_view text;
      has_content_ = event["delta"].get_string().get(text) || !text.empty();
    } else if (type == "response.output_item.done") {
      has_content_ = true;
    } else if (type == "response.output_item.added") {
      dom::element item;
      if (event["item"].get(item)) return;
      const std::string_view kind = string_at(item, "type");
      has_content_ = kind != "message" && kind != "reasoning";
    }
  }

  // The last event holds the whole response: nobody can make it up.
  std::string_view missing_terminator() const override { return {}; }
};

class OpenAiResponses final : public Dialect {
 public:
  std::string_view name() const override { return "openai_responses"; }

  std::string_view family() const override { return kFamily; }

  Result<ChatRequest> parse_request(std::string_view body) const override {
    return responses::parse_request(body);
  }

  Result<WrittenRequest> write_request(const ChatRequest& request,
                                       const TargetTraits& target) const override {
    return responses::write_request(request, target);
  }

  std::unique_ptr<EventParser> make_event_parser() const override { return responses::make_event_parser(); }

  Result<> parse_reply(std::string_view body, std::vector<Event>& out) const override {
    return responses::parse_reply(body, out);
  }

  Error parse_error(int status, std::string_view body) const override {
    return openai_chat().parse_error(status, body);
  }

  std::unique_ptr<EventWriter> make_event_writer(ReplyContext context) const override {
    return responses::make_event_writer(std::move(context));
  }

  std::string write_reply(const std::vector<Event>& events, const ReplyContext& context) const override {
    return responses::write_reply(events, context);
  }

  WrittenError write_error(const Error& error, std::string_view request_id) const override {
    return openai_chat().write_error(error, request_id);
  }

  std::string write_models(const std::vector<std::string>& names, std::int64_t created_s) const override {
    return openai_chat().write_models(names, created_s);
  }

  std::string write_model(const std::string& name, std::int64_t created_s) const override {
    return openai_chat().write_model(name, created_s);
  }

  std::string write_error_frame(const Error& error, std::string_view request_id) const override {
    return responses::write_error_frame(error, request_id);
  }

  std::unique_ptr<StreamScanner> make_scanner(ScanOptions) const override {
    return std::make_unique<Scanner>();
  }

  using Dialect::scan_reply;

  Result<Usage> scan_reply(std::string_view body, std::size_t capacity) const override {
    OnDemand document;
    ondemand::object reply;
    if (document.open(body, capacity, reply)) return not_json();
    Usage usage;
    bool has_output = false;
    for (auto field : reply) {
      std::string_view name, text;
      if (field.error() || field.unescaped_key().get(name)) return not_json();
      ondemand::value value = field.value_unsafe().value();
      ondemand::json_type type;
      if (value.type().get(type)) return not_json();
      if (name == "usage" || name == "error") {
        const bool is_usage = name == "usage";
        if (walk_text(value, text)) return not_json();
        if (text.empty()) continue;
        const auto parsed = parse_event_json(text);
        if (!parsed) return parsed.error();
        if (!is_usage) return openai::read_error(*parsed, 0);
        if (parsed->is_object()) usage = read_usage(*parsed);
        continue;
      }
      has_output |= name == "output" && type == ondemand::json_type::array;
      if (walk(value, 2)) return not_json();
    }
    if (!document.at_end()) return not_json();
    if (!has_output) return fail(ErrorKind::bad_reply, "the provider's answer is no response");
    return usage;
  }
};

}  // namespace

Usage read_usage(const dom::element& usage) {
  const auto count = [](const dom::element& object, std::string_view name) {
    return std::clamp(integer_at(object, name), std::int64_t{0}, kTokensMax);
  };
  Usage read;
  read.input_tokens = count(usage, "input_tokens");
  read.output_tokens = count(usage, "output_tokens");
  dom::element details;
  if (!usage["input_tokens_details"].get(details)) {
    read.cached_tokens = count(details, "cached_tokens");
    read.cache_written_tokens = count(details, "cache_write_tokens");
  }
  if (!usage["output_tokens_details"].get(details)) {
    read.reasoning_tokens = count(details, "reasoning_tokens");
  }
  return read;
}

Error read_error_event(const dom::element& event) {
  dom::element error;
  if (!event["error"].get(error) && !error.is_null()) return openai::read_error(error, 0);
  return openai::read_error(event, 0);
}

std::string join_reasoning(std::string_view id, std::string_view encrypted_content) {
  if (!split_reasoning(encrypted_content).encrypted_content.empty()) return std::string(encrypted_content);
  std::string joined(is_id(id) ? id : kNoId);
  joined += '/';
  joined += encrypted_content;
  return joined;
}

SignedReasoning split_reasoning(std::string_view signature) {
  const auto slash = signature.find('/');
  if (slash == std::string_view::npos || !is_id(signature.substr(0, slash))) return {};
  const std::string_view id = signature.substr(0, slash);
  return {id == kNoId ? std::string_view() : id, signature.substr(slash + 1)};
}

}  // namespace responses

const Dialect& openai_responses() {
  static const responses::OpenAiResponses dialect;
  return dialect;
}

}  // namespace switchyard
