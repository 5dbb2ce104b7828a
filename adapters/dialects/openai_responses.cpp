#include "adapters/dialects/openai_responses.h"

#include "adapters/dialects/json.h"
#include "adapters/dialects/openai_chat.h"

#include <nlohmann/json.hpp>
#include <simdjson.h>

#include <algorithm>

namespace switchyard {

namespace responses {

namespace {

namespace dom = simdjson::dom;

// Where a number from the wire stops, so that sums of them cannot overflow.
constexpr std::int64_t kTokensMax = std::int64_t{1} << 50;
// What the id of a reasoning item begins with, and all of it where the provider gave none.
constexpr std::string_view kNoId = "rs_";

bool is_id(std::string_view text) {
  return text.starts_with(kNoId) && text.size() <= 128 && std::ranges::all_of(text, [](unsigned char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
                  c == '-';
         });
}

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
    return responses::make_scanner();
  }

  using Dialect::scan_reply;

  Result<Usage> scan_reply(std::string_view body, std::size_t capacity, ReplyTap* tap) const override {
    return responses::scan_reply(body, capacity, tap);
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
