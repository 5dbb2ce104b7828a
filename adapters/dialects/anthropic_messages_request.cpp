#include "adapters/dialects/anthropic_messages.h"
#include "adapters/dialects/media.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <tuple>
#include <utility>

namespace switchyard::anthropic {

namespace {

std::string item(const std::string& path, std::size_t index) {
  return path + "[" + std::to_string(index) + "]";
}

std::string member(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : path + "." + std::string(name);
}

Error wrong(const std::string& path, std::string_view what) {
  return fail(ErrorKind::invalid_request, path + " " + std::string(what), path);
}

Result<> first_failure(std::initializer_list<Result<>> results) {
  for (const Result<>& result : results) {
    if (!result) return result;
  }
  return {};
}

Result<> require_string(const Json& object, std::string_view name, std::string& out,
                        const std::string& path) {
  if (!find_member(object, name)) return wrong(member(path, name), "is required");
  return read_string(object, name, out, path);
}

// A name that the peer chose, fit for a header and a message.
std::string plain(std::string_view name) {
  std::string out(name.substr(0, 64));
  std::ranges::replace_if(
      out, [](unsigned char c) { return c <= 0x20 || c >= 0x7F || c == ',' || c == '"'; }, '_');
  return out;
}

std::string text_of(const Json* json) {
  return json ? to_text(*json) : std::string();
}

class RequestParser {
 public:
  explicit RequestParser(const Json& body) : body_(body) {}

  Result<ChatRequest> parse() {
    const auto parsed = first_failure_of_all();
    if (!parsed) return parsed.error();
    request_.include_usage = true;  // This dialect's streams always say it.
    return std::move(request_);
  }

 private:
  Result<> first_failure_of_all() {
    using Step = Result<> (RequestParser::*)();
    for (const Step step :
         {&RequestParser::read_scalars, &RequestParser::read_system, &RequestParser::read_messages,
          &RequestParser::read_tools, &RequestParser::read_tool_choice, &RequestParser::read_thinking,
          &RequestParser::read_output_config, &RequestParser::read_metadata, &RequestParser::read_stop,
          &RequestParser::note_unmapped}) {
      if (const auto done = (this->*step)(); !done) return done;
    }
    return {};
  }

  Result<> read_scalars() {
    std::optional<bool> stream;
    const auto read = first_failure(
        {require_string(body_, "model", request_.model, {}),
         read_int(body_, "max_tokens", request_.max_output_tokens),
         read_number(body_, "temperature", request_.temperature), read_number(body_, "top_p", request_.top_p),
         read_int(body_, "top_k", request_.top_k), read_bool(body_, "stream", stream),
         read_string(body_, "service_tier", request_.service_tier)});
    if (!read) return read;
    if (request_.model.empty()) return wrong("model", "must not be empty");
    if (!request_.max_output_tokens) return wrong("max_tokens", "is required");
    if (*request_.max_output_tokens < 1) return wrong("max_tokens", "must be at least 1");
    request_.stream = stream.value_or(false);
    return {};
  }

  Result<> read_system() {
    const Json* system = find_member(body_, "system");
    if (!system) return {};
    Message message{.role = Role::system, .parts = {}, .name = {}};
    if (system->is_string() && system->get_ref<const std::string&>().empty()) return {};
    const auto read = read_content(*system, "system", message);
    if (read && !message.parts.empty()) request_.messages.push_back(std::move(message));
    return read;
  }

