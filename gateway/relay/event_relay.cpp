#include "gateway/relay/event_relay.h"

#include <algorithm>
#include <utility>

namespace switchyard::relay {

EventRelay::EventRelay(const Dialect& caller, ReplyContext context, bool keeps_text)
    : caller_(caller),
      context_(std::move(context)),
      writer_(caller.make_event_writer(context_)),
      keeps_text_(keeps_text) {}

Result<> EventRelay::write(const std::vector<Event>& events) {
  for (const Event& event : events) {
    if (const auto* failed = std::get_if<ReplyFailed>(&event)) return failed->error;
    if (const auto* usage = std::get_if<Usage>(&event)) usage_ = *usage;
    if (tap_) tell(event, *tap_);
    if (seam_) {
      if (auto written = write_continued(event); !written) return written;
      continue;
    }
    has_content_ |= is_content(event);
    if (keeps_text_) note(event);
    writer_->write(event, out_);
  }
  return {};
}

Result<std::string> EventRelay::fold(const std::vector<Event>& events) {
  for (const Event& event : events) {
    if (const auto* failed = std::get_if<ReplyFailed>(&event)) return failed->error;
    if (const auto* usage = std::get_if<Usage>(&event)) usage_ = *usage;
    if (tap_) tell(event, *tap_);
  }
  has_content_ = true;
  return caller_.write_reply(events, context_);
}

void EventRelay::note(const Event& event) {
  if (const auto* delta = std::get_if<TextDelta>(&event)) {
    given_.is_plain &=
        delta->logprobs.empty() && delta->text.size() <= Given::kTextBytesMax - given_.text.size();
    if (given_.is_plain) given_.text += delta->text;
  } else if (const auto* thinking = std::get_if<ThinkingSignature>(&event)) {
    given_.is_plain &= thinking->signature.empty();
  } else if (std::holds_alternative<Finish>(event)) {
    given_.is_finished = true;
  } else if (is_content(event) && !std::holds_alternative<ThinkingDelta>(event)) {
    given_.is_plain = false;
  }
  if (!given_.is_plain) given_.text = std::string();
}

void EventRelay::go_on(Seam seam, std::string mark) {
  before_ = total_usage();
  seam_ = std::move(seam);
  mark_ = std::move(mark);
  usage_.reset();
  given_tokens_ = 0;
  has_content_ = false;
}

// Input counts once: as the first target that told it counted it, else as the last one did, which had the
// caller's text so far as a part of its input. What the first had said of its output when it broke may be
// less than what the caller has of it.
Usage EventRelay::total_usage() const {
  if (!seam_) return usage_.value_or(Usage());
  Usage total = before_;
  const Usage last = usage_.value_or(Usage());
  if (total.input_tokens == 0) {
    total.input_tokens = std::max<std::int64_t>(last.input_tokens - given_tokens_, 0);
    total.cached_tokens = std::min(last.cached_tokens, total.input_tokens);
    total.cache_written_tokens =
        std::min(last.cache_written_tokens, total.input_tokens - total.cached_tokens);
  }
  total.output_tokens = std::max(total.output_tokens, given_tokens_) + last.output_tokens;
  total.reasoning_tokens += last.reasoning_tokens;
  return total;
}

void EventRelay::write_text(TextDelta delta) {
  if (delta.text.empty() && delta.citations.empty()) return;
  if (!has_content_) out_ += std::exchange(mark_, {});
  has_content_ = true;
  delta.logprobs.clear();  // The text before it has none.
  const Event event = std::move(delta);
  note(event);
  writer_->write(event, out_);
}

Result<> EventRelay::write_continued(const Event& event) {
  if (std::holds_alternative<ReplyStart>(event) || std::holds_alternative<ThinkingDelta>(event) ||
      std::holds_alternative<ThinkingSignature>(event) || std::holds_alternative<RedactedThinking>(event)) {
    return {};
  }
  if (const auto* delta = std::get_if<TextDelta>(&event)) {
    auto text = seam_->feed(delta->text);
    if (!text) return text.error();
    write_text({std::move(*text), {}, delta->citations});
    return {};
  }
  if (std::holds_alternative<Usage>(event)) {
    writer_->write(total_usage(), out_);
    return {};
  }
  // What follows ends the text, for the time being at least.
  auto held = seam_->finish();
  if (!held) return held.error();
  write_text({std::move(*held), {}, {}});
  if (is_content(event) && !has_content_) out_ += std::exchange(mark_, {});
  has_content_ |= is_content(event);
  note(event);
  if (std::holds_alternative<Finish>(event) && !usage_) writer_->write(total_usage(), out_);
  writer_->write(event, out_);
  return {};
}

}  // namespace switchyard::relay
