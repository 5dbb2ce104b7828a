#include "adapters/canonical/json_text.h"
#include "adapters/dialects/gemini.h"
#include "adapters/dialects/object_end.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <deque>

namespace switchyard::google {

namespace {

// The reason that a reply ended for; calls have none of their own.
std::string_view finish_reason_of(const Finish& finish) {
  if (finish.reason == FinishReason::length) return "MAX_TOKENS";
  if (finish.reason == FinishReason::content_filter) return "SAFETY";
  return "STOP";
}

struct Part {
  enum class Kind { text, thought, call } kind = Kind::text;
  std::string text;        // Of a call: the arguments.
  std::string id, name;    // Of a call.
  std::string signature;   // As it stands on the wire.
  bool is_signed = false;  // Takes no more text.
  ObjectEnd end;           // Of a call's arguments.
};

Part call_of(const ToolCallStart& start) {
  Part part;
  part.kind = Part::Kind::call;
  part.id = start.id;
  part.name = start.name;
  part.signature = to_wire_signature(start.signature, start.origin);
  // The client may go on with Gemini itself, which wants the first call of a turn signed.
  if (part.signature.empty() && start.index == 0) part.signature = kNoSignature;
  return part;
}

// A signature without the thought that it is of: this dialect's own may be of an answer's text.
Part signature_of(const ThinkingSignature& event) {
  Part part;
  part.kind = event.origin == kFamily ? Part::Kind::text : Part::Kind::thought;
  part.signature = to_wire_signature(event.signature, event.origin);
  part.is_signed = true;
  return part;
}

Part redacted_of(const RedactedThinking& event) {
  Part part;
  part.kind = Part::Kind::thought;
  part.signature = to_wire_redacted(event.data, event.origin);
  part.is_signed = true;
  return part;
}

// The arguments as the model wrote them, digits and all, on one line. They come from a model, so they may be
// no JSON: the object is then {"arguments": text}, which loses nothing and fits the schema of no tool.
void append_arguments(const std::string& text, std::string& out) {
  const auto parsed = parse_arguments(text, {});
  if (parsed && parsed->empty()) {
    out += "{}";
  } else if (parsed) {
    const std::size_t begin = text.find('{');
    const std::size_t at = out.size();
    out.append(text, begin, text.rfind('}') + 1 - begin);
    std::replace_if(
        out.begin() + static_cast<std::ptrdiff_t>(at), out.end(),
        [](char c) { return c == '\n' || c == '\r'; }, ' ');
  } else {
    out += "{\"arguments\":";
    append_json_string(text, out);
    out += '}';
  }
}

void append_part(const Part& part, std::string& out) {
  if (part.kind == Part::Kind::call) {
    out += "{\"functionCall\":{";
    if (!part.id.empty()) {
      out += "\"id\":";
      append_json_string(part.id, out);
      out += ',';
    }
    out += "\"name\":";
    append_json_string(part.name, out);
    out += ",\"args\":";
    append_arguments(part.text, out);
    out += '}';
  } else {
    out += "{\"text\":";
    append_json_string(part.text, out);
    if (part.kind == Part::Kind::thought) out += ",\"thought\":true";
  }
  if (!part.signature.empty()) {
    out += ",\"thoughtSignature\":";
    append_json_string(part.signature, out);
  }
  out += '}';
}

void append_usage(const Usage& usage, std::string& out) {
  const std::int64_t candidates = std::max<std::int64_t>(usage.output_tokens - usage.reasoning_tokens, 0);
  out += "{\"promptTokenCount\":" + std::to_string(usage.input_tokens);
  if (usage.cached_tokens > 0) out += ",\"cachedContentTokenCount\":" + std::to_string(usage.cached_tokens);
  out += ",\"candidatesTokenCount\":" + std::to_string(candidates);
  if (usage.reasoning_tokens > 0) out += ",\"thoughtsTokenCount\":" + std::to_string(usage.reasoning_tokens);
  out += ",\"totalTokenCount\":" + std::to_string(usage.input_tokens + usage.output_tokens) + '}';
}

// Where the answer comes from, as this dialect's search says it.
std::string grounding_text(const std::vector<Citation>& citations) {
  Json chunks = Json::array(), supports = Json::array();
  for (const Citation& citation : citations) {
    Json web{{"uri", citation.url}};
    if (!citation.title.empty()) web["title"] = citation.title;
    if (!citation.cited_text.empty()) {
      supports.push_back({{"segment", {{"text", citation.cited_text}}},
                          {"groundingChunkIndices", Json::array({chunks.size()})}});
    }
    chunks.push_back({{"web", std::move(web)}});
  }
  Json grounding{{"groundingChunks", std::move(chunks)}};
  if (!supports.empty()) grounding["groundingSupports"] = std::move(supports);
  return to_text(grounding);
}

// What stands around the parts: of a chunk, or of the whole reply.
struct Frame {
  std::string_view parts;
  const Finish* finish = nullptr;
  const Usage* usage = nullptr;
  std::string logprobs, grounding;  // JSON text, or empty.
};

void append_reply(const Frame& frame, std::string_view id, const ReplyContext& context, std::string& out) {
  out += "{\"candidates\":[{\"content\":{\"parts\":[";
  out += frame.parts;
  out += "],\"role\":\"model\"}";
  if (frame.finish) {
    out += ",\"finishReason\":\"";
    out += finish_reason_of(*frame.finish);
    out += '"';
  }
  out += ",\"index\":0";
  if (!frame.logprobs.empty()) out += ",\"logprobsResult\":" + frame.logprobs;
  if (!frame.grounding.empty()) out += ",\"groundingMetadata\":" + frame.grounding;
  out += "}]";
  if (frame.usage) {
    out += ",\"usageMetadata\":";
    append_usage(*frame.usage, out);
  }
  out += ",\"modelVersion\":";
  append_json_string(context.model, out);
  out += ",\"responseId\":";
  append_json_string(id.empty() ? std::string_view(context.request_id) : id, out);
  out += '}';
}

// Text goes out as it comes; a call when its arguments are whole and something else begins, for in this
// dialect calls do not come in pieces.
class Writer final : public EventWriter {
 public:
  explicit Writer(ReplyContext context) : context_(std::move(context)) {}