  Result<> read_messages() {
    const Json* messages = find_member(body_, "messages");
    if (!messages) return wrong("messages", "is required");
    if (!messages->is_array()) return wrong("messages", "must be an array");
    if (messages->empty()) return wrong("messages", "must not be empty");
    for (std::size_t i = 0; i < messages->size(); ++i) {
      const Json& json = (*messages)[i];
      const std::string path = item("messages", i);
      if (!json.is_object()) return wrong(path, "must be an object");
      std::string role;
      if (const auto read = require_string(json, "role", role, path); !read) return read;
      Message message;
      if (role == "assistant") {
        message.role = Role::assistant;
      } else if (role == "system") {
        message.role = Role::system;
      } else if (role != "user") {
        return wrong(path + ".role", "must be user, assistant or system");
      }
      const Json* content = find_member(json, "content");
      if (!content) return wrong(path + ".content", "is required");
      if (const auto read = read_content(*content, path + ".content", message); !read) return read;
      request_.messages.push_back(std::move(message));
    }
    return {};
  }

  Result<> read_content(const Json& content, const std::string& path, Message& message) {
    if (content.is_string()) {
      message.parts.emplace_back(TextPart{content.get_ref<const std::string&>(), {}});
      return {};
    }
    if (!content.is_array()) return wrong(path, "must be a string or an array of blocks");
    for (std::size_t i = 0; i < content.size(); ++i) {
      if (const auto read = read_block(content[i], item(path, i), message); !read) return read;
    }
    return {};
  }

  Result<> read_block(const Json& block, const std::string& path, Message& message) {
    if (!block.is_object()) return wrong(path, "must be an object");
    std::string type;
    if (const auto read = require_string(block, "type", type, path); !read) return read;
    if (type == "text" || type == "image" || type == "document") {
      if (message.role == Role::system && type != "text") return wrong(path, "must be text");
      return read_media(block, type, path, message.parts);
    }
    const bool is_call = type == "tool_use" || type == "thinking" || type == "redacted_thinking";
    if (is_call && message.role != Role::assistant) return wrong(path, "belongs in an assistant message");
    if (type == "tool_result" && message.role != Role::user) return wrong(path, "belongs in a user message");
    if (type == "tool_use") return read_tool_use(block, path, message);
    if (type == "tool_result") return read_tool_result(block, path, message);
    if (is_call) return read_reasoning(block, type, path, message);
    request_.unmapped.push_back(path + " (" + plain(type) + ")");
    return {};
  }

  // What may stand in a message and in the result of a tool alike.
  template <class Parts>
  Result<> read_media(const Json& block, const std::string& type, const std::string& path, Parts& parts) {
    if (type == "text") {
      TextPart text{{}, text_of(find_member(block, "cache_control"))};
      const auto read = require_string(block, "text", text.text, path);
      if (read) parts.emplace_back(std::move(text));
      return read;
    }
    const Json* source = find_member(block, "source");
    if (!source || !source->is_object()) return wrong(path + ".source", "must be an object");
    const std::string source_path = path + ".source";
    std::string kind;
    if (const auto read = require_string(*source, "type", kind, source_path); !read) return read;
    if (type == "image") return read_image(*source, kind, source_path, parts);
    if (find_member(block, "context")) request_.unmapped.push_back(path + ".context");
    DocumentPart document;
    if (const auto read = read_string(block, "title", document.name, path); !read) return read;
    return read_document(*source, kind, source_path, std::move(document), parts);
  }

  template <class Parts>
  Result<> read_image(const Json& source, const std::string& kind, const std::string& path, Parts& parts) {
    ImagePart image;
    Result<> read;
    if (kind == "base64") {
      read = first_failure({require_string(source, "media_type", image.media_type, path),
                            require_string(source, "data", image.data, path)});
    } else if (kind == "url") {
      read = require_string(source, "url", image.url, path);
    } else {
      request_.unmapped.push_back(path + " (" + plain(kind) + ")");
      return {};
    }
    if (read) parts.emplace_back(std::move(image));
    return read;
  }

