#include "adapters/dialects/media.h"
#include "adapters/dialects/openai_responses_request.h"

#include <algorithm>

namespace switchyard::responses {

namespace {

Result<Part> parse_image(const Json& part, const std::string& path) {
  ImagePart image;
  std::string url;
  if (const auto read = read_string(part, "image_url", url, path); !read) return read.error();
  if (const auto read = read_string(part, "file_id", image.file_id, path); !read) return read.error();
  if (const auto read = read_string(part, "detail", image.detail, path); !read) return read.error();
  if (const auto data = parse_data_url(url)) {
    image.media_type = data->media_type;
    image.data = data->data;
  } else if (url.starts_with("data:")) {
    return wrong(at(path, "image_url"), "must be an address or a base64 data URL");
  } else if (url.empty() && image.file_id.empty()) {
    return wrong(at(path, "image_url"), "is required");
  } else {
    image.url = std::move(url);
  }
  return Part(std::move(image));
}

Result<Part> parse_file(const Json& part, const std::string& path) {
  DocumentPart document;
  std::string data;
  for (auto [name, out] : {std::pair{"filename", &document.name},
                           {"file_id", &document.file_id},
                           {"file_url", &document.url},
                           {"file_data", &data}}) {
    if (const auto read = read_string(part, name, *out, path); !read) return read.error();
  }
  if (!document.file_id.empty()) {
    document.url.clear();
    return Part(std::move(document));
  }
  if (!document.url.empty()) return Part(std::move(document));
  const auto parsed = parse_data_url(data);
  if (!parsed) return wrong(at(path, "file_data"), "must be a base64 data URL");
  document.media_type = parsed->media_type;
  document.data = parsed->data;
  return Part(std::move(document));
}

Result<Part> parse_audio(const Json& part, const std::string& path) {
  const Json* audio = find_member(part, "input_audio");
  AudioPart out;
  if (audio) out = {text_of(*audio, "format"), text_of(*audio, "data")};
  if (out.format.empty() || out.data.empty())
    return wrong(at(path, "input_audio"), "must have data and format");
  return Part(std::move(out));
}

Result<Part> parse_part(const Json& part, const std::string& path) {
  if (!part.is_object()) return wrong(path, "must be an object");
  const std::string type = text_of(part, "type");
  if (type == "input_text" || type == "output_text" || type == "text") {
    TextPart text;
    if (!find_member(part, "text")) return wrong(at(path, "text"), "is required");
    if (const auto read = read_string(part, "text", text.text, path); !read) return read.error();
    return Part(std::move(text));
  }
  if (type == "refusal") return Part(RefusalPart{text_of(part, "refusal")});
  if (type == "input_image") return parse_image(part, path);
  if (type == "input_file") return parse_file(part, path);
  if (type == "input_audio") return parse_audio(part, path);
  return wrong(at(path, "type"), "is not a known kind of content");
}

Result<std::vector<Part>> parse_parts(const Json& holder, std::string_view name, const std::string& path) {
  std::vector<Part> parts;
  const Json* content = find_member(holder, name);
  const std::string here = at(path, name);
  if (!content) return wrong(here, "is required");
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

// The texts of the entries of a list, as paragraphs.
std::string texts_of(const Json& item, std::string_view name) {
  std::string text;
  const Json* list = find_member(item, name);
  if (!list || !list->is_array()) return text;
  for (const Json& entry : *list) {
    const Json* one = find_member(entry, "text");
    if (!one || !one->is_string()) continue;
    if (!text.empty()) text += "\n\n";
    text += one->get_ref<const std::string&>();
  }
  return text;
}

// Cuts `suffix` off the end; false when the text does not end with it.
bool strip_suffix(std::string& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.resize(text.size() - suffix.size());
  return true;
}

}  // namespace

std::string plain(std::string_view name) {
  std::string out(name.substr(0, 64));
  std::ranges::replace_if(
      out, [](unsigned char c) { return c <= 0x20 || c >= 0x7F || c == ',' || c == '"'; }, '_');
  return out;
}

Result<> ItemReader::read(const Json& input, const std::string& path) {
  if (input.is_string()) {
    request_.messages.push_back({Role::user, {TextPart{input.get<std::string>(), {}}}, {}});
    return {};
  }
  if (!input.is_array()) return wrong(path, "must be a string or a list of items");
  for (std::size_t i = 0; i < input.size(); ++i) {
    if (const auto read = item(input[i], at(path, i)); !read) return read;
  }
  return {};
}

Result<> ItemReader::finish() {
  for (const std::string& id : calls_) {
    if (!answered_.contains(id))
      return fail(ErrorKind::invalid_request, "input has no output of the tool call " + plain(id), "input");
  }
  return {};
}

Result<> ItemReader::item(const Json& json, const std::string& path) {
  if (!json.is_object()) return wrong(path, "must be an object");
  const std::string type = text_of(json, "type");
  if (type == "message" || (type.empty() && json.contains("role"))) return message(json, path);
  if (type == "function_call") return call(json, path, false);
  if (type == "custom_tool_call") return call(json, path, true);
  if (type == "function_call_output" || type == "custom_tool_call_output") return output(json, path);
  if (type == "reasoning") return reasoning(json, path);
  if (type == "item_reference" || type.empty()) {
    return fail(ErrorKind::unsupported,
                "Item with id '" + plain(text_of(json, "id")) +
                    "' not found: items are not kept here; send the item itself",
                path);
  }
  request_.unmapped.push_back(path + " (" + plain(type) + ")");
  return {};
}

// The assistant's message that an item adds to. A text or a thought behind another text begins a new one,
// unless calls stand between: their outputs must follow the message that they are in.
Message& ItemReader::assistant(bool begins_turn_behind_text) {
  auto& messages = request_.messages;
  const bool follows = !messages.empty() && messages.back().role == Role::assistant;
  if (!follows || (begins_turn_behind_text && has_text_ && !has_call_)) {
    messages.push_back({Role::assistant, {}, {}});
    has_text_ = has_call_ = false;
  }
  return messages.back();
}

Result<> ItemReader::message(const Json& json, const std::string& path) {
  const std::string role = text_of(json, "role");
  auto parts = parse_parts(json, "content", path);
  if (!parts) return parts.error();
  if (role == "assistant") {
    Message& message = assistant(true);
    for (Part& part : *parts) {
      const auto* text = std::get_if<TextPart>(&part);
      if (text && text->text.empty()) continue;
      has_text_ |= text != nullptr;
      message.parts.push_back(std::move(part));
    }
    return {};
  }
  Message message;
  if (role == "system" || role == "developer") {
    message.role = Role::system;
  } else if (role != "user") {
    return wrong(at(path, "role"), "must be user, assistant, system or developer");
  }
  message.parts = std::move(*parts);
  request_.messages.push_back(std::move(message));
  return {};
}

Result<> ItemReader::call(const Json& json, const std::string& path, bool custom) {
  ToolCallPart part;
  part.custom = custom;
  std::string text;
  for (auto [name, out] :
       {std::pair{"call_id", &part.id}, {"name", &part.name}, {custom ? "input" : "arguments", &text}}) {
    if (const auto read = read_string(json, name, *out, path); !read) return read;
  }
  if (part.id.empty()) return wrong(at(path, "call_id"), "is required");
  if (part.name.empty()) return wrong(at(path, "name"), "is required");
  part.arguments = custom ? to_text(Json{{"input", text}}) : std::move(text);
  part.signature = std::exchange(call_signature_.value, {});
  part.origin = std::exchange(call_signature_.origin, {});
  calls_.push_back(part.id);
  called_.insert(part.id);
  assistant(false).parts.emplace_back(std::move(part));
  has_call_ = true;
  return {};
}

Result<> ItemReader::output(const Json& json, const std::string& path) {
  ToolResultPart result;
  if (const auto read = read_string(json, "call_id", result.tool_call_id, path); !read) return read;
  if (result.tool_call_id.empty()) return wrong(at(path, "call_id"), "is required");
  if (!called_.contains(result.tool_call_id)) {
    return fail(ErrorKind::invalid_request,
                "input has no tool call for the output of " + plain(result.tool_call_id), path);
  }
  answered_.insert(result.tool_call_id);
  auto parts = parse_parts(json, "output", path);
  if (!parts) return parts.error();
  for (Part& part : *parts) {
    if (auto* text = std::get_if<TextPart>(&part)) {
      result.content.emplace_back(std::move(*text));
    } else if (auto* image = std::get_if<ImagePart>(&part)) {
      result.content.emplace_back(std::move(*image));
    } else if (auto* document = std::get_if<DocumentPart>(&part)) {
      result.content.emplace_back(std::move(*document));
    } else {
      return wrong(at(path, "output"), "holds a part that a tool's output cannot have");
    }
  }
  auto& messages = request_.messages;
  const bool follows = !messages.empty() && messages.back().role == Role::user &&
                       !messages.back().parts.empty() &&
                       std::holds_alternative<ToolResultPart>(messages.back().parts.back());
  if (!follows) messages.push_back({Role::user, {}, {}});
  messages.back().parts.emplace_back(std::move(result));
  return {};
}

Result<> ItemReader::reasoning(const Json& json, const std::string& path) {
  std::string encrypted;
  if (const auto read = read_string(json, "encrypted_content", encrypted, path); !read) return read;
  ThinkingPart thinking;
  thinking.text = texts_of(json, "content");
  if (thinking.text.empty()) thinking.text = texts_of(json, "summary");
  Signature signature = untag_signature(encrypted, kFamily);
  if (strip_suffix(signature.origin, kOfCall)) {
    call_signature_ = std::move(signature);
    return {};
  }
  const bool is_own = signature.origin == kFamily;
  if (is_own) signature.value = join_reasoning(text_of(json, "id"), signature.value);
  if (strip_suffix(signature.origin, kRedacted) || (is_own && thinking.text.empty())) {
    thinking.text.clear();
    thinking.redacted = std::move(signature.value);
  } else {
    thinking.signature = std::move(signature.value);
  }
  thinking.origin = std::move(signature.origin);
  if (thinking.text.empty() && thinking.signature.empty() && thinking.redacted.empty()) return {};
  assistant(true).parts.emplace_back(std::move(thinking));
  return {};
}

}  // namespace switchyard::responses