  void write(const Event& event, std::string& out) override {
    std::visit([&](const auto& one) { on(one, out); }, event);
  }

  void end(std::string& out) override {
    std::string parts;
    for (const Part& call : calls_) {
      if (!parts.empty()) parts += ',';
      append_part(call, parts);
    }
    calls_.clear();
    if (parts.empty()) parts = "{\"text\":\"\"}";
    Frame frame{.parts = parts, .finish = &finish_, .usage = &usage_, .logprobs = {}, .grounding = {}};
    if (!citations_.empty()) frame.grounding = grounding_text(citations_);
    chunk(std::move(frame), out);
    if (context_.json_array) out += ']';
  }

 private:
  void on(const ReplyStart& start, std::string&) { id_ = start.id; }

  void on(const TextDelta& delta, std::string& out) {
    citations_.insert(citations_.end(), delta.citations.begin(), delta.citations.end());
    if (delta.text.empty() && delta.logprobs.empty()) return;
    LogprobsResult logprobs;
    if (!delta.logprobs.empty()) logprobs.add(delta.logprobs);
    put(Part::Kind::text, delta.text, logprobs.empty() ? std::string() : logprobs.text(), out);
  }

  void on(const RefusalDelta& delta, std::string& out) {
    if (!delta.text.empty()) put(Part::Kind::text, delta.text, {}, out);
  }

  void on(const ThinkingDelta& delta, std::string& out) {
    if (context_.hide_thoughts) return;
    if (!delta.text.empty()) put(Part::Kind::thought, delta.text, {}, out);
    in_thought_ |= !delta.text.empty();
  }

  void on(const ThinkingSignature& event, std::string& out) {
    if (!event.signature.empty()) {
      Part part = signature_of(event);
      if (in_thought_) part.kind = Part::Kind::thought;
      put(part, {}, out);
    }
    in_thought_ = false;
  }

  void on(const RedactedThinking& event, std::string& out) {
    put(redacted_of(event), {}, out);
    in_thought_ = false;
  }

  void on(const ToolCallStart& start, std::string& out) {
    flush_calls(out);
    if (calls_.empty()) first_call_ = start.index;
    calls_.push_back(call_of(start));
    in_thought_ = false;
  }

  void on(const ToolCallDelta& delta, std::string&) {
    const auto at = static_cast<std::size_t>(delta.index - first_call_);
    if (delta.index < first_call_ || at >= calls_.size()) return;
    calls_[at].text += delta.arguments;
    calls_[at].end.feed(delta.arguments);
  }

  void on(const Usage& usage, std::string&) {
    usage_ = usage;
    has_usage_ = true;
  }

  void on(const Finish& finish, std::string&) { finish_ = finish; }

  void on(const ReplyFailed&, std::string&) {}

  void put(Part::Kind kind, const std::string& text, std::string logprobs, std::string& out) {
    Part part;
    part.kind = kind;
    part.text = text;
    put(part, std::move(logprobs), out);
    if (kind == Part::Kind::text) in_thought_ = false;
  }

