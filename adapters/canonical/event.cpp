#include "adapters/canonical/event.h"

namespace switchyard {

bool is_content(const Event& event) {
  struct Visitor {
    bool operator()(const TextDelta& delta) const { return !delta.text.empty(); }

    bool operator()(const RefusalDelta& delta) const { return !delta.text.empty(); }

    bool operator()(const ThinkingDelta& delta) const { return !delta.text.empty(); }

    bool operator()(const RedactedThinking&) const { return true; }

    bool operator()(const ToolCallStart&) const { return true; }

    bool operator()(const ToolCallDelta&) const { return true; }

    bool operator()(const ReplyStart&) const { return false; }

    bool operator()(const ThinkingSignature&) const { return false; }

    bool operator()(const Usage&) const { return false; }

    bool operator()(const Finish&) const { return false; }

    bool operator()(const ReplyFailed&) const { return false; }
  };

  return std::visit(Visitor(), event);
}

}  // namespace switchyard
