#include "adapters/dialects/gemini_request.h"

#include <algorithm>
#include <array>
#include <deque>
#include <unordered_map>

namespace switchyard::google {

namespace {

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> prefixes) {
  return std::ranges::any_of(prefixes, [&](std::string_view prefix) { return text.starts_with(prefix); });
}

// Files that were given to Google, which nobody else can read.
bool is_google_file(std::string_view uri) {
  return uri.starts_with("gs://") || uri.starts_with("files/") ||
         uri.find("generativelanguage.googleapis.com/") != std::string_view::npos;
}

// The type of what stands at an address, by its ending; empty when that says nothing.
std::string_view type_by_ending(std::string_view uri) {
  uri = uri.substr(0, uri.find_first_of("?#"));
  using Row = std::pair<std::string_view, std::string_view>;
  static constexpr std::array<Row, 6> kRows{{{".png", "image/png"},
                                             {".jpg", "image/jpeg"},
                                             {".jpeg", "image/jpeg"},
                                             {".gif", "image/gif"},
                                             {".webp", "image/webp"},
                                             {".pdf", "application/pdf"}}};
  const auto row = std::ranges::find_if(kRows, [&](const Row& one) { return uri.ends_with(one.first); });
  return row != kRows.end() ? row->second : std::string_view();
}

std::string_view audio_format(std::string_view type) {
  if (type == "audio/wav" || type == "audio/x-wav" || type == "audio/wave") return "wav";
  if (type == "audio/mp3" || type == "audio/mpeg") return "mp3";
  return {};
}

// Calls that wait for their response, by id and by name. Names are what the format matches by; ids are often
// absent. A call that the turn behind it did not answer is never answered.
class OpenCalls {
 public:
  void add(const ToolCallPart& call, std::size_t turn) {
    Named& named = by_name_[call.name];
    if (named.turn != turn) named = {turn, {}};
    named.waiting.push_back(call.id);
    answered_[call.id] = false;
  }

  // The id of the call that a response answers; null for none.
  const std::string* take(const std::string& id, const std::string& name) {
    if (const auto found = answered_.find(id); !id.empty() && found != answered_.end() && !found->second) {
      found->second = true;
      return &found->first;
    }
    const auto named = by_name_.find(name);
    if (named == by_name_.end()) return nullptr;
    while (!named->second.waiting.empty()) {
      const auto found = answered_.find(named->second.waiting.front());
      named->second.waiting.pop_front();
      if (found->second) continue;
      found->second = true;
      return &found->first;
    }
    return nullptr;
  }

 private:
  struct Named {
    std::size_t turn = 0;
    std::deque<std::string> waiting;
  };

  std::unordered_map<std::string, Named> by_name_;
  std::unordered_map<std::string, bool> answered_;
};

class ContentsReader {
 public:
  explicit ContentsReader(ChatRequest& request) : request_(request) {}

  Result<> read(const Json& contents, const std::string& path) {
    for (std::size_t i = 0; i < contents.size(); ++i) {
      content_ = i;
      if (const auto done = read_content(contents[i], item(path, i)); !done) return done;
    }
    return {};
  }

  Result<> read_system(const Json& content, const std::string& path) {
    Message message{.role = Role::system, .parts = {}, .name = {}};
    const Json* parts = find_member(content, "parts");
    for (std::size_t i = 0; parts && i < parts->size(); ++i) {
      TextPart text;
      const std::string here = item(member(path, "parts"), i);
      if (!find_member((*parts)[i], "text")) return wrong(here, "must be text");
      if (const auto done = read_string((*parts)[i], "text", text.text, here); !done) return done;
      if (!text.text.empty()) message.parts.emplace_back(std::move(text));
    }
    if (!message.parts.empty()) request_.messages.push_back(std::move(message));
    return {};
  }

 private:
  Result<> read_content(const Json& content, const std::string& path) {
    std::string role = "user";
    if (const auto done = read_string(content, "role", role, path); !done) return done;
    const bool is_model = role == "model";
    if (!is_model && role != "user" && role != "function") {
      return wrong(member(path, "role"), "must be user or model");
    }
    const Json* parts = find_member(content, "parts");
    if (!parts || parts->empty()) return wrong(member(path, "parts"), "must not be empty");
    open(is_model ? Role::assistant : Role::user);
    for (std::size_t j = 0; j < parts->size(); ++j) {
      part_ = j;
      const auto done = read_part((*parts)[j], item(member(path, "parts"), j));
      if (!done) return done;
    }
    return {};
  }

  // A client that keeps the chunks of a stream has a content for each: together they are one answer.
  void open(Role role) {
    auto& messages = request_.messages;
    if (role == Role::assistant && !messages.empty() && messages.back().role == role) return;
    if (role == Role::assistant) ++turn_;
    messages.push_back({.role = role, .parts = {}, .name = {}});
  }

