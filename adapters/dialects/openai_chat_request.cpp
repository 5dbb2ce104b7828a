#include "adapters/dialects/openai_chat_request.h"

#include <algorithm>
#include <array>

namespace switchyard::openai {

namespace {

Result<> parse_tools(const Json& json, ChatRequest& request) {
  const Json* tools = find_member(json, "tools");
  if (!tools) return {};
  if (!tools->is_array()) return wrong("tools", "must be a list");
  for (std::size_t i = 0; i < tools->size(); ++i) {
    const Json& entry = (*tools)[i];
    const std::string here = at("tools", i);
    const Json* function = find_member(entry, "function");
    if (const std::string type = text_of(entry, "type"); type != "function") {
      request.unmapped.push_back(here + " (" + type + ")");
      continue;
    }
    if (!function || !function->is_object()) return wrong(at(here, "function"), "must be an object");
    Tool tool;
    if (const auto read = read_string(*function, "name", tool.name, at(here, "function")); !read) return read;
    if (tool.name.empty()) return wrong(at(here, "function.name"), "is required");
    tool.description = text_of(*function, "description");
    tool.parameters = json_of(*function, "parameters");
    if (const auto read = read_bool(*function, "strict", tool.strict, at(here, "function")); !read)
      return read;
    tool.cache_control = json_of(entry, "cache_control");
    request.tools.push_back(std::move(tool));
  }
  return {};
}

Result<> parse_tool_choice(const Json& json, ChatRequest& request) {
  const Json* choice = find_member(json, "tool_choice");
  if (!choice) return {};
  using Mode = ToolChoice::Mode;
  if (choice->is_string()) {
    const auto& word = choice->get_ref<const std::string&>();
    if (word == "auto") {
      request.tool_choice = ToolChoice{Mode::automatic, {}};
    } else if (word == "none") {
      request.tool_choice = ToolChoice{Mode::none, {}};
    } else if (word == "required" || word == "any") {
      request.tool_choice = ToolChoice{Mode::required, {}};
    } else {
      return wrong("tool_choice", "must be none, auto, required or an object");
    }
    return {};
  }
  const Json* function = find_member(*choice, "function");
  if (!function) {
    request.unmapped.emplace_back("tool_choice");
    return {};
  }
  std::string name = text_of(*function, "name");
  if (name.empty()) return wrong("tool_choice.function.name", "is required");
  request.tool_choice = ToolChoice{Mode::named, std::move(name)};
  return {};
}

Result<> parse_response_format(const Json& json, ChatRequest& request) {
  const Json* format = find_member(json, "response_format");
  if (!format) return {};
  const std::string type = text_of(*format, "type");
  ResponseFormat out;
  if (type == "json_object") {
    out.kind = ResponseFormat::Kind::json_object;
  } else if (type == "json_schema") {
    const Json* schema = find_member(*format, "json_schema");
    if (!schema || !schema->is_object()) return wrong("response_format.json_schema", "must be an object");
    out.kind = ResponseFormat::Kind::json_schema;
    out.name = text_of(*schema, "name");
    out.description = text_of(*schema, "description");
    out.schema = json_of(*schema, "schema");
    if (const auto read = read_bool(*schema, "strict", out.strict, "response_format.json_schema"); !read)
      return read;
  } else if (type != "text") {
    return wrong("response_format.type", "must be text, json_object or json_schema");
  }
  request.response_format = std::move(out);
  return {};
}

Result<> parse_stop(const Json& json, ChatRequest& request) {
  const Json* stop = find_member(json, "stop");
  if (!stop) return {};
  if (stop->is_string()) {
    request.stop.push_back(stop->get<std::string>());
    return {};
  }
  if (!stop->is_array()) return wrong("stop", "must be a string or a list of strings");
  for (const Json& one : *stop) {
    if (!one.is_string()) return wrong("stop", "must be a string or a list of strings");
    request.stop.push_back(one.get<std::string>());
  }
  return {};
}

Result<> parse_limits(const Json& json, ChatRequest& request) {
  std::optional<std::int64_t> old_name;
  if (const auto read = read_int(json, "max_completion_tokens", request.max_output_tokens); !read)
    return read;
  if (const auto read = read_int(json, "max_tokens", old_name); !read) return read;
  if (old_name && request.max_output_tokens && *old_name != *request.max_output_tokens) {
    return wrong("max_tokens", "and max_completion_tokens are both given");
  }
  if (!request.max_output_tokens) request.max_output_tokens = old_name;
  if (request.max_output_tokens && *request.max_output_tokens < 1) {
    return wrong(old_name ? "max_tokens" : "max_completion_tokens", "must be at least 1");
  }
  for (auto [name, out] : {std::pair{"n", &request.choices},
                           {"seed", &request.seed},
                           {"top_k", &request.top_k},
                           {"top_logprobs", &request.top_logprobs}}) {
    if (const auto read = read_int(json, name, *out); !read) return read;
  }
  for (auto [name, out] : {std::pair{"temperature", &request.temperature},
                           {"top_p", &request.top_p},
                           {"min_p", &request.min_p},
                           {"frequency_penalty", &request.frequency_penalty},
                           {"presence_penalty", &request.presence_penalty}}) {
    if (const auto read = read_number(json, name, *out); !read) return read;
  }
  const auto outside = [](const std::optional<double>& value, double low, double high) {
    return value && (*value < low || *value > high);
  };
  if (outside(request.temperature, 0, 2)) return wrong("temperature", "must be between 0 and 2");
  if (outside(request.top_p, 0, 1)) return wrong("top_p", "must be between 0 and 1");
  if (outside(request.frequency_penalty, -2, 2))
    return wrong("frequency_penalty", "must be between -2 and 2");
  if (outside(request.presence_penalty, -2, 2)) return wrong("presence_penalty", "must be between -2 and 2");
  if (request.choices && *request.choices < 1) return wrong("n", "must be at least 1");
  return {};
}

Result<> parse_rest(const Json& json, ChatRequest& request) {
  if (const auto read = read_bool(json, "parallel_tool_calls", request.parallel_tool_calls); !read)
    return read;
  if (const auto read = read_bool(json, "logprobs", request.logprobs); !read) return read;
  if (const auto read = read_string(json, "user", request.user); !read) return read;
  if (const auto read = read_string(json, "service_tier", request.service_tier); !read) return read;
  std::optional<bool> stream;
  if (const auto read = read_bool(json, "stream", stream); !read) return read;
  request.stream = stream.value_or(false);
  if (const Json* options = find_member(json, "stream_options")) {
    std::optional<bool> usage;
    if (const auto read = read_bool(*options, "include_usage", usage, "stream_options"); !read) return read;
    request.include_usage = usage.value_or(false);
  }
  std::string effort;
  if (const auto read = read_string(json, "reasoning_effort", effort); !read) return read;
  if (!effort.empty()) request.reasoning = Reasoning{std::move(effort), {}, false};
  if (const Json* reasoning = find_member(json, "reasoning")) {  // OpenRouter's form.
    Reasoning out;
    if (const auto read = read_string(*reasoning, "effort", out.effort, "reasoning"); !read) return read;
    if (const auto read = read_int(*reasoning, "max_tokens", out.budget_tokens, "reasoning"); !read)
      return read;
    request.reasoning = std::move(out);
  }
  if (request.user.empty()) request.user = text_of(json, "safety_identifier");
  request.logit_bias = json_of(json, "logit_bias");
  if (request.logit_bias == "{}") request.logit_bias.clear();
  if (const Json* metadata = find_member(json, "metadata"); metadata && metadata->is_object()) {
    for (const auto& [name, value] : metadata->items()) {
      if (!value.is_string()) return wrong("metadata." + name, "must be a string");
      request.metadata.emplace_back(name, value.get<std::string>());
    }
  }
  return {};
}

// Every member that the functions above read.
constexpr std::array<std::string_view, 28> kKnown{"model",
                                                  "messages",
                                                  "max_completion_tokens",
                                                  "max_tokens",
                                                  "n",
                                                  "seed",
                                                  "top_k",
                                                  "top_logprobs",
                                                  "temperature",
                                                  "top_p",
                                                  "min_p",
                                                  "frequency_penalty",
                                                  "presence_penalty",
                                                  "parallel_tool_calls",
                                                  "logprobs",
                                                  "user",
                                                  "service_tier",
                                                  "stream",
                                                  "stream_options",
                                                  "reasoning_effort",
                                                  "safety_identifier",
                                                  "logit_bias",
                                                  "metadata",
                                                  "tools",
                                                  "tool_choice",
                                                  "response_format",
                                                  "stop",
                                                  "reasoning"};

// `modalities: ["text"]` and the like say what is so without them.
bool says_nothing(std::string_view name, const Json& value) {
  if (value.is_null()) return true;
  if (name == "modalities") return value == Json::array({"text"});
  if (name == "store") return value == false;
  return false;
}

}  // namespace

Result<ChatRequest> parse_request(std::string_view body) {
  auto json = parse_object(body);
  if (!json) return json.error();
  ChatRequest request;
  if (const auto read = read_string(*json, "model", request.model); !read) return read.error();
  if (request.model.empty()) return wrong("model", "is required");
  for (const auto step : {&parse_messages, &parse_tools, &parse_tool_choice, &parse_response_format,
                          &parse_stop, &parse_limits, &parse_rest}) {
    if (const auto read = step(*json, request); !read) return read.error();
  }
  for (const auto& [name, value] : json->items()) {
    if (name == "web_search_options") {
      request.hosted_tools.emplace_back("web_search");
    } else if (std::ranges::find(kKnown, name) == kKnown.end() && !says_nothing(name, value)) {
      request.unmapped.push_back(name);
    }
  }
  return request;
}

}  // namespace switchyard::openai
