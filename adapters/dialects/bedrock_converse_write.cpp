#include "adapters/dialects/bedrock_converse_write.h"

#include "adapters/dialects/provider_dialect.h"

#include <algorithm>
#include <cstdint>

namespace switchyard::bedrock {

namespace {

constexpr std::string_view kJsonHint = "Answer with one JSON object and nothing else.";
constexpr std::int64_t kThinkingBudgetMin = 1024;
constexpr std::int64_t kTokensMax = std::int64_t{1} << 40;  // Keeps sums of limits from overflowing.
constexpr std::size_t kMetadataEntriesMax = 16, kMetadataBytesMax = 256;

// Structured output needs every object closed. Closing one narrows what the model may write, so the answer
// still fits the caller's schema.
void close_objects(Json& schema) {
  if (schema.is_array()) {
    for (Json& inner : schema) close_objects(inner);
  }
  if (!schema.is_object()) return;
  const auto type = schema.find("type");
  if (type != schema.end() && *type == "object" && !schema.contains("additionalProperties")) {
    schema["additionalProperties"] = false;
  }
  for (auto& [name, inner] : schema.items()) {
    if (name != "const" && name != "enum" && name != "default" && name != "examples") close_objects(inner);
  }
}

bool is_thinking(const Json& block) {
  return block.contains("reasoningContent");
}

bool is_metadata(std::string_view text) {
  constexpr std::string_view kMarks = " \t\r\n:_@$#=/+,-.";
  return text.size() <= kMetadataBytesMax && std::ranges::all_of(text, [&](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  kMarks.find(c) != kMarks.npos;
         });
}

class RequestWriter {
 public:
  RequestWriter(const ChatRequest& request, const TargetTraits& target)
      : request_(request), target_(target), is_claude_(is_claude(target)) {}

  Result<WrittenRequest> write() {
    if (const auto allowed = refuse_or_drop(request_, target_, dropped_); !allowed) return allowed.error();
    auto messages = write_messages(request_.messages, target_);
    if (!messages) return messages.error();
    messages_ = std::move(*messages);
    if (messages_.lost_name) drop("name");
    if (messages_.lost_detail) drop("image_url.detail");
    decide_thinking();
    if (const auto ended = end_with_user(); !ended) return ended.error();
    if (const auto added = add_format(); !added) return added.error();
    add_messages();
    add_inference();
    if (const auto added = add_tools(); !added) return added.error();
    add_thinking();
    add_metadata();
    if (!additional_.empty()) body_["additionalModelRequestFields"] = std::move(additional_);
    if (!output_config_.empty()) body_["outputConfig"] = std::move(output_config_);
    return WrittenRequest{to_text(body_), std::move(dropped_)};
  }

 private:
  enum class Thinking { absent, disabled, adaptive, enabled };

  void drop(std::string_view name) { add_loss(dropped_, name); }

  bool is_on() const { return thinking_ == Thinking::adaptive || thinking_ == Thinking::enabled; }

  // Claude models from 4.7 on refuse a budget and the sampling parameters alike, and think unless told not
  // to.
  bool is_newer() const {
    return target_.reasoning_control == TargetTraits::ReasoningControl::adaptive ||
           !target_.sampling_parameters;
  }

  Thinking off() const {
    return is_newer() && target_.can_stop_reasoning ? Thinking::disabled : Thinking::absent;
  }

  void turn_off() {
    if (!is_on()) return;
    thinking_ = off();
    drop(reasoning_field(request_));
  }