  template <class Parts>
  Result<> read_document(const Json& source, const std::string& kind, const std::string& path,
                         DocumentPart document, Parts& parts) {
    Result<> read;
    if (kind == "base64") {
      read = first_failure({require_string(source, "media_type", document.media_type, path),
                            require_string(source, "data", document.data, path)});
    } else if (kind == "text") {
      document.media_type = "text/plain";
      std::string text;
      read = require_string(source, "data", text, path);
      document.data = encode_base64(text);
    } else if (kind == "url") {
      read = require_string(source, "url", document.url, path);
    } else if (kind == "file") {
      read = require_string(source, "file_id", document.file_id, path);
    } else {
      request_.unmapped.push_back(path + " (" + plain(kind) + ")");
      return {};
    }
    if (read) parts.emplace_back(std::move(document));
    return read;
  }

  Result<> read_tool_use(const Json& block, const std::string& path, Message& message) {
    ToolCallPart call;
    const auto read = first_failure(
        {require_string(block, "id", call.id, path), require_string(block, "name", call.name, path)});
    if (!read) return read;
    const Json* input = find_member(block, "input");
    if (input && !input->is_object()) return wrong(path + ".input", "must be an object");
    call.arguments = input ? to_text(*input) : "{}";
    std::tie(call.signature, call.origin) = std::exchange(call_signature_, {});
    message.parts.emplace_back(std::move(call));
    return {};
  }

  Result<> read_tool_result(const Json& block, const std::string& path, Message& message) {
    ToolResultPart result;
    std::optional<bool> is_error;
    const auto read = first_failure({require_string(block, "tool_use_id", result.tool_call_id, path),
                                     read_bool(block, "is_error", is_error, path)});
    if (!read) return read;
    result.is_error = is_error.value_or(false);
    const Json* content = find_member(block, "content");
    const std::string content_path = path + ".content";
    if (content && content->is_string()) {
      result.content.emplace_back(TextPart{content->get_ref<const std::string&>(), {}});
    } else if (content && content->is_array()) {
      for (std::size_t i = 0; i < content->size(); ++i) {
        const auto inner = read_result_block((*content)[i], item(content_path, i), result);
        if (!inner) return inner;
      }
    } else if (content) {
      return wrong(content_path, "must be a string or an array of blocks");
    }
    message.parts.emplace_back(std::move(result));
    return {};
  }

  Result<> read_result_block(const Json& block, const std::string& path, ToolResultPart& result) {
    if (!block.is_object()) return wrong(path, "must be an object");
    std::string type;
    if (const auto read = require_string(block, "type", type, path); !read) return read;
    if (type == "text" || type == "image" || type == "document") {
      return read_media(block, type, path, result.content);
    }
    request_.unmapped.push_back(path + " (" + plain(type) + ")");
    return {};
  }

  Result<> read_reasoning(const Json& block, const std::string& type, const std::string& path,
                          Message& message) {
    ThinkingPart thinking;
    const auto read = type == "thinking"
                          ? first_failure({require_string(block, "thinking", thinking.text, path),
                                           read_string(block, "signature", thinking.signature, path)})
                          : require_string(block, "data", thinking.redacted, path);
    if (!read) return read;
    std::string& opaque = type == "thinking" ? thinking.signature : thinking.redacted;
    Signature signature = untag_signature(opaque, kFamily);
    opaque = std::move(signature.value);
    thinking.origin = std::move(signature.origin);
    if (thinking.origin.ends_with(kOfCall)) {
      call_signature_ = {thinking.signature,
                         thinking.origin.substr(0, thinking.origin.size() - kOfCall.size())};
      return {};
    }
    message.parts.emplace_back(std::move(thinking));
    return {};
  }

