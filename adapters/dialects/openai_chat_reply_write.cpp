#include "adapters/canonical/json_text.h"
#include "adapters/dialects/openai_chat.h"

namespace switchyard::openai {

namespace {

// Of the thinking that a writer keeps to send it again beside its signature; behind it the signature is not
// sent.
constexpr std::size_t kSignedTextMax = 1u << 20;
constexpr std::string_view kReasoningFormat = "anthropic-claude-v1";

std::string_view word_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::tool_calls:
      return "tool_calls";
    case FinishReason::content_filter:
      return "content_filter";
  }
  return "stop";
}

void append_usage(const Usage& usage, std::string& out) {
  const auto member = [&](std::string_view name, std::int64_t value) {
    out += name;
    out += std::to_string(value);
  };
  member(R"({"prompt_tokens":)", usage.input_tokens);
  member(R"(,"completion_tokens":)", usage.output_tokens);
  member(R"(,"total_tokens":)", usage.input_tokens + usage.output_tokens);
  member(R"(,"prompt_tokens_details":{"cached_tokens":)", usage.cached_tokens);
  if (usage.cache_written_tokens > 0) member(R"(,"cache_write_tokens":)", usage.cache_written_tokens);
  member(R"(},"completion_tokens_details":{"reasoning_tokens":)", usage.reasoning_tokens);
  out += "}}";
}

// One entry of `reasoning_details` (OpenRouter's extension): what a client sends back to continue signed
// thinking.
void append_reasoning_detail(int index, std::string_view text, std::string_view signature,
                             std::string_view data, std::string& out) {
  if (!data.empty()) {
    out += R"({"type":"reasoning.encrypted","data":)";
    append_json_string(data, out);
  } else {
    out += R"({"type":"reasoning.text","text":)";
    append_json_string(text, out);
    out += R"(,"signature":)";
    append_json_string(signature, out);
  }
  out += R"(,"format":")";
  out += kReasoningFormat;
  out += R"(","index":)";
  out += std::to_string(index);
  out += '}';
}

void append_call_signature(const ToolCallStart& call, std::string& out) {
  if (call.signature.empty()) return;
  out += R"(,"extra_content":{"google":{"thought_signature":)";
  append_json_string(tag_signature({call.signature, call.origin}, kCallFamily), out);
  out += "}}";
}

class OpenAiEventWriter final : public EventWriter {
 public:
  explicit OpenAiEventWriter(ReplyContext context) : context_(std::move(context)) {}

  void write(const Event& event, std::string& out) override {
    if (!std::holds_alternative<ReplyStart>(event)) start({}, out);
    std::visit([&](const auto& one) { on(one, out); }, event);
  }

  void end(std::string& out) override {
    start({}, out);
    open(out);
    out += R"({},"logprobs":null,"finish_reason":)";
    append_json_string(word_of(reason_), out);
    out += "}]";
    close(out);
    if (context_.include_usage) {
      out += prefix_;
      out += R"("choices":[],"usage":)";
      append_usage(usage_, out);
      out += "}\n\n";
    }
    out += "data: [DONE]\n\n";
  }

 private:
  void on(const ReplyStart& event, std::string& out) { start(event.id, out); }

  void on(const TextDelta& event, std::string& out) {
    if (event.logprobs.empty()) return string_delta(R"({"content":)", event.text, out);
    open(out);
    out += R"({"content":)";
    append_json_string(event.text, out);
    out += R"(},"logprobs":{"content":)" + event.logprobs + R"(,"refusal":null},"finish_reason":null}])";
    close(out);
  }

  void on(const RefusalDelta& event, std::string& out) { string_delta(R"({"refusal":)", event.text, out); }

  void on(const ThinkingDelta& event, std::string& out) {
    if (thinking_.size() + event.text.size() <= kSignedTextMax) {
      thinking_ += event.text;
    } else {
      thinking_is_whole_ = false;
    }
    string_delta(R"({"reasoning_content":)", event.text, out);
  }

  void on(const ThinkingSignature& event, std::string& out) {
    if (!event.signature.empty() && thinking_is_whole_) {
      detail(thinking_, tag_signature({event.signature, event.origin}, kFamily), {}, out);
    }
    thinking_.clear();
    thinking_is_whole_ = true;
  }

  void on(const RedactedThinking& event, std::string& out) {
    detail({}, {}, tag_signature({event.data, event.origin}, kFamily), out);
  }

  void on(const ToolCallStart& event, std::string& out) {
    open(out);
    out += R"({"tool_calls":[{"index":)" + std::to_string(event.index) + R"(,"id":)";
    append_json_string(event.id, out);
    out += R"(,"type":"function","function":{"name":)";
    append_json_string(event.name, out);
    out += R"(,"arguments":""})";
    append_call_signature(event, out);
    out += "}]}";
    close_delta(out);
  }

  void on(const ToolCallDelta& event, std::string& out) {
    open(out);
    out += R"({"tool_calls":[{"index":)" + std::to_string(event.index) + R"(,"function":{"arguments":)";
    append_json_string(event.arguments, out);
    out += "}}]}";
    close_delta(out);
  }

  void on(const Usage& usage, std::string&) { usage_ = usage; }

  void on(const Finish& finish, std::string&) { reason_ = finish.reason; }

  void on(const ReplyFailed&, std::string&) {}

