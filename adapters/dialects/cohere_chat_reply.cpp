#include "adapters/dialects/cohere_chat.h"
#include "adapters/dialects/json.h"
#include "adapters/dialects/sse.h"

#include <simdjson.h>

#include <algorithm>

namespace switchyard::cohere {

namespace {

namespace dom = simdjson::dom;

constexpr std::int64_t kTokensMax = std::int64_t{1} << 50;

FinishReason reason_of(std::string_view word) {
  if (word == "MAX_TOKENS" || word == "ERROR_LIMIT") return FinishReason::length;
  if (word == "TOOL_CALL") return FinishReason::tool_calls;
  if (word == "ERROR_TOXIC") return FinishReason::content_filter;
  return FinishReason::stop;  // COMPLETE, STOP_SEQUENCE, and what is added one day.
}

// An answer that failed ends with a reason, not with an error.
std::optional<Error> failure_of(std::string_view word) {
  if (word == "ERROR" || word == "TIMEOUT") {
    return fail(ErrorKind::provider_error, "the provider failed in the middle of its answer");
  }
  return std::nullopt;
}

// The tokens that were counted; those that are billed, which leave some out, where nothing else is said.
std::optional<Usage> read_usage(const dom::element& holder) {
  dom::element usage, tokens;
  if (holder["usage"].get(usage) || !usage.is_object()) return std::nullopt;
  if (usage["tokens"].get(tokens) && usage["billed_units"].get(tokens)) return std::nullopt;
  const auto clamped = [](std::int64_t count) { return std::clamp(count, std::int64_t{0}, kTokensMax); };
  Usage read;
  read.input_tokens = clamped(integer_at(tokens, "input_tokens"));
  read.cached_tokens = std::min(clamped(integer_at(usage, "cached_tokens")), read.input_tokens);
  read.output_tokens = clamped(integer_at(tokens, "output_tokens"));
  return read;
}

// delta.message.MEMBER of an event; nothing when it is not there.
std::optional<dom::element> in_message(const dom::element& event, std::string_view member) {
  dom::element found;
  if (event["delta"]["message"][member].get(found)) return std::nullopt;
  return found;
}

std::optional<Citation> read_citation(const dom::element& source) {
  Citation read;
  dom::element document;
  if (source["document"].get(document)) return std::nullopt;
  read.url = string_at(document, "url");
  read.title = string_at(document, "title");
  read.cited_text = string_at(document, "snippet");
  if (read.cited_text.empty()) read.cited_text = string_at(document, "text");
  if (read.url.empty() && read.title.empty() && read.cited_text.empty()) return std::nullopt;
  return read;
}

// Turns pieces of the answer into events, in pieces or whole.
class Answer {
 public:
  void text(std::string_view text, std::vector<Event>& out) {
    if (text.empty()) return;
    end_thought(out);
    out.emplace_back(TextDelta{std::string(text)});
  }

  // `kind`: kThought or kPlan.
  void thought(std::string_view kind, std::string_view text, std::vector<Event>& out) {
    if (text.empty()) return;
    if (kind != open_thought_) end_thought(out);
    open_thought_ = kind;
    out.emplace_back(ThinkingDelta{std::string(text)});
  }

  void end_thought(std::vector<Event>& out) {
    if (open_thought_.empty()) return;
    out.emplace_back(ThinkingSignature{std::string(open_thought_), std::string(kFamily)});
    open_thought_ = {};
  }

  void begin_call(const dom::element& call, std::vector<Event>& out) {
    end_call(out);
    end_thought(out);
    const int index = calls_++;
    std::string_view name;
    if (call["function"]["name"].get(name)) name = {};
    std::string id(string_at(call, "id"));
    if (id.empty()) id = "call_" + std::to_string(index);
    out.emplace_back(ToolCallStart{index, std::move(id), std::string(name)});
    in_call_ = true;
    has_arguments_ = false;
    add_arguments(call, out);
  }

  void add_arguments(const dom::element& call, std::vector<Event>& out) {
    std::string_view piece;
    if (!in_call_ || call["function"]["arguments"].get(piece) || piece.empty()) return;
    has_arguments_ = true;
    out.emplace_back(ToolCallDelta{calls_ - 1, std::string(piece)});
  }

  // Arguments are always JSON, also of a call without any.
  void end_call(std::vector<Event>& out) {
    if (in_call_ && !has_arguments_) out.emplace_back(ToolCallDelta{calls_ - 1, "{}"});
    in_call_ = false;
  }

  static void cite(const dom::element& citation, std::vector<Event>& out) {
    dom::array sources;
    if (citation["sources"].get(sources)) return;
    TextDelta delta;
    for (const dom::element source : sources) {
      if (auto read = read_citation(source)) delta.citations.push_back(std::move(*read));
    }
    if (!delta.citations.empty()) out.emplace_back(std::move(delta));
  }

  void finish(std::string_view word, const std::optional<Usage>& usage, std::vector<Event>& out) {
    end_call(out);
    end_thought(out);
    if (usage) out.emplace_back(*usage);
    out.emplace_back(Finish{reason_of(word), std::nullopt});
  }

