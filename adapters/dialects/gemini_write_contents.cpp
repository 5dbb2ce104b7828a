#include "adapters/dialects/gemini_write.h"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace switchyard::google {

namespace {

constexpr std::string_view kFirstUserTurn = "Continue.";

std::string item(const std::string& path, std::size_t index) {
  return path + "[" + std::to_string(index) + "]";
}

Json text_part(std::string_view text) {
  return {{"text", text}};
}

std::string_view type_by_ending(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  using Row = std::pair<std::string_view, std::string_view>;
  static constexpr std::array<Row, 5> kRows{{{".png", "image/png"},
                                             {".jpg", "image/jpeg"},
                                             {".jpeg", "image/jpeg"},
                                             {".gif", "image/gif"},
                                             {".webp", "image/webp"}}};
  const auto row = std::ranges::find_if(kRows, [&](const Row& one) { return url.ends_with(one.first); });
  return row != kRows.end() ? row->second : std::string_view();
}

// Files at Google are named by an address.
bool is_google_file(std::string_view id) {
  return id.starts_with("gs://") || id.starts_with("files/") || id.starts_with("https://");
}

// The object that a function's response has to be. Text that is one is the response itself, unless its
// members would be taken for those that say what it is.
Json response_of(const std::string& text, bool is_error) {
  if (is_error) return {{"error", text.empty() ? "error" : text}};
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin != text.npos && text[begin] == '{') {
    if (auto object = parse_arguments(text, {})) {
      if (!object->contains("output") && !object->contains("error")) return std::move(*object);
      return {{"output", std::move(*object)}};
    }
  }
  return {{"output", text}};
}

struct Turn {
  Role role = Role::user;
  std::vector<std::pair<std::size_t, Json>> results;  // With the place of the call among those of its turn.
  Json parts = Json::array();
};

struct Call {
  std::string name;
  std::size_t place = 0;
  bool has_own_id = false;  // The id is this dialect's: it goes back with the result.
};

class ContentsWriter {
 public:
  explicit ContentsWriter(const TargetTraits& target) : target_(target) {}

