// The part of Relay that lets a share of the requests be compared with a shadow's answers.
#include "gateway/relay/mirror.h"
#include "gateway/relay/relay.h"

#include <algorithm>

namespace switchyard::relay {

namespace {

bool is_all_text(const ChatRequest& request) {
  return std::ranges::all_of(request.messages, [](const Message& message) {
    return std::ranges::all_of(message.parts,
                               [](const Part& part) { return std::holds_alternative<TextPart>(part); });
  });
}

}  // namespace

void Mirroring::take(const std::vector<Event>& events) {
  for (const Event& event : events) {
    if (const auto* text = std::get_if<TextDelta>(&event)) {
      answer_ += text->text;
    } else if (std::holds_alternative<ToolCallStart>(event) || std::holds_alternative<RefusalDelta>(event) ||
               std::holds_alternative<ReplyFailed>(event)) {
      is_text_ = false;
    }
  }
  if (answer_.size() > kBytesMax) is_text_ = false;
  if (!is_text_) answer_ = {};
}

void Mirroring::on_frames(const std::vector<std::string_view>& frames) {
  if (!is_text_) return;
  if (!parser_) parser_ = dialect_.make_event_parser();
  std::vector<Event> events;
  for (const std::string_view frame : frames) is_text_ = is_text_ && parser_->feed(frame, events).has_value();
  take(events);
}

void Mirroring::on_whole(std::string_view body) {
  std::vector<Event> events;
  is_text_ = body.size() <= 4 * kBytesMax && dialect_.parse_reply(body, events).has_value();
  take(events);
}

std::optional<Mirrored> Mirroring::finish() {
  if (!is_text_ || answer_.empty()) return std::nullopt;
  auto request = dialect_.parse_request(body_);
  if (!request || !request->tools.empty() || !request->hosted_tools.empty() || !is_all_text(*request) ||
      request->choices.value_or(1) != 1) {
    return std::nullopt;
  }
  Mirrored mirrored;
  mirrored.bytes = body_.size() + answer_.size();
  mirrored.request = std::move(*request);
  mirrored.answer = std::move(answer_);
  return mirrored;
}

// Draws whether this request is compared, of those that may be: the caller's key allows it, and it is a chat
// that this body holds whole.
void Relay::begin_mirroring() {
  if (!context_.mirror || !model_->shadow || caller_.embeddings || caller_.counting) return;
  const bool may = caller_.key ? caller_.key->shadow : snapshot_->config.keys.empty();
  const std::string_view body = exchange_.request().body();
  if (!may || body.size() > Mirroring::kBytesMax || earlier_ || names_kept_items_ ||
      caller_.envelope.json_array) {
    return;
  }
  if (std::uniform_real_distribution<double>(0, 1)(context_.rng) >= model_->config->shadow->share) return;
  mirroring_ = std::make_unique<Mirroring>(*caller_.dialect, body);
}

void Relay::end_mirroring() {
  if (!mirroring_) return;
  const auto mirroring = std::move(mirroring_);
  if (outcome_ != telemetry::Outcome::ok || !target_ || !fallback_from_.empty() || seam_at_ >= 0) return;
  auto mirrored = mirroring->finish();
  if (!mirrored) return;
  mirrored->snapshot = snapshot_;
  mirrored->model = model_;
  mirrored->target = target_;
  context_.mirror->offer(std::move(*mirrored));
}

}  // namespace switchyard::relay
