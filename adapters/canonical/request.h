#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace switchyard {

// The one request model that every dialect is translated to and from. It holds what at least two dialects can
// say; anything else is listed in `ChatRequest::unmapped` by the name it had in the caller's dialect.

struct TextPart {
  std::string text;
  std::string cache_control;  // The marker's JSON text, or empty.
};

struct ImagePart {
  std::string media_type;    // "image/png"; empty for a URL.
  std::string data;          // Base64, or empty.
  std::string url;           // https address, or empty.
  std::string detail;        // OpenAI's auto, low, high; may be empty.
  std::string file_id = {};  // A file kept at the provider, or empty.
};

struct DocumentPart {
  std::string media_type, data, url, file_id, name;  // Exactly one of data (base64), url, file_id is set.
};

struct AudioPart {
  std::string format, data;  // "wav" or "mp3"; base64.
};

struct ToolCallPart {
  std::string id, name;
  std::string arguments;       // JSON text of an object, exactly as the model wrote it.
  std::string signature = {};  // Opaque, of `origin`: Gemini signs calls; may be empty.
  std::string origin = {};     // As ThinkingPart::origin.
  bool custom = false;         // A call of a custom tool: `arguments` is {"input": text}.
};

struct ToolResultPart {
  std::string tool_call_id;
  std::vector<std::variant<TextPart, ImagePart, DocumentPart>> content;
  bool is_error = false;
};

// Reasoning that goes back to the provider which made it. `signature` is opaque.
struct ThinkingPart {
  std::string text, signature;
  std::string redacted;  // The opaque data of a redacted block; text and signature are empty then.
  // Whose signature or data it is, a Dialect::family() ("anthropic", "gemini", "openai", ...): no other can
  // verify it. Empty where nothing is signed.
  std::string origin = {};
};

struct RefusalPart {
  std::string text;
};

using Part = std::variant<TextPart, ImagePart, DocumentPart, AudioPart, ToolCallPart, ToolResultPart,
                          ThinkingPart, RefusalPart>;

enum class Role { system, user, assistant };

// A tool's result is a ToolResultPart in a user message, whatever role the dialect gives it.
struct Message {
  Role role = Role::user;
  std::vector<Part> parts;
  std::string name;
};

struct Tool {
  std::string name, description;
  std::string parameters;  // JSON Schema as JSON text; empty: no arguments.
  std::optional<bool> strict;
  std::string cache_control;
  // OpenAI's custom tool, which takes text instead of JSON. `parameters` then is the schema of an object with
  // one string, `input`, so that a dialect without custom tools can offer it as a function.
  bool custom = false;
  std::string format = {};  // Of a custom tool's text: OpenAI's JSON, or empty.
};

struct ToolChoice {
  enum class Mode { automatic, none, required, named } mode = Mode::automatic;
  std::string name;  // For Mode::named.
};

struct ResponseFormat {
  enum class Kind { text, json_object, json_schema } kind = Kind::text;
  std::string name, schema, description;  // For json_schema; the schema as JSON text.
  std::optional<bool> strict;
};

// How much to think: an effort word, a token budget, or neither (the model's default).
struct Reasoning {
  std::string effort;  // none, minimal, low, medium, high, xhigh, max; or empty.
  std::optional<std::int64_t> budget_tokens;
  bool adaptive = false;  // Anthropic's {"type":"adaptive"}.
};

struct ChatRequest {
  std::string model;  // As the caller named it.
  std::vector<Message> messages;
  std::vector<Tool> tools;
  // Tools that the caller's provider runs itself ("web_search", "googleSearch"), by type: no other has them.
  std::vector<std::string> hosted_tools;
  bool hosted_tool_is_forced = false;  // The tool choice names one of them: an answer without it is wrong.
  std::optional<ToolChoice> tool_choice;
  std::optional<bool> parallel_tool_calls;
  std::optional<ResponseFormat> response_format;
  std::optional<Reasoning> reasoning;
  std::optional<std::int64_t> max_output_tokens;
  std::optional<double> temperature, top_p, min_p, frequency_penalty, presence_penalty;
  std::optional<std::int64_t> top_k, seed, choices;  // choices: OpenAI's n.
  std::optional<bool> logprobs;
  std::optional<std::int64_t> top_logprobs;
  std::string logit_bias;  // JSON text, or empty.
  std::vector<std::string> stop;
  std::string user, service_tier;
  std::vector<std::pair<std::string, std::string>> metadata;
  bool hide_thoughts = false;  // Thinking is not to be shown (Gemini without includeThoughts).
  bool stream = false;
  bool include_usage = false;         // The caller asked for usage in the stream (OpenAI's stream_options).
  std::vector<std::string> unmapped;  // Fields of the caller that this model cannot hold, by their JSON name.
};

}  // namespace switchyard
