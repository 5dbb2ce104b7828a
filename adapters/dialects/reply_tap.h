#pragma once

#include "adapters/canonical/event.h"

#include <cstdint>
#include <string_view>

namespace switchyard {

// Hears what a reply says while it is read for other reasons: of a stream that passes through, of a whole
// reply, of a reply that exists as events. Only the first choice of several. Views live until the call
// returns; a reply is told in order, in pieces of any size, and whoever tells it allocates nothing for it.
class ReplyTap {
 public:
  // What the provider says answered; `build` is OpenAI's system_fingerprint. Either may be empty; once, when
  // there is one.
  virtual void on_model(std::string_view model, std::string_view build) = 0;
  virtual void on_text(std::string_view piece) = 0;
  virtual void on_refusal(std::string_view piece) = 0;
  virtual void on_thought() = 0;  // A piece of thinking, which is not told.
  // A piece of a tool call: a new one when `index` is new, or when the index is known but the id is another
  // (servers that number every call 0). `id` and `name` may be empty in all pieces but the first.
  virtual void on_tool_call(std::int64_t index, std::string_view id, std::string_view name,
                            std::string_view arguments) = 0;
  virtual void on_finish(FinishReason reason) = 0;

 protected:
  ~ReplyTap() = default;
};

// The same for a reply that exists as events.
void tell(const Event& event, ReplyTap& tap);

}  // namespace switchyard
