#include "adapters/dialects/media.h"
#include "adapters/dialects/openai_responses_write.h"

#include <algorithm>
#include <cstdint>
#include <unordered_set>

namespace switchyard::responses {

namespace {

constexpr std::size_t kCallIdMax = 64;

// The id itself when the dialect allows it, else one made of it. Being a function of the id alone, it is the
// same for the call and for its output, in this request and in the next (FNV-1a).
std::string legal_id(const std::string& id) {
  if (!id.empty() && id.size() <= kCallIdMax) return id;
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out = "call_";
  for (int shift = 60; shift >= 0; shift -= 4) out += kHex[(hash >> shift) & 15];
  return out;
}

std::string place_of(std::size_t message, std::size_t part) {
  return "messages[" + std::to_string(message) + "].content[" + std::to_string(part) + "]";
}

Json input_text(std::string_view text) {
  return {{"type", "input_text"}, {"text", text}};
}

// One text is written as a string: shorter, and what people expect to see.
Json content_of(Json parts) {
  if (parts.empty()) return "";
  if (parts.size() == 1 && parts[0]["type"] == "input_text") return std::move(parts[0]["text"]);
  return parts;
}

// The text that a custom tool takes, out of the argument object that stands for it.
std::string input_of(const std::string& arguments) {
  const auto object = parse_arguments(arguments, {});
  const Json* input = object ? find_member(*object, "input") : nullptr;
  return input && input->is_string() ? input->get<std::string>() : arguments;
}

// A file lives with the provider that it was given to; this one's ids say so.
bool is_own_file(std::string_view id) {
  return id.starts_with("file-");
}

class ItemWriter {
 public:
  explicit ItemWriter(const TargetTraits& target) : target_(target) {}

  Result<Items> write(const std::vector<Message>& messages) {
    bool has_begun = false;  // System messages behind the first turn stay where they are.
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const Message& message = messages[i];
      out_.lost_name |= !message.name.empty();
      has_begun |= message.role != Role::system;
      Result<> written;
      if (message.role == Role::assistant) {
        assistant(message);
      } else if (message.role == Role::system && !has_begun) {
        written = instructions(message, i);
      } else {
        written = other(message, i);
      }
      if (!written) return written.error();
    }
    if (!messages.empty() && messages.back().role == Role::assistant) {
      return cannot("messages", "an unfinished assistant message to continue");
    }
    return std::move(out_);
  }

 private:
  Result<> instructions(const Message& message, std::size_t index) {
    for (std::size_t i = 0; i < message.parts.size(); ++i) {
      const auto* text = std::get_if<TextPart>(&message.parts[i]);
      if (!text) return cannot(place_of(index, i), "anything but text in a system message");
      if (!out_.instructions.empty()) out_.instructions += "\n\n";
      out_.instructions += text->text;
    }
    return {};
  }

  // Text, thinking and calls are items of their own, in the model's own order.
  void assistant(const Message& message) {
    Json said = Json::array();
    const auto flush = [&] {
      if (said.empty()) return;
      out_.input.push_back({{"type", "message"}, {"role", "assistant"}, {"content", std::move(said)}});
      said = Json::array();
    };
    for (const Part& part : message.parts) {
      if (const auto* text = std::get_if<TextPart>(&part)) {
        if (!text->text.empty())
          said.push_back({{"type", "output_text"}, {"text", text->text}, {"annotations", Json::array()}});
      } else if (const auto* refusal = std::get_if<RefusalPart>(&part)) {
        said.push_back({{"type", "refusal"}, {"refusal", refusal->text}});
      } else if (const auto* thinking = std::get_if<ThinkingPart>(&part)) {
        flush();
        reasoning(*thinking);
      } else if (const auto* call = std::get_if<ToolCallPart>(&part)) {
        flush();
        tool_call(*call);
      }
    }
    flush();
    // A thought that led to nothing is refused "without its required following item".
    Json& input = out_.input;
    while (!input.empty() && input.back()["type"] == "reasoning") input.erase(input.size() - 1);
  }

  // Only what this dialect made goes back: anybody else's reasoning would be verified and refused.
  void reasoning(const ThinkingPart& part) {
    if (part.origin != kFamily) return;
    const SignedReasoning own = split_reasoning(part.redacted.empty() ? part.signature : part.redacted);
    if (own.encrypted_content.empty()) return;
    Json item{{"type", "reasoning"}};
    if (!own.id.empty()) item["id"] = own.id;
    item["summary"] = Json::array();
    if (!part.text.empty()) item["summary"].push_back({{"type", "summary_text"}, {"text", part.text}});
    item["encrypted_content"] = own.encrypted_content;
    out_.input.push_back(std::move(item));
  }

