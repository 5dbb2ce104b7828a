// Reading along replies in the dialect of OpenAI's chat that pass through.
#include "adapters/dialects/openai_chat_scan.h"

#include "adapters/dialects/json.h"
#include "adapters/dialects/openai_chat.h"
#include "adapters/dialects/stream_scanner.h"

#include <simdjson.h>

#include <bitset>
#include <utility>

namespace switchyard::openai {

namespace {

namespace dom = simdjson::dom;
namespace ondemand = simdjson::ondemand;

constexpr std::string_view kDone = "data: [DONE]\n\n";

bool is_thought(std::string_view name) {
  return name == "reasoning_content" || name == "reasoning";
}

// Looks at the members of a delta, or of a whole message, once: whether they carry part of the answer, and
// what they say.
class DeltaScan {
 public:
  explicit DeltaScan(ReplyTap* tap) : tap_(tap) {}

  // True for content.
  bool read(const dom::element& delta) {
    dom::object object;
    if (delta.get_object().get(object)) return false;
    bool has_content = false;
    for (const auto& [name, value] : object) {
      if (value.is_null() || name == "role") continue;
      std::string_view text;
      dom::array array;
      if (!value.get_string().get(text)) {
        if (text.empty() || name == "obfuscation") continue;
        if (tap_) tell_text(name, text);
      } else if (!value.get_array().get(array)) {
        if (array.size() == 0) continue;
        if (tap_) tell_list(name, array);
      } else if (!value.is_object()) {
        continue;
      } else if (tap_ && name == "function_call") {
        tap_->on_tool_call(0, {}, string_at(value, "name"), string_at(value, "arguments"));
      }
      has_content = true;
    }
    return has_content;
  }

 private:
  void tell_text(std::string_view name, std::string_view text) {
    if (name == "content") {
      tap_->on_text(text);
    } else if (name == "refusal") {
      tap_->on_refusal(text);
    } else if (is_thought(name)) {
      tap_->on_thought();
    }
  }

  void tell_list(std::string_view name, const dom::array& list) {
    if (name == "content") {  // Mistral's form of an answer with thinking.
      for (const dom::element part : list) {
        if (const auto text = string_at(part, "text"); !text.empty()) tap_->on_text(text);
      }
    }
    if (name == "reasoning_details") tap_->on_thought();
    if (name != "tool_calls") return;
    std::int64_t position = 0;
    for (const dom::element call : list) {
      std::int64_t index = position++;
      (void)call["index"].get_int64().get(index);
      dom::element function, arguments;
      if (call["function"].get(function)) continue;
      std::string made;
      std::string_view text = string_at(function, "arguments");
      if (!function["arguments"].get(arguments) && arguments.is_object())
        text = made = simdjson::minify(arguments);  // Some servers give the object itself.
      tap_->on_tool_call(index, string_at(call, "id"), string_at(function, "name"), text);
    }
  }

  ReplyTap* tap_;
};

class OpenAiScanner final : public FrameScanner {
 public:
  explicit OpenAiScanner(bool drop_usage) : drop_usage_(drop_usage) {}

 private:
  Result<Verdict> inspect(const SseRecord& record) override {
    if (record.data == "[DONE]") {
      // A server that ends every stream with it, the broken ones too, would pass a cut answer off as a whole
      // one.
      if (!is_finished()) return fail(ErrorKind::bad_reply, "the provider's answer has no finish reason");
      complete_ = true;
      return Verdict::forward;
    }
    const auto chunk = parse_event_json(record.data, record.readable);
    if (!chunk) return chunk.error();
    if (!chunk->is_object())
      return fail(ErrorKind::bad_reply, "the provider's stream has an event that is no object");
    dom::array choices;
    bool has_usage = false, has_choices = false;
    std::string_view model, build;
    for (const auto& [name, value] : dom::object(*chunk)) {
      if (name == "choices") {
        has_choices = !value.get_array().get(choices) && choices.size() > 0;
      } else if (name == "usage" && value.is_object()) {
        has_usage = true;
        usage_ = openai::read_usage(value);
      } else if (name == "error" && !value.is_null()) {
        error_ = openai::read_error(value, 0);
        return Verdict::drop;
      } else if (!has_model_ && (name == "model" || name == "system_fingerprint")) {
        (void)value.get_string().get(name == "model" ? model : build);
      }
    }
    if (tap_ && !has_model_ && !model.empty()) tap_->on_model(model, build);
    has_model_ |= !model.empty();
    if (has_choices) read_choices(choices);
    return drop_usage_ && has_usage && !has_choices ? Verdict::drop : Verdict::forward;
  }

