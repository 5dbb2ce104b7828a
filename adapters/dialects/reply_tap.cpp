#include "adapters/dialects/reply_tap.h"

namespace switchyard {

void tell(const Event& event, ReplyTap& tap) {
  if (const auto* text = std::get_if<TextDelta>(&event)) {
    if (!text->text.empty()) tap.on_text(text->text);
  } else if (std::holds_alternative<ThinkingDelta>(event) ||
             std::holds_alternative<RedactedThinking>(event)) {
    tap.on_thought();
  } else if (const auto* piece = std::get_if<ToolCallDelta>(&event)) {
    tap.on_tool_call(piece->index, {}, {}, piece->arguments);
  } else if (const auto* call = std::get_if<ToolCallStart>(&event)) {
    tap.on_tool_call(call->index, call->id, call->name, {});
  } else if (const auto* refusal = std::get_if<RefusalDelta>(&event)) {
    tap.on_refusal(refusal->text);
  } else if (const auto* start = std::get_if<ReplyStart>(&event)) {
    tap.on_model(start->model, {});
  } else if (const auto* finish = std::get_if<Finish>(&event)) {
    tap.on_finish(finish->reason);
  }
}

}  // namespace switchyard
