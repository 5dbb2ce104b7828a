// Reading a request's body for routing: one walk, no tree.
#include "adapters/dialects/walk.h"
#include "gateway/routing/facts.h"

#include <simdjson.h>

#include <algorithm>

namespace switchyard::routing {

namespace {

namespace ondemand = simdjson::ondemand;

constexpr int kPartsDepthMax = 4;  // Parts within the results of tools within parts.
constexpr std::size_t kMetadataMax = 64;

constexpr std::string_view kMediaTypes[] = {"image_url",   "image",      "input_image",
                                            "document",    "input_file", "file",
                                            "input_audio", "audio",      "video_url"};
constexpr std::string_view kMediaMembers[] = {"inlineData", "inline_data", "fileData", "file_data"};

template <class Names>
bool is_one_of(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != std::end(names);
}

// Every method returns false when the body cannot be read any further.
class Reader {
 public:
  explicit Reader(BodyFacts& facts) : facts_(facts) {}

  bool read(ondemand::object object) {
    for (auto field : object) {
      std::string_view name;
      if (field.error() || field.unescaped_key().get(name)) return false;
      if (!member(name, field.value_unsafe().value())) return false;
    }
    return true;
  }

 private:
  bool member(std::string_view name, ondemand::value value) {
    if (name == "messages" || name == "contents" || name == "input") return turns(value);
    if (name == "prompt") return text_of(value, facts_.prompt);
    if (name == "system" || name == "instructions" || name == "systemInstruction" ||
        name == "system_instruction") {
      return text_of(value, facts_.instructions);
    }
    if (name == "tools" || name == "functions") return tools(value);
    if (name == "stream") return boolean(value, facts_.stream);
    if (is_one_of(kLimits, name)) return number(value, facts_.asked_tokens);
    if (name == "response_format") return format(value);
    if (name == "text")
      return members(value, [&](auto inner, auto v) { return inner != "format" || format(v); });
    if (name == "generationConfig" || name == "generation_config") {
      return members(value, [&](auto inner, auto v) { return generation(inner, v); });
    }
    if (name == "reasoning_effort") return effort(value);
    if (name == "reasoning")
      return members(value, [&](auto inner, auto v) { return inner != "effort" || effort(v); });
    if (name == "thinking")
      return members(value, [&](auto inner, auto v) { return inner != "type" || effort(v); });
    if (name == "user") return user(value, false);
    if (name == "prompt_cache_key") return text(value, facts_.cache_key);
    if (name == "metadata") {
      return members(value, [&](auto inner, auto v) { return metadata(inner, v); });
    }
    return true;  // Whatever is not read is skipped.
  }

  bool generation(std::string_view name, ondemand::value value) {
    if (name == "maxOutputTokens" || name == "max_output_tokens") return number(value, facts_.asked_tokens);
    if (name == "responseMimeType" || name == "response_mime_type") {
      std::string type;
      if (!text(value, type)) return false;
      facts_.wants_json = facts_.wants_json || type == "application/json";
      return true;
    }
    if (name == "thinkingConfig" || name == "thinking_config") facts_.wants_reasoning = true;
    return true;
  }

  // Calls take(name, value) for the members of an object; anything else has none.
  template <class Take>
  bool members(ondemand::value value, Take take) {
    ondemand::json_type type;
    if (value.type().get(type)) return false;
    if (type != ondemand::json_type::object) return true;
    ondemand::object object;
    if (value.get_object().get(object)) return false;
    for (auto field : object) {
      std::string_view name;
      if (field.error() || field.unescaped_key().get(name)) return false;
      if (!take(name, field.value_unsafe().value())) return false;
    }
    return true;
  }

  template <class Take>
  bool elements(ondemand::value value, Take take) {
    ondemand::json_type type;
    if (value.type().get(type)) return false;
    if (type != ondemand::json_type::array) return true;
    ondemand::array array;
    return !value.get_array().get(array) && elements(array, take);
  }

  template <class Take>
  bool elements(ondemand::array array, Take take) {
    for (auto element : array) {
      if (element.error() || !take(element.value_unsafe())) return false;
    }
    return true;
  }

  bool turns(ondemand::value value) {
    ondemand::json_type type;
    if (value.type().get(type)) return false;
    if (type != ondemand::json_type::array) return text_of(value, facts_.prompt);
    ondemand::array array;
    if (value.get_array().get(array) || array.raw_json().get(facts_.prompt) || array.reset().error())
      return false;
    facts_.prompt = without_end_space(facts_.prompt);
    return elements(array, [&](ondemand::value turn) {
      return members(turn, [&](std::string_view name, ondemand::value content) {
        return (name != "content" && name != "parts") || parts(content, 0);
      });
    });
  }

