#include "adapters/dialects/gemini_request.h"

#include <algorithm>
#include <array>

namespace switchyard::google {

namespace {

bool is_json(std::string_view mime_type) {
  return mime_type == "application/json";
}

// Reads a normalized body. `path` is of that body in what the caller sent; empty when it is the whole.
class RequestReader {
 public:
  RequestReader(const Json& body, std::string path) : body_(body), path_(std::move(path)) {}

  Result<ChatRequest> read() {
    using Step = Result<> (RequestReader::*)();
    for (const Step step :
         {&RequestReader::read_messages, &RequestReader::read_tools, &RequestReader::read_tool_config,
          &RequestReader::read_generation_config, &RequestReader::read_thinking, &RequestReader::read_format,
          &RequestReader::read_labels, &RequestReader::read_rest}) {
      if (const auto done = (this->*step)(); !done) return done.error();
    }
    request_.include_usage = true;  // This dialect's streams always say it.
    return std::move(request_);
  }

 private:
  Result<> read_messages() {
    if (const Json* system = find_member(body_, "systemInstruction")) {
      const auto done = read_system(*system, member(path_, "systemInstruction"), request_);
      if (!done) return done;
    }
    const Json* contents = find_member(body_, "contents");
    if (!contents) return wrong(member(path_, "contents"), "is required");
    if (contents->empty()) return wrong(member(path_, "contents"), "must not be empty");
    return read_contents(*contents, member(path_, "contents"), request_);
  }

  Result<> read_tools() {
    const Json* tools = find_member(body_, "tools");
    for (std::size_t i = 0; tools && i < tools->size(); ++i) {
      const std::string path = item(member(path_, "tools"), i);
      for (const auto& [name, value] : (*tools)[i].items()) {
        if (name != "functionDeclarations") {
          request_.hosted_tools.push_back(name);
          continue;
        }
        for (std::size_t j = 0; j < value.size(); ++j) {
          if (const auto done = read_declaration(value[j], item(member(path, name), j)); !done) return done;
        }
      }
    }
    return {};
  }

  Result<> read_declaration(const Json& json, const std::string& path) {
    Tool tool;
    if (const auto done = read_string(json, "name", tool.name, path); !done) return done;
    if (const auto done = read_string(json, "description", tool.description, path); !done) return done;
    if (tool.name.empty()) return wrong(member(path, "name"), "is required");
    const Json* schema = find_member(json, "parameters");
    const Json* json_schema = find_member(json, "parametersJsonSchema");
    if (schema && json_schema)
      return wrong(member(path, "parametersJsonSchema"), "and parameters are both given");
    for (const auto& [name, one] : {std::pair{"parameters", schema}, {"parametersJsonSchema", json_schema}}) {
      if (one && !one->is_object()) return wrong(member(path, name), "must be an object");
    }
    if (schema) tool.parameters = to_text(to_json_schema(*schema));
    if (json_schema) tool.parameters = to_text(*json_schema);
    for (const std::string_view name : {"response", "responseJsonSchema", "behavior"}) {
      if (find_member(json, name)) request_.unmapped.push_back(member(path, name));
    }
    request_.tools.push_back(std::move(tool));
    return {};
  }

  Result<> read_tool_config() {
    const Json* config = find_member(body_, "toolConfig");
    if (!config) return {};
    const std::string path = member(path_, "toolConfig");
    if (find_member(*config, "retrievalConfig")) request_.unmapped.push_back(member(path, "retrievalConfig"));
    const Json* calling = find_member(*config, "functionCallingConfig");
    return calling ? read_calling(*calling, member(path, "functionCallingConfig")) : Result<>();
  }

  Result<> read_calling(const Json& json, const std::string& path) {
    std::string mode = "AUTO";
    if (const auto done = read_string(json, "mode", mode, path); !done) return done;
    ToolChoice choice;
    if (mode == "ANY") {
      choice.mode = ToolChoice::Mode::required;
    } else if (mode == "NONE") {
      choice.mode = ToolChoice::Mode::none;
    } else if (mode != "AUTO" && mode != "VALIDATED" && mode != "MODE_UNSPECIFIED") {
      return wrong(member(path, "mode"), "must be AUTO, ANY, NONE or VALIDATED");
    }
    const Json* allowed = find_member(json, "allowedFunctionNames");
    if (allowed && !allowed->is_array())
      return wrong(member(path, "allowedFunctionNames"), "must be an array");
    if (allowed && !allowed->empty() && choice.mode != ToolChoice::Mode::none) {
      const auto done = keep_only(*allowed, member(path, "allowedFunctionNames"));
      if (!done) return done;
      if (allowed->size() == 1 && choice.mode == ToolChoice::Mode::required) {
        choice = {ToolChoice::Mode::named, allowed->front().get<std::string>()};
      }
    }
    request_.tool_choice = std::move(choice);
    return {};
  }

