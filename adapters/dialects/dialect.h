#pragma once

#include "adapters/canonical/event.h"
#include "adapters/canonical/request.h"
#include "adapters/canonical/result.h"
#include "adapters/dialects/reply_tap.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard {

// Bytes of a body, from the first to one past the last. Empty: there are none.
struct Span {
  std::size_t begin = 0, end = 0;

  bool empty() const { return begin == end; }

  std::string_view of(std::string_view body) const { return body.substr(begin, end - begin); }
};

// Where the body of a chat request says which model it is for and how it wants its answer. Read from the
// bytes without building a tree; offsets are into the body.
struct Envelope {
  std::string model;            // Unescaped.
  std::size_t model_begin = 0;  // The value's first byte, its opening quote.
  std::size_t model_end = 0;    // One past its closing quote; 0 when the body does not name the model.
  bool stream = false;
  bool has_stream_options = false;
  bool include_usage = false;    // stream_options.include_usage is true.
  bool json_array = false;       // As ReplyContext::json_array.
  std::size_t object_begin = 0;  // The '{' of the body: a member may be inserted after it.

  // What decides where a request goes, as far as the top of a body says it in any dialect. A value of the
  // wrong type says nothing here: whoever reads the whole request refuses it.
  std::uint32_t output_tokens_max = 0;  // The limit that the caller set; 0: none.
  std::uint32_t choices = 1;
  bool has_tools = false, wants_json = false;
  bool has_stop = false;        // Stop sequences of the caller's own.
  bool asks_to_reason = false;  // Reasoning is asked for, in a way that leaves the model no choice.
  std::string user;             // `user`, or metadata's `session_id` or `user_id`: whose session it is.
  // Values that read_expectations() reads more out of; `format` is the one that the JSON is asked for in.
  Span tools, format;
  Span conversation;  // messages, input, contents or prompt.
};

// What a target takes, as far as it changes the request that is written for it. A row of the table of
// provider types and the model's name say it (adapters/providers).
struct TargetTraits {
  std::string model;  // The provider's name for the model.
  bool tools = true, images = true, documents = true, audio = false;
  bool image_urls = true;           // Takes an image's address; else only its bytes.
  bool sampling_parameters = true;  // false: temperature, top_p, top_k are refused (newer Claude, o-series).
  bool extended_sampling = false;   // OpenAI dialect: takes top_k and min_p (vLLM, llama.cpp, Ollama, ...).
  bool reasoning = true;            // Takes an effort or a thinking budget.
  // How: an effort word, a budget in tokens, Anthropic's {"type":"adaptive"} with an effort, or Gemini's
  // level.
  enum class ReasoningControl {
    effort,
    budget,
    adaptive,
    level
  } reasoning_control = ReasoningControl::effort;
  bool can_stop_reasoning = true;  // Takes "none", a budget of 0, or {"type":"disabled"}.
  bool prefill = false;            // Goes on from an assistant message at the end.
  bool json_object = true, json_schema = true;
  bool developer_role = false;         // OpenAI dialect: the system prompt has the role `developer`.
  bool max_completion_tokens = false;  // OpenAI's newer name for the limit.
  bool stream_usage = true;            // Takes stream_options.include_usage.
  bool parallel_tool_calls = true;     // OpenAI dialect: takes parallel_tool_calls.
  bool reasoning_history = true;       // OpenAI dialect: takes reasoning_content and the like in messages.
  bool short_tool_ids = false;         // Tool call ids are exactly nine letters and digits (Mistral).
  std::string seed_field = "seed";     // "random_seed" at Mistral; empty: not taken.
  // Other parameters that are refused, by their name in OpenAI's chat dialect ("user", "logit_bias", "n",
  // ...).
  std::vector<std::string> refused;
  std::int64_t default_max_tokens =
      4096;  // Sent where the dialect requires a limit and the caller gave none.
};

struct WrittenRequest {
  std::string body;
  std::vector<std::string> dropped;  // Harmless losses, by field name: x-switchyard-dropped.
};

