#pragma once

#include "adapters/dialects/dialect.h"
#include "adapters/dialects/json.h"

// The parts of the Bedrock Converse dialect (bedrock_converse() in dialect.h). Facts about the format are
// those of the service model in the AWS SDKs and of @aws-sdk/client-bedrock-runtime 3.1164, run against a
// local server in November 2026. The model's name and whether the reply streams stand in the path, not in the
// body.
namespace switchyard::bedrock {

inline constexpr std::string_view kFamily = "bedrock";

// bedrock_converse_write.cpp
Result<WrittenRequest> write_request(const ChatRequest& request, const TargetTraits& target);
// bedrock_converse_reply.cpp
std::unique_ptr<EventParser> make_event_parser();
Result<> parse_reply(std::string_view body, std::vector<Event>& out);

// An error by its type, "ThrottlingException" in a body or "throttlingException" in a stream, with or without
// a namespace; empty where only the status is known. `status`: 0 in a stream, where the type decides.
Error to_error(std::string_view type, int status, std::string_view message);

}  // namespace switchyard::bedrock
