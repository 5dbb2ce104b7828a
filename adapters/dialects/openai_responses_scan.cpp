// Reading along replies in the dialect of OpenAI's responses that pass through.
#include "adapters/dialects/json.h"
#include "adapters/dialects/openai_chat.h"
#include "adapters/dialects/openai_responses.h"
#include "adapters/dialects/stream_scanner.h"
#include "adapters/dialects/walk.h"

#include <simdjson.h>

#include <bitset>
#include <utility>

namespace switchyard::responses {

namespace {

namespace dom = simdjson::dom;
namespace ondemand = simdjson::ondemand;

Error not_json() {
  return fail(ErrorKind::bad_reply, "the provider's answer is not valid JSON");
}

FinishReason finish_reason_of(std::string_view status, std::string_view incomplete_reason, bool has_calls) {
  if (incomplete_reason == "content_filter") return FinishReason::content_filter;
  if (status == "incomplete" || !incomplete_reason.empty()) return FinishReason::length;
  return has_calls ? FinishReason::tool_calls : FinishReason::stop;
}

class Scanner final : public FrameScanner {
 private:
  Result<Verdict> inspect(const SseRecord& record) override {
    if (record.data == "[DONE]") return Verdict::drop;  // Some servers add it; it ends nothing here.
    const auto event = parse_event_json(record.data, record.readable);
    if (!event) return event.error();
    if (!event->is_object())
      return fail(ErrorKind::bad_reply, "the provider's stream has an event that is no object");
    const std::string_view named = string_at(*event, "type");
    const std::string_view type = named.empty() ? record.event : named;
    dom::element response;
    const bool has_response = !(*event)["response"].get(response) && response.is_object();
    dom::element error;
    if (type == "error" || (!(*event)["error"].get(error) && !error.is_null())) {
      error_ = read_error_event(*event);
      return Verdict::drop;
    }
    if (type == "response.failed") {
      error_ = has_response ? read_error_event(response) : read_error_event(*event);
      return Verdict::drop;
    }
    if (tap_ && has_response && !std::exchange(has_model_, true))
      tap_->on_model(string_at(response, "model"), {});
    if (type == "response.completed" || type == "response.incomplete") {
      complete_ = true;
      if (has_response) end(response);
      return Verdict::forward;
    }
    if (!has_content_) look_at(type, *event);
    if (tap_) tell(type, *event);
    return Verdict::forward;
  }

  // A message or a reasoning item may be added long before its first token; every other item is content.
  void look_at(std::string_view type, const dom::element& event) {
    if (type.ends_with(".delta")) {
      std::string_view text;
      has_content_ = event["delta"].get_string().get(text) || !text.empty();
    } else if (type == "response.output_item.done") {
      has_content_ = true;
    } else if (type == "response.output_item.added") {
      dom::element item;
      if (event["item"].get(item)) return;
      const std::string_view kind = string_at(item, "type");
      has_content_ = kind != "message" && kind != "reasoning";
    }
  }

  void end(const dom::element& response) {
    dom::element usage, details;
    if (!response["usage"].get(usage) && usage.is_object()) usage_ = read_usage(usage);
    if (!tap_) return;
    std::string_view reason;
    if (!response["incomplete_details"].get(details)) reason = string_at(details, "reason");
    tap_->on_finish(finish_reason_of(string_at(response, "status"), reason, has_calls_));
  }

  // Items are told by their deltas; what was not streamed, when its item is done.
  void tell(std::string_view type, const dom::element& event) {
    if (!type.ends_with(".delta") && !type.starts_with("response.output_item.")) return;
    const std::int64_t index = integer_at(event, "output_index");
    if (type.ends_with(".delta")) {
      const std::string_view text = string_at(event, "delta");
      if (text.empty()) return;
      told_.set(static_cast<std::size_t>(index) % told_.size());
      if (type == "response.output_text.delta") {
        tap_->on_text(text);
      } else if (type == "response.refusal.delta") {
        tap_->on_refusal(text);
      } else if (type == "response.function_call_arguments.delta") {
        tap_->on_tool_call(index, {}, {}, text);
      } else if (type.starts_with("response.reasoning")) {
        tap_->on_thought();
      }
      return;
    }
    dom::element item;
    if (event["item"].get(item)) return;
    const bool is_done = type == "response.output_item.done";
    tell_item(item, index, is_done && !told_.test(static_cast<std::size_t>(index) % told_.size()), is_done);
  }