  void put(const Part& part, std::string logprobs, std::string& out) {
    flush_calls(out);
    std::string text;
    append_part(part, text);
    chunk({.parts = text, .logprobs = std::move(logprobs), .grounding = {}}, out);
  }

  void flush_calls(std::string& out) {
    std::string parts;
    while (!calls_.empty() && calls_.front().end.is_reached()) {
      if (!parts.empty()) parts += ',';
      append_part(calls_.front(), parts);
      calls_.pop_front();
      ++first_call_;
    }
    if (!parts.empty()) chunk({.parts = parts, .logprobs = {}, .grounding = {}}, out);
  }

  // Usage is in a chunk as soon as it is known, and always in the last.
  void chunk(Frame frame, std::string& out) {
    if (has_usage_) frame.usage = &usage_;
    if (context_.json_array) {
      out += has_chunks_ ? ",\r\n" : "[";
    } else {
      out += "data: ";
    }
    has_chunks_ = true;
    append_reply(frame, id_, context_, out);
    if (!context_.json_array) out += "\r\n\r\n";
  }

  ReplyContext context_;
  std::string id_;
  std::deque<Part> calls_;  // Those that have not been written; the first has the number first_call_.
  int first_call_ = 0;
  std::vector<Citation> citations_;
  Usage usage_;
  Finish finish_;
  bool has_usage_ = false, has_chunks_ = false, in_thought_ = false;
};

// A whole reply: what a stream says in pieces is joined.
class Folder {
 public:
  void on(const ReplyStart& start) { id_ = start.id; }

  void on(const TextDelta& delta) {
    citations_.insert(citations_.end(), delta.citations.begin(), delta.citations.end());
    if (!delta.logprobs.empty()) logprobs_.add(delta.logprobs);
    add(Part::Kind::text, delta.text);
  }

  void on(const RefusalDelta& delta) { add(Part::Kind::text, delta.text); }

  void on(const ThinkingDelta& delta) { add(Part::Kind::thought, delta.text); }

  void on(const ThinkingSignature& event) {
    Part* last = parts_.empty() || parts_.back().is_signed ? nullptr : &parts_.back();
    const bool is_own = event.origin == kFamily;
    if (last && (last->kind == Part::Kind::thought || (last->kind == Part::Kind::text && is_own))) {
      last->is_signed = true;
      last->signature = to_wire_signature(event.signature, event.origin);
    } else if (!event.signature.empty()) {
      parts_.push_back(signature_of(event));
    }
  }

  void on(const RedactedThinking& event) { parts_.push_back(redacted_of(event)); }

  void on(const ToolCallStart& start) {
    calls_.push_back(parts_.size());
    parts_.push_back(call_of(start));
  }

  void on(const ToolCallDelta& delta) {
    if (delta.index < 0 || delta.index >= static_cast<int>(calls_.size())) return;
    parts_[calls_[static_cast<std::size_t>(delta.index)]].text += delta.arguments;
  }

  void on(const Usage& usage) { usage_ = usage; }

  void on(const Finish& finish) { finish_ = finish; }

  void on(const ReplyFailed&) {}

  std::string write(const ReplyContext& context) const {
    std::string parts;
    for (const Part& part : parts_) {
      if (!parts.empty()) parts += ',';
      append_part(part, parts);
    }
    if (parts.empty()) parts = "{\"text\":\"\"}";
    Frame frame{.parts = parts, .finish = &finish_, .usage = &usage_, .logprobs = {}, .grounding = {}};
    if (!logprobs_.empty()) frame.logprobs = logprobs_.text();
    if (!citations_.empty()) frame.grounding = grounding_text(citations_);
    std::string out;
    append_reply(frame, id_, context, out);
    return out;
  }

 private:
  void add(Part::Kind kind, const std::string& text) {
    if (text.empty()) return;
    if (parts_.empty() || parts_.back().kind != kind || parts_.back().is_signed) {
      parts_.emplace_back();
      parts_.back().kind = kind;
    }
    parts_.back().text += text;
  }

  std::string id_;
  std::vector<Part> parts_;
  std::vector<std::size_t> calls_;  // Where each call stands among the parts.
  std::vector<Citation> citations_;
  LogprobsResult logprobs_;
  Usage usage_;
  Finish finish_;
};

}  // namespace

std::unique_ptr<EventWriter> make_event_writer(ReplyContext context) {
  return std::make_unique<Writer>(std::move(context));
}

std::string write_reply(const std::vector<Event>& events, const ReplyContext& context) {
  Folder folder;
  for (const Event& event : events) {
    if (context.hide_thoughts && std::holds_alternative<ThinkingDelta>(event)) continue;
    std::visit([&](const auto& one) { folder.on(one); }, event);
  }
  return folder.write(context);
}

}  // namespace switchyard::google
