#include "adapters/dialects/media.h"
#include "adapters/dialects/openai_chat_write.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>

namespace switchyard::openai {

namespace {

constexpr std::size_t kShortIdLength = 9;

bool is_short_id(std::string_view id) {
  return id.size() == kShortIdLength && std::ranges::all_of(id, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
         });
}

// FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/), in digits of base 62: 62^9 is a little under 2^54.
std::string shortened(std::string_view id, std::uint64_t salt) {
  constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::uint64_t hash = 0xcbf29ce484222325u ^ salt;
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  hash ^= hash >> 32;
  std::string text(kShortIdLength, '0');
  for (char& digit : text) {
    digit = kDigits[hash % kDigits.size()];
    hash /= kDigits.size();
  }
  return text;
}

std::string place_of(std::size_t message, std::size_t part) {
  return "messages[" + std::to_string(message) + "].content[" + std::to_string(part) + "]";
}

Json text_part(std::string_view text) {
  return {{"type", "text"}, {"text", text}};
}

// Writes the messages of a canonical request; a failure names the part.
class MessageWriter {
 public:
  MessageWriter(const ChatRequest& request, const TargetTraits& target, std::vector<std::string>& dropped)
      : target_(target), dropped_(dropped), ids_(target, request.messages) {}

  Result<Json> write(const std::vector<Message>& messages) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const Message& message = messages[i];
      const auto written = message.role == Role::assistant ? assistant(message) : other(message, i);
      if (!written) return written.error();
    }
    if (!messages.empty() && messages.back().role == Role::assistant && !target_.prefill) {
      return cannot("messages", "an unfinished assistant message to continue");
    }
    return std::move(out_);
  }

 private:
  void push(Json message, const std::string& name) {
    if (!name.empty() && !refuses(target_, "name")) {
      message["name"] = name;
    } else if (!name.empty() && std::ranges::find(dropped_, "messages.name") == dropped_.end()) {
      dropped_.emplace_back("messages.name");
    }
    out_.push_back(std::move(message));
  }

  Result<> assistant(const Message& message) {
    std::string text, refusal;
    Json calls = Json::array();
    for (const Part& part : message.parts) {
      if (const auto* plain = std::get_if<TextPart>(&part)) {
        text += plain->text;
      } else if (const auto* refused = std::get_if<RefusalPart>(&part)) {
        refusal += refused->text;
      } else if (const auto* call = std::get_if<ToolCallPart>(&part)) {
        Json function{{"name", call->name}, {"arguments", call->arguments.empty() ? "{}" : call->arguments}};
        calls.push_back(
            {{"id", ids_.written(call->id)}, {"type", "function"}, {"function", std::move(function)}});
      }
      // Reasoning of another provider has no place here: it would be read as text.
    }
    Json written{{"role", "assistant"}, {"content", nullptr}};
    if (!text.empty() || (calls.empty() && refusal.empty())) written["content"] = text;
    if (!refusal.empty()) written["refusal"] = refusal;
    if (!calls.empty()) written["tool_calls"] = std::move(calls);
    push(std::move(written), message.name);
    return {};
  }

  // A user's or a system message. The results of tools become messages of their own, in front of the rest.
  Result<> other(const Message& message, std::size_t index) {
    Json rest = Json::array();
    for (std::size_t i = 0; i < message.parts.size(); ++i) {
      const auto* result = std::get_if<ToolResultPart>(&message.parts[i]);
      const auto written = result ? tool_result(*result, place_of(index, i), rest)
                                  : content(message.parts[i], place_of(index, i), rest);
      if (!written) return written;
    }
    if (rest.empty() && !message.parts.empty()) return {};
    const bool is_plain = rest.size() == 1 && rest.front()["type"] == "text";
    const char* system = target_.developer_role ? "developer" : "system";
    Json written{{"role", message.role == Role::system ? system : "user"}};
    if (rest.empty()) {
      written["content"] = "";
    } else if (is_plain) {
      written["content"] = std::move(rest.front()["text"]);
    } else {
      written["content"] = std::move(rest);
    }
    push(std::move(written), message.name);
    return {};
  }

  // A tool's message holds text only: what else it returned goes to the user message behind it.
  Result<> tool_result(const ToolResultPart& result, const std::string& place, Json& rest) {
    std::string text;
    for (const auto& part : result.content) {
      if (const auto* plain = std::get_if<TextPart>(&part)) {
        if (!text.empty()) text += '\n';
        text += plain->text;
        continue;
      }
      if (!text.empty()) text += '\n';
      text += "[see the attachment in the next message]";
      rest.push_back(
          text_part("Attachment of the result of tool call " + ids_.written(result.tool_call_id) + ":"));
      const auto written = std::visit([&](const auto& one) { return content(Part(one), place, rest); }, part);
      if (!written) return written;
    }
    if (text.empty() && result.is_error) text = "error";
    out_.push_back(
        {{"role", "tool"}, {"tool_call_id", ids_.written(result.tool_call_id)}, {"content", text}});
    return {};
  }

  Result<> content(const Part& part, const std::string& place, Json& out) {
    if (const auto* text = std::get_if<TextPart>(&part)) {
      out.push_back(text_part(text->text));
    } else if (const auto* image = std::get_if<ImagePart>(&part)) {
      if (!target_.images) return cannot(place, "images");
      if (image->data.empty() && image->url.empty()) return cannot(place, "images by file id");
      if (!image->url.empty() && !target_.image_urls) return cannot(place, "images by address");
      Json url{{"url", image->url.empty() ? make_data_url(image->media_type, image->data) : image->url}};
      if (!image->detail.empty()) url["detail"] = image->detail;
      out.push_back({{"type", "image_url"}, {"image_url", std::move(url)}});
    } else if (const auto* document = std::get_if<DocumentPart>(&part)) {
      return file(*document, place, out);
    } else if (const auto* audio = std::get_if<AudioPart>(&part)) {
      if (!target_.audio) return cannot(place, "audio");
      out.push_back(
          {{"type", "input_audio"}, {"input_audio", {{"data", audio->data}, {"format", audio->format}}}});
    }
    return {};
  }

  Result<> file(const DocumentPart& document, const std::string& place, Json& out) {
    if (document.media_type.starts_with("text/")) {
      const auto text = decode_base64(document.data);
      if (!text) return fail(ErrorKind::invalid_request, place + " is not base64", place);
      out.push_back(text_part(document.name.empty() ? *text : document.name + ":\n" + *text));
      return {};
    }
    if (!target_.documents || document.data.empty())
      return cannot(place, "documents by address or by file id");
    Json written{{"filename", document.name.empty() ? "document.pdf" : document.name},
                 {"file_data", make_data_url(document.media_type, document.data)}};
    out.push_back({{"type", "file"}, {"file", std::move(written)}});
    return {};
  }

  const TargetTraits& target_;
  std::vector<std::string>& dropped_;
  ToolIds ids_;
  Json out_ = Json::array();
};

}  // namespace