  void tool_call(const ToolCallPart& part) {
    if (part.custom) {
      custom_.insert(part.id);
      out_.input.push_back({{"type", "custom_tool_call"},
                            {"call_id", legal_id(part.id)},
                            {"name", part.name},
                            {"input", input_of(part.arguments)}});
      return;
    }
    out_.input.push_back({{"type", "function_call"},
                          {"call_id", legal_id(part.id)},
                          {"name", part.name},
                          {"arguments", part.arguments.empty() ? "{}" : part.arguments}});
  }

  // A user's or a late system message. The results of tools become items of their own, in front of the rest.
  Result<> other(const Message& message, std::size_t index) {
    Json rest = Json::array();
    for (std::size_t i = 0; i < message.parts.size(); ++i) {
      const auto* result = std::get_if<ToolResultPart>(&message.parts[i]);
      const auto written = result ? tool_result(*result, place_of(index, i))
                                  : content(message.parts[i], place_of(index, i), rest);
      if (!written) return written;
    }
    if (rest.empty() && !message.parts.empty()) return {};
    const char* system = target_.developer_role ? "developer" : "system";
    out_.input.push_back({{"type", "message"},
                          {"role", message.role == Role::system ? system : "user"},
                          {"content", content_of(std::move(rest))}});
    return {};
  }

  Result<> tool_result(const ToolResultPart& result, const std::string& place) {
    Json parts = Json::array();
    for (const auto& part : result.content) {
      const auto written =
          std::visit([&](const auto& one) { return content(Part(one), place, parts); }, part);
      if (!written) return written;
    }
    Json output = content_of(std::move(parts));
    if (output == "" && result.is_error) output = "error";
    const bool custom = custom_.contains(result.tool_call_id);
    out_.input.push_back({{"type", custom ? "custom_tool_call_output" : "function_call_output"},
                          {"call_id", legal_id(result.tool_call_id)},
                          {"output", std::move(output)}});
    return {};
  }

  Result<> content(const Part& part, const std::string& place, Json& out) {
    if (const auto* text = std::get_if<TextPart>(&part)) {
      out.push_back(input_text(text->text));
    } else if (const auto* image = std::get_if<ImagePart>(&part)) {
      return input_image(*image, place, out);
    } else if (const auto* document = std::get_if<DocumentPart>(&part)) {
      return input_file(*document, place, out);
    } else if (const auto* audio = std::get_if<AudioPart>(&part)) {
      if (!target_.audio) return cannot(place, "audio");
      out.push_back(
          {{"type", "input_audio"}, {"input_audio", {{"data", audio->data}, {"format", audio->format}}}});
    }
    return {};
  }

  Result<> input_image(const ImagePart& image, const std::string& place, Json& out) {
    if (!target_.images) return cannot(place, "images");
    Json written{{"type", "input_image"}, {"detail", image.detail.empty() ? "auto" : image.detail}};
    if (!image.data.empty()) {
      written["image_url"] = make_data_url(image.media_type, image.data);
    } else if (!image.url.empty()) {
      if (!target_.image_urls) return cannot(place, "images by address");
      written["image_url"] = image.url;
    } else if (is_own_file(image.file_id)) {
      written["file_id"] = image.file_id;
    } else {
      return cannot(place, "a file of another provider");
    }
    out.push_back(std::move(written));
    return {};
  }

  Result<> input_file(const DocumentPart& document, const std::string& place, Json& out) {
    if (document.media_type.starts_with("text/")) {
      const auto text = decode_base64(document.data);
      if (!text) return fail(ErrorKind::invalid_request, place + " is not base64", place);
      out.push_back(input_text(document.name.empty() ? *text : document.name + ":\n" + *text));
      return {};
    }
    if (!target_.documents) return cannot(place, "documents");
    Json written{{"type", "input_file"}};
    if (!document.data.empty()) {
      written["filename"] = document.name.empty() ? "document.pdf" : document.name;
      written["file_data"] = make_data_url(document.media_type, document.data);
    } else if (!document.url.empty()) {
      written["file_url"] = document.url;
    } else if (is_own_file(document.file_id)) {
      written["file_id"] = document.file_id;
    } else {
      return cannot(place, "a file of another provider");
    }
    out.push_back(std::move(written));
    return {};
  }

  const TargetTraits& target_;
  Items out_;
  std::unordered_set<std::string> custom_;  // Ids of the calls of custom tools.
};

}  // namespace

Error cannot(std::string param, const std::string& what) {
  return fail(ErrorKind::unsupported, "the target does not take " + what, std::move(param));
}

Result<Items> write_items(const std::vector<Message>& messages, const TargetTraits& target) {
  return ItemWriter(target).write(messages);
}

}  // namespace switchyard::responses