 private:
  std::string_view open_thought_;  // Its kind; empty when none is open.
  int calls_ = 0;
  bool in_call_ = false, has_arguments_ = false;
};

class Parser final : public EventParser {
 public:
  Result<> feed(std::string_view bytes, std::vector<Event>& out) override {
    std::string_view frame;
    while (!ended_ && splitter_.next(bytes, frame)) {
      if (const auto taken = take(frame, out); !taken) return taken;
    }
    if (splitter_.is_too_large()) {
      return fail(ErrorKind::bad_reply, "the provider's stream has an event too large");
    }
    return {};
  }

  Result<> finish(std::vector<Event>& out) override {
    std::string_view frame;
    if (!ended_) splitter_.finish(frame);
    if (!frame.empty()) {
      if (const auto taken = take(frame, out); !taken) return taken;
    }
    if (!ended_) return fail(ErrorKind::bad_reply, "the provider's stream ended before its end");
    return {};
  }

 private:
  Result<> take(std::string_view frame, std::vector<Event>& out) {
    const SseRecord record = parse_frame(frame, scratch_);
    if (!record.has_data || record.data == "[DONE]") return {};
    const auto parsed = parse_event_json(record.data);
    if (!parsed) return parsed.error();
    if (!parsed->is_object()) return fail(ErrorKind::bad_reply, "the provider's event is no JSON object");
    const std::string_view named = string_at(*parsed, "type");
    const std::string_view type = named.empty() ? record.event : named;
    // An error that came too late for a status.
    const std::string_view message = string_at(*parsed, "message");
    if (type.empty() && !message.empty()) return failed(to_error(0, message), out);
    if (type == "message-start") {
      start(string_at(*parsed, "id"), out);
    } else if (type == "message-end") {
      return on_end(*parsed, out);
    } else {
      on_piece(type, *parsed, out);
    }
    return {};
  }

  void start(std::string_view id, std::vector<Event>& out) {
    if (!started_) out.emplace_back(ReplyStart{std::string(id), {}});
    started_ = true;
  }

  void on_piece(std::string_view type, const dom::element& event, std::vector<Event>& out) {
    if (type == "content-start" || type == "content-delta") {
      start({}, out);
      const auto content = in_message(event, "content");
      if (!content) return;
      answer_.thought(kThought, string_at(*content, "thinking"), out);
      answer_.text(string_at(*content, "text"), out);
    } else if (type == "content-end") {
      answer_.end_thought(out);
    } else if (type == "tool-plan-delta") {
      start({}, out);
      std::string_view plan;
      const auto found = in_message(event, "tool_plan");
      if (found && !found->get_string().get(plan)) answer_.thought(kPlan, plan, out);
    } else if (type == "tool-call-start" || type == "tool-call-delta") {
      start({}, out);
      const auto call = in_message(event, "tool_calls");
      if (!call || !call->is_object()) return;
      if (type == "tool-call-start") {
        answer_.begin_call(*call, out);
      } else {
        answer_.add_arguments(*call, out);
      }
    } else if (type == "tool-call-end") {
      answer_.end_call(out);
    } else if (type == "citation-start") {
      const auto citation = in_message(event, "citations");
      if (started_ && citation) Answer::cite(*citation, out);
    }
  }

  Result<> on_end(const dom::element& event, std::vector<Event>& out) {
    dom::element delta;
    if (event["delta"].get(delta)) return fail(ErrorKind::bad_reply, "the provider's answer has no end");
    const std::string_view word = string_at(delta, "finish_reason"), error = string_at(delta, "error");
    if (!error.empty()) return failed(to_error(0, error), out);
    if (const auto failure = failure_of(word)) return failed(*failure, out);
    if (word.empty()) return fail(ErrorKind::bad_reply, "the provider's answer has no finish reason");
    start({}, out);
    ended_ = true;
    answer_.finish(word, read_usage(delta), out);
    return {};
  }

  Result<> failed(Error error, std::vector<Event>& out) {
    ended_ = true;
    out.emplace_back(ReplyFailed{std::move(error)});
    return {};
  }

  FrameSplitter splitter_;
  std::string scratch_;
  Answer answer_;
  bool started_ = false, ended_ = false;
};

}  // namespace

std::unique_ptr<EventParser> make_event_parser() {
  return std::make_unique<Parser>();
}

Result<> parse_reply(std::string_view body, std::vector<Event>& out) {
  const auto parsed = parse_event_json(body);
  if (!parsed) return parsed.error();
  dom::element message;
  if ((*parsed)["message"].get(message) || !message.is_object()) {
    return fail(ErrorKind::bad_reply, "the provider's reply has no message");
  }
  const std::string_view word = string_at(*parsed, "finish_reason");
  if (const auto failure = failure_of(word)) return *failure;
  out.emplace_back(ReplyStart{std::string(string_at(*parsed, "id")), {}});
  Answer answer;
  dom::array list;
  answer.text(string_at(message, "content"), out);
  if (!message["content"].get(list)) {
    for (const dom::element item : list) {
      answer.thought(kThought, string_at(item, "thinking"), out);
      answer.text(string_at(item, "text"), out);
      answer.end_thought(out);
    }
  }
  answer.thought(kPlan, string_at(message, "tool_plan"), out);
  if (!message["tool_calls"].get(list)) {
    for (const dom::element call : list) answer.begin_call(call, out);
  }
  if (!message["citations"].get(list)) {
    for (const dom::element citation : list) Answer::cite(citation, out);
  }
  answer.finish(word, read_usage(*parsed), out);
  return {};
}

}  // namespace switchyard::cohere
