#include "adapters/dialects/media.h"
#include "adapters/dialects/openai_chat_request.h"

namespace switchyard::openai {

namespace {

Result<Part> parse_image(const Json& part, const std::string& path) {
  const Json* image = find_member(part, "image_url");
  ImagePart out;
  std::string url;
  if (image && image->is_string()) {
    url = image->get<std::string>();  // Some clients shorten the object to its address.
  } else if (!image || !image->is_object()) {
    return wrong(at(path, "image_url"), "must be an object");
  } else {
    if (const auto read = read_string(*image, "url", url, at(path, "image_url")); !read) return read.error();
    if (const auto read = read_string(*image, "detail", out.detail, at(path, "image_url")); !read)
      return read.error();
  }
  if (url.empty()) return wrong(at(path, "image_url.url"), "is required");
  if (const auto data = parse_data_url(url)) {
    out.media_type = data->media_type;
    out.data = data->data;
  } else if (url.starts_with("data:")) {
    return wrong(at(path, "image_url.url"), "must be an address or a base64 data URL");
  } else {
    out.url = std::move(url);
  }
  return Part(std::move(out));
}

Result<Part> parse_audio(const Json& part, const std::string& path) {
  const Json* audio = find_member(part, "input_audio");
  if (!audio || !audio->is_object()) return wrong(at(path, "input_audio"), "must be an object");
  AudioPart out{text_of(*audio, "format"), text_of(*audio, "data")};
  if (out.format.empty() || out.data.empty())
    return wrong(at(path, "input_audio"), "must have data and format");
  return Part(std::move(out));
}

Result<Part> parse_file(const Json& part, const std::string& path) {
  const Json* file = find_member(part, "file");
  if (!file || !file->is_object()) return wrong(at(path, "file"), "must be an object");
  DocumentPart out;
  out.name = text_of(*file, "filename");
  out.file_id = text_of(*file, "file_id");
  if (!out.file_id.empty()) return Part(std::move(out));
  const std::string data = text_of(*file, "file_data");
  const auto parsed = parse_data_url(data);
  if (!parsed) return wrong(at(path, "file.file_data"), "must be a base64 data URL");
  out.media_type = parsed->media_type;
  out.data = parsed->data;
  return Part(std::move(out));
}

Result<Part> parse_part(const Json& part, const std::string& path) {
  if (!part.is_object()) return wrong(path, "must be an object");
  const std::string type = text_of(part, "type");
  if (type == "text") {
    TextPart out;
    if (const auto read = read_string(part, "text", out.text, path); !read) return read.error();
    out.cache_control = json_of(part, "cache_control");
    return Part(std::move(out));
  }
  if (type == "refusal") return Part(RefusalPart{text_of(part, "refusal")});
  if (type == "image_url") return parse_image(part, path);
  if (type == "input_audio") return parse_audio(part, path);
  if (type == "file") return parse_file(part, path);
  return wrong(at(path, "type"), "is not a known kind of content");
}

Result<std::vector<Part>> parse_content(const Json& message, const std::string& path, bool required) {
  std::vector<Part> parts;
  const Json* content = find_member(message, "content");
  const std::string here = at(path, "content");
  if (!content) {
    if (required) return wrong(here, "is required");
    return parts;
  }
  if (content->is_string()) {
    parts.emplace_back(TextPart{content->get<std::string>(), {}});
    return parts;
  }
  if (!content->is_array()) return wrong(here, "must be a string or a list");
  for (std::size_t i = 0; i < content->size(); ++i) {
    auto part = parse_part((*content)[i], at(here, i));
    if (!part) return part.error();
    parts.push_back(std::move(*part));
  }
  return parts;
}

// Reasoning that the client carried back: OpenRouter's `reasoning_details`, which hold the signatures, else
// the text alone. A detail may have arrived in pieces: those of one index belong together.
void parse_reasoning(const Json& message, std::vector<Part>& parts) {
  const Json* details = find_member(message, "reasoning_details");
  if (details && details->is_array()) {
    const Json* previous_index = nullptr;
    for (const Json& detail : *details) {
      if (!detail.is_object()) continue;
      const std::string type = text_of(detail, "type");
      if (type == "reasoning.encrypted") {
        Signature data = untag_signature(text_of(detail, "data"), kFamily);
        parts.emplace_back(ThinkingPart{{}, {}, std::move(data.value), std::move(data.origin)});
        previous_index = nullptr;
        continue;
      }
      if (type != "reasoning.text") continue;
      const Json* index = find_member(detail, "index");
      const bool continues = previous_index && index && *previous_index == *index;
      if (!continues) parts.emplace_back(ThinkingPart());
      auto& thinking = std::get<ThinkingPart>(parts.back());
      thinking.text += text_of(detail, "text");
      thinking.signature += text_of(detail, "signature");
      previous_index = index;
    }
    for (Part& part : parts) {
      auto* thinking = std::get_if<ThinkingPart>(&part);
      if (!thinking || thinking->signature.empty()) continue;
      Signature signature = untag_signature(thinking->signature, kFamily);
      thinking->signature = std::move(signature.value);
      thinking->origin = std::move(signature.origin);
    }
    return;
  }
  for (const std::string_view name : {"reasoning_content", "reasoning"}) {
    std::string text = text_of(message, name);
    if (text.empty()) continue;
    parts.emplace_back(ThinkingPart{std::move(text), {}, {}});
    return;
  }
}

Result<> parse_tool_calls(const Json& message, const std::string& path, std::vector<Part>& parts) {
  const Json* calls = find_member(message, "tool_calls");
  if (!calls) return {};
  const std::string list = at(path, "tool_calls");
  if (!calls->is_array()) return wrong(list, "must be a list");
  for (std::size_t i = 0; i < calls->size(); ++i) {
    const Json& call = (*calls)[i];
    const std::string here = at(list, i);
    const Json* function = find_member(call, "function");
    if (!function || !function->is_object()) return wrong(at(here, "function"), "must be an object");
    ToolCallPart out;
    if (const auto read = read_string(call, "id", out.id, here); !read) return read;
    if (const auto read = read_string(*function, "name", out.name, at(here, "function")); !read) return read;
    if (out.id.empty()) return wrong(at(here, "id"), "is required");
    const Json* extra = find_member(call, "extra_content");
    const Json* google = extra ? find_member(*extra, "google") : nullptr;
    if (google) {
      Signature signature = untag_signature(text_of(*google, "thought_signature"), kCallFamily);
      out.signature = std::move(signature.value);
      out.origin = std::move(signature.origin);
    }
    if (out.name.empty()) return wrong(at(here, "function.name"), "is required");
    const Json* arguments = find_member(*function, "arguments");
    if (arguments)
      out.arguments = arguments->is_string() ? arguments->get<std::string>() : to_text(*arguments);
    parts.emplace_back(std::move(out));
  }
  return {};
}

Result<Message> parse_assistant(const Json& json, const std::string& path) {
  Message message{Role::assistant, {}, {}};
  parse_reasoning(json, message.parts);
  auto content = parse_content(json, path, false);
  if (!content) return content.error();
  for (Part& part : *content) {
    const auto* text = std::get_if<TextPart>(&part);
    if (!text || !text->text.empty()) message.parts.push_back(std::move(part));
  }
  if (std::string refusal = text_of(json, "refusal"); !refusal.empty()) {
    message.parts.emplace_back(RefusalPart{std::move(refusal)});
  }
  if (const auto read = parse_tool_calls(json, path, message.parts); !read) return read.error();
  return message;
}

Result<ToolResultPart> parse_tool_result(const Json& json, const std::string& path) {
  ToolResultPart result;
  if (const auto read = read_string(json, "tool_call_id", result.tool_call_id, path); !read)
    return read.error();
  if (result.tool_call_id.empty()) return wrong(at(path, "tool_call_id"), "is required");
  auto content = parse_content(json, path, true);
  if (!content) return content.error();
  for (Part& part : *content) {
    if (auto* text = std::get_if<TextPart>(&part)) {
      result.content.emplace_back(std::move(*text));
    } else if (auto* image = std::get_if<ImagePart>(&part)) {
      result.content.emplace_back(std::move(*image));
    } else if (auto* document = std::get_if<DocumentPart>(&part)) {
      result.content.emplace_back(std::move(*document));
    } else {
      return wrong(at(path, "content"), "holds a part that a tool's result cannot have");
    }
  }
  return result;
}

Result<> parse_message(const Json& json, const std::string& path, std::vector<Message>& messages) {
  if (!json.is_object()) return wrong(path, "must be an object");
  const std::string role = text_of(json, "role");
  if (role == "tool") {
    auto result = parse_tool_result(json, path);
    if (!result) return result.error();
    // The results of one turn stand in one message.
    const bool follows = !messages.empty() && messages.back().role == Role::user &&
                         !messages.back().parts.empty() &&
                         std::holds_alternative<ToolResultPart>(messages.back().parts.back());
    if (!follows) messages.push_back({Role::user, {}, {}});
    messages.back().parts.emplace_back(std::move(*result));
    return {};
  }
  if (role == "assistant") {
    auto message = parse_assistant(json, path);
    if (!message) return message.error();
    message->name = text_of(json, "name");
    messages.push_back(std::move(*message));
    return {};
  }
  Message message;
  if (role == "system" || role == "developer") {
    message.role = Role::system;
  } else if (role != "user") {
    return wrong(at(path, "role"), "must be system, developer, user, assistant or tool");
  }
  auto content = parse_content(json, path, true);
  if (!content) return content.error();
  message.parts = std::move(*content);
  message.name = text_of(json, "name");
  messages.push_back(std::move(message));
  return {};
}

}  // namespace

Result<> parse_messages(const Json& json, ChatRequest& request) {
  const Json* messages = find_member(json, "messages");
  if (!messages) return wrong("messages", "is required");
  if (!messages->is_array()) return wrong("messages", "must be a list");
  if (messages->empty()) return wrong("messages", "must not be empty");
  for (std::size_t i = 0; i < messages->size(); ++i) {
    if (const auto read = parse_message((*messages)[i], at("messages", i), request.messages); !read)
      return read;
  }
  return {};
}

}  // namespace switchyard::openai