bool refuses(const TargetTraits& target, std::string_view field) {
  return std::ranges::find(target.refused, field) != target.refused.end();
}

Error cannot(std::string param, std::string_view what) {
  return fail(ErrorKind::unsupported, "the target does not take " + std::string(what), std::move(param));
}

ToolIds::ToolIds(const TargetTraits& target, const std::vector<Message>& messages) {
  if (!target.short_tool_ids) return;
  std::set<std::string> taken;
  std::vector<const std::string*> others;
  for (const Message& message : messages) {
    for (const Part& part : message.parts) {
      const auto* call = std::get_if<ToolCallPart>(&part);
      const auto* result = std::get_if<ToolResultPart>(&part);
      if (!call && !result) continue;
      const std::string& id = call ? call->id : result->tool_call_id;
      if (is_short_id(id)) {
        taken.insert(id);
      } else {
        others.push_back(&id);
      }
    }
  }
  for (const std::string* id : others) {
    if (short_.contains(*id)) continue;
    std::string text = shortened(*id, 0);
    for (std::uint64_t salt = 1; !taken.insert(text).second; ++salt) text = shortened(*id, salt);
    short_.emplace(*id, std::move(text));
  }
}

const std::string& ToolIds::written(const std::string& id) const {
  const auto found = short_.find(id);
  return found != short_.end() ? found->second : id;
}

Result<Json> write_messages(const ChatRequest& request, const TargetTraits& target,
                            std::vector<std::string>& dropped) {
  return MessageWriter(request, target, dropped).write(request.messages);
}

}  // namespace switchyard::openai
