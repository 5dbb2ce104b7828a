#include "adapters/dialects/openai_responses_request.h"

#include <algorithm>
#include <array>

namespace switchyard::responses {

namespace {

// A custom tool takes text: to a dialect without them it is a function with this one argument.
constexpr std::string_view kInputSchema = R"({"type":"object","properties":{"input":{"type":"string"}},)"
                                          R"("required":["input"],"additionalProperties":false})";

// OpenAI has fewer than twenty.
constexpr std::size_t kHostedMax = 64;

Error refused(std::string_view field, std::string message, std::string_view code) {
  Error error(ErrorKind::unsupported, std::move(message), std::string(field));
  error.code = code;
  return error;
}

// What only a server that keeps responses can do. It is not the caller's mistake: a target of this dialect
// takes the request as it is.
Result<> refuse_state(const Json& json, bool has_earlier) {
  const Json* id = find_member(json, "previous_response_id");
  if (id && !has_earlier) {
    const std::string text = id->is_string() ? plain(id->get_ref<const std::string&>()) : std::string();
    return refused("previous_response_id",
                   "Previous response with id '" + text +
                       "' not found: responses are not kept here; send the whole conversation as input",
                   "previous_response_not_found");
  }
  if (find_member(json, "conversation")) {
    return refused("conversation", "conversation is not supported: send the whole conversation as input",
                   "unsupported_parameter");
  }
  std::optional<bool> background;
  if (const auto read = read_bool(json, "background", background); !read) return read;
  if (background.value_or(false)) {
    return refused("background", "background is not supported: the answer comes with the request",
                   "unsupported_parameter");
  }
  return {};
}

// `resolved`: in place of the body's input; may be null, as `earlier` may.
Result<> parse_input(const Json& json, const Json* earlier, const Json* resolved, ChatRequest& request) {
  std::string instructions;
  if (const auto read = read_string(json, "instructions", instructions); !read) return read;
  if (!instructions.empty()) {
    request.messages.push_back({Role::system, {TextPart{std::move(instructions), {}}}, {}});
  }
  ItemReader reader(request);
  if (earlier) {
    if (const auto read = reader.read(*earlier, "previous_response_id"); !read) return read;
  }
  const Json* input = resolved ? resolved : find_member(json, "input");
  if (!input) return wrong("input", "is required");
  if (input->is_array() && input->empty() && !earlier) return wrong("input", "must not be empty");
  if (const auto read = reader.read(*input, "input"); !read) return read;
  return reader.finish();
}

Result<> add_hosted(std::string type, ChatRequest& request) {
  if (std::ranges::find(request.hosted_tools, type) != request.hosted_tools.end()) return {};
  if (request.hosted_tools.size() == kHostedMax) return wrong("tools", "has too many kinds of tools");
  request.hosted_tools.push_back(std::move(type));
  return {};
}

Result<> parse_tool(const Json& entry, const std::string& path, ChatRequest& request) {
  if (!entry.is_object()) return wrong(path, "must be an object");
  std::string type;
  if (const auto read = read_string(entry, "type", type, path); !read) return read;
  if (type.empty()) return wrong(at(path, "type"), "is required");
  if (type != "function" && type != "custom") {
    // Codex sends `namespace` and `web_search` with every request: what a target lacks must not fail it.
    return add_hosted(plain(type), request);
  }
  Tool tool;
  if (const auto read = read_string(entry, "name", tool.name, path); !read) return read;
  if (tool.name.empty()) return wrong(at(path, "name"), "is required");
  if (const auto read = read_string(entry, "description", tool.description, path); !read) return read;
  if (type == "custom") {
    tool.custom = true;
    tool.format = json_of(entry, "format");
    tool.parameters = kInputSchema;
  } else {
    const Json* parameters = find_member(entry, "parameters");
    if (parameters && !parameters->is_object()) return wrong(at(path, "parameters"), "must be an object");
    if (parameters) tool.parameters = to_text(*parameters);
    if (const auto read = read_bool(entry, "strict", tool.strict, path); !read) return read;
  }
  request.tools.push_back(std::move(tool));
  return {};
}

Result<> parse_tools(const Json& json, ChatRequest& request) {
  const Json* tools = find_member(json, "tools");
  if (!tools) return {};
  if (!tools->is_array()) return wrong("tools", "must be a list");
  for (std::size_t i = 0; i < tools->size(); ++i) {
    if (const auto read = parse_tool((*tools)[i], at("tools", i), request); !read) return read;
  }
  return {};
}

// Leaves the tools that the choice allows: with the others gone no model can call them.
Result<> parse_allowed_tools(const Json& choice, ChatRequest& request) {
  const std::string mode = text_of(choice, "mode");
  if (mode != "auto" && mode != "required") return wrong("tool_choice.mode", "must be auto or required");
  const Json* list = find_member(choice, "tools");
  if (!list || !list->is_array()) return wrong("tool_choice.tools", "must be a list");
  std::unordered_set<std::string> names, types;
  for (const Json& entry : *list) {
    const std::string type = text_of(entry, "type");
    if (type == "function" || type == "custom") {
      names.insert(text_of(entry, "name"));
    } else {
      types.insert(plain(type));
    }
  }
  std::erase_if(request.tools, [&](const Tool& tool) { return !names.contains(tool.name); });
  std::erase_if(request.hosted_tools, [&](const std::string& type) { return !types.contains(type); });
  request.tool_choice =
      ToolChoice{mode == "auto" ? ToolChoice::Mode::automatic : ToolChoice::Mode::required, {}};
  return {};
}

Result<> parse_choice_object(const Json& choice, ChatRequest& request) {
  const std::string type = text_of(choice, "type");
  if (type.empty()) return wrong("tool_choice.type", "is required");
  if (type == "allowed_tools") return parse_allowed_tools(choice, request);
  if (type != "function" && type != "custom") {
    request.hosted_tool_is_forced = true;
    return add_hosted(plain(type), request);
  }
  std::string name = text_of(choice, "name");
  if (name.empty()) return wrong("tool_choice.name", "is required");
  request.tool_choice = ToolChoice{ToolChoice::Mode::named, std::move(name)};
  return {};
}

Result<> parse_tool_choice(const Json& json, ChatRequest& request) {
  const Json* choice = find_member(json, "tool_choice");
  if (!choice) return {};
  using Mode = ToolChoice::Mode;
  if (choice->is_object()) {
    if (const auto read = parse_choice_object(*choice, request); !read) return read;
  } else {
    const std::string word = choice->is_string() ? choice->get<std::string>() : std::string();
    if (word == "auto") {
      request.tool_choice = ToolChoice{Mode::automatic, {}};
    } else if (word == "none") {
      request.tool_choice = ToolChoice{Mode::none, {}};
    } else if (word == "required") {
      request.tool_choice = ToolChoice{Mode::required, {}};
    } else {
      return wrong("tool_choice", "must be none, auto, required or an object");
    }
  }
  const bool must_call = request.tool_choice && request.tool_choice->mode == Mode::required;
  if (must_call && request.tools.empty() && !request.hosted_tools.empty())
    request.hosted_tool_is_forced = true;
  return {};
}

Result<> parse_text(const Json& json, ChatRequest& request) {
  const Json* text = find_member(json, "text");
  if (!text) return {};
  if (!text->is_object()) return wrong("text", "must be an object");
  const Json* verbosity = find_member(*text, "verbosity");
  if (verbosity && *verbosity != "medium") request.unmapped.emplace_back("text.verbosity");
  const Json* format = find_member(*text, "format");
  if (!format) return {};
  const std::string type = text_of(*format, "type");
  ResponseFormat out;
  if (type == "json_object") {
    out.kind = ResponseFormat::Kind::json_object;
  } else if (type == "json_schema") {
    out.kind = ResponseFormat::Kind::json_schema;
    const Json* schema = find_member(*format, "schema");
    if (!schema || !schema->is_object()) return wrong("text.format.schema", "must be an object");
    out.schema = to_text(*schema);
    if (const auto read = read_string(*format, "name", out.name, "text.format"); !read) return read;
    if (const auto read = read_string(*format, "description", out.description, "text.format"); !read)
      return read;
    if (const auto read = read_bool(*format, "strict", out.strict, "text.format"); !read) return read;
  } else if (type != "text") {
    return wrong("text.format.type", "must be text, json_object or json_schema");
  }
  request.response_format = std::move(out);
  return {};
}

Result<> parse_reasoning(const Json& json, ChatRequest& request) {
  const Json* reasoning = find_member(json, "reasoning");
  if (!reasoning) return {};
  if (!reasoning->is_object()) return wrong("reasoning", "must be an object");
  std::string effort;
  if (const auto read = read_string(*reasoning, "effort", effort, "reasoning"); !read) return read;
  if (!effort.empty()) request.reasoning = Reasoning{std::move(effort), {}, false};
  // A summary, asked for or not, is what a client of this dialect gets of any model's thinking.
  for (const auto& [name, value] : {std::pair{"context", "auto"}, {"mode", "standard"}}) {
    const Json* member = find_member(*reasoning, name);
    if (member && *member != value) request.unmapped.push_back(std::string("reasoning.") + name);
  }
  return {};
}

// Of what can be asked for in addition, encrypted reasoning always comes, and the rest but for logprobs is of
// tools that no other provider runs.
Result<> parse_include(const Json& json, ChatRequest& request) {
  if (const auto read = read_int(json, "top_logprobs", request.top_logprobs); !read) return read;
  if (request.top_logprobs && (*request.top_logprobs < 0 || *request.top_logprobs > 20))
    return wrong("top_logprobs", "must be between 0 and 20");
  if (request.top_logprobs == 0) request.top_logprobs.reset();
  if (request.top_logprobs) request.logprobs = true;
  const Json* include = find_member(json, "include");
  if (!include) return {};
  if (!include->is_array()) return wrong("include", "must be a list");
  for (const Json& what : *include) {
    if (what == "message.output_text.logprobs") request.logprobs = true;
  }
  return {};
}

Result<> parse_numbers(const Json& json, ChatRequest& request) {
  if (const auto read = read_int(json, "max_output_tokens", request.max_output_tokens); !read) return read;
  if (request.max_output_tokens && *request.max_output_tokens < 1)
    return wrong("max_output_tokens", "must be at least 1");
  if (const auto read = read_number(json, "temperature", request.temperature); !read) return read;
  if (const auto read = read_number(json, "top_p", request.top_p); !read) return read;
  const auto outside = [](const std::optional<double>& value, double high) {
    return value && (*value < 0 || *value > high);
  };
  if (outside(request.temperature, 2)) return wrong("temperature", "must be between 0 and 2");
  if (outside(request.top_p, 1)) return wrong("top_p", "must be between 0 and 1");
  return {};
}

Result<> parse_rest(const Json& json, ChatRequest& request) {
  if (const auto read = read_bool(json, "parallel_tool_calls", request.parallel_tool_calls); !read)
    return read;
  if (const auto read = read_string(json, "user", request.user); !read) return read;
  if (request.user.empty()) request.user = text_of(json, "safety_identifier");
  if (const auto read = read_string(json, "service_tier", request.service_tier); !read) return read;
  std::optional<bool> stream, store;
  if (const auto read = read_bool(json, "stream", stream); !read) return read;
  request.stream = stream.value_or(false);
  request.include_usage = true;  // This dialect's streams always say it.
  if (const auto read = read_bool(json, "store", store); !read) return read;
  if (store.value_or(false)) request.unmapped.emplace_back("store");
  const Json* metadata = find_member(json, "metadata");
  if (!metadata) return {};
  if (!metadata->is_object()) return wrong("metadata", "must be an object");
  for (const auto& [name, value] : metadata->items()) {
    if (!value.is_string()) return wrong("metadata." + plain(name), "must be a string");
    request.metadata.emplace_back(name, value.get<std::string>());
  }
  return {};
}

// Every member that the functions above read, and those that change no answer: Codex's client_metadata, and
// a limit on calls of tools that only OpenAI runs.
constexpr std::array<std::string_view, 28> kKnown{"model",
                                                  "input",
                                                  "instructions",
                                                  "previous_response_id",
                                                  "conversation",
                                                  "background",
                                                  "tools",
                                                  "tool_choice",
                                                  "text",
                                                  "reasoning",
                                                  "include",
                                                  "top_logprobs",
                                                  "temperature",
                                                  "top_p",
                                                  "max_output_tokens",
                                                  "parallel_tool_calls",
                                                  "user",
                                                  "store",
                                                  "safety_identifier",
                                                  "service_tier",
                                                  "stream",
                                                  "metadata",
                                                  "stream_options",
                                                  "client_metadata",
                                                  "max_tool_calls",
                                                  "truncation",
                                                  "access_programs",
                                                  "moderation"};

// What tunes and what is accounted, not what is answered.
void note_unmapped(const Json& json, ChatRequest& request) {
  for (const auto& [name, value] : json.items()) {
    if (!value.is_null() && std::ranges::find(kKnown, name) == kKnown.end())
      request.unmapped.push_back(plain(name));
  }
  if (const Json* truncation = find_member(json, "truncation"); truncation && *truncation != "disabled")
    request.unmapped.emplace_back("truncation");
  for (const std::string_view name : {"access_programs", "moderation"}) {
    if (find_member(json, name)) request.unmapped.emplace_back(name);
  }
}

}  // namespace

Result<ChatRequest> parse_request(std::string_view body, std::string_view earlier_items,
                                  std::string_view input_items) {
  const auto json = parse_object(body);
  if (!json) return json.error();
  const bool has_earlier = !earlier_items.empty(), is_resolved = !input_items.empty();
  Json earlier, resolved;
  if (has_earlier) {
    auto items = parse_list(earlier_items, "the conversation of previous_response_id");
    if (!items) return items.error();
    earlier = std::move(*items);
  }
  if (is_resolved) {
    auto items = parse_list(input_items, "input");
    if (!items) return items.error();
    resolved = std::move(*items);
  }
  if (const auto checked = refuse_state(*json, has_earlier); !checked) return checked.error();
  ChatRequest request;
  if (const auto read = read_string(*json, "model", request.model); !read) return read.error();
  if (request.model.empty()) return wrong("model", "is required");
  const auto input =
      parse_input(*json, has_earlier ? &earlier : nullptr, is_resolved ? &resolved : nullptr, request);
  if (!input) return input.error();
  for (const auto step : {&parse_tools, &parse_tool_choice, &parse_text, &parse_reasoning, &parse_include,
                          &parse_numbers, &parse_rest}) {
    if (const auto read = step(*json, request); !read) return read.error();
  }
  note_unmapped(*json, request);
  return request;
}

}  // namespace switchyard::responses