  // What every chunk begins with, and the chunk that brings the role.
  void start(std::string_view id, std::string& out) {
    if (!prefix_.empty()) return;
    prefix_ = R"(data: {"id":)";
    append_json_string(id.empty() ? "chatcmpl-" + context_.request_id : std::string(id), prefix_);
    prefix_ += R"(,"object":"chat.completion.chunk","created":)" + std::to_string(context_.created_s) +
               R"(,"model":)";
    append_json_string(context_.model, prefix_);
    prefix_ += ',';
    open(out);
    out += R"({"role":"assistant","content":""})";
    close_delta(out);
  }

  void open(std::string& out) const {
    out += prefix_;
    out += R"("choices":[{"index":0,"delta":)";
  }

  void close_delta(std::string& out) const {
    out += R"(,"logprobs":null,"finish_reason":null}])";
    close(out);
  }

  // With include_usage every chunk but the last says that it has none.
  void close(std::string& out) const { out += context_.include_usage ? ",\"usage\":null}\n\n" : "}\n\n"; }

  void string_delta(std::string_view before, std::string_view text, std::string& out) const {
    open(out);
    out += before;
    append_json_string(text, out);
    out += '}';
    close_delta(out);
  }

  void detail(std::string_view text, std::string_view signature, std::string_view data, std::string& out) {
    open(out);
    out += R"({"reasoning_details":[)";
    append_reasoning_detail(details_++, text, signature, data, out);
    out += "]}";
    close_delta(out);
  }

  ReplyContext context_;
  std::string prefix_, thinking_;
  Usage usage_;
  FinishReason reason_ = FinishReason::stop;
  int details_ = 0;
  bool thinking_is_whole_ = true;
};

// A whole reply, folded from its events.
struct Folded {
  std::string id, text, refusal, reasoning, block, details;
  std::string logprobs;  // Elements of logprobs.content.
  std::vector<std::pair<ToolCallStart, std::string>> calls;
  Usage usage;
  FinishReason reason = FinishReason::stop;
  int detail_count = 0;

  void on(const ReplyStart& event) { id = event.id; }

  void on(const TextDelta& event) {
    text += event.text;
    if (event.logprobs.size() <= 2) return;  // "[]"
    if (!logprobs.empty()) logprobs += ',';
    logprobs.append(event.logprobs, 1, event.logprobs.size() - 2);
  }

  void on(const RefusalDelta& event) { refusal += event.text; }

  void on(const ThinkingDelta& event) {
    reasoning += event.text;
    block += event.text;
  }

  void on(const ThinkingSignature& event) {
    if (!event.signature.empty()) detail(block, tag_signature({event.signature, event.origin}, kFamily), {});
    block.clear();
  }

  void on(const RedactedThinking& event) {
    detail({}, {}, tag_signature({event.data, event.origin}, kFamily));
  }

  void on(const ToolCallStart& event) { calls.emplace_back(event, std::string()); }

  void on(const ToolCallDelta& event) {
    for (auto& [start, arguments] : calls) {
      if (start.index == event.index) arguments += event.arguments;
    }
  }

  void on(const Usage& event) { usage = event; }

  void on(const Finish& event) { reason = event.reason; }

  void on(const ReplyFailed&) {}

  void detail(std::string_view text_of_block, std::string_view signature, std::string_view data) {
    if (!details.empty()) details += ',';
    append_reasoning_detail(detail_count++, text_of_block, signature, data, details);
  }
};

void append_member(std::string_view name, std::string_view text, std::string& out) {
  out += name;
  append_json_string(text, out);
}

void append_calls(const Folded& reply, std::string& out) {
  if (reply.calls.empty()) return;
  out += R"(,"tool_calls":[)";
  for (const auto& [start, arguments] : reply.calls) {
    if (out.back() == '}') out += ',';
    append_member(R"({"id":)", start.id, out);
    append_member(R"(,"type":"function","function":{"name":)", start.name, out);
    append_member(R"(,"arguments":)", arguments.empty() ? "{}" : arguments, out);
    out += '}';
    append_call_signature(start, out);
    out += '}';
  }
  out += ']';
}

}  // namespace

std::unique_ptr<EventWriter> make_event_writer(ReplyContext context) {
  return std::make_unique<OpenAiEventWriter>(std::move(context));
}

std::string write_reply(const std::vector<Event>& events, const ReplyContext& context) {
  Folded reply;
  for (const Event& event : events) std::visit([&](const auto& one) { reply.on(one); }, event);
  std::string out;
  out.reserve(512 + reply.text.size() + 2 * reply.reasoning.size());
  append_member(R"({"id":)", reply.id.empty() ? "chatcmpl-" + context.request_id : reply.id, out);
  out += R"(,"object":"chat.completion","created":)" + std::to_string(context.created_s);
  append_member(R"(,"model":)", context.model, out);
  out += R"(,"choices":[{"index":0,"message":{"role":"assistant","content":)";
  const bool no_text = reply.text.empty() && (!reply.calls.empty() || !reply.refusal.empty());
  if (no_text) {
    out += "null";
  } else {
    append_json_string(reply.text, out);
  }
  out += R"(,"refusal":)";
  if (reply.refusal.empty()) {
    out += "null";
  } else {
    append_json_string(reply.refusal, out);
  }
  if (!reply.reasoning.empty()) append_member(R"(,"reasoning_content":)", reply.reasoning, out);
  if (!reply.details.empty()) out += R"(,"reasoning_details":[)" + reply.details + "]";
  append_calls(reply, out);
  out += R"(},"logprobs":)";
  out += reply.logprobs.empty() ? "null" : R"({"content":[)" + reply.logprobs + R"(],"refusal":null})";
  out += R"(,"finish_reason":)";
  append_json_string(word_of(reply.reason), out);
  out += R"(}],"usage":)";
  append_usage(reply.usage, out);
  out += '}';
  return out;
}

}  // namespace switchyard::openai