// Turns the body of an upstream's streaming reply into events, whatever the pieces it comes in.
// After a failure, call neither again.
class EventParser {
 public:
  virtual ~EventParser() = default;
  // Appends to `out`. Fails with bad_reply for what is not this dialect. An error frame is a ReplyFailed
  // event.
  virtual Result<> feed(std::string_view bytes, std::vector<Event>& out) = 0;
  // The body has ended. Fails with bad_reply when the dialect's terminator has not been seen.
  virtual Result<> finish(std::vector<Event>& out) = 0;
};

// Turns events into the bytes of a streaming reply for the caller. `write` appends to `out`.
class EventWriter {
 public:
  virtual ~EventWriter() = default;
  virtual void write(const Event& event, std::string& out) = 0;
  // After Finish: what ends the stream ([DONE], message_stop). Never called for a stream that broke.
  virtual void end(std::string& out) = 0;
};

// Reads along a stream that passes through unchanged. It hands on whole frames only, so that a stream which
// breaks inside a frame leaves the client with what it can parse.
class StreamScanner {
 public:
  virtual ~StreamScanner() = default;
  // `pieces` are the next bytes of the body, in order. Appends to `forward` the views of what may be sent
  // now: into the pieces, or into memory of the scanner that is valid until the next call. Fails with
  // bad_reply for a malformed or oversized frame (kEventBytesMax); frames before it have been appended. An
  // error frame is not forwarded: it is kept in error(), and the rest of the stream is dropped. Comments are
  // dropped too: the gateway sends its own.
  virtual Result<> feed(std::span<const std::string_view> pieces, std::vector<std::string_view>& forward) = 0;
  // The body has ended. Fails with bad_reply when the answer is cut short. Appends the terminator for a
  // provider that finished its answer and left it out.
  virtual Result<> finish(std::vector<std::string_view>& forward) = 0;
  virtual bool has_content() const = 0;  // A frame with content has been seen: the commit point.
  virtual bool is_complete() const = 0;  // The dialect's terminator has been seen.
  virtual const std::optional<Error>& error() const = 0;
  virtual const std::optional<Usage>& usage() const = 0;

  // Who hears what the frames say, or null. It must live as long as feed() and finish() are called.
  void set_tap(ReplyTap* tap) { tap_ = tap; }

 protected:
  ReplyTap* tap_ = nullptr;
};

// What a writer needs besides the events.
struct ReplyContext {
  std::string request_id;                      // The gateway's; the reply's id when the provider gave none.
  std::string model;                           // The name that the caller asked for.
  std::int64_t created_s = 0;                  // Seconds since the epoch.
  bool include_usage = false;                  // OpenAI: send the usage chunk.
  bool json_array = false;                     // Gemini: the stream is a JSON array, not server-sent events.
  std::vector<std::string> custom_tools = {};  // Names of the caller's custom tools (Tool::custom).
  bool hide_thoughts = false;                  // As ChatRequest::hide_thoughts.
  // OpenAI's responses: the reply is kept, and which one it continues.
  bool store = false;
  std::string previous_response_id = {};
};

// How the body of a streamed reply is cut into events.
enum class Framing { server_sent_events, aws_event_stream };

struct WrittenError {
  int status = 500;
  std::string body;
};

struct ScanOptions {
  bool drop_usage = false;  // The gateway asked for the usage chunk, the caller did not.
  bool json_array = false;  // As ReplyContext::json_array: what is forwarded is elements of an array.
};

// One wire format, both ways. Stateless and pure: bytes in, values out; safe to share between threads.
class Dialect {
 public:
  virtual ~Dialect() = default;
  virtual std::string_view name() const = 0;  // "openai_chat", "anthropic_messages".
  // Whose signatures its thinking carries: "openai", "anthropic", "gemini", "bedrock", "cohere".
  virtual std::string_view family() const = 0;

  // Of a provider's streamed reply.
  virtual Framing framing() const { return Framing::server_sent_events; }

