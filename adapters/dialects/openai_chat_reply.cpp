#include "adapters/dialects/json.h"
#include "adapters/dialects/openai_chat.h"
#include "adapters/dialects/sse.h"

#include <nlohmann/json.hpp>
#include <simdjson.h>

#include <algorithm>

namespace switchyard::openai {

namespace {

namespace dom = simdjson::dom;

// Some providers end an answer that failed with a finish reason instead of an error.
std::optional<Error> failure_of(std::string_view finish_reason) {
  if (finish_reason == "error")
    return fail(ErrorKind::provider_error, "the provider failed in the middle of its answer");
  if (finish_reason == "insufficient_system_resource")
    return fail(ErrorKind::overloaded, "the provider is overloaded");
  return std::nullopt;
}

// As TextDelta has them; empty for none.
std::string logprobs_of(const dom::element& choice) {
  dom::array content;
  if (choice["logprobs"]["content"].get_array().get(content) || content.size() == 0) return {};
  return simdjson::minify(content);
}

// Turns the deltas of one choice (or its whole message, which is one large delta) into events. Liberal, since
// a dozen servers speak this dialect: ids, indices and roles may be missing, arguments may be an object.
class DeltaReader {
 public:
  // `logprobs`: as TextDelta has them, of this delta's text.
  void read(const dom::element& delta, std::string logprobs, std::vector<Event>& out) {
    read_reasoning(delta, out);
    read_content(delta, std::move(logprobs), out);
    if (const auto refusal = string_at(delta, "refusal"); !refusal.empty())
      out.emplace_back(RefusalDelta{std::string(refusal)});
    dom::array calls;
    if (delta["tool_calls"].get_array().get(calls)) return;
    std::size_t position = 0;
    for (const dom::element call : calls) read_call(call, position++, out);
  }

  // Arguments are JSON in every reply: a call that brought none has the empty object.
  void end(std::vector<Event>& out) {
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      if (!calls_[i].has_arguments) out.emplace_back(ToolCallDelta{static_cast<int>(i), "{}"});
    }
  }

  bool has_calls() const { return !calls_.empty(); }

 private:
  struct Call {
    std::int64_t index = 0;
    std::string id;
    bool has_arguments = false;
  };

  static void read_content(const dom::element& delta, std::string logprobs, std::vector<Event>& out) {
    dom::element content;
    if (delta["content"].get(content)) return;
    std::string_view text;
    if (!content.get_string().get(text)) {
      if (!text.empty()) out.emplace_back(TextDelta{std::string(text), std::move(logprobs), {}});
      return;
    }
    dom::array parts;  // Mistral's form of an answer with thinking.
    if (content.get_array().get(parts)) return;
    for (const dom::element part : parts) {
      const auto plain = string_at(part, "text");
      if (!plain.empty()) out.emplace_back(TextDelta{std::string(plain)});
      dom::array thoughts;
      if (part["thinking"].get_array().get(thoughts)) continue;
      for (const dom::element thought : thoughts) {
        out.emplace_back(ThinkingDelta{std::string(string_at(thought, "text"))});
      }
    }
  }

  // Thinking comes as plain text, as details, or as both: OpenRouter sends each piece twice in one delta,
  // this gateway the text in pieces and then, with the signature, whole. Each thought is read once.
  void read_reasoning(const dom::element& delta, std::vector<Event>& out) {
    std::string_view plain = string_at(delta, "reasoning_content");
    if (plain.empty()) plain = string_at(delta, "reasoning");
    dom::array details;
    const bool has_details = !delta["reasoning_details"].get_array().get(details);
    const bool has_detailed_text =
        has_details && std::ranges::any_of(details, [](const dom::element detail) {
          return string_at(detail, "type") == "reasoning.text" && !string_at(detail, "text").empty();
        });
    if (!plain.empty() && !has_detailed_text) {
      out.emplace_back(ThinkingDelta{std::string(plain)});
      plain_thought_ = true;
    }
    if (!has_details) return;
    for (const dom::element detail : details) {
      const auto type = string_at(detail, "type");
      const auto data = string_at(detail, "data");
      if (type == "reasoning.encrypted" && !data.empty()) out.push_back(redacted(data));
      if (type != "reasoning.text") continue;
      if (const auto text = string_at(detail, "text"); !text.empty() && !plain_thought_) {
        out.emplace_back(ThinkingDelta{std::string(text)});
      }
      if (const auto signature = string_at(detail, "signature"); !signature.empty()) {
        out.push_back(signed_by(signature));
        plain_thought_ = false;
      }
    }
  }

  // Behind another Switchyard, a signature may have a tag.
  static Event signed_by(std::string_view text) {
    Signature signature = untag_signature(text, kFamily);
    return ThinkingSignature{std::move(signature.value), std::move(signature.origin)};
  }

  static Event redacted(std::string_view text) {
    Signature data = untag_signature(text, kFamily);
    return RedactedThinking{std::move(data.value), std::move(data.origin)};
  }

  static std::string_view google_signature(const dom::element& call) {
    std::string_view signature;
    if (call["extra_content"]["google"]["thought_signature"].get_string().get(signature)) return {};
    return signature;
  }