  std::vector<Part>& parts() { return request_.messages.back().parts; }

  bool is_model() const { return request_.messages.back().role == Role::assistant; }

  Result<> read_part(const Json& part, const std::string& path) {
    static constexpr std::array<std::string_view, 9> kKinds{
        "text",           "inlineData",          "fileData", "functionCall", "functionResponse",
        "executableCode", "codeExecutionResult", "toolCall", "toolResponse"};
    std::string_view kind;
    for (const std::string_view name : kKinds) {
      if (!find_member(part, name)) continue;
      if (!kind.empty()) return wrong(path, "must have one kind of data");
      kind = name;
    }
    std::optional<bool> thought;
    std::string signature;
    if (const auto done = read_bool(part, "thought", thought, path); !done) return done;
    if (const auto done = read_string(part, "thoughtSignature", signature, path); !done) return done;
    if (kind.empty() && signature.empty()) return wrong(path, "must have text or other data");
    for (const std::string_view name : {"videoMetadata", "mediaResolution"}) {
      if (find_member(part, name)) request_.unmapped.push_back(member(path, name));
    }
    if (kind == "inlineData") return read_inline(part["inlineData"], member(path, kind), parts());
    if (kind == "fileData") return read_file(part["fileData"], member(path, kind), parts());
    if (kind == "functionCall") return read_call(part["functionCall"], signature, member(path, kind));
    if (kind == "functionResponse") return read_response(part["functionResponse"], member(path, kind));
    if (!kind.empty() && kind != "text") {
      request_.unmapped.push_back(member(path, kind));
      return {};
    }
    std::string text;
    if (const auto done = read_string(part, "text", text, path); !done) return done;
    if (thought.value_or(false) && is_model()) {
      add_thought(text, signature);
    } else {
      add_text(std::move(text), signature);
    }
    return {};
  }

  void add_text(std::string text, const std::string& signature) {
    auto* last = is_model() && !parts().empty() ? std::get_if<TextPart>(&parts().back()) : nullptr;
    if (last) {
      last->text += text;
    } else if (!text.empty() || (!is_model() && signature.empty())) {
      parts().emplace_back(TextPart{std::move(text), {}});
    }
    if (!signature.empty()) add_signature({}, signature);
  }

  void add_thought(const std::string& text, const std::string& signature) {
    auto* last = parts().empty() ? nullptr : std::get_if<ThinkingPart>(&parts().back());
    const bool goes_on = last && last->signature.empty() && last->redacted.empty();
    if (goes_on && signature.empty()) {
      last->text += text;
    } else if (goes_on) {
      const std::string whole = last->text + text;
      parts().pop_back();
      add_signature(whole, signature);
    } else if (!signature.empty()) {
      add_signature(text, signature);
    } else if (!text.empty()) {
      parts().emplace_back(ThinkingPart{text, {}, {}, {}});
    }
  }

  void add_signature(const std::string& text, const std::string& wire) {
    WireSignature signature = from_wire_signature(wire);
    if (!signature.redacted) {
      parts().emplace_back(ThinkingPart{text, std::move(signature.value), {}, std::move(signature.origin)});
      return;
    }
    if (!text.empty()) parts().emplace_back(ThinkingPart{text, {}, {}, {}});
    parts().emplace_back(ThinkingPart{{}, {}, std::move(signature.value), std::move(signature.origin)});
  }

  template <class Parts>
  Result<> read_inline(const Json& blob, const std::string& path, Parts& out) {
    std::string type, data, name;
    if (const auto done = read_string(blob, "mimeType", type, path); !done) return done;
    if (const auto done = read_string(blob, "data", data, path); !done) return done;
    if (const auto done = read_string(blob, "displayName", name, path); !done) return done;
    if (type.empty()) return wrong(member(path, "mimeType"), "is required");
    if (data.empty()) return wrong(member(path, "data"), "is required");
    data = standard_base64(data);
    if (type.starts_with("image/")) {
      out.emplace_back(ImagePart{std::move(type), std::move(data), {}, {}});
    } else if (!starts_with_any(type, {"audio/", "video/"})) {
      out.emplace_back(DocumentPart{std::move(type), std::move(data), {}, {}, std::move(name)});
    } else if (!put_audio(type, std::move(data), out)) {
      request_.unmapped.push_back(path + " (" + plain(type) + ")");
    }
    return {};
  }

  static bool put_audio(std::string_view type, std::string data, std::vector<Part>& out) {
    const std::string_view format = audio_format(type);
    if (!format.empty()) out.emplace_back(AudioPart{std::string(format), std::move(data)});
    return !format.empty();
  }

