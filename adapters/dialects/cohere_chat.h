#pragma once

#include "adapters/dialects/dialect.h"

#include <optional>
#include <string_view>

namespace simdjson::dom {
class element;
}

// The parts of the Cohere v2 chat dialect (cohere_chat() in dialect.h). Facts about the format are those of
// the API reference and the types of cohere-ai 8.1 (https://docs.cohere.com/reference/chat, read November
// 2026).
namespace switchyard::cohere {

inline constexpr std::string_view kFamily = "cohere";

// Cohere signs no thinking. What stands for a signature in the canonical model says which of its two kinds a
// thought is, so that it comes back to where it was: in the content, or in the plan that leads to tool calls.
inline constexpr std::string_view kThought = "thinking", kPlan = "tool_plan";

// cohere_chat_write.cpp
Result<WrittenRequest> write_request(const ChatRequest& request, const TargetTraits& target);
// cohere_chat_reply.cpp
std::unique_ptr<EventParser> make_event_parser();
Result<> parse_reply(std::string_view body, std::vector<Event>& out);

// An error with that HTTP status; 0 inside a stream, where there is none.
Error to_error(int status, std::string_view message);

}  // namespace switchyard::cohere