  void read_choices(const dom::array& choices) {
    for (const dom::element choice : choices) {
      dom::object object;
      if (choice.get_object().get(object)) continue;
      std::size_t index = 0;
      dom::element delta;
      bool has_delta = false;
      std::string_view reason;
      for (const auto& [name, value] : object) {
        if (name == "index") {
          index = static_cast<std::size_t>(integer_of(value)) % begun_.size();
        } else if (name == "delta") {
          delta = value;
          has_delta = true;
        } else if (name == "finish_reason") {
          (void)value.get_string().get(reason);
        }
      }
      begun_.set(index);
      ReplyTap* const tap = index == 0 ? tap_ : nullptr;
      if (has_delta && (tap || !has_content_)) has_content_ |= DeltaScan(tap).read(delta);
      if (reason.empty()) continue;
      finished_.set(index);
      if (tap) tap->on_finish(openai::finish_reason_of(reason));
    }
  }

  // Some servers leave [DONE] out; an answer is complete when every choice has said why it ended.
  std::string_view missing_terminator() const override { return is_finished() ? kDone : std::string_view(); }

  bool is_finished() const { return begun_.any() && begun_ == finished_; }

  bool drop_usage_, has_model_ = false;
  std::bitset<128> begun_, finished_;  // Choices: OpenAI allows 128.
};

simdjson::error_code tell_part(ondemand::value part, ReplyTap& tap) {
  return walk_members(part, 6, [&](std::string_view name, ondemand::value value) {
    std::string_view text;
    if (name != "text") return walk(value, 7);
    const auto error = walk_string(value, text);
    if (!error && !text.empty()) tap.on_text(text);
    return error;
  });
}

simdjson::error_code tell_call(ondemand::value call, std::int64_t position, ReplyTap& tap) {
  std::string_view id, called, arguments;
  const auto error = walk_members(call, 6, [&](std::string_view name, ondemand::value value) {
    if (name == "id") return walk_string(value, id);
    if (name != "function") return walk(value, 7);
    return walk_members(value, 7, [&](std::string_view member, ondemand::value inner) {
      if (member == "name") return walk_string(inner, called);
      if (member != "arguments") return walk(inner, 8);
      return is_a(inner, ondemand::json_type::object) ? walk_document(inner, arguments)
                                                      : walk_string(inner, arguments);
    });
  });
  if (!error) tap.on_tool_call(position, id, called, arguments);
  return error;
}

simdjson::error_code tell_message(ondemand::value message, ReplyTap& tap) {
  return walk_members(message, 4, [&](std::string_view name, ondemand::value value) {
    std::string_view text;
    if (name == "tool_calls") {
      std::int64_t position = 0;
      return walk_elements(value, 5, [&](ondemand::value call) { return tell_call(call, position++, tap); });
    }
    if (name == "content" && is_a(value, ondemand::json_type::array))
      return walk_elements(value, 5, [&](ondemand::value part) { return tell_part(part, tap); });
    const bool is_text = name == "content" || name == "refusal" || is_thought(name);
    const auto error = is_text ? walk_string(value, text) : walk(value, 5);
    if (error || text.empty()) return error;
    if (name == "content") {
      tap.on_text(text);
    } else if (name == "refusal") {
      tap.on_refusal(text);
    } else {
      tap.on_thought();
    }
    return error;
  });
}

simdjson::error_code tell_choice(ondemand::value choice, ReplyTap& tap) {
  std::string_view reason;
  const auto error = walk_members(choice, 3, [&](std::string_view name, ondemand::value value) {
    std::string_view text;
    if (name == "message") return tell_message(value, tap);
    if (name == "finish_reason") return walk_string(value, reason);
    if (name != "text") return walk(value, 4);
    const auto walked = walk_string(value, text);  // Of a text completion.
    if (!walked && !text.empty()) tap.on_text(text);
    return walked;
  });
  if (!error && !reason.empty()) tap.on_finish(finish_reason_of(reason));
  return error;
}

}  // namespace

std::unique_ptr<StreamScanner> make_scanner(ScanOptions options) {
  return std::make_unique<OpenAiScanner>(options.drop_usage);
}

simdjson::error_code walk_choices(ondemand::value value, ReplyTap* tap, bool& has_some) {
  return walk_elements(value, 2, [&](ondemand::value choice) {
    const bool is_first = !std::exchange(has_some, true);
    return is_first && tap ? tell_choice(choice, *tap) : walk(choice, 3);
  });
}

}  // namespace switchyard::openai
