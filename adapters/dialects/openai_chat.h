#pragma once

#include "adapters/canonical/signature.h"
#include "adapters/dialects/dialect.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

// The parts of the OpenAI chat completions dialect (https://platform.openai.com/docs/api-reference/chat, read
// November 2026), behind openai_chat(). Each is the function of Dialect of the same name.
namespace simdjson::dom {
class element;
}

namespace switchyard::openai {

inline constexpr std::string_view kFamily = "openai";
// The signature of a call is in `extra_content.google.thought_signature`, as Google's own OpenAI layer has
// it.
inline constexpr std::string_view kCallFamily = "gemini";

Result<ChatRequest> parse_request(std::string_view body);
Result<WrittenRequest> write_request(const ChatRequest& request, const TargetTraits& target);

std::unique_ptr<EventParser> make_event_parser();
Result<> parse_reply(std::string_view body, std::vector<Event>& out);
std::unique_ptr<EventWriter> make_event_writer(ReplyContext context);
std::unique_ptr<StreamScanner> make_scanner(ScanOptions options);
std::string write_reply(const std::vector<Event>& events, const ReplyContext& context);

// What a finish_reason says; an unknown one is a stop.
FinishReason finish_reason_of(std::string_view word);
// The `usage` object of a reply or a chunk.
Usage read_usage(const simdjson::dom::element& usage);
// The `error` member of a reply or a chunk, whatever shape it has, as an error with that HTTP status; 0 for
// an error inside a 200, whose own code decides.
Error read_error(const simdjson::dom::element& error, int status);

}  // namespace switchyard::openai