  Result<> add(const std::vector<Message>& messages) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const Message& message = messages[i];
      if (!message.name.empty()) out_.lost_name = true;
      Turn turn{.role = message.role, .results = {}, .parts = Json::array()};
      calls_are_own_ = std::ranges::any_of(message.parts, [](const Part& part) {
        const auto* call = std::get_if<ToolCallPart>(&part);
        return call && call->origin == kFamily && !call->signature.empty();
      });
      if (message.role == Role::user) calls_in_turn_ = 0;
      for (std::size_t j = 0; j < message.parts.size(); ++j) {
        place_ = item(item("messages", i) + ".content", j);
        const auto added = std::visit([&](const auto& part) { return put(part, turn); }, message.parts[j]);
        if (!added) return added;
      }
      if (message.role == Role::system) {
        for (Json& part : turn.parts) out_.system.push_back(std::move(part));
      } else {
        join(std::move(turn));
      }
    }
    return {};
  }

  Result<Conversation> take() {
    // Contents may not be empty: a prompt that is all system is the user's then.
    if (turns_.empty()) {
      if (out_.system.empty()) return cannot("messages", "messages: the target needs a text");
      turns_.push_back({.role = Role::user, .results = {}, .parts = std::move(out_.system)});
      out_.system = Json::array();
    }
    if (turns_.front().role != Role::user) {
      Turn first;
      first.parts.push_back(text_part(kFirstUserTurn));
      turns_.insert(turns_.begin(), std::move(first));
    }
    if (turns_.back().role != Role::user && !target_.prefill) {
      return cannot("messages", "messages: the target needs a user message at the end");
    }
    if (is_gemini_3(target_)) sign_running_calls();
    for (Turn& turn : turns_) {
      std::ranges::stable_sort(turn.results, {}, &std::pair<std::size_t, Json>::first);
      Json parts = Json::array();
      for (auto& [place, result] : turn.results) parts.push_back(std::move(result));
      for (Json& part : turn.parts) parts.push_back(std::move(part));
      out_.contents.push_back(
          {{"role", turn.role == Role::user ? "user" : "model"}, {"parts", std::move(parts)}});
    }
    return std::move(out_);
  }

 private:
  void join(Turn turn) {
    if (turn.results.empty() && turn.parts.empty()) return;
    if (turns_.empty() || turns_.back().role != turn.role) {
      turns_.push_back(std::move(turn));
      return;
    }
    for (auto& result : turn.results) turns_.back().results.push_back(std::move(result));
    for (Json& part : turn.parts) turns_.back().parts.push_back(std::move(part));
  }

  // The first call of each step of the current turn must be signed: of all behind the last prompt of the
  // user.
  void sign_running_calls() {
    for (std::size_t i = turns_.size(); i-- > 0;) {
      Turn& turn = turns_[i];
      if (turn.role == Role::user && turn.results.empty()) return;
      const auto call =
          std::ranges::find_if(turn.parts, [](const Json& part) { return part.contains("functionCall"); });
      if (call != turn.parts.end() && !call->contains("thoughtSignature")) {
        (*call)["thoughtSignature"] = kNoSignature;
      }
    }
  }

  Result<> put(const TextPart& part, Turn& turn) {
    if (!part.text.empty()) turn.parts.push_back(text_part(part.text));
    return {};
  }

  Result<> put(const RefusalPart& part, Turn& turn) { return put(TextPart{part.text, {}}, turn); }

  Result<> put(const ImagePart& part, Turn& turn) { return put_image(part, turn.role, turn.parts); }

  Result<> put(const DocumentPart& part, Turn& turn) { return put_document(part, turn.role, turn.parts); }

  Result<> put(const AudioPart& part, Turn& turn) {
    if (!target_.audio) return cannot(place_, place_ + ": the target takes no audio");
    if (turn.role == Role::system) return cannot(place_, place_ + ": the target takes no audio here");
    turn.parts.push_back({{"inlineData", {{"mimeType", "audio/" + part.format}, {"data", part.data}}}});
    return {};
  }

  // Names are what calls and results are matched by. An id goes back only to where it came from: others need
  // not take one.
  Result<> put(const ToolCallPart& part, Turn& turn) {
    Call call{part.name, calls_in_turn_++,
              calls_are_own_ && !part.id.empty() && !part.id.starts_with(kMadeUpId)};
    auto args = parse_arguments(part.arguments, {});
    Json written{{"name", part.name},
                 {"args", args ? std::move(*args) : Json{{"arguments", part.arguments}}}};
    if (call.has_own_id) written["id"] = part.id;
    Json out{{"functionCall", std::move(written)}};
    if (part.origin == kFamily && !part.signature.empty()) out["thoughtSignature"] = part.signature;
    turn.parts.push_back(std::move(out));
    calls_[part.id] = std::move(call);
    return {};
  }

  Result<> put(const ToolResultPart& part, Turn& turn) {
    const auto call = calls_.find(part.tool_call_id);
    if (call == calls_.end()) {
      return fail(ErrorKind::invalid_request, place_ + " is the result of no tool call before it", place_);
    }
    std::string text;
    Json media = Json::array();
    for (const auto& inner : part.content) {
      Result<> added;
      if (const auto* plain = std::get_if<TextPart>(&inner)) {
        if (!text.empty()) text += '\n';
        text += plain->text;
      } else if (const auto* image = std::get_if<ImagePart>(&inner)) {
        added = put_image(*image, Role::user, media);
      } else {
        added = put_document(std::get<DocumentPart>(inner), Role::user, media);
      }
      if (!added) return added;
    }
    if (!media.empty() && !is_gemini_3(target_)) {
      if (!text.empty()) text += '\n';
      text += "[see the attachment below]";
      turn.parts.push_back(text_part("Attachment of the result of " + call->second.name + ":"));
      for (Json& one : media) turn.parts.push_back(std::move(one));
      media = Json::array();
    }
    Json written{{"name", call->second.name}, {"response", response_of(text, part.is_error)}};
    if (!media.empty()) written["parts"] = std::move(media);
    if (call->second.has_own_id) written["id"] = part.tool_call_id;
    turn.results.emplace_back(call->second.place, Json{{"functionResponse", std::move(written)}});
    return {};
  }

  // Another provider's reasoning, and what nobody signed, is no use to this one.
  Result<> put(const ThinkingPart& part, Turn& turn) {
    if (part.origin != kFamily || part.signature.empty()) return {};
    Json written = text_part(part.text);
    if (!part.text.empty()) written["thought"] = true;
    written["thoughtSignature"] = part.signature;
    turn.parts.push_back(std::move(written));
    return {};
  }

  Result<> put_image(const ImagePart& part, Role role, Json& parts) {
    if (!target_.images) return cannot(place_, place_ + ": the target takes no images");
    if (role == Role::system) return cannot(place_, place_ + ": the target takes no images here");
    if (!part.detail.empty() && part.detail != "auto") out_.lost_detail = true;
    if (!part.data.empty()) {
      parts.push_back({{"inlineData", {{"mimeType", part.media_type}, {"data", part.data}}}});
      return {};
    }
    if (!part.file_id.empty() && !is_google_file(part.file_id)) {
      return cannot(place_, place_ + ": the target does not have this file");
    }
    if (part.file_id.empty() && !target_.image_urls) {
      return cannot(place_, place_ + ": the target takes no images by address");
    }
    const std::string& uri = part.file_id.empty() ? part.url : part.file_id;
    Json file{{"fileUri", uri}};
    const std::string_view type = part.media_type.empty() ? type_by_ending(uri) : part.media_type;
    if (!type.empty()) file["mimeType"] = type;
    parts.push_back({{"fileData", std::move(file)}});
    return {};
  }

  Result<> put_document(const DocumentPart& part, Role role, Json& parts) {
    if (!target_.documents) return cannot(place_, place_ + ": the target takes no documents");
    if (role == Role::system) return cannot(place_, place_ + ": the target takes no documents here");
    const std::string type = part.media_type.empty() ? "application/pdf" : part.media_type;
    if (!part.data.empty()) {
      parts.push_back({{"inlineData", {{"mimeType", type}, {"data", part.data}}}});
      return {};
    }
    if (!part.file_id.empty() && !is_google_file(part.file_id)) {
      return cannot(place_, place_ + ": the target does not have this file");
    }
    if (part.file_id.empty() && !target_.image_urls) {
      return cannot(place_, place_ + ": the target takes no documents by address");
    }
    parts.push_back(
        {{"fileData", {{"fileUri", part.file_id.empty() ? part.url : part.file_id}, {"mimeType", type}}}});
    return {};
  }

  const TargetTraits& target_;
  std::string place_;  // Of the part at hand, for messages.
  Conversation out_;
  std::vector<Turn> turns_;
  std::unordered_map<std::string, Call> calls_;  // By id; of two with one id, the later.
  std::size_t calls_in_turn_ = 0;
  bool calls_are_own_ = false;  // Of the message at hand.
};

}  // namespace

Result<Conversation> write_contents(const std::vector<Message>& messages, const TargetTraits& target) {
  ContentsWriter writer(target);
  if (const auto added = writer.add(messages); !added) return added.error();
  return writer.take();
}

}  // namespace switchyard::google