  // What the model may not call is not offered: other dialects can name one tool, or none.
  Result<> keep_only(const Json& allowed, const std::string& path) {
    std::vector<std::string> declared, names;
    for (const Tool& tool : request_.tools) declared.push_back(tool.name);
    std::ranges::sort(declared);
    for (std::size_t i = 0; i < allowed.size(); ++i) {
      if (!allowed[i].is_string()) return wrong(item(path, i), "must be a string");
      names.push_back(allowed[i].get<std::string>());
      if (!std::ranges::binary_search(declared, names.back())) {
        return wrong(item(path, i), "names no function that is declared");
      }
    }
    std::ranges::sort(names);
    std::erase_if(request_.tools,
                  [&](const Tool& tool) { return !std::ranges::binary_search(names, tool.name); });
    return {};
  }

  Result<> read_generation_config() {
    const Json* json = find_member(body_, "generationConfig");
    if (!json) return {};
    const std::string path = member(path_, "generationConfig");
    for (const auto& [name, out] : {std::pair{"temperature", &request_.temperature},
                                    {"topP", &request_.top_p},
                                    {"presencePenalty", &request_.presence_penalty},
                                    {"frequencyPenalty", &request_.frequency_penalty}}) {
      if (const auto done = read_number(*json, name, *out, path); !done) return done;
    }
    for (const auto& [name, out] : {std::pair{"topK", &request_.top_k},
                                    {"candidateCount", &request_.choices},
                                    {"maxOutputTokens", &request_.max_output_tokens},
                                    {"seed", &request_.seed},
                                    {"logprobs", &request_.top_logprobs}}) {
      if (const auto done = read_int(*json, name, *out, path); !done) return done;
    }
    if (request_.max_output_tokens.value_or(1) < 1) {
      return wrong(member(path, "maxOutputTokens"), "must be at least 1");
    }
    if (request_.choices.value_or(1) < 1) return wrong(member(path, "candidateCount"), "must be at least 1");
    if (const auto done = read_bool(*json, "responseLogprobs", request_.logprobs, path); !done) return done;
    if (const auto done = read_stop(*json, path); !done) return done;
    if (const auto done = read_modalities(*json, path); !done) return done;
    for (const std::string_view name :
         {"mediaResolution", "speechConfig", "imageConfig", "audioTimestamp", "enableAffectiveDialog",
          "enableEnhancedCivicAnswers", "modelSelectionConfig", "routingConfig"}) {
      if (find_member(*json, name)) request_.unmapped.push_back(member(path, name));
    }
    return {};
  }

  Result<> read_stop(const Json& json, const std::string& config_path) {
    const Json* stop = find_member(json, "stopSequences");
    if (!stop) return {};
    const std::string path = member(config_path, "stopSequences");
    if (!stop->is_array()) return wrong(path, "must be an array");
    for (std::size_t i = 0; i < stop->size(); ++i) {
      if (!(*stop)[i].is_string()) return wrong(item(path, i), "must be a string");
      request_.stop.push_back((*stop)[i].get<std::string>());
    }
    return {};
  }

  Result<> read_modalities(const Json& json, const std::string& config_path) {
    const Json* modalities = find_member(json, "responseModalities");
    if (!modalities) return {};
    const std::string path = member(config_path, "responseModalities");
    if (!modalities->is_array()) return wrong(path, "must be an array");
    const bool is_text = std::ranges::all_of(*modalities, [](const Json& one) { return one == "TEXT"; });
    if (!is_text) request_.unmapped.push_back(path);
    return {};
  }

