#include "adapters/canonical/json_text.h"
#include "adapters/dialects/json.h"
#include "adapters/dialects/openai_chat.h"
#include "adapters/dialects/openai_completions.h"
#include "adapters/dialects/sse.h"

#include <simdjson.h>

namespace switchyard::completions {

namespace {

namespace dom = simdjson::dom;

FinishReason finish_reason_of(std::string_view word) {
  if (word == "length") return FinishReason::length;
  if (word == "content_filter") return FinishReason::content_filter;
  return FinishReason::stop;
}

std::string_view word_of(FinishReason reason) {
  if (reason == FinishReason::length) return "length";
  if (reason == FinishReason::content_filter) return "content_filter";
  return "stop";
}

class Parser final : public EventParser {
 public:
  Result<> feed(std::string_view bytes, std::vector<Event>& out) override {
    std::string_view frame;
    while (!done_ && splitter_.next(bytes, frame)) {
      if (const auto taken = take(frame, out); !taken) return taken;
    }
    if (splitter_.is_too_large())
      return fail(ErrorKind::bad_reply, "the provider's stream has an event too large");
    return {};
  }

  Result<> finish(std::vector<Event>& out) override {
    std::string_view frame;
    const bool in_frame = splitter_.finish(frame);
    if (!done_ && !frame.empty()) {
      if (const auto taken = take(frame, out); !taken) return taken;
    }
    if (done_) return {};
    // Some servers leave [DONE] out: the reason why the answer ended says as much.
    if (in_frame || !reason_) return fail(ErrorKind::bad_reply, "the provider's stream ended before its end");
    end(out);
    return {};
  }

 private:
  Result<> take(std::string_view frame, std::vector<Event>& out) {
    const SseRecord record = parse_frame(frame, scratch_);
    if (!record.has_data) return {};
    if (record.data == "[DONE]") {
      if (!reason_) return fail(ErrorKind::bad_reply, "the provider's answer has no finish reason");
      end(out);
      return {};
    }
    const auto chunk = parse_event_json(record.data);
    if (!chunk) return chunk.error();
    if (!chunk->is_object())
      return fail(ErrorKind::bad_reply, "the provider's stream has an event that is no object");
    dom::element error;
    if (!(*chunk)["error"].get(error) && !error.is_null()) {
      done_ = true;
      out.emplace_back(ReplyFailed{openai::read_error(error, 0)});
      return {};
    }
    if (!started_) {
      started_ = true;
      out.emplace_back(
          ReplyStart{std::string(string_at(*chunk, "id")), std::string(string_at(*chunk, "model"))});
    }
    dom::element usage;
    if (!(*chunk)["usage"].get(usage) && usage.is_object()) usage_ = openai::read_usage(usage);
    dom::array choices;
    if ((*chunk)["choices"].get_array().get(choices)) return {};
    for (const dom::element choice : choices) {
      if (integer_at(choice, "index") != 0) continue;
      const auto text = string_at(choice, "text");
      if (!text.empty()) out.emplace_back(TextDelta{std::string(text)});
      const auto word = string_at(choice, "finish_reason");
      if (!word.empty()) reason_ = finish_reason_of(word);
    }
    return {};
  }

  void end(std::vector<Event>& out) {
    done_ = true;
    if (usage_) out.emplace_back(*usage_);
    out.emplace_back(Finish{*reason_, std::nullopt});
  }