  static bool put_audio(std::string_view, const std::string&, decltype(ToolResultPart::content)&) {
    return false;
  }

  template <class Parts>
  Result<> read_file(const Json& file, const std::string& path, Parts& out) {
    std::string type, uri, name;
    if (const auto done = read_string(file, "mimeType", type, path); !done) return done;
    if (const auto done = read_string(file, "fileUri", uri, path); !done) return done;
    if (const auto done = read_string(file, "displayName", name, path); !done) return done;
    if (uri.empty()) return wrong(member(path, "fileUri"), "is required");
    if (type.empty()) type = type_by_ending(uri);
    const bool is_kept = is_google_file(uri);
    if (type.starts_with("image/")) {
      ImagePart image{std::move(type), {}, {}, {}};
      (is_kept ? image.file_id : image.url) = std::move(uri);
      out.emplace_back(std::move(image));
    } else if (!type.empty() && !starts_with_any(type, {"audio/", "video/"})) {
      DocumentPart document{std::move(type), {}, {}, {}, std::move(name)};
      (is_kept ? document.file_id : document.url) = std::move(uri);
      out.emplace_back(std::move(document));
    } else {
      request_.unmapped.push_back(type.empty() ? path : path + " (" + plain(type) + ")");
    }
    return {};
  }

  // A call without an id gets one that is the same in the next request: it says where the call stands.
  Result<> read_call(const Json& json, const std::string& signature, const std::string& path) {
    if (!is_model()) return wrong(path, "belongs in a content of the model");
    ToolCallPart call;
    if (const auto done = read_string(json, "name", call.name, path); !done) return done;
    if (const auto done = read_string(json, "id", call.id, path); !done) return done;
    if (call.name.empty()) return wrong(member(path, "name"), "is required");
    const Json* args = find_member(json, "args");
    if (args && !args->is_object()) return wrong(member(path, "args"), "must be an object");
    call.arguments = args ? to_text(*args) : "{}";
    if (call.id.empty()) {
      call.id = std::string(kMadeUpId) + std::to_string(content_) + "_" + std::to_string(part_);
    }
    if (!signature.empty()) {
      WireSignature read = from_wire_signature(signature);
      call.signature = std::move(read.value);
      call.origin = std::move(read.origin);
    }
    calls_.add(call, turn_);
    parts().emplace_back(std::move(call));
    return {};
  }

  Result<> read_response(const Json& json, const std::string& path) {
    if (is_model()) return wrong(path, "belongs in a content of the user");
    std::string name, id;
    if (const auto done = read_string(json, "name", name, path); !done) return done;
    if (const auto done = read_string(json, "id", id, path); !done) return done;
    const std::string* answered = calls_.take(id, name);
    if (!answered) return wrong(path, "answers no function call");
    ToolResultPart result{*answered, {}, false};
    const Json* response = find_member(json, "response");
    if (response && !response->is_object()) return wrong(member(path, "response"), "must be an object");
    if (response) read_result(*response, result);
    const Json* more = find_member(json, "parts");
    for (std::size_t i = 0; more && i < more->size(); ++i) {
      const Json& part = (*more)[i];
      const std::string here = item(member(path, "parts"), i);
      Result<> done = wrong(here, "must have inlineData or fileData");
      if (find_member(part, "inlineData")) {
        done = read_inline(part["inlineData"], member(here, "inlineData"), result.content);
      } else if (find_member(part, "fileData")) {
        done = read_file(part["fileData"], member(here, "fileData"), result.content);
      }
      if (!done) return done;
    }
    parts().emplace_back(std::move(result));
    return {};
  }

  // {"output": ...}, {"result": ...} and {"error": ...} say what they hold; another object is the result.
  static void read_result(const Json& response, ToolResultPart& result) {
    const Json* value = &response;
    if (response.size() == 1) {
      for (const std::string_view name : {"output", "result", "error"}) {
        const Json* inner = find_member(response, name);
        if (!inner) continue;
        value = inner;
        result.is_error = name == "error";
      }
    }
    result.content.emplace_back(
        TextPart{value->is_string() ? value->get<std::string>() : to_text(*value), {}});
  }

  ChatRequest& request_;
  OpenCalls calls_;
  std::size_t content_ = 0, part_ = 0, turn_ = 0;
};

}  // namespace

Result<> read_contents(const Json& contents, const std::string& path, ChatRequest& request) {
  return ContentsReader(request).read(contents, path);
}

Result<> read_system(const Json& content, const std::string& path, ChatRequest& request) {
  return ContentsReader(request).read_system(content, path);
}

}  // namespace switchyard::google