  // Sets thinking_, budget_, effort_ and max_tokens_. Only Claude's way to be told is known here.
  void decide_thinking() {
    if (request_.max_output_tokens) {
      max_tokens_ = std::clamp(*request_.max_output_tokens, std::int64_t{1}, kTokensMax);
    }
    if (!request_.reasoning) return;
    const Reasoning& wanted = *request_.reasoning;
    if (wanted.effort == "none") {
      if (!target_.reasoning) return;
      if (is_claude_) thinking_ = off();
      const bool may_think = !is_claude_ || is_newer();
      if (may_think && thinking_ == Thinking::absent) drop("reasoning_effort");
      return;
    }
    if (wanted.effort.empty() && !wanted.budget_tokens && !wanted.adaptive) return;
    if (!is_claude_ || !target_.reasoning) return drop(reasoning_field(request_));
    const bool is_adaptive =
        wanted.adaptive && target_.reasoning_control != TargetTraits::ReasoningControl::budget;
    thinking_ = is_newer() || is_adaptive ? Thinking::adaptive : Thinking::enabled;
    effort_ = effort_word(wanted);
    const ToolChoice::Mode choice = request_.tool_choice.value_or(ToolChoice()).mode;
    const bool is_forced = choice == ToolChoice::Mode::required || choice == ToolChoice::Mode::named;
    if (is_forced && !request_.tools.empty()) turn_off();  // Refused with thinking.
    if (thinking_ == Thinking::enabled && lacks_thinking()) turn_off();
    if (thinking_ != Thinking::enabled) return;
    if (!max_tokens_) max_tokens_ = std::max(target_.default_max_tokens, std::int64_t{1});
    budget_ = wanted.budget_tokens ? std::clamp(*wanted.budget_tokens, kThinkingBudgetMin, kTokensMax)
                                   : thinking_budget(wanted.effort, *max_tokens_);
    if (*max_tokens_ <= budget_) *max_tokens_ += budget_;  // Room for the answer behind the thinking.
  }

  static std::string effort_word(const Reasoning& wanted) {
    if (wanted.effort == "minimal") return "low";
    if (!wanted.effort.empty() || !wanted.budget_tokens) return wanted.effort;
    return *wanted.budget_tokens <= 2048 ? "low" : *wanted.budget_tokens <= 8192 ? "medium" : "high";
  }

  // True when the running tool loop began without thinking: the model refuses to go on with it. The loop is
  // what stands behind the last user turn that brings no results.
  bool lacks_thinking() const {
    const auto& turns = messages_.turns;
    if (turns.back().role != Role::user || turns.back().results.empty()) return false;
    std::size_t at = turns.size() - 1;
    while (at > 0 && (turns[at].role == Role::assistant || !turns[at].results.empty())) --at;
    while (at < turns.size() && turns[at].role != Role::assistant) ++at;
    if (at == turns.size() || turns[at].blocks.empty()) return false;
    const Json& blocks = turns[at].blocks;
    return !is_thinking(blocks[0]) &&
           std::ranges::any_of(blocks, [](const Json& block) { return block.contains("toolUse"); });
  }

  // An assistant turn at the end asks the model to go on with it; one that can does so without thinking only,
  // and takes no space at its end.
  Result<> end_with_user() {
    if (messages_.turns.back().role == Role::assistant) {
      if (!target_.prefill) return cannot("messages", "the target needs a user message at the end");
      turn_off();
    }
    strip_thinking();
    Turn& last = messages_.turns.back();
    if (last.role == Role::user) return {};
    if (Json& block = last.blocks.back(); block.contains("text")) {
      auto& text = block["text"].get_ref<std::string&>();
      text.resize(text.find_last_not_of(kBlanks) + 1);
    }
    return {};
  }

  // Without thinking, Claude takes no thinking at the end and ignores it elsewhere. A newer model that is
  // told nothing thinks.
  void strip_thinking() {
    if (is_on() || (is_claude_ && is_newer() && thinking_ == Thinking::absent)) return;
    for (Turn& turn : messages_.turns) {
      Json kept = Json::array();
      for (Json& block : turn.blocks) {
        if (!is_thinking(block)) kept.push_back(std::move(block));
      }
      turn.blocks = std::move(kept);
    }
    std::erase_if(messages_.turns,
                  [](const Turn& turn) { return turn.results.empty() && turn.blocks.empty(); });
  }

