#include "adapters/dialects/anthropic_messages.h"
#include "adapters/dialects/sse.h"

#include <nlohmann/json.hpp>
#include <simdjson.h>

#include <algorithm>
#include <deque>

namespace switchyard::anthropic {

namespace {

// Behind another Switchyard, a signature may have a tag.
Event signed_by(std::string_view text) {
  Signature signature = untag_signature(text, kFamily);
  return ThinkingSignature{std::move(signature.value), std::move(signature.origin)};
}

Event redacted(std::string_view text) {
  Signature data = untag_signature(text, kFamily);
  return RedactedThinking{std::move(data.value), std::move(data.origin)};
}

using Element = simdjson::dom::element;

// The JSON text of a tool_use block's input; empty when it has none.
std::string input_text(const Element& block) {
  simdjson::dom::object input;
  if (block["input"].get(input) || input.size() == 0) return {};
  return simdjson::minify(input);
}

// What the end of a reply says, in a message_delta or in a whole message.
struct Ending {
  FinishReason reason = FinishReason::stop;
  std::optional<std::string> stop_sequence;
  bool is_known = false;

  void take(const Element& holder) {
    const std::string_view stop_reason = string_at(holder, "stop_reason");
    if (stop_reason.empty()) return;
    is_known = true;
    reason = finish_reason_of(stop_reason);
    std::string_view sequence;
    if (stop_reason == "stop_sequence" && !holder["stop_sequence"].get(sequence)) stop_sequence = sequence;
  }
};

void end_reply(const TokenCounts& counts, Ending ending, std::vector<Event>& out) {
  if (counts.seen) out.emplace_back(counts.total());
  out.emplace_back(Finish{ending.reason, std::move(ending.stop_sequence)});
}

// A content block of the reply that has begun and not ended. Providers open one at a time, as the format
// asks; those that imitate it may not.
struct OpenBlock {
  std::int64_t index = 0;
  enum class Kind { thinking, tool_use, other } kind = Kind::other;
  int call = 0;
  bool has_arguments = false;
  std::string input;      // Given at the start, held back: pieces that follow replace it.
  std::string signature;  // So far.
  bool has_thinking = false;
};

class Parser final : public EventParser {
 public:
  Result<> feed(std::string_view bytes, std::vector<Event>& out) override {
    std::string_view frame;
    while (!ended_ && splitter_.next(bytes, frame)) {
      if (const auto taken = take(frame, out); !taken) return taken;
    }
    if (splitter_.is_too_large()) {
      return fail(ErrorKind::bad_reply, "the provider's stream has an event too large");
    }
    return {};
  }

  Result<> finish(std::vector<Event>& out) override {
    std::string_view frame;
    const bool in_frame = !ended_ && splitter_.finish(frame);
    if (!frame.empty()) {
      if (const auto taken = take(frame, out); !taken) return taken;
    }
    // The answer is whole once it has said why it ended, as when it passes through (missing_terminator()).
    if (!ended_ && !in_frame && ending_.is_known) on_stop(out);
    if (!ended_) return fail(ErrorKind::bad_reply, "the provider's stream ended before its end");
    return {};
  }

 private:
  static constexpr std::size_t kOpenBlocksMax = 64;

  Result<> take(std::string_view frame, std::vector<Event>& out) {
    const SseRecord record = parse_frame(frame, scratch_);
    if (!record.has_data) return {};
    const auto parsed = parse_event_json(record.data);
    if (!parsed) return parsed.error();
    if (!parsed->is_object()) return fail(ErrorKind::bad_reply, "the provider's event is no JSON object");
    const std::string_view named = string_at(*parsed, "type");
    const std::string_view type = named.empty() ? record.event : named;
    if (type == "content_block_delta") {
      on_delta(*parsed, out);
    } else if (type == "content_block_start") {
      return on_block(*parsed, out);
    } else if (type == "content_block_stop") {
      close(integer_at(*parsed, "index"), out);
    } else if (type == "message_start") {
      on_start(*parsed, out);
    } else if (type == "message_delta") {
      counts_.merge(*parsed);
      Element delta;
      if (!(*parsed)["delta"].get(delta)) ending_.take(delta);
    } else if (type == "message_stop") {
      on_stop(out);
    } else if (type == "error") {
      ended_ = true;
      out.emplace_back(ReplyFailed{to_error(read_error(*parsed, 0))});
    }
    return {};
  }

  void on_start(const Element& event, std::vector<Event>& out) {
    Element message;
    if (event["message"].get(message)) return;
    counts_.merge(message);
    if (started_) return;
    started_ = true;
    out.emplace_back(
        ReplyStart{std::string(string_at(message, "id")), std::string(string_at(message, "model"))});
  }

  void ensure_start(std::vector<Event>& out) {
    if (!started_) out.emplace_back(ReplyStart());
    started_ = true;
  }

  Result<> on_block(const Element& event, std::vector<Event>& out) {
    Element block;
    if (event["content_block"].get(block)) return {};
    if (open_.size() == kOpenBlocksMax) {
      return fail(ErrorKind::bad_reply, "the provider's stream has too many open blocks");
    }
    ensure_start(out);
    OpenBlock opened;
    opened.index = integer_at(event, "index");
    const std::string_view type = string_at(block, "type");
    if (type == "text") {
      add_text(string_at(block, "text"), out);
    } else if (type == "thinking") {
      opened.kind = OpenBlock::Kind::thinking;
      opened.signature = string_at(block, "signature");
      opened.has_thinking = add_thinking(string_at(block, "thinking"), out);
    } else if (type == "redacted_thinking") {
      out.push_back(redacted(string_at(block, "data")));
    } else if (type == "tool_use") {
      opened.kind = OpenBlock::Kind::tool_use;
      opened.call = calls_++;
      opened.input = input_text(block);
      out.emplace_back(ToolCallStart{opened.call, std::string(string_at(block, "id")),
                                     std::string(string_at(block, "name"))});
    }
    open_.push_back(std::move(opened));
    return {};
  }

