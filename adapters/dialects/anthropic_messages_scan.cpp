// Reading along replies in the dialect of Anthropic's messages that pass through.
#include "adapters/dialects/anthropic_messages.h"
#include "adapters/dialects/json.h"
#include "adapters/dialects/stream_scanner.h"
#include "adapters/dialects/walk.h"

#include <simdjson.h>

namespace switchyard::anthropic {

namespace {

class Scanner final : public FrameScanner {
 protected:
  Result<Verdict> inspect(const SseRecord& record) override {
    const auto parsed = parse_event_json(record.data, record.readable);
    if (!parsed) return parsed.error();
    if (!parsed->is_object()) return fail(ErrorKind::bad_reply, "the provider's event is no JSON object");
    const std::string_view named = string_at(*parsed, "type");
    const std::string_view type = named.empty() ? record.event : named;
    if (type == "content_block_delta") {
      look_at_delta(*parsed);
    } else if (type == "content_block_start") {
      look_at_block(*parsed);
    } else if (type == "message_start") {
      simdjson::dom::element message;
      if (!(*parsed)["message"].get(message)) {
        count(message);
        if (tap_) tap_->on_model(string_at(message, "model"), {});
      }
    } else if (type == "message_delta") {
      count(*parsed);
      simdjson::dom::element delta;
      if (!(*parsed)["delta"].get(delta)) end_with(string_at(delta, "stop_reason"));
    } else if (type == "message_stop") {
      complete_ = true;
    } else if (type == "error") {
      error_ = to_error(read_error(*parsed, 0));
    }
    return Verdict::forward;
  }

  std::string_view missing_terminator() const override {
    if (!has_stop_reason_) return {};
    return "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
  }

 private:
  void end_with(std::string_view stop_reason) {
    if (stop_reason.empty()) return;
    has_stop_reason_ = true;
    if (tap_) tap_->on_finish(finish_reason_of(stop_reason));
  }

  void look_at_delta(const simdjson::dom::element& event) {
    simdjson::dom::object delta;
    if ((has_content_ && !tap_) || event["delta"].get_object().get(delta)) return;
    for (const auto& [name, value] : delta) {
      std::string_view text;
      if (name == "type" || value.get_string().get(text) || text.empty()) continue;
      if (name == "text") {
        if (tap_) tap_->on_text(text);
      } else if (name == "thinking") {
        if (tap_) tap_->on_thought();
      } else if (name == "partial_json") {
        if (tap_) tap_->on_tool_call(integer_at(event, "index"), {}, {}, text);
      } else {
        continue;
      }
      has_content_ = true;
    }
  }

  // A block of text or thinking may be opened long before its first token.
  void look_at_block(const simdjson::dom::element& event) {
    simdjson::dom::element block, input;
    if ((has_content_ && !tap_) || event["content_block"].get(block)) return;
    const std::string_view type = string_at(block, "type");
    if (type == "text" || type == "thinking") {
      const std::string_view text = string_at(block, type);
      has_content_ |= !text.empty();
      if (tap_ && type == "text" && !text.empty()) tap_->on_text(text);
      return;
    }
    has_content_ = true;
    if (!tap_) return;
    if (type != "tool_use") return tap_->on_thought();  // A redacted thought, or what is added one day.
    std::string given;
    if (!block["input"].get(input) && input.is_object() && simdjson::dom::object(input).size() > 0)
      given = simdjson::minify(input);
    tap_->on_tool_call(integer_at(event, "index"), string_at(block, "id"), string_at(block, "name"), given);
  }

  void count(const simdjson::dom::element& holder) {
    counts_.merge(holder);
    if (counts_.seen) usage_ = counts_.total();
  }

  TokenCounts counts_;
  bool has_stop_reason_ = false;
};

// Walks the blocks of a whole message and tells what they say.
simdjson::error_code tell_content(simdjson::ondemand::value content, ReplyTap& tap) {
  using Value = simdjson::ondemand::value;
  std::int64_t index = 0;
  return walk_elements(content, 2, [&](Value block) {
    std::string_view type, text, id, called, input;
    const auto error = walk_members(block, 3, [&](std::string_view name, Value value) {
      if (name == "type") return walk_string(value, type);
      if (name == "text") return walk_string(value, text);
      if (name == "id") return walk_string(value, id);
      if (name == "name") return walk_string(value, called);
      if (name == "input" && is_a(value, simdjson::ondemand::json_type::object))
        return walk_document(value, input);
      return walk(value, 4);
    });
    if (error) return error;
    if (type == "text") {
      if (!text.empty()) tap.on_text(text);
    } else if (type == "tool_use") {
      tap.on_tool_call(index, id, called, input);
    } else {
      tap.on_thought();
    }
    ++index;
    return error;
  });
}

}  // namespace

std::unique_ptr<StreamScanner> make_scanner() {
  return std::make_unique<Scanner>();
}

Result<Usage> scan_reply(std::string_view body, std::size_t capacity, ReplyTap* tap) {
  const auto not_json = [] { return fail(ErrorKind::bad_reply, "the provider's answer is not valid JSON"); };
  OnDemand document;
  simdjson::ondemand::object reply;
  if (document.open(body, capacity, reply)) return not_json();
  TokenCounts counts;
  bool has_content = false;
  std::string_view model, stop_reason;
  for (auto field : reply) {
    std::string_view name, text;
    if (field.error() || field.unescaped_key().get(name)) return not_json();
    simdjson::ondemand::value value = field.value_unsafe().value();
    simdjson::ondemand::json_type type;
    if (value.type().get(type)) return not_json();
    if (name == "usage" && type == simdjson::ondemand::json_type::object) {
      if (walk_text(value, text)) return not_json();
      const auto parsed = parse_event_json("{\"usage\":" + std::string(text) + "}");
      if (!parsed) return parsed.error();
      counts.merge(*parsed);
      continue;
    }
    const bool is_content = name == "content" && type == simdjson::ondemand::json_type::array;
    has_content |= is_content;
    simdjson::error_code error{};
    if (tap && is_content) {
      error = tell_content(value, *tap);
    } else if (tap && (name == "model" || name == "stop_reason")) {
      error = walk_string(value, name == "model" ? model : stop_reason);
    } else {
      error = walk(value, 2);
    }
    if (error) return not_json();
  }
  if (!document.at_end()) return not_json();
  if (!has_content) return fail(ErrorKind::bad_reply, "the provider's reply is no message");
  if (tap) {
    tap->on_model(model, {});
    if (!stop_reason.empty()) tap->on_finish(finish_reason_of(stop_reason));
  }
  return counts.total();
}

}  // namespace switchyard::anthropic
