#include "adapters/dialects/anthropic_messages_write.h"
#include "adapters/dialects/media.h"

#include <algorithm>
#include <cstdint>

namespace switchyard::anthropic {

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kBlanks) == text.npos;
}

std::string item(const std::string& path, std::size_t index) {
  return path + "[" + std::to_string(index) + "]";
}

Error cannot(const std::string& param, const std::string& why) {
  return fail(ErrorKind::unsupported, why, param);
}

void add_cache_control(const std::string& text, Json& block) {
  if (text.empty()) return;
  Json marker = Json::parse(text, nullptr, false);
  if (marker.is_object()) block["cache_control"] = std::move(marker);
}

Json text_block(const TextPart& part) {
  Json block{{"type", "text"}, {"text", part.text}};
  add_cache_control(part.cache_control, block);
  return block;
}

std::string_view type_of(const Json& block) {
  return block["type"].get_ref<const std::string&>();
}

bool is_thinking(const Json& block) {
  return type_of(block) == "thinking" || type_of(block) == "redacted_thinking";
}

bool is_tool_use(const Json& block) {
  return type_of(block) == "tool_use";
}

Json content_of(Json blocks) {
  if (blocks.size() == 1 && type_of(blocks[0]) == "text" && blocks[0].size() == 2) {
    return std::move(blocks[0]["text"]);
  }
  return blocks;
}

namespace {

constexpr std::string_view kFirstUserTurn = "Continue.";

bool is_id_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

// The id itself when this dialect allows it (^[A-Za-z0-9_-]+$), else one made of it. The hash (FNV-1a) keeps
// ids apart that differ in their illegal characters only; being a function of the id alone, it is the same
// for the call and for its result, in this request and in the next.
std::string legal_id(const std::string& id) {
  if (!id.empty() && std::ranges::all_of(id, is_id_character)) return id;
  std::uint64_t hash = 14695981039346656037u;
  std::string out;
  for (const char c : id) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    out += is_id_character(c) ? c : '_';
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '_';
  for (int shift = 60; shift >= 0; shift -= 4) out += kHex[(hash >> shift) & 15];
  return out;
}

// Turns the messages into turns that alternate, and the system prompt.
class MessageWriter {
 public:
  explicit MessageWriter(const TargetTraits& target) : target_(target) {}

