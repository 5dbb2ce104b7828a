// Reading along replies in Gemini's dialect that pass through.
#include "adapters/dialects/gemini.h"
#include "adapters/dialects/stream_scanner.h"
#include "adapters/dialects/walk.h"

#include <simdjson.h>

#include <utility>

namespace switchyard::google {

namespace {

using Element = simdjson::dom::element;
using simdjson::ondemand::value;

void tell_end(std::string_view reason, std::int64_t calls, ReplyTap& tap) {
  // A call that the provider itself could not read: what is left of it is that there was one, and no JSON.
  if (reason == "MALFORMED_FUNCTION_CALL") tap.on_tool_call(calls, {}, {}, reason);
  tap.on_finish(finish_reason_of(reason));
}

class Scanner final : public FrameScanner {
 public:
  explicit Scanner(bool json_array) : json_array_(json_array) {}

 protected:
  Result<Verdict> inspect(const SseRecord& record) override {
    if (record.data == "[DONE]") return Verdict::drop;  // The SDK takes it for broken JSON.
    const auto parsed = parse_event_json(record.data, record.readable);
    if (!parsed) return parsed.error();
    if (!parsed->is_object()) return fail(ErrorKind::bad_reply, "the provider's event is no JSON object");
    Element error;
    if (!(*parsed)["error"].get(error)) {
      error_ = to_error(*parsed, 0);
      return Verdict::drop;
    }
    counts_.merge(*parsed);
    if (counts_.seen) usage_ = counts_.total();
    Element feedback;
    if (!(*parsed)["promptFeedback"].get(feedback) && !string_at(feedback, "blockReason").empty()) {
      has_end_ = true;
      if (tap_) tap_->on_finish(FinishReason::content_filter);
    }
    if (tap_ && !std::exchange(has_model_, true)) tap_->on_model(string_at(*parsed, "modelVersion"), {});
    simdjson::dom::array candidates;
    if ((*parsed)["candidates"].get(candidates)) return Verdict::forward;
    for (const Element candidate : candidates) look_at(candidate);
    return Verdict::forward;
  }

  std::string_view missing_terminator() const override { return {}; }

  // A stream that fails goes on with the body of an error, without the form of an event.
  void note_bare(std::string_view frame) override {
    if (error_) return;
    const auto parsed = parse_bare(frame);
    Element error;
    if (parsed && !(*parsed)["error"].get(error)) error_ = to_error(*parsed, 0);
  }

  // A reason to end may come more than once, and usage behind it: the end is the end of the body.
  bool may_end() const override { return has_end_; }

  void hand_on(std::string_view frame, const SseRecord& record,
               std::vector<std::string_view>& forward) override {
    if (!json_array_) return FrameScanner::hand_on(frame, record, forward);
    forward.push_back(has_elements_ ? ",\r\n" : "[");
    forward.push_back(keep(frame, record.data));
    has_elements_ = true;
  }

  void hand_on_end(std::vector<std::string_view>& forward) override {
    if (json_array_) forward.push_back(has_elements_ ? "]" : "[]");
  }

 private:
  void look_at(const Element& candidate) {
    ReplyTap* const tap = integer_at(candidate, "index") == 0 ? tap_ : nullptr;
    simdjson::dom::array parts;
    if ((tap || !has_content_) && !candidate["content"]["parts"].get(parts)) {
      for (const Element part : parts) look_at_part(part, tap);
    }
    const std::string_view reason = string_at(candidate, "finishReason");
    if (reason.empty()) return;
    has_end_ = true;
    if (tap) tell_end(reason, calls_, *tap);
  }

  void look_at_part(const Element& part, ReplyTap* tap) {
    Element text, call;
    const std::string_view said = string_at(part, "text");
    has_content_ |= part["text"].get(text) || !said.empty();
    if (!tap) return;
    bool is_thought = false;
    (void)part["thought"].get(is_thought);
    if (is_thought) {
      tap->on_thought();
    } else if (!said.empty()) {
      tap->on_text(said);
    } else if (!part["functionCall"].get(call)) {
      simdjson::dom::object args;
      const std::string given = call["args"].get(args) ? "{}" : simdjson::minify(args);
      tap->on_tool_call(calls_++, string_at(call, "id"), string_at(call, "name"), given);
    } else if (part["text"].get(text)) {
      tap->on_thought();  // An image, or what is added one day: an answer all the same.
    }
  }