  Result<> read_tools() {
    const Json* tools = find_member(body_, "tools");
    if (!tools) return {};
    if (!tools->is_array()) return wrong("tools", "must be an array");
    for (std::size_t i = 0; i < tools->size(); ++i) {
      const Json& json = (*tools)[i];
      const std::string path = item("tools", i);
      if (!json.is_object()) return wrong(path, "must be an object");
      std::string type = "custom";
      if (const auto read = read_string(json, "type", type, path); !read) return read;
      if (type != "custom" && !is_hosted(type)) {  // The caller runs it, but only this provider knows it.
        request_.unmapped.push_back(path + " (" + plain(type) + ")");
        continue;
      }
      if (type != "custom") {
        std::string name;
        if (const auto read = read_string(json, "name", name, path); !read) return read;
        if (hosted_.size() == kHostedMax) return wrong("tools", "has too many tools of the provider's own");
        hosted_.push_back(name);
        request_.hosted_tools.push_back(plain(type));
        continue;
      }
      Tool tool;
      const auto read = first_failure({require_string(json, "name", tool.name, path),
                                       read_string(json, "description", tool.description, path),
                                       read_bool(json, "strict", tool.strict, path)});
      if (!read) return read;
      const Json* schema = find_member(json, "input_schema");
      if (!schema || !schema->is_object()) return wrong(path + ".input_schema", "must be an object");
      tool.parameters = to_text(*schema);
      tool.cache_control = text_of(find_member(json, "cache_control"));
      // eager_input_streaming changes no answer; defer_loading and allowed_callers mean something only next
      // to a server tool, which is refused. Examples do.
      if (find_member(json, "input_examples")) request_.unmapped.push_back(path + ".input_examples");
      request_.tools.push_back(std::move(tool));
    }
    return {};
  }

  Result<> read_tool_choice() {
    const Json* json = find_member(body_, "tool_choice");
    if (!json) return {};
    if (!json->is_object()) return wrong("tool_choice", "must be an object");
    std::string type;
    std::optional<bool> one_call;
    const auto read = first_failure({require_string(*json, "type", type, "tool_choice"),
                                     read_bool(*json, "disable_parallel_tool_use", one_call, "tool_choice")});
    if (!read) return read;
    ToolChoice choice;
    if (type == "any") {
      choice.mode = ToolChoice::Mode::required;
    } else if (type == "none") {
      choice.mode = ToolChoice::Mode::none;
    } else if (type == "tool") {
      choice.mode = ToolChoice::Mode::named;
      if (const auto named = require_string(*json, "name", choice.name, "tool_choice"); !named) return named;
    } else if (type != "auto") {
      return wrong("tool_choice.type", "must be auto, any, tool or none");
    }
    // A choice that only a tool of the provider's own can meet.
    const bool names_hosted =
        choice.mode == ToolChoice::Mode::named && std::ranges::find(hosted_, choice.name) != hosted_.end();
    const bool only_hosted = choice.mode == ToolChoice::Mode::required && request_.tools.empty();
    request_.hosted_tool_is_forced = !hosted_.empty() && (names_hosted || only_hosted);
    if (one_call.value_or(false)) request_.parallel_tool_calls = false;
    request_.tool_choice = std::move(choice);
    return {};
  }

  Result<> read_thinking() {
    const Json* json = find_member(body_, "thinking");
    if (!json) return {};
    if (!json->is_object()) return wrong("thinking", "must be an object");
    std::string type;
    if (const auto read = require_string(*json, "type", type, "thinking"); !read) return read;
    Reasoning reasoning;
    if (type == "enabled") {
      const auto read = read_int(*json, "budget_tokens", reasoning.budget_tokens, "thinking");
      if (!read) return read;
      if (!reasoning.budget_tokens) return wrong("thinking.budget_tokens", "is required");
      if (*reasoning.budget_tokens < 1) return wrong("thinking.budget_tokens", "must be at least 1");
    } else if (type == "adaptive") {
      reasoning.adaptive = true;
    } else if (type == "disabled") {
      reasoning.effort = "none";
    } else {
      request_.unmapped.push_back("thinking (" + plain(type) + ")");
      return {};
    }
    request_.reasoning = std::move(reasoning);
    return {};
  }

