#pragma once

#include "adapters/canonical/signature.h"
#include "adapters/dialects/dialect.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

// The parts of the OpenAI Responses dialect (openai_responses() in dialect.h). Facts about the format are
// those of the official SDK, openai 7.57, and of Codex 0.169, run against local servers in November 2026.
namespace simdjson::dom {
class element;
}

namespace switchyard::responses {

inline constexpr std::string_view kFamily = "openai";
// What `encrypted_content` of a reasoning item towards a client holds besides the signature of its text: the
// signature of the call behind it, and the data of a redacted block. They follow the origin in the tag.
inline constexpr std::string_view kOfCall = "_call", kRedacted = "_redacted";

// openai_responses_request.cpp
// `earlier_items`: the JSON array of the items, inputs and outputs, of the response that the body continues
// (previous_response_id), as a store kept them; they go before the body's own. Empty: there is no store, so
// a body with previous_response_id is refused with the code previous_response_not_found.
// `input_items`: a JSON array in place of the body's input, whose references were resolved; empty: the
// body's.
Result<ChatRequest> parse_request(std::string_view body, std::string_view earlier_items = {},
                                  std::string_view input_items = {});
// openai_responses_write.cpp
Result<WrittenRequest> write_request(const ChatRequest& request, const TargetTraits& target);

// openai_responses_reply.cpp
std::unique_ptr<EventParser> make_event_parser();
Result<> parse_reply(std::string_view body, std::vector<Event>& out);
// openai_responses_scan.cpp
std::unique_ptr<StreamScanner> make_scanner();
Result<Usage> scan_reply(std::string_view body, std::size_t capacity, ReplyTap* tap);
// openai_responses_reply_write.cpp
std::unique_ptr<EventWriter> make_event_writer(ReplyContext context);
std::string write_reply(const std::vector<Event>& events, const ReplyContext& context);
// An `error` event, which the SDK throws, and a response.failed, which Codex shows.
std::string write_error_frame(const Error& error, std::string_view request_id);

// The `usage` object of a response.
Usage read_usage(const simdjson::dom::element& usage);
// The error that an event tells of, flat or in a member `error`.
Error read_error_event(const simdjson::dom::element& event);

// OpenAI's reasoning as an opaque signature: the item's id and its encrypted content, which go back together.
std::string join_reasoning(std::string_view id, std::string_view encrypted_content);

// The inverse. Without an id it is not of this dialect: another layer of OpenAI's family made it.
struct SignedReasoning {
  std::string_view id, encrypted_content;  // The id may be empty; both are, when there is nothing to send.
};

SignedReasoning split_reasoning(std::string_view signature);

}  // namespace switchyard::responses