  Result<> add_format() {
    using Kind = ResponseFormat::Kind;
    if (!request_.response_format || request_.response_format->kind == Kind::text) return {};
    const ResponseFormat& format = *request_.response_format;
    if (format.kind == Kind::json_object || format.schema.empty()) {
      messages_.system.push_back({{"text", kJsonHint}});
      return {};
    }
    if (!target_.json_schema) return cannot("response_format", "the target takes no JSON schema");
    auto schema = parse_arguments(format.schema, "response_format");
    if (!schema) return schema.error();
    close_objects(*schema);
    Json definition{{"schema", to_text(*schema)}};
    if (!format.name.empty()) definition["name"] = format.name;
    if (!format.description.empty()) definition["description"] = format.description;
    output_config_["textFormat"] = {{"type", "json_schema"},
                                    {"structure", {{"jsonSchema", std::move(definition)}}}};
    return {};
  }

  void add_messages() {
    Json& list = body_["messages"] = Json::array();
    for (Turn& turn : messages_.turns) {
      Json blocks = std::move(turn.results);
      for (Json& block : turn.blocks) blocks.push_back(std::move(block));
      Json message{{"role", turn.role == Role::user ? "user" : "assistant"}};
      message["content"] = std::move(blocks);
      list.push_back(std::move(message));
    }
    if (!messages_.system.empty()) body_["system"] = std::move(messages_.system);
  }

  void add_inference() {
    Json config = Json::object();
    if (max_tokens_) config["maxTokens"] = *max_tokens_;
    const bool allowed = target_.sampling_parameters && !is_on();
    if (const auto& value = request_.temperature) {
      if (allowed) config["temperature"] = std::clamp(*value, 0.0, 1.0);
      if (*value > 1 || (!allowed && *value != 1)) drop("temperature");
    }
    if (const auto& value = request_.top_p) {
      // Several Claude models refuse the two together; everybody advises to set one.
      if (allowed && !(is_claude_ && request_.temperature)) {
        config["topP"] = std::clamp(*value, 0.0, 1.0);
      } else if (*value != 1) {
        drop("top_p");
      }
    }
    if (request_.top_k) {
      if (allowed && is_claude_) {
        additional_["top_k"] = *request_.top_k;
      } else {
        drop("top_k");
      }
    }
    if (request_.frequency_penalty.value_or(0) != 0) drop("frequency_penalty");
    if (request_.presence_penalty.value_or(0) != 0) drop("presence_penalty");
    if (request_.seed) drop("seed");
    add_stop(config);
    if (!config.empty()) body_["inferenceConfig"] = std::move(config);
  }

  void add_stop(Json& config) {
    Json stop = Json::array();
    for (const std::string& text : request_.stop) {
      if (is_claude_ ? is_blank(text) : text.empty()) {
        drop("stop");
      } else {
        stop.push_back(text);
      }
    }
    if (stop.empty()) return;
    config["stopSequences"] = std::move(stop);
    // Which of them it was: Claude's own reply says it, in a place of its own when it streams.
    if (is_claude_) body_["additionalModelResponseFieldPaths"] = {"/stop_sequence", "/delta/stop_sequence"};
  }

  // There is no choice `none`: the tools are left out. Tools that the history calls must be declared.
  Result<> add_tools() {
    const ToolChoice choice = request_.tool_choice.value_or(ToolChoice());
    const bool is_none = choice.mode == ToolChoice::Mode::none;
    Json list = Json::array();
    if (!is_none || messages_.has_tool_blocks) {
      for (const Tool& tool : request_.tools) {
        if (const auto added = add_tool(tool, list); !added) return added;
      }
    }
    const bool has_own = !list.empty();
    if (!has_own) {
      for (const std::string& name : messages_.called_tools) {
        if (const auto added = add_tool(
                {.name = name, .description = {}, .parameters = {}, .strict = {}, .cache_control = {}}, list);
            !added)
          return added;
      }
    }
    if (is_none && has_own) drop("tool_choice");
    if (list.empty()) return {};
    Json config{{"tools", std::move(list)}};
    if (has_own && !is_none) add_choice(choice, config);
    body_["toolConfig"] = std::move(config);
    return {};
  }

