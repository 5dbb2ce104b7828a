#pragma once

#include "adapters/dialects/dialect.h"
#include "adapters/dialects/json.h"

// The parts of the Gemini dialect (gemini() in dialect.h): generateContent and streamGenerateContent. Facts
// about the format are those of the official SDK, @google/genai 2.32 and 3.1, run against local servers in
// November 2026. The model and whether to stream stand in the path, not in the body.
namespace switchyard::google {

inline constexpr std::string_view kFamily = "gemini";

// gemini_request.cpp. ChatRequest::model and ::stream are left for whoever has read the path.
Result<ChatRequest> parse_request(std::string_view body);
// The body of :countTokens, which holds `contents` (and what else a request may), or a whole request as
// `generateContentRequest`.
Result<ChatRequest> parse_count_request(std::string_view body);
// gemini_write.cpp
Result<WrittenRequest> write_request(const ChatRequest& request, const TargetTraits& target);

// What ids of calls begin with that were made up here, because the provider gave none. They never go back to
// it.
inline constexpr std::string_view kMadeUpId = "call_gm_";

// gemini_scan.cpp
std::unique_ptr<StreamScanner> make_scanner(ScanOptions options);
Result<Usage> scan_reply(std::string_view body, std::size_t capacity, ReplyTap* tap);
// gemini_reply.cpp
// What a finishReason says; an unknown one is a stop.
FinishReason finish_reason_of(std::string_view reason);
std::unique_ptr<EventParser> make_event_parser();
Result<> parse_reply(std::string_view body, std::vector<Event>& out);
// The object that a frame without the form of an event is: a stream that fails goes on with the body of an
// error.
Result<simdjson::dom::element> parse_bare(std::string_view frame);
// gemini_reply_write.cpp
std::unique_ptr<EventWriter> make_event_writer(ReplyContext context);
std::string write_reply(const std::vector<Event>& events, const ReplyContext& context);

// gemini_errors.cpp
//
// What a provider says in {"error": {...}}, or in a list of one of them, as it comes for a stream that is a
// JSON array. `status`: that of HTTP; 0 in a stream, where the error's own code decides.
Error to_error(const simdjson::dom::element& holder, int status);
// For a body that is no JSON.
Error to_error(int status);
WrittenError write_error(const Error& error, std::string_view request_id);
// The error as the last element of a stream that is a JSON array, with the end of the array. `has_elements`:
// some went before it.
std::string write_error_element(const Error& error, std::string_view request_id, bool has_elements = true);

// Usage as this dialect counts it: candidates without thoughts. Each chunk of a stream says it for all that
// came before, some only a part of it: the larger counts.
struct TokenCounts {
  std::int64_t prompt = 0, cached = 0, candidates = 0, thoughts = 0, tool_prompt = 0;
  bool seen = false;

  // Takes in the "usageMetadata" member of `holder`, when there is one.
  void merge(const simdjson::dom::element& holder);
  Usage total() const;
};

// gemini_signature.cpp
//
// Signatures are bytes in this dialect: SDKs decode their base64 and encode it again, in the URL's alphabet.
// A foreign one is therefore wrapped in base64 of its own, tag and all.
std::string to_wire_signature(std::string_view value, std::string_view origin);

// What Google documents for a call that another model made: Gemini 3 refuses one without a signature.
inline constexpr std::string_view kNoSignature = "skip_thought_signature_validator";

struct WireSignature {
  std::string value, origin;
  bool redacted = false;  // It is the data of a redacted block.
};

WireSignature from_wire_signature(std::string_view text);
// What goes to the client for the data of a redacted block: a signature of another kind.
std::string to_wire_redacted(std::string_view data, std::string_view origin);

// Base64 in the alphabet that everybody takes, padded; this dialect's clients may send either.
std::string standard_base64(std::string_view text);

// gemini_logprobs.cpp: OpenAI's logprobs.content, as TextDelta has it, and this dialect's logprobsResult.
std::string logprobs_from_result(const simdjson::dom::element& result);

struct LogprobsResult {
  std::string chosen, top;  // Elements of chosenCandidates and topCandidates, with commas between them.

  void add(std::string_view logprobs);

  bool empty() const { return chosen.empty(); }

  std::string text() const;
};

}  // namespace switchyard::google