  TokenCounts counts_;
  std::int64_t calls_ = 0;
  bool json_array_, has_elements_ = false, has_end_ = false, has_model_ = false;
};

// A part of a whole answer.
simdjson::error_code tell_part(value part, std::int64_t& calls, ReplyTap& tap) {
  std::string_view text, id, called, args = "{}";
  bool is_thought = false, is_call = false, is_other = false;
  const auto error = walk_members(part, 5, [&](std::string_view name, value member) {
    if (name == "text") return walk_string(member, text);
    if (name == "thought") is_thought = member.raw_json_token().starts_with("true");
    is_other |= name != "text" && name != "thought" && name != "thoughtSignature";
    if (name != "functionCall") return walk(member, 6);
    is_call = true;
    return walk_members(member, 6, [&](std::string_view field, value inner) {
      if (field == "id") return walk_string(inner, id);
      if (field == "name") return walk_string(inner, called);
      if (field == "args" && is_a(inner, simdjson::ondemand::json_type::object))
        return walk_document(inner, args);
      return walk(inner, 7);
    });
  });
  if (error) return error;
  if (is_call) {
    tap.on_tool_call(calls++, id, called, args);
  } else if (is_thought || (text.empty() && is_other)) {
    tap.on_thought();
  } else if (!text.empty()) {
    tap.on_text(text);
  }
  return error;
}

// The first of the candidates.
simdjson::error_code tell_candidates(value candidates, ReplyTap& tap) {
  bool is_first = true;
  return walk_elements(candidates, 2, [&](value candidate) {
    if (!std::exchange(is_first, false)) return walk(candidate, 3);
    std::string_view reason;
    std::int64_t calls = 0;
    const auto error = walk_members(candidate, 3, [&](std::string_view name, value member) {
      if (name == "finishReason") return walk_string(member, reason);
      if (name != "content") return walk(member, 4);
      return walk_members(member, 4, [&](std::string_view field, value inner) {
        if (field != "parts") return walk(inner, 5);
        return walk_elements(inner, 5, [&](value part) { return tell_part(part, calls, tap); });
      });
    });
    if (!error && !reason.empty()) tell_end(reason, calls, tap);
    return error;
  });
}

simdjson::error_code tell_feedback(value feedback, ReplyTap& tap) {
  std::string_view reason;
  const auto error = walk_members(feedback, 2, [&](std::string_view name, value member) {
    return name == "blockReason" ? walk_string(member, reason) : walk(member, 3);
  });
  if (!error && !reason.empty()) tap.on_finish(FinishReason::content_filter);
  return error;
}

}  // namespace

std::unique_ptr<StreamScanner> make_scanner(ScanOptions options) {
  return std::make_unique<Scanner>(options.json_array);
}

Result<Usage> scan_reply(std::string_view body, std::size_t capacity, ReplyTap* tap) {
  const auto not_json = [] { return fail(ErrorKind::bad_reply, "the provider's answer is not valid JSON"); };
  OnDemand document;
  simdjson::ondemand::object reply;
  if (document.open(body, capacity, reply)) return not_json();
  TokenCounts counts;
  bool has_answer = false;
  std::string_view model;
  for (auto field : reply) {
    std::string_view name, text;
    if (field.error() || field.unescaped_key().get(name)) return not_json();
    simdjson::ondemand::value value = field.value_unsafe().value();
    simdjson::ondemand::json_type type;
    if (value.type().get(type)) return not_json();
    const bool is_object = type == simdjson::ondemand::json_type::object;
    if (name == "usageMetadata" && is_object) {
      if (walk_text(value, text)) return not_json();
      const auto parsed = parse_event_json("{\"usageMetadata\":" + std::string(text) + "}");
      if (!parsed) return parsed.error();
      counts.merge(*parsed);
      continue;
    }
    const bool is_list = type == simdjson::ondemand::json_type::array;
    has_answer |= (name == "candidates" && is_list) || (name == "promptFeedback" && is_object);
    simdjson::error_code error{};
    if (tap && name == "candidates") {
      error = tell_candidates(value, *tap);
    } else if (tap && name == "promptFeedback" && is_object) {
      error = tell_feedback(value, *tap);
    } else if (tap && name == "modelVersion") {
      error = walk_string(value, model);
    } else {
      error = walk(value, 2);
    }
    if (error) return not_json();
  }
  if (!document.at_end()) return not_json();
  if (!has_answer) return fail(ErrorKind::bad_reply, "the provider's reply has no candidates");
  if (tap) tap->on_model(model, {});
  return counts.total();
}

}  // namespace switchyard::google