  FrameSplitter splitter_;
  std::string scratch_;
  std::optional<Usage> usage_;
  std::optional<FinishReason> reason_;
  bool started_ = false, done_ = false;
};

void append_usage(const Usage& usage, std::string& out) {
  const auto number = [&](std::string_view name, std::int64_t value) {
    out += name;
    out += std::to_string(value);
  };
  number(R"({"prompt_tokens":)", usage.input_tokens);
  number(R"(,"completion_tokens":)", usage.output_tokens);
  number(R"(,"total_tokens":)", usage.input_tokens + usage.output_tokens);
  number(R"(,"prompt_tokens_details":{"cached_tokens":)", usage.cached_tokens);
  number(R"(},"completion_tokens_details":{"reasoning_tokens":)", usage.reasoning_tokens);
  out += "}}";
}

// What chunks and whole replies begin with, up to the choices.
std::string reply_head(std::string_view id, const ReplyContext& context) {
  std::string head = R"({"id":)";
  append_json_string(id.empty() ? "cmpl-" + context.request_id : std::string(id), head);
  head += R"(,"object":"text_completion","created":)" + std::to_string(context.created_s) + R"(,"model":)";
  append_json_string(context.model, head);
  head += ',';
  return head;
}

// `reason`: why the text ended, or empty.
void append_choice(std::string_view text, std::string_view reason, std::string& out) {
  out += R"("choices":[{"text":)";
  append_json_string(text, out);
  out += R"(,"index":0,"logprobs":null,"finish_reason":)";
  if (reason.empty()) {
    out += "null";
  } else {
    append_json_string(reason, out);
  }
  out += "}]";
}

// The text that an event brings; a refusal is the only text that there is then.
std::string_view text_of(const Event& event) {
  if (const auto* delta = std::get_if<TextDelta>(&event)) return delta->text;
  if (const auto* delta = std::get_if<RefusalDelta>(&event)) return delta->text;
  return {};
}

class Writer final : public EventWriter {
 public:
  explicit Writer(ReplyContext context) : context_(std::move(context)) {}

  void write(const Event& event, std::string& out) override {
    const auto* start = std::get_if<ReplyStart>(&event);
    if (start && head_.empty()) head_ = "data: " + reply_head(start->id, context_);
    if (const auto* usage = std::get_if<Usage>(&event)) usage_ = *usage;
    if (const auto* finish = std::get_if<Finish>(&event)) reason_ = finish->reason;
    if (const auto text = text_of(event); !text.empty()) chunk(text, {}, out);
  }

  void end(std::string& out) override {
    chunk({}, word_of(reason_), out);
    if (context_.include_usage) {
      out += head_;
      out += R"("choices":[],"usage":)";
      append_usage(usage_, out);
      out += "}\n\n";
    }
    out += "data: [DONE]\n\n";
  }

 private:
  void chunk(std::string_view text, std::string_view reason, std::string& out) {
    if (head_.empty()) head_ = "data: " + reply_head({}, context_);
    out += head_;
    append_choice(text, reason, out);
    // With include_usage every chunk but the last says that it has none.
    out += context_.include_usage ? ",\"usage\":null}\n\n" : "}\n\n";
  }

  ReplyContext context_;
  std::string head_;
  Usage usage_;
  FinishReason reason_ = FinishReason::stop;
};

}  // namespace

std::unique_ptr<EventParser> make_event_parser() {
  return std::make_unique<Parser>();
}

Result<> parse_reply(std::string_view body, std::vector<Event>& out) {
  const auto reply = parse_event_json(body);
  if (!reply) return reply.error();
  dom::element error;
  if (!(*reply)["error"].get(error) && !error.is_null()) return openai::read_error(error, 0);
  dom::array choices;
  std::string_view text;
  if ((*reply)["choices"].get_array().get(choices) || choices.size() == 0 ||
      choices.at(0)["text"].get_string().get(text)) {
    return fail(ErrorKind::bad_reply, "the provider's answer has no text");
  }
  out.emplace_back(ReplyStart{std::string(string_at(*reply, "id")), std::string(string_at(*reply, "model"))});
  if (!text.empty()) out.emplace_back(TextDelta{std::string(text)});
  dom::element usage;
  if (!(*reply)["usage"].get(usage) && usage.is_object()) out.emplace_back(openai::read_usage(usage));
  out.emplace_back(
      Finish{finish_reason_of(string_at(choices.at(0).value_unsafe(), "finish_reason")), std::nullopt});
  return {};
}

std::unique_ptr<EventWriter> make_event_writer(ReplyContext context) {
  return std::make_unique<Writer>(std::move(context));
}

std::string write_reply(const std::vector<Event>& events, const ReplyContext& context) {
  std::string id, text;
  Usage usage;
  FinishReason reason = FinishReason::stop;
  for (const Event& event : events) {
    if (const auto* start = std::get_if<ReplyStart>(&event)) id = start->id;
    if (const auto* counted = std::get_if<Usage>(&event)) usage = *counted;
    if (const auto* finish = std::get_if<Finish>(&event)) reason = finish->reason;
    text += text_of(event);
  }
  std::string out = reply_head(id, context);
  append_choice(text, word_of(reason), out);
  out += R"(,"usage":)";
  append_usage(usage, out);
  out += '}';
  return out;
}

}  // namespace switchyard::completions
