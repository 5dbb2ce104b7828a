#pragma once

#include "adapters/canonical/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace switchyard {

// The one reply model: a reply is a sequence of these, streamed or not (a non-streaming reply is decoded to
// the same events and folded again on the way out).
//
// Order: ReplyStart; then deltas; then Finish exactly once, with Usage anywhere after ReplyStart (the last
// one counts, each is cumulative). Tool calls are numbered from 0 in the order of their start and may
// interleave.

struct ReplyStart {
  std::string id;     // The provider's own; may be empty.
  std::string model;  // What the provider says answered; may be empty.
};

// Where a part of the answer comes from.
struct Citation {
  std::string url, title, cited_text;
};

struct TextDelta {
  std::string text;
  std::string logprobs = {};             // OpenAI's logprobs.content of this text as a JSON array, or empty.
  std::vector<Citation> citations = {};  // Of the text so far.
};

struct RefusalDelta {
  std::string text;
};

struct ThinkingDelta {
  std::string text;
};

// Ends the thinking block that the ThinkingDeltas before it made; `signature` is opaque and may be empty.
struct ThinkingSignature {
  std::string signature;
  std::string origin = {};  // As ThinkingPart::origin.
};

struct RedactedThinking {
  std::string data;
  std::string origin = {};
};

struct ToolCallStart {
  int index = 0;
  std::string id, name;
  std::string signature = {}, origin = {};  // As in ToolCallPart.
};

struct ToolCallDelta {
  int index = 0;
  std::string arguments;  // The next piece of the arguments' JSON text.
};

// Counted as the canonical model does: input includes cached and written tokens, output includes reasoning.
struct Usage {
  std::int64_t input_tokens = 0, cached_tokens = 0, cache_written_tokens = 0;
  std::int64_t output_tokens = 0, reasoning_tokens = 0;

  friend bool operator==(const Usage&, const Usage&) = default;
};

enum class FinishReason { stop, length, tool_calls, content_filter };

struct Finish {
  FinishReason reason = FinishReason::stop;
  std::optional<std::string> stop_sequence;  // Which one ended the text, where the provider says.
};

// The provider sent an error inside a reply that had begun. The last event.
struct ReplyFailed {
  Error error;
};

using Event = std::variant<ReplyStart, TextDelta, RefusalDelta, ThinkingDelta, ThinkingSignature,
                           RedactedThinking, ToolCallStart, ToolCallDelta, Usage, Finish, ReplyFailed>;

// True for the events that carry part of the answer: the first of them is the commit point of a stream.
bool is_content(const Event& event);

}  // namespace switchyard
