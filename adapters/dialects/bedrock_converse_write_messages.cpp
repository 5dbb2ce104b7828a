#include "adapters/dialects/bedrock_converse_write.h"

#include <algorithm>
#include <cstdint>

namespace switchyard::bedrock {

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kBlanks) == text.npos;
}

Error cannot(const std::string& param, const std::string& why) {
  return fail(ErrorKind::unsupported, param + ": " + why, param);
}

bool is_claude(const TargetTraits& target) {
  return target.model.find("anthropic.") != std::string::npos ||
         target.model.find("claude") != std::string::npos;
}

void add_cache_point(const std::string& cache_control, const TargetTraits& target, Json& blocks) {
  if (cache_control.empty()) return;
  if (!is_claude(target) && target.model.find("amazon.nova") == std::string::npos) return;
  const Json marker = Json::parse(cache_control, nullptr, false);
  if (!marker.is_object()) return;
  Json point{{"type", "default"}};
  const Json* ttl = find_member(marker, "ttl");
  if (ttl && is_claude(target) && (*ttl == "5m" || *ttl == "1h")) point["ttl"] = *ttl;
  blocks.push_back({{"cachePoint", std::move(point)}});
}

namespace {

constexpr std::string_view kFirstUserTurn = "Continue.";
constexpr std::string_view kBesideDocument = "See the attached document.";
constexpr std::string_view kEmptyResult = "(empty)";
constexpr std::size_t kIdMax = 64;
constexpr std::size_t kDocumentNameMax = 180;  // The service takes 200: room for a number.

bool is_letter_or_digit(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// The id itself when the dialect and the models behind it allow it, else one made of it. The hash (FNV-1a)
// keeps ids apart that differ elsewhere; being a function of the id alone, it is the same for the call and
// for its result, in this request and in the next.
std::string legal_id(const std::string& id) {
  const auto is_legal = [](char c) { return is_letter_or_digit(c) || c == '_' || c == '-'; };
  if (!id.empty() && id.size() <= kIdMax && std::ranges::all_of(id, is_legal)) return id;
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  std::string out = id.substr(0, kIdMax - 17);
  std::ranges::replace_if(
      out, [&](char c) { return !is_legal(c); }, '_');
  out += '_';
  constexpr std::string_view kHex = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) out += kHex[(hash >> shift) & 15];
  return out;
}

// The arguments come from a model, so they may be no JSON: the object {"arguments": text} loses nothing.
Json input_of(std::string_view arguments) {
  auto input = parse_arguments(arguments, {});
  if (input) return std::move(*input);
  return {{"arguments", arguments}};
}

std::string_view image_format(std::string_view media_type) {
  if (media_type == "image/png") return "png";
  if (media_type == "image/jpeg" || media_type == "image/jpg") return "jpeg";
  if (media_type == "image/gif") return "gif";
  if (media_type == "image/webp") return "webp";
  return {};
}

std::string_view document_format(std::string_view media_type) {
  struct Row {
    std::string_view media_type, format;
  };

  static constexpr Row kRows[] = {
      {"application/pdf", "pdf"},
      {"text/csv", "csv"},
      {"application/msword", "doc"},
      {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"},
      {"application/vnd.ms-excel", "xls"},
      {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"},
      {"text/html", "html"},
      {"text/markdown", "md"}};
  const auto* row = std::ranges::find(kRows, media_type, &Row::media_type);
  if (row != std::end(kRows)) return row->format;
  return media_type.starts_with("text/") ? "txt" : std::string_view();
}

// Letters, digits, single spaces, hyphens, parentheses and square brackets are allowed, nothing else; the
// extension says what the format says anyhow.
std::string document_name(std::string_view name) {
  if (const auto dot = name.rfind('.'); dot != name.npos && dot > 0) name = name.substr(0, dot);
  std::string out;
  for (const char c : name.substr(0, kDocumentNameMax)) {
    const bool is_plain =
        is_letter_or_digit(c) || std::string_view("-()[]").find(c) != std::string_view::npos;
    if (is_plain) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  if (out.ends_with(' ')) out.pop_back();
  return out.empty() ? "document" : out;
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
        place_ = "messages[" + std::to_string(i) + "].content[" + std::to_string(j) + "]";
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
      first.blocks.push_back({{"text", kFirstUserTurn}});
      out_.turns.insert(out_.turns.begin(), std::move(first));
    }
    for (Turn& turn : out_.turns) complete(turn);
    return {};
  }

  Conversation take() { return std::move(out_); }

 private:
  void join(Turn turn) {
    if (turn.results.empty() && turn.blocks.empty()) return;
    // The model's own order, with thinking between calls, is kept; elsewhere thinking goes in front.
    const auto is_thinking = [](const Json& block) { return block.contains("reasoningContent"); };
    if (!turn.blocks.empty() && !is_thinking(turn.blocks[0])) {
      std::stable_partition(turn.blocks.begin(), turn.blocks.end(), is_thinking);
    }
    if (out_.turns.empty() || out_.turns.back().role != turn.role) {
      out_.turns.push_back(std::move(turn));
      return;
    }
    for (Json& block : turn.results) out_.turns.back().results.push_back(std::move(block));
    for (Json& block : turn.blocks) out_.turns.back().blocks.push_back(std::move(block));
  }

  // "If you include a ContentBlock with a document field, you must also include one with a text field."
  static void complete(Turn& turn) {
    const auto holds = [&](const char* kind) {
      return std::ranges::any_of(turn.blocks, [&](const Json& block) { return block.contains(kind); });
    };
    if (holds("document") && !holds("text")) turn.blocks.push_back({{"text", kBesideDocument}});
  }

  Result<> put(const TextPart& part, Turn& turn) {
    if (is_blank(part.text)) return {};
    turn.blocks.push_back({{"text", part.text}});
    add_cache_point(part.cache_control, target_, turn.blocks);
    return {};
  }

  Result<> put(const RefusalPart& part, Turn& turn) { return put(TextPart{part.text, {}}, turn); }

  Result<> put(const ImagePart& part, Turn& turn) {
    if (turn.role == Role::system) return cannot(place_, "the target takes no images here");
    return put_image(part, turn.blocks);
  }

  Result<> put(const DocumentPart& part, Turn& turn) {
    if (turn.role == Role::system) return cannot(place_, "the target takes no documents here");
    return put_document(part, turn.blocks);
  }

  Result<> put(const AudioPart& part, Turn& turn) {
    if (!target_.audio || turn.role == Role::system) return cannot(place_, "the target takes no audio");
    turn.blocks.push_back({{"audio", {{"format", part.format}, {"source", {{"bytes", part.data}}}}}});
    return {};
  }

  Result<> put(const ToolCallPart& part, Turn& turn) {
    out_.has_tool_blocks = true;
    if (!part.name.empty()) out_.called_tools.insert(part.name);
    Json call{{"toolUseId", legal_id(part.id)}, {"name", part.name}};
    call["input"] = input_of(part.arguments);
    turn.blocks.push_back({{"toolUse", std::move(call)}});
    return {};
  }

  Result<> put(const ToolResultPart& part, Turn& turn) {
    out_.has_tool_blocks = true;
    Json blocks = Json::array();
    std::string cache_control;  // A result's content has no place for a marker: it goes behind the result.
    for (const auto& inner : part.content) {
      Result<> added;
      if (const auto* text = std::get_if<TextPart>(&inner)) {
        if (!is_blank(text->text)) blocks.push_back({{"text", text->text}});
        if (!text->cache_control.empty()) cache_control = text->cache_control;
      } else if (const auto* image = std::get_if<ImagePart>(&inner)) {
        added = put_image(*image, blocks);
      } else {
        added = put_document(std::get<DocumentPart>(inner), blocks);
      }
      if (!added) return added;
    }
    if (blocks.empty()) blocks.push_back({{"text", kEmptyResult}});
    Json result{{"toolUseId", legal_id(part.tool_call_id)}, {"content", std::move(blocks)}};
    if (part.is_error) result["status"] = "error";
    turn.results.push_back({{"toolResult", std::move(result)}});
    add_cache_point(cache_control, target_, turn.results);
    return {};
  }

  // Without a signature of its own it is another provider's reasoning, which this one would refuse.
  Result<> put(const ThinkingPart& part, Turn& turn) {
    if (part.origin != kFamily) return {};
    if (!part.redacted.empty()) {
      turn.blocks.push_back({{"reasoningContent", {{"redactedContent", part.redacted}}}});
    } else if (!part.signature.empty()) {
      Json text{{"text", part.text}, {"signature", part.signature}};
      turn.blocks.push_back({{"reasoningContent", {{"reasoningText", std::move(text)}}}});
    }
    return {};
  }

  Result<> put_image(const ImagePart& part, Json& blocks) {
    if (!target_.images) return cannot(place_, "the target takes no images");
    if (!part.detail.empty() && part.detail != "auto") out_.lost_detail = true;
    if (part.data.empty()) return cannot(place_, "the target takes an image's bytes only");
    const std::string_view format = image_format(part.media_type);
    if (format.empty()) return cannot(place_, "the target takes PNG, JPEG, GIF and WebP only");
    blocks.push_back({{"image", {{"format", format}, {"source", {{"bytes", part.data}}}}}});
    return {};
  }

  Result<> put_document(const DocumentPart& part, Json& blocks) {
    if (!target_.documents) return cannot(place_, "the target takes no documents");
    if (part.data.empty()) return cannot(place_, "the target takes a document's bytes only");
    const std::string_view format = document_format(part.media_type);
    if (format.empty()) return cannot(place_, "the target takes no documents of this type");
    Json document{{"format", format}, {"name", unique_name(document_name(part.name))}};
    document["source"] = {{"bytes", part.data}};
    blocks.push_back({{"document", std::move(document)}});
    return {};
  }

  // No two documents of a request may have one name.
  std::string unique_name(const std::string& name) {
    std::string out = name;
    while (!names_.insert(out).second) out = name + " " + std::to_string(++name_count_);
    return out;
  }

  const TargetTraits& target_;
  std::string place_;  // Of the part at hand, for messages.
  std::set<std::string> names_;
  std::size_t name_count_ = 1;
  Conversation out_;
};

}  // namespace

Result<Conversation> write_messages(const std::vector<Message>& messages, const TargetTraits& target) {
  MessageWriter writer(target);
  if (const auto added = writer.add(messages); !added) return added.error();
  return writer.take();
}

}  // namespace switchyard::bedrock