  Result<> add_tool(const Tool& tool, Json& list) {
    auto schema = parse_arguments(tool.parameters, "tools");
    if (!schema) return schema.error();
    if (schema->empty()) *schema = {{"type", "object"}, {"properties", Json::object()}};
    if (!schema->contains("type")) (*schema)["type"] = "object";
    Json spec{{"name", tool.name}};
    if (!tool.description.empty()) spec["description"] = tool.description;
    spec["inputSchema"]["json"] = std::move(*schema);
    if (tool.strict.value_or(false)) spec["strict"] = true;
    list.push_back({{"toolSpec", std::move(spec)}});
    add_cache_point(tool.cache_control, target_, list);
    return {};
  }

  // One call at most is said in Claude's own words, which then say the whole choice.
  void add_choice(const ToolChoice& choice, Json& config) {
    using Mode = ToolChoice::Mode;
    const bool one_call = !request_.parallel_tool_calls.value_or(true);
    if (one_call && !is_claude_) drop("parallel_tool_calls");
    if (one_call && is_claude_) {
      Json written{{"type", choice.mode == Mode::named      ? "tool"
                            : choice.mode == Mode::required ? "any"
                                                            : "auto"}};
      if (choice.mode == Mode::named) written["name"] = choice.name;
      written["disable_parallel_tool_use"] = true;
      additional_["tool_choice"] = std::move(written);
      return;
    }
    if (!request_.tool_choice) return;
    Json& written = config["toolChoice"] = Json::object();
    if (choice.mode == Mode::automatic) written["auto"] = Json::object();
    if (choice.mode == Mode::required) written["any"] = Json::object();
    if (choice.mode == Mode::named) written["tool"]["name"] = choice.name;
  }

  void add_thinking() {
    if (thinking_ == Thinking::disabled) additional_["thinking"]["type"] = "disabled";
    if (thinking_ == Thinking::enabled) {
      additional_["thinking"] = {{"type", "enabled"}, {"budget_tokens", budget_}};
    }
    if (thinking_ == Thinking::adaptive) {
      additional_["thinking"]["type"] = "adaptive";
      if (!effort_.empty()) output_config_["effort"] = effort_;
    }
  }

  void add_metadata() {
    Json metadata = Json::object();
    if (is_metadata(request_.user)) {
      if (!request_.user.empty()) metadata["user"] = request_.user;
    } else {
      drop("user");
    }
    for (const auto& [name, value] : request_.metadata) {
      const bool fits =
          !name.empty() && is_metadata(name) && is_metadata(value) && metadata.size() < kMetadataEntriesMax;
      if (fits) {
        metadata[name] = value;
      } else {
        drop("metadata");
      }
    }
    if (!metadata.empty()) body_["requestMetadata"] = std::move(metadata);
    const std::string& tier = request_.service_tier;
    if (tier == "priority" || tier == "default" || tier == "flex") {
      body_["serviceTier"]["type"] = tier;
    } else if (!tier.empty() && tier != "auto") {
      drop("service_tier");
    }
  }

  const ChatRequest& request_;
  const TargetTraits& target_;
  const bool is_claude_;
  Conversation messages_;
  Json body_ = Json::object(), additional_ = Json::object(), output_config_ = Json::object();
  std::vector<std::string> dropped_;
  Thinking thinking_ = Thinking::absent;
  std::optional<std::int64_t> max_tokens_;
  std::int64_t budget_ = 0;
  std::string effort_;
};

}  // namespace

Result<WrittenRequest> write_request(const ChatRequest& request, const TargetTraits& target) {
  return RequestWriter(request, target).write();
}

}  // namespace switchyard::bedrock