  Result<> add(const std::vector<Message>& messages) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const Message& message = messages[i];
      if (!message.name.empty()) out_.lost_name = true;
      Turn turn{.role = message.role, .results = Json::array(), .blocks = Json::array()};
      for (std::size_t j = 0; j < message.parts.size(); ++j) {
        place_ = item(item("messages", i) + ".content", j);
        const auto added = std::visit([&](const auto& part) { return put(part, turn); }, message.parts[j]);
        if (!added) return added;
      }
      if (message.role == Role::system) {
        for (Json& block : turn.blocks) out_.system.push_back(std::move(block));
      } else {
        join(std::move(turn));
      }
    }
    if (out_.turns.empty() || out_.turns.front().role != Role::user) {
      Turn first;
      first.blocks.push_back({{"type", "text"}, {"text", kFirstUserTurn}});
      out_.turns.insert(out_.turns.begin(), std::move(first));
    }
    return {};
  }

  Conversation take() { return std::move(out_); }

 private:
  void join(Turn turn) {
    if (turn.results.empty() && turn.blocks.empty()) return;
    const auto answer = [](const Json& block) { return !is_thinking(block); };
    // The model's own order, with thinking between calls, is kept; elsewhere thinking goes in front.
    if (!turn.blocks.empty() && answer(turn.blocks[0])) {
      std::stable_partition(turn.blocks.begin(), turn.blocks.end(), is_thinking);
    }
    if (out_.turns.empty() || out_.turns.back().role != turn.role) {
      out_.turns.push_back(std::move(turn));
      return;
    }
    for (Json& block : turn.results) out_.turns.back().results.push_back(std::move(block));
    for (Json& block : turn.blocks) out_.turns.back().blocks.push_back(std::move(block));
  }

  Result<> put(const TextPart& part, Turn& turn) {
    if (!is_blank(part.text)) turn.blocks.push_back(text_block(part));
    return {};
  }

  Result<> put(const RefusalPart& part, Turn& turn) { return put(TextPart{part.text, {}}, turn); }

  Result<> put(const ImagePart& part, Turn& turn) { return put_image(part, turn.role, turn.blocks); }

  Result<> put(const DocumentPart& part, Turn& turn) { return put_document(part, turn.role, turn.blocks); }

  Result<> put(const AudioPart&, Turn&) { return cannot(place_, place_ + ": the target takes no audio"); }

  Result<> put(const ToolCallPart& part, Turn& turn) {
    turn.blocks.push_back({{"type", "tool_use"},
                           {"id", legal_id(part.id)},
                           {"name", part.name},
                           {"input", input_of(part.arguments)}});
    return {};
  }

  Result<> put(const ToolResultPart& part, Turn& turn) {
    Json blocks = Json::array();
    for (const auto& inner : part.content) {
      Result<> added;
      if (const auto* text = std::get_if<TextPart>(&inner)) {
        if (!is_blank(text->text)) blocks.push_back(text_block(*text));
      } else if (const auto* image = std::get_if<ImagePart>(&inner)) {
        added = put_image(*image, Role::user, blocks);
      } else {
        added = put_document(std::get<DocumentPart>(inner), Role::user, blocks);
      }
      if (!added) return added;
    }
    Json result{{"type", "tool_result"}, {"tool_use_id", legal_id(part.tool_call_id)}};
    if (!blocks.empty()) result["content"] = content_of(std::move(blocks));
    if (part.is_error) result["is_error"] = true;
    turn.results.push_back(std::move(result));
    return {};
  }

  // Without a signature of its own it is another provider's reasoning, which this one would refuse.
  Result<> put(const ThinkingPart& part, Turn& turn) {
    if (!part.origin.empty() && part.origin != kFamily) return {};
    if (!part.redacted.empty()) {
      turn.blocks.push_back({{"type", "redacted_thinking"}, {"data", part.redacted}});
    } else if (!part.signature.empty()) {
      turn.blocks.push_back({{"type", "thinking"}, {"thinking", part.text}, {"signature", part.signature}});
    }
    return {};
  }

  Result<> put_image(const ImagePart& part, Role role, Json& blocks) {
    if (!target_.images) return cannot(place_, place_ + ": the target takes no images");
    if (role == Role::system) return cannot(place_, place_ + ": the target takes no images here");
    if (!part.detail.empty() && part.detail != "auto") out_.lost_detail = true;
    Json source;
    if (part.data.empty()) {
      source = {{"type", "url"}, {"url", part.url}};
    } else {
      for (const std::string_view known : {"image/png", "image/jpeg", "image/gif", "image/webp"}) {
        if (part.media_type == known)
          source = {{"type", "base64"}, {"media_type", known}, {"data", part.data}};
      }
      if (source.is_null()) return cannot(place_, place_ + ": the target takes PNG, JPEG, GIF and WebP only");
    }
    blocks.push_back({{"type", "image"}, {"source", std::move(source)}});
    return {};
  }

  Result<> put_document(const DocumentPart& part, Role role, Json& blocks) {
    if (!target_.documents) return cannot(place_, place_ + ": the target takes no documents");
    if (role == Role::system) return cannot(place_, place_ + ": the target takes no documents here");
    Json source;
    // A file lives with the provider that it was given to; this one's ids say so.
    if (part.file_id.starts_with("file_")) {
      source = {{"type", "file"}, {"file_id", part.file_id}};
    } else if (!part.url.empty()) {
      source = {{"type", "url"}, {"url", part.url}};
    } else if (!part.file_id.empty()) {
      return cannot(place_, place_ + ": the target does not have this file");
    } else if (part.media_type == "application/pdf") {
      source = {{"type", "base64"}, {"media_type", part.media_type}, {"data", part.data}};
    } else if (part.media_type.starts_with("text/")) {
      const auto text = decode_base64(part.data);
      if (!text) return fail(ErrorKind::invalid_request, place_ + " is not base64", place_);
      source = {{"type", "text"}, {"media_type", "text/plain"}, {"data", *text}};
    } else {
      return cannot(place_, place_ + ": the target takes PDF and text documents only");
    }
    Json block{{"type", "document"}, {"source", std::move(source)}};
    if (!part.name.empty()) block["title"] = part.name;
    blocks.push_back(std::move(block));
    return {};
  }

  const TargetTraits& target_;
  std::string place_;  // Of the part at hand, for messages.
  Conversation out_;
};

}  // namespace

Result<Conversation> write_messages(const std::vector<Message>& messages, const TargetTraits& target) {
  MessageWriter writer(target);
  if (const auto added = writer.add(messages); !added) return added.error();
  return writer.take();
}

}  // namespace switchyard::anthropic
