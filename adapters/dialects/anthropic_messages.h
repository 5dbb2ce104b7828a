#pragma once

#include "adapters/canonical/signature.h"
#include "adapters/dialects/dialect.h"
#include "adapters/dialects/json.h"

// The parts of the Anthropic Messages dialect (anthropic_messages() in dialect.h). Facts about the format are
// those of the official SDKs, @anthropic-ai/sdk 0.137 and 1.12, run against local servers in November 2026.
namespace switchyard::anthropic {

inline constexpr std::string_view kFamily = "anthropic";
// Behind the origin of a signature that belongs to the call after its block.
inline constexpr std::string_view kOfCall = "_call";

// anthropic_messages_request.cpp
Result<ChatRequest> parse_request(std::string_view body);
// anthropic_messages_write.cpp
Result<WrittenRequest> write_request(const ChatRequest& request, const TargetTraits& target);

// anthropic_messages_reply.cpp
std::unique_ptr<EventParser> make_event_parser();
Result<> parse_reply(std::string_view body, std::vector<Event>& out);
// What a stop_reason says; an unknown one is a stop.
FinishReason finish_reason_of(std::string_view stop_reason);
// anthropic_messages_scan.cpp
std::unique_ptr<StreamScanner> make_scanner();
Result<Usage> scan_reply(std::string_view body, std::size_t capacity, ReplyTap* tap);
// anthropic_messages_reply_write.cpp
std::unique_ptr<EventWriter> make_event_writer(ReplyContext context);
std::string write_reply(const std::vector<Event>& events, const ReplyContext& context);

// Usage as this dialect counts it: input_tokens without what was read from or written to the cache. A stream
// says it twice, in message_start and in message_delta, and each is cumulative: the larger counts, never the
// sum.
struct TokenCounts {
  std::int64_t input = 0, cache_read = 0, cache_written = 0, output = 0, thinking = 0;
  bool seen = false;

  // Takes in the "usage" member of `holder`, when there is one.
  void merge(const simdjson::dom::element& holder);
  Usage total() const;
};

// An error as the dialect says it, in a body or in a frame. `status`: 0 in a stream, where the type decides.
struct WireError {
  int status = 0;
  std::string_view type, message, error_code;  // Any may be empty.
};

Error to_error(const WireError& error);
// Reads {"error": {...}} and what else providers make of it; the views live as long as `holder`.
WireError read_error(const simdjson::dom::element& holder, int status);

// The JSON object that a tool_use block holds for the arguments' text. The text comes from a model, so it may
// be no JSON: the object is then {"arguments": text}, which loses nothing, fits the schema of no tool, and so
// makes the caller's validation fail, as an empty object might not.
Json input_of(std::string_view arguments);

}  // namespace switchyard::anthropic