  Result<> read_thinking() {
    const Json* config = find_member(body_, "generationConfig");
    const Json* json = config ? find_member(*config, "thinkingConfig") : nullptr;
    request_.hide_thoughts = true;
    if (!json) return {};
    const std::string path = member(path_, "generationConfig.thinkingConfig");
    std::optional<bool> include;
    std::optional<std::int64_t> budget;
    std::string level;
    if (const auto done = read_bool(*json, "includeThoughts", include, path); !done) return done;
    if (const auto done = read_int(*json, "thinkingBudget", budget, path); !done) return done;
    if (const auto done = read_string(*json, "thinkingLevel", level, path); !done) return done;
    request_.hide_thoughts = !include.value_or(false);
    if (budget && !level.empty())
      return wrong(member(path, "thinkingLevel"), "and thinkingBudget are both given");
    if (budget && *budget < -1) return wrong(member(path, "thinkingBudget"), "must be -1, 0 or more");
    Reasoning reasoning;
    if (budget && *budget > 0) reasoning.budget_tokens = budget;
    if (budget && *budget == 0) reasoning.effort = "none";
    if (budget && *budget == -1) reasoning.adaptive = true;
    if (level == "MINIMAL" || level == "LOW" || level == "MEDIUM" || level == "HIGH") {
      for (const char c : level) reasoning.effort += static_cast<char>(c - 'A' + 'a');
    } else if (!level.empty() && level != "THINKING_LEVEL_UNSPECIFIED") {
      return wrong(member(path, "thinkingLevel"), "must be MINIMAL, LOW, MEDIUM or HIGH");
    }
    if (budget || !reasoning.effort.empty()) request_.reasoning = std::move(reasoning);
    return {};
  }

  Result<> read_format() {
    const Json* config = find_member(body_, "generationConfig");
    if (!config) return {};
    const std::string path = member(path_, "generationConfig");
    std::string type;
    if (const auto done = read_string(*config, "responseMimeType", type, path); !done) return done;
    const Json* schema = find_member(*config, "responseSchema");
    const Json* json_schema = find_member(*config, "responseJsonSchema");
    if (schema && json_schema)
      return wrong(member(path, "responseJsonSchema"), "and responseSchema are both given");
    for (const auto& [name, one] :
         {std::pair{"responseSchema", schema}, {"responseJsonSchema", json_schema}}) {
      if (one && !one->is_object()) return wrong(member(path, name), "must be an object");
    }
    if (type == "text/x.enum") {
      request_.unmapped.push_back(member(path, "responseMimeType"));
      return {};
    }
    if (!type.empty() && type != "text/plain" && !is_json(type)) {
      return wrong(member(path, "responseMimeType"), "must be text/plain, application/json or text/x.enum");
    }
    if (!schema && !json_schema) {
      if (is_json(type))
        request_.response_format = ResponseFormat{ResponseFormat::Kind::json_object, {}, {}, {}, {}};
      return {};
    }
    if (!is_json(type))
      return wrong(member(path, "responseMimeType"), "must be application/json with a schema");
    Json written = schema ? to_json_schema(*schema) : *json_schema;
    ResponseFormat format{ResponseFormat::Kind::json_schema, "response", {}, {}, {}};
    if (make_strict(written)) format.strict = true;
    format.schema = to_text(written);
    request_.response_format = std::move(format);
    return {};
  }

  Result<> read_labels() {
    const Json* labels = find_member(body_, "labels");
    if (!labels) return {};
    const std::string path = member(path_, "labels");
    if (!labels->is_object()) return wrong(path, "must be an object");
    for (const auto& [name, value] : labels->items()) {
      if (!value.is_string()) return wrong(member(path, plain(name)), "must be a string");
      request_.metadata.emplace_back(name, value.get<std::string>());
    }
    return {};
  }

  // Safety settings have no effect on what another provider answers.
  Result<> read_rest() {
    if (const auto done = read_string(body_, "serviceTier", request_.service_tier, path_); !done) return done;
    for (const std::string_view name : {"cachedContent", "store", "modelArmorConfig"}) {
      if (find_member(body_, name)) request_.unmapped.push_back(member(path_, name));
    }
    return {};
  }

  const Json& body_;
  std::string path_;
  ChatRequest request_;
};

}  // namespace

Result<ChatRequest> parse_request(std::string_view body) {
  auto json = parse_object(body);
  if (!json) return json.error();
  if (const auto done = normalize(*json, Shape::request, {}); !done) return done.error();
  return RequestReader(*json, {}).read();
}

Result<ChatRequest> parse_count_request(std::string_view body) {
  auto json = parse_object(body);
  if (!json) return json.error();
  if (const auto done = normalize(*json, Shape::count_request, {}); !done) return done.error();
  const Json* inner = find_member(*json, "generateContentRequest");
  if (!inner) return RequestReader(*json, {}).read();
  if (find_member(*json, "contents")) return wrong("generateContentRequest", "and contents are both given");
  return RequestReader(*inner, "generateContentRequest").read();
}

}  // namespace switchyard::google