  Result<> read_output_config() {
    const Json* format = find_member(body_, "output_format");  // The beta's place for it.
    std::string format_path = "output_format";
    if (const Json* config = find_member(body_, "output_config")) {
      if (!config->is_object()) return wrong("output_config", "must be an object");
      std::string effort;
      if (const auto read = read_string(*config, "effort", effort, "output_config"); !read) return read;
      const bool is_off = request_.reasoning && request_.reasoning->effort == "none";
      if (!effort.empty() && !is_off) {
        if (!request_.reasoning) request_.reasoning.emplace();
        request_.reasoning->effort = effort;
      }
      for (const auto& [name, value] : config->items()) {
        if (name == "effort" || name == "format" || value.is_null()) continue;
        request_.unmapped.push_back("output_config." + plain(name));
      }
      if (const Json* inner = find_member(*config, "format")) {
        format = inner;
        format_path = "output_config.format";
      }
    }
    return format ? read_format(*format, format_path) : Result<>();
  }

  Result<> read_format(const Json& format, const std::string& path) {
    if (!format.is_object()) return wrong(path, "must be an object");
    std::string type;
    if (const auto read = require_string(format, "type", type, path); !read) return read;
    if (type != "json_schema") return wrong(path + ".type", "must be json_schema");
    const Json* schema = find_member(format, "schema");
    if (!schema || !schema->is_object()) return wrong(path + ".schema", "must be an object");
    // This dialect has no name for it, others need one; and it always holds the model to the schema.
    request_.response_format = ResponseFormat{.kind = ResponseFormat::Kind::json_schema,
                                              .name = "response",
                                              .schema = to_text(*schema),
                                              .description = {},
                                              .strict = true};
    return {};
  }

  Result<> read_metadata() {
    const Json* metadata = find_member(body_, "metadata");
    if (!metadata) return {};
    if (!metadata->is_object()) return wrong("metadata", "must be an object");
    for (const auto& [name, value] : metadata->items()) {
      if (value.is_null()) continue;
      if (!value.is_string()) return wrong("metadata." + plain(name), "must be a string");
      const std::string& text = value.get_ref<const std::string&>();
      if (name == "user_id") {
        request_.user = text;
      } else {
        request_.metadata.emplace_back(name, text);
      }
    }
    return {};
  }

  Result<> read_stop() {
    const Json* stop = find_member(body_, "stop_sequences");
    if (!stop) return {};
    if (!stop->is_array()) return wrong("stop_sequences", "must be an array");
    for (std::size_t i = 0; i < stop->size(); ++i) {
      if (!(*stop)[i].is_string()) return wrong(item("stop_sequences", i), "must be a string");
      request_.stop.push_back((*stop)[i].get<std::string>());
    }
    return {};
  }

  Result<> note_unmapped() {
    static constexpr std::array<std::string_view, 16> kRead{
        "model",          "max_tokens", "messages",      "system",       "temperature", "top_p",
        "top_k",          "stream",     "service_tier",  "tools",        "tool_choice", "thinking",
        "stop_sequences", "metadata",   "output_config", "output_format"};
    for (const auto& [name, value] : body_.items()) {
      if (value.is_null() || std::ranges::find(kRead, name) != kRead.end()) continue;
      request_.unmapped.push_back(plain(name));
    }
    return {};
  }

  // The tools that the provider runs itself, by the beginning of their dated names.
  static bool is_hosted(std::string_view type) {
    static constexpr std::string_view kHosted[] = {"web_search_", "web_fetch_", "code_execution_",
                                                   "tool_search_", "mcp_"};
    return std::ranges::any_of(kHosted, [&](std::string_view one) { return type.starts_with(one); });
  }

  static constexpr std::size_t kHostedMax = 64;

  const Json& body_;
  std::vector<std::string> hosted_;                     // Names of the provider's own tools.
  std::pair<std::string, std::string> call_signature_;  // And its origin: of the next tool_use.
  ChatRequest request_;
};

}  // namespace

Result<ChatRequest> parse_request(std::string_view body) {
  const auto json = parse_object(body);
  if (!json) return json.error();
  return RequestParser(*json).parse();
}

}  // namespace switchyard::anthropic