  // Caller to gateway. Fails with invalid_request naming the field.
  virtual Result<ChatRequest> parse_request(std::string_view body) const = 0;
  // Gateway to provider. Fails with unsupported naming the caller's field when the answer would be wrong
  // without it; lists in `dropped` what only tunes.
  virtual Result<WrittenRequest> write_request(const ChatRequest& request,
                                               const TargetTraits& target) const = 0;

  // Provider to gateway.
  virtual std::unique_ptr<EventParser> make_event_parser() const = 0;
  virtual Result<> parse_reply(std::string_view body, std::vector<Event>& out) const = 0;
  // For status >= 400: whose fault it is, with a message fit for the caller. `retry_after` as parsed from the
  // headers by the caller of this function.
  virtual Error parse_error(int status, std::string_view body) const = 0;

  // Gateway to caller.
  virtual std::unique_ptr<EventWriter> make_event_writer(ReplyContext context) const = 0;
  virtual std::string write_reply(const std::vector<Event>& events, const ReplyContext& context) const = 0;
  virtual WrittenError write_error(const Error& error, std::string_view request_id) const = 0;
  // The answers of GET /v1/models and /v1/models/{id}. `created_s`: seconds since the epoch.
  virtual std::string write_models(const std::vector<std::string>& names, std::int64_t created_s) const = 0;
  virtual std::string write_model(const std::string& name, std::int64_t created_s) const = 0;
  // The error as a frame inside a stream that has begun; the stream ends after it, without a terminator.
  virtual std::string write_error_frame(const Error& error, std::string_view request_id) const = 0;

  // The same for a stream that is a JSON array (ReplyContext::json_array), with the array's end.
  // `has_elements`: some went before it.
  virtual std::string write_error_element(const Error& error, std::string_view request_id,
                                          bool has_elements) const {
    return (has_elements ? std::string() : "[") + write_error_frame(error, request_id) + "]";
  }

  // Same dialect on both sides. Null where no client speaks the dialect.
  virtual std::unique_ptr<StreamScanner> make_scanner(ScanOptions options) const = 0;
  // Reads usage out of a whole reply that passes through; fails with bad_reply when it is not a complete JSON
  // reply of this dialect. `capacity` as of read_envelope(). Nothing of the reply is copied, however large it
  // is. `tap` hears what the reply says, or is null; of a reply that fails it may have heard a part.
  virtual Result<Usage> scan_reply(std::string_view body, std::size_t capacity, ReplyTap* tap) const = 0;

  Result<Usage> scan_reply(std::string_view body) const { return scan_reply(body, body.size(), nullptr); }
};

inline constexpr std::size_t kEventBytesMax = 16u << 20;  // One SSE event; over it the reply is refused.

// Reads the envelope of an OpenAI or Anthropic chat body. `body` must have simdjson's padding readable behind
// it (kBodyPadding). `needs_model`: false where the path names the model. Fails with invalid_request: no JSON
// object, no model, a member given twice.
Result<Envelope> read_envelope(std::string_view body, std::size_t capacity, bool needs_model = true);

inline constexpr std::size_t kBodyPadding = 64;

// What a chat body asks of its answer.
struct Expectations {
  std::vector<Tool> tools;        // Names and schemas, as in ChatRequest.
  bool has_hosted_tools = false;  // And tools of the provider's own, whose names and schemas it knows alone.
  std::optional<ResponseFormat> format;
};

// Reads them out of the envelope's values alone, not of the conversation. Fails with invalid_request where
// parse_request() would.
Result<Expectations> read_expectations(const Dialect& dialect, std::string_view body,
                                       const Envelope& envelope);

// Every dialect, by name: the explicit table (no static registration). Null for an unknown name.
const Dialect* find_dialect(std::string_view name);
const Dialect& openai_chat();
const Dialect& anthropic_messages();
const Dialect& openai_responses();
const Dialect& openai_completions();
const Dialect& gemini();
const Dialect& bedrock_converse();
const Dialect& cohere_chat();

}  // namespace switchyard