  void on_delta(const Element& event, std::vector<Event>& out) {
    Element delta;
    if (event["delta"].get(delta)) return;
    ensure_start(out);
    const std::string_view type = string_at(delta, "type");
    if (type == "text_delta") return add_text(string_at(delta, "text"), out);
    OpenBlock* block = find(integer_at(event, "index"));
    if (type == "thinking_delta") {
      const bool added = add_thinking(string_at(delta, "thinking"), out);
      if (block) block->has_thinking |= added;
    } else if (type == "signature_delta" && block) {
      block->signature += string_at(delta, "signature");
    } else if (type == "input_json_delta" && block && block->kind == OpenBlock::Kind::tool_use) {
      const std::string_view piece = string_at(delta, "partial_json");
      if (piece.empty()) return;
      block->has_arguments = true;
      out.emplace_back(ToolCallDelta{block->call, std::string(piece)});
    }
  }

  static void add_text(std::string_view text, std::vector<Event>& out) {
    if (!text.empty()) out.emplace_back(TextDelta{std::string(text)});
  }

  static bool add_thinking(std::string_view text, std::vector<Event>& out) {
    if (!text.empty()) out.emplace_back(ThinkingDelta{std::string(text)});
    return !text.empty();
  }

  OpenBlock* find(std::int64_t index) {
    const auto found = std::ranges::find(open_, index, &OpenBlock::index);
    return found != open_.end() ? &*found : nullptr;
  }

  void close(std::int64_t index, std::vector<Event>& out) {
    OpenBlock* block = find(index);
    if (!block) return;
    close(*block, out);
    open_.erase(open_.begin() + (block - open_.data()));
  }

  static void close(OpenBlock& block, std::vector<Event>& out) {
    if (block.kind == OpenBlock::Kind::thinking && (block.has_thinking || !block.signature.empty())) {
      out.push_back(signed_by(block.signature));
    }
    // Arguments are always JSON, also of a call without any.
    if (block.kind == OpenBlock::Kind::tool_use && !block.has_arguments) {
      out.emplace_back(ToolCallDelta{block.call, block.input.empty() ? "{}" : std::move(block.input)});
    }
  }

  void on_stop(std::vector<Event>& out) {
    ended_ = true;
    ensure_start(out);
    for (OpenBlock& block : open_) close(block, out);
    end_reply(counts_, std::move(ending_), out);
  }

  FrameSplitter splitter_;
  std::string scratch_;
  std::vector<OpenBlock> open_;
  TokenCounts counts_;
  Ending ending_;
  int calls_ = 0;
  bool started_ = false, ended_ = false;
};

void add_block(const Element& block, int& calls, std::vector<Event>& out) {
  const std::string_view type = string_at(block, "type");
  if (type == "text") {
    const std::string_view text = string_at(block, "text");
    if (!text.empty()) out.emplace_back(TextDelta{std::string(text)});
  } else if (type == "thinking") {
    const std::string_view text = string_at(block, "thinking"), signature = string_at(block, "signature");
    if (!text.empty()) out.emplace_back(ThinkingDelta{std::string(text)});
    if (!text.empty() || !signature.empty()) out.push_back(signed_by(signature));
  } else if (type == "redacted_thinking") {
    out.push_back(redacted(string_at(block, "data")));
  } else if (type == "tool_use") {
    const int call = calls++;
    std::string input = input_text(block);
    out.emplace_back(
        ToolCallStart{call, std::string(string_at(block, "id")), std::string(string_at(block, "name"))});
    out.emplace_back(ToolCallDelta{call, input.empty() ? "{}" : std::move(input)});
  }
}

}  // namespace

FinishReason finish_reason_of(std::string_view stop_reason) {
  if (stop_reason == "max_tokens" || stop_reason == "model_context_window_exceeded") {
    return FinishReason::length;
  }
  if (stop_reason == "tool_use") return FinishReason::tool_calls;
  if (stop_reason == "refusal") return FinishReason::content_filter;
  return FinishReason::stop;  // end_turn, stop_sequence, pause_turn, and what is added one day.
}

std::unique_ptr<EventParser> make_event_parser() {
  return std::make_unique<Parser>();
}

Result<> parse_reply(std::string_view body, std::vector<Event>& out) {
  const auto parsed = parse_event_json(body);
  if (!parsed) return parsed.error();
  if (string_at(*parsed, "type") == "error") return to_error(read_error(*parsed, 0));
  simdjson::dom::array content;
  if ((*parsed)["content"].get(content)) {
    return fail(ErrorKind::bad_reply, "the provider's reply is no message");
  }
  out.emplace_back(
      ReplyStart{std::string(string_at(*parsed, "id")), std::string(string_at(*parsed, "model"))});
  int calls = 0;
  for (const Element block : content) add_block(block, calls, out);
  TokenCounts counts;
  counts.merge(*parsed);
  Ending ending;
  ending.take(*parsed);
  end_reply(counts, std::move(ending), out);
  return {};
}

}  // namespace switchyard::anthropic
