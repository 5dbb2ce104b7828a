#pragma once

#include "adapters/dialects/reply_tap.h"

namespace switchyard::relay {

// Sees whether a reply is nothing but a refusal: ended by the provider's content filter, or with words of
// refusal and no answer. Hands on all that it hears.
class RefusalTap final : public ReplyTap {
 public:
  // A new reply. `next` hears it too, or is null.
  void begin(ReplyTap* next) { *this = RefusalTap(next); }

  bool is_refusal() const { return !has_answer_ && (is_filtered_ || has_refusal_); }

  RefusalTap() = default;

  void on_model(std::string_view model, std::string_view build) override {
    if (next_) next_->on_model(model, build);
  }

  void on_text(std::string_view piece) override {
    has_answer_ |= !piece.empty();
    if (next_) next_->on_text(piece);
  }

  void on_refusal(std::string_view piece) override {
    has_refusal_ |= !piece.empty();
    if (next_) next_->on_refusal(piece);
  }

  void on_thought() override {
    if (next_) next_->on_thought();
  }

  void on_tool_call(std::int64_t index, std::string_view id, std::string_view name,
                    std::string_view arguments) override {
    has_answer_ = true;
    if (next_) next_->on_tool_call(index, id, name, arguments);
  }

  void on_finish(FinishReason reason) override {
    is_filtered_ |= reason == FinishReason::content_filter;
    if (next_) next_->on_finish(reason);
  }

 private:
  explicit RefusalTap(ReplyTap* next) : next_(next) {}

  ReplyTap* next_ = nullptr;
  bool has_answer_ = false, has_refusal_ = false, is_filtered_ = false;
};

}  // namespace switchyard::relay
