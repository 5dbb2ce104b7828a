// Sources: Anthropic's messages/count_tokens and Gemini's models.countTokens, as their SDKs of November 2026
// have them.
#include "adapters/dialects/token_count.h"

#include "adapters/canonical/json_text.h"
#include "adapters/dialects/anthropic_messages.h"
#include "adapters/dialects/gemini.h"
#include "adapters/dialects/json.h"

#include <nlohmann/json.hpp>
#include <simdjson.h>

#include <array>

namespace switchyard {

namespace {

Result<std::int64_t> read_count(std::string_view body, const char* name) {
  const auto root = parse_event_json(body);
  if (!root) return root.error();
  std::int64_t tokens = 0;
  if ((*root)[name].get_int64().get(tokens) || tokens < 0) {
    return fail(ErrorKind::bad_reply, "the provider's answer holds no count");
  }
  return tokens;
}

class Anthropic final : public TokenCountDialect {
 public:
  std::string_view name() const override { return "anthropic_count_tokens"; }

  // The body of a message without its limit.
  Result<ChatRequest> parse_request(std::string_view body) const override {
    const auto brace = body.find('{');
    if (brace == std::string_view::npos) return anthropic::parse_request(body);
    std::string limited(body.substr(0, brace + 1));
    limited += R"("max_tokens":1)";
    const auto next = body.find_first_not_of(" \t\r\n", brace + 1);
    if (next != std::string_view::npos && body[next] != '}') limited += ',';
    limited += body.substr(brace + 1);
    return anthropic::parse_request(limited);
  }

  Result<WrittenRequest> write_request(const ChatRequest& request,
                                       const TargetTraits& target) const override {
    auto written = anthropic::write_request(request, target);
    if (!written) return written.error();
    auto json = parse_object(written->body);
    if (!json) return json.error();
    for (const char* name : {"max_tokens", "stream", "temperature", "top_p", "top_k", "stop_sequences",
                             "metadata", "service_tier"}) {
      json->erase(name);
    }
    return WrittenRequest{to_text(*json), {}};
  }

  Result<std::int64_t> parse_reply(std::string_view body) const override {
    return read_count(body, "input_tokens");
  }

  std::string write_reply(std::int64_t tokens) const override {
    return R"({"input_tokens":)" + std::to_string(tokens) + "}";
  }
};

class Gemini final : public TokenCountDialect {
 public:
  std::string_view name() const override { return "gemini_count_tokens"; }

  Result<ChatRequest> parse_request(std::string_view body) const override {
    return google::parse_count_request(body);
  }

  Result<WrittenRequest> write_request(const ChatRequest& request,
                                       const TargetTraits& target) const override {
    auto written = gemini().write_request(request, target);
    if (!written) return written.error();
    std::string body = R"({"generateContentRequest":{"model":)";
    append_json_string("models/" + target.model, body);
    const auto brace = written->body.find('{');
    body += ',';
    body += std::string_view(written->body).substr(brace + 1);
    return WrittenRequest{body + '}', {}};
  }

  Result<std::int64_t> parse_reply(std::string_view body) const override {
    return read_count(body, "totalTokens");
  }

  std::string write_reply(std::int64_t tokens) const override {
    return R"({"totalTokens":)" + std::to_string(tokens) + "}";
  }
};

struct Estimate {
  std::int64_t tokens = 0;

  void text(const std::string& text, std::size_t bytes_a_token = 4) {
    tokens += static_cast<std::int64_t>((text.size() + bytes_a_token - 1) / bytes_a_token);
  }

  void operator()(const TextPart& part) { text(part.text); }

  void operator()(const RefusalPart& part) { text(part.text); }

  void operator()(const ThinkingPart& part) { text(part.text); }

  void operator()(const ImagePart&) { tokens += 1500; }

  void operator()(const DocumentPart& part) {
    // A page is some 50 KiB of PDF.
    tokens += 1500 * (1 + static_cast<std::int64_t>(part.data.size() / 65536));
  }

  void operator()(const AudioPart& part) { tokens += static_cast<std::int64_t>(part.data.size() / 1000); }

  void operator()(const ToolCallPart& part) {
    text(part.name);
    text(part.arguments, 3);
  }

  void operator()(const ToolResultPart& part) {
    for (const auto& inner : part.content) {
      std::visit([this](const auto& one) { (*this)(one); }, inner);
    }
  }
};

}  // namespace

std::int64_t estimate_tokens(const ChatRequest& request) {
  constexpr std::int64_t kOfMessage = 4;  // Role and separators.
  Estimate estimate;
  for (const Message& message : request.messages) {
    estimate.tokens += kOfMessage;
    for (const Part& part : message.parts) std::visit([&](const auto& one) { estimate(one); }, part);
  }
  for (const Tool& tool : request.tools) {
    estimate.tokens += kOfMessage;
    estimate.text(tool.name);
    estimate.text(tool.description);
    estimate.text(tool.parameters, 3);
  }
  return estimate.tokens;
}

const TokenCountDialect& anthropic_count_tokens() {
  static const Anthropic dialect;
  return dialect;
}

const TokenCountDialect& gemini_count_tokens() {
  static const Gemini dialect;
  return dialect;
}

const TokenCountDialect* find_token_count_dialect(std::string_view name) {
  for (const TokenCountDialect* dialect : {&anthropic_count_tokens(), &gemini_count_tokens()}) {
    if (dialect->name() == name) return dialect;
  }
  return nullptr;
}

}  // namespace switchyard