  bool parts(ondemand::value value, int depth) {
    if (depth > kPartsDepthMax) return true;
    return elements(value, [&](ondemand::value part) {
      return members(part, [&](std::string_view name, ondemand::value inner) {
        if (is_one_of(kMediaMembers, name)) facts_.has_images = true;
        if (name == "content") return parts(inner, depth + 1);
        if (name != "type") return true;
        std::string type;
        if (!text(inner, type)) return false;
        facts_.has_images = facts_.has_images || is_one_of(kMediaTypes, type);
        return true;
      });
    });
  }

  bool tools(ondemand::value value) {
    return elements(value, [&](ondemand::value) {
      facts_.has_tools = true;
      return true;
    });
  }

  bool format(ondemand::value value) {
    return members(value, [&](std::string_view name, ondemand::value inner) {
      if (name != "type") return true;
      std::string type;
      if (!text(inner, type)) return false;
      facts_.wants_json = facts_.wants_json || type == "json_object" || type == "json_schema";
      return true;
    });
  }

  bool effort(ondemand::value value) {
    std::string word;
    if (!text(value, word)) return false;
    facts_.wants_reasoning = !word.empty() && word != "none" && word != "disabled";
    return true;
  }

  // Metadata's user is nearer to a session than the body's, which may be one for all of an application.
  bool user(ondemand::value value, bool is_metadata) {
    std::string name;
    if (!text(value, name)) return false;
    if (!name.empty() && (is_metadata || facts_.session.empty())) facts_.session = std::move(name);
    return true;
  }

  bool metadata(std::string_view name, ondemand::value value) {
    if (facts_.metadata.size() >= kMetadataMax) return true;
    ondemand::json_type type;
    if (value.type().get(type)) return false;
    std::string content;
    if (type == ondemand::json_type::string) {
      if (!text(value, content)) return false;
    } else if (type == ondemand::json_type::number || type == ondemand::json_type::boolean) {
      content = without_end_space(value.raw_json_token());
    } else {
      return true;
    }
    const bool is_session = name == "session_id" || (name == "user_id" && !has_session_id_);
    has_session_id_ = has_session_id_ || name == "session_id";
    if (is_session && !content.empty()) facts_.session = content;
    facts_.metadata.emplace_back(name, std::move(content));
    return true;
  }

  bool boolean(ondemand::value value, bool& out) {
    ondemand::json_type type;
    if (value.type().get(type)) return false;
    return type != ondemand::json_type::boolean || !value.get_bool().get(out);
  }

  bool number(ondemand::value value, std::uint32_t& out) {
    ondemand::json_type type;
    if (value.type().get(type)) return false;
    if (type != ondemand::json_type::number) return true;
    double read = 0;
    if (value.get_double().get(read)) return false;
    if (read >= 1) out = static_cast<std::uint32_t>(std::min(read, 1e9));
    return true;
  }

  bool text(ondemand::value value, std::string& out) {
    ondemand::json_type type;
    if (value.type().get(type)) return false;
    if (type != ondemand::json_type::string) return true;
    std::string_view read;
    if (value.get_string().get(read)) return false;
    out = read;
    return true;
  }

  // The value's own JSON text.
  bool text_of(ondemand::value value, std::string_view& out) {
    ondemand::json_type type;
    if (value.type().get(type)) return false;
    ondemand::array array;
    ondemand::object object;
    if (type == ondemand::json_type::array) {
      if (value.get_array().get(array) || array.raw_json().get(out)) return false;
    } else if (type == ondemand::json_type::object) {
      if (value.get_object().get(object) || object.raw_json().get(out)) return false;
    } else {
      out = value.raw_json_token();
    }
    out = without_end_space(out);
    return true;
  }

  // What stands before the next token belongs to nobody.
  static std::string_view without_end_space(std::string_view text) {
    return text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  }

  static constexpr std::string_view kLimits[] = {"max_tokens", "max_completion_tokens", "max_output_tokens"};

  BodyFacts& facts_;
  bool has_session_id_ = false;
};

}  // namespace

BodyFacts read_body_facts(std::string_view body, std::size_t capacity) {
  BodyFacts facts;
  facts.input_tokens = estimate_input_tokens(body);
  OnDemand document;
  ondemand::object object;
  if (document.open(body, capacity, object)) return facts;
  Reader(facts).read(object);
  // Views are into the document, which is a copy when the body has no room behind it.
  const auto into_body = [&](std::string_view& view) {
    if (!view.empty())
      view = body.substr(static_cast<std::size_t>(view.data() - document.text().data()), view.size());
  };
  into_body(facts.instructions);
  into_body(facts.prompt);
  return facts;
}

}  // namespace switchyard::routing
