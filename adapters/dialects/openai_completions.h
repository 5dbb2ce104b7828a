#pragma once

#include "adapters/dialects/dialect.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

// The parts of OpenAI's legacy completions dialect (openai_completions() in dialect.h): one prompt in, text
// out. As a client's it is a chat of one user message; as a provider's it takes nothing else.
namespace switchyard::completions {

// openai_completions_request.cpp
Result<ChatRequest> parse_request(std::string_view body);
Result<WrittenRequest> write_request(const ChatRequest& request, const TargetTraits& target);

// openai_completions_reply.cpp
std::unique_ptr<EventParser> make_event_parser();
Result<> parse_reply(std::string_view body, std::vector<Event>& out);
std::unique_ptr<EventWriter> make_event_writer(ReplyContext context);
std::string write_reply(const std::vector<Event>& events, const ReplyContext& context);

}  // namespace switchyard::completions