  // `untold`: nothing of it has been streamed.
  void tell_item(const dom::element& item, std::int64_t index, bool untold, bool is_done) {
    const std::string_view kind = string_at(item, "type");
    if (kind == "function_call" || kind == "custom_tool_call") {
      has_calls_ = true;
      if (!is_done || untold) {
        tap_->on_tool_call(index, string_at(item, "call_id"), string_at(item, "name"),
                           untold ? string_at(item, "arguments") : std::string_view());
      }
    } else if (kind == "message") {
      dom::array content;
      if (!untold || item["content"].get_array().get(content)) return;
      for (const dom::element part : content) {
        if (const auto text = string_at(part, "text"); !text.empty()) tap_->on_text(text);
        if (const auto text = string_at(part, "refusal"); !text.empty()) tap_->on_refusal(text);
      }
    } else if (is_done) {
      tap_->on_thought();  // Reasoning, or a tool that the provider runs itself.
    }
  }

  // The last event holds the whole response: nobody can make it up.
  std::string_view missing_terminator() const override { return {}; }

  std::bitset<256> told_;  // Items of which something was streamed, by their place in the output.
  bool has_model_ = false, has_calls_ = false;
};

simdjson::error_code walk_reason(ondemand::value details, std::string_view& reason) {
  return walk_members(details, 2, [&](std::string_view name, ondemand::value value) {
    return name == "reason" ? walk_string(value, reason) : walk(value, 3);
  });
}

simdjson::error_code tell_content(ondemand::value content, ReplyTap& tap) {
  return walk_elements(content, 4, [&](ondemand::value part) {
    return walk_members(part, 5, [&](std::string_view name, ondemand::value value) {
      std::string_view text;
      if (name != "text" && name != "refusal") return walk(value, 6);
      const auto error = walk_string(value, text);
      if (error || text.empty()) return error;
      if (name == "text") {
        tap.on_text(text);
      } else {
        tap.on_refusal(text);
      }
      return error;
    });
  });
}

// An item of a whole response. The type of an item comes before its content wherever this was seen; content
// of another order is walked, not told.
simdjson::error_code tell_item(ondemand::value item, std::int64_t& calls, ReplyTap& tap) {
  std::string_view type, id, called, arguments;
  const auto error = walk_members(item, 3, [&](std::string_view name, ondemand::value value) {
    if (name == "type") return walk_string(value, type);
    if (name == "call_id") return walk_string(value, id);
    if (name == "name") return walk_string(value, called);
    if (name == "arguments") return walk_string(value, arguments);
    return name == "content" && type == "message" ? tell_content(value, tap) : walk(value, 4);
  });
  if (error) return error;
  if (type == "function_call" || type == "custom_tool_call") {
    tap.on_tool_call(calls++, id, called, arguments);
  } else if (type != "message") {
    tap.on_thought();
  }
  return error;
}

}  // namespace

std::unique_ptr<StreamScanner> make_scanner() {
  return std::make_unique<Scanner>();
}

Result<Usage> scan_reply(std::string_view body, std::size_t capacity, ReplyTap* tap) {
  OnDemand document;
  ondemand::object reply;
  if (document.open(body, capacity, reply)) return not_json();
  Usage usage;
  bool has_output = false;
  std::string_view model, status, reason;
  std::int64_t calls = 0;
  for (auto field : reply) {
    std::string_view name, text;
    if (field.error() || field.unescaped_key().get(name)) return not_json();
    ondemand::value value = field.value_unsafe().value();
    ondemand::json_type type;
    if (value.type().get(type)) return not_json();
    if (name == "usage" || name == "error") {
      const bool is_usage = name == "usage";
      if (walk_text(value, text)) return not_json();
      if (text.empty()) continue;
      const auto parsed = parse_event_json(text);
      if (!parsed) return parsed.error();
      if (!is_usage) return openai::read_error(*parsed, 0);
      if (parsed->is_object()) usage = read_usage(*parsed);
      continue;
    }
    const bool is_output = name == "output" && type == ondemand::json_type::array;
    has_output |= is_output;
    simdjson::error_code failed{};
    if (!tap) {
      failed = walk(value, 2);
    } else if (is_output) {
      failed = walk_elements(value, 2, [&](ondemand::value item) { return tell_item(item, calls, *tap); });
    } else if (name == "model") {
      failed = walk_string(value, model);
    } else if (name == "status") {
      failed = walk_string(value, status);
    } else {
      failed = name == "incomplete_details" ? walk_reason(value, reason) : walk(value, 2);
    }
    if (failed) return not_json();
  }
  if (!document.at_end()) return not_json();
  if (!has_output) return fail(ErrorKind::bad_reply, "the provider's answer is no response");
  if (tap) {
    tap->on_model(model, {});
    tap->on_finish(finish_reason_of(status, reason, calls > 0));
  }
  return usage;
}

}  // namespace switchyard::responses