  void read_call(const dom::element& call, std::size_t position, std::vector<Event>& out) {
    const int index = find_or_start(call, position, out);
    dom::element arguments;
    if (call["function"]["arguments"].get(arguments)) return;
    std::string_view text;
    std::string made;
    if (arguments.get_string().get(text)) {
      if (!arguments.is_object()) return;
      made = simdjson::minify(arguments);
      text = made;
    }
    if (text.empty()) return;
    calls_[static_cast<std::size_t>(index)].has_arguments = true;
    out.emplace_back(ToolCallDelta{index, std::string(text)});
  }

  // The canonical number of the call that a delta belongs to. The delta is of a new call when its index is
  // new, or when the index is known but the id is another (servers that number every call 0).
  int find_or_start(const dom::element& call, std::size_t position, std::vector<Event>& out) {
    std::int64_t index = 0;
    if (call["index"].get_int64().get(index)) index = static_cast<std::int64_t>(position);
    const auto id = string_at(call, "id");
    for (std::size_t i = calls_.size(); i-- > 0;) {
      if (calls_[i].index == index && (id.empty() || calls_[i].id == id)) return static_cast<int>(i);
    }
    const auto number = static_cast<int>(calls_.size());
    std::string_view name;
    if (call["function"]["name"].get_string().get(name)) name = {};
    ToolCallStart start{number, std::string(id), std::string(name)};
    if (const auto signature = google_signature(call); !signature.empty()) {
      Signature read = untag_signature(signature, kCallFamily);
      start.signature = std::move(read.value);
      start.origin = std::move(read.origin);
    }
    calls_.push_back({index, start.id, false});
    if (start.id.empty()) start.id = "call_" + std::to_string(number);
    out.emplace_back(std::move(start));
    return number;
  }

  std::vector<Call> calls_;
  bool plain_thought_ = false;  // The thought under way came as plain text.
};

class OpenAiEventParser final : public EventParser {
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
    if (!(*chunk)["error"].get(error) && !error.is_null()) return failed(read_error(error, 0), out);
    if (!started_) {
      started_ = true;
      out.emplace_back(
          ReplyStart{std::string(string_at(*chunk, "id")), std::string(string_at(*chunk, "model"))});
    }
    dom::element usage;
    if (!(*chunk)["usage"].get(usage) && usage.is_object()) usage_ = read_usage(usage);
    dom::array choices;
    if ((*chunk)["choices"].get_array().get(choices)) return {};
    for (const dom::element choice : choices) {
      if (integer_at(choice, "index") != 0) continue;
      dom::element delta;
      if (!choice["delta"].get(delta)) reader_.read(delta, logprobs_of(choice), out);
      const auto word = string_at(choice, "finish_reason");
      if (word.empty()) continue;
      if (const auto failure = failure_of(word)) return failed(*failure, out);
      reason_ = finish_reason_of(word);
    }
    return {};
  }

  Result<> failed(Error error, std::vector<Event>& out) {
    done_ = true;
    out.emplace_back(ReplyFailed{std::move(error)});
    return {};
  }

  void end(std::vector<Event>& out) {
    done_ = true;
    reader_.end(out);
    if (usage_) out.emplace_back(*usage_);
    // Some servers say "stop" for an answer that calls tools.
    const bool calls = reader_.has_calls() && *reason_ == FinishReason::stop;
    out.emplace_back(Finish{calls ? FinishReason::tool_calls : *reason_, std::nullopt});
  }

  FrameSplitter splitter_;
  DeltaReader reader_;
  std::string scratch_;
  std::optional<Usage> usage_;
  std::optional<FinishReason> reason_;
  bool started_ = false, done_ = false;
};

}  // namespace

FinishReason finish_reason_of(std::string_view word) {
  if (word == "length" || word == "model_length" || word == "max_tokens") return FinishReason::length;
  if (word == "tool_calls" || word == "function_call") return FinishReason::tool_calls;
  if (word == "content_filter") return FinishReason::content_filter;
  return FinishReason::stop;
}

std::unique_ptr<EventParser> make_event_parser() {
  return std::make_unique<OpenAiEventParser>();
}

Result<> parse_reply(std::string_view body, std::vector<Event>& out) {
  const auto reply = parse_event_json(body);
  if (!reply) return reply.error();
  dom::element error;
  if (!(*reply)["error"].get(error) && !error.is_null()) return read_error(error, 0);
  dom::array choices;
  dom::element message;
  if ((*reply)["choices"].get_array().get(choices) || choices.size() == 0 ||
      choices.at(0)["message"].get(message) || !message.is_object()) {
    return fail(ErrorKind::bad_reply, "the provider's answer has no message");
  }
  out.emplace_back(ReplyStart{std::string(string_at(*reply, "id")), std::string(string_at(*reply, "model"))});
  DeltaReader reader;
  reader.read(message, logprobs_of(choices.at(0).value_unsafe()), out);
  reader.end(out);
  dom::element usage;
  if (!(*reply)["usage"].get(usage) && usage.is_object()) out.emplace_back(read_usage(usage));
  const auto word = string_at(choices.at(0).value_unsafe(), "finish_reason");
  if (const auto failure = failure_of(word)) return *failure;
  const FinishReason reason = finish_reason_of(word);
  out.emplace_back(
      Finish{reader.has_calls() && reason == FinishReason::stop ? FinishReason::tool_calls : reason, {}});
  return {};
}

}  // namespace switchyard::openai
