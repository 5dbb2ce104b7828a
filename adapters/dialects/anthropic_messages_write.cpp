#include "adapters/dialects/anthropic_messages_write.h"

#include "adapters/dialects/losses.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace switchyard::anthropic {

namespace {

constexpr std::string_view kJsonHint = "Answer with one JSON object and nothing else.";
constexpr std::int64_t kThinkingBudgetMin = 1024;
constexpr std::int64_t kTokensMax = std::int64_t{1} << 40;  // Keeps sums of limits from overflowing.

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

class RequestWriter {
 public:
  RequestWriter(const ChatRequest& request, const TargetTraits& target)
      : request_(request), target_(target) {}

  Result<WrittenRequest> write() {
    if (const auto allowed = refuse(); !allowed) return allowed.error();
    auto messages = write_messages(request_.messages, target_);
    if (!messages) return messages.error();
    messages_ = std::move(*messages);
    if (messages_.lost_name) drop("name");
    if (messages_.lost_detail) drop("image_url.detail");
    decide_thinking();
    if (const auto ended = end_with_user(); !ended) return ended.error();
    strip_thinking();
    // Room for the answer behind the thinking.
    if (thinking_ == Thinking::enabled && max_tokens_ <= budget_) max_tokens_ += budget_;
    body_["model"] = target_.model;
    body_["max_tokens"] = max_tokens_;
    add_format();
    add_messages();
    if (const auto added = add_tools(); !added) return added.error();
    add_thinking();
    add_sampling();
    add_rest();
    return WrittenRequest{to_text(body_), std::move(dropped_)};
  }

 private:
  enum class Thinking { absent, disabled, adaptive, enabled };

  void drop(std::string_view name) {
    if (std::ranges::find(dropped_, name) == dropped_.end()) dropped_.emplace_back(name);
  }

  // Without these the answer would be a wrong one.
  Result<> refuse() {
    if (request_.choices.value_or(1) > 1) return cannot("n", "n: the target gives one choice only");
    if (request_.logprobs.value_or(false) || request_.top_logprobs.value_or(0) > 0) {
      return cannot("logprobs", "logprobs: the target does not give them");
    }
    if (!request_.logit_bias.empty() && request_.logit_bias != "{}") {
      return cannot("logit_bias", "logit_bias: the target does not take it");
    }
    if (!request_.tools.empty() && !target_.tools) return cannot("tools", "tools: the target takes none");
    if (request_.hosted_tool_is_forced) {
      return cannot("tool_choice", "tool_choice: the target does not have this tool");
    }
    for (const std::string& type : request_.hosted_tools) drop("tools." + type);
    return drop_unmapped(request_, dropped_);
  }

  // Claude models from 4.7 on refuse a budget and the sampling parameters alike.
  bool is_newer() const { return !target_.sampling_parameters; }

  bool is_on() const { return thinking_ == Thinking::adaptive || thinking_ == Thinking::enabled; }

  // What to say to have no thinking. Older models think when told to only; the newest family always does, and
  // refuses "disabled" (reported for claude-fable-5 in July 2026).
  Thinking off() const {
    const std::string_view model = target_.model;
    const bool always = model.starts_with("claude-fable") || model.starts_with("claude-mythos");
    return is_newer() && !always ? Thinking::disabled : Thinking::absent;
  }

  // Named as the caller's dialect names it: a word is OpenAI's, a budget is this one's.
  void drop_reasoning() {
    const bool is_word = request_.reasoning && !request_.reasoning->effort.empty();
    drop(is_word ? "reasoning_effort" : "thinking");
  }

  void turn_off() {
    if (!is_on()) return;
    thinking_ = off();
    drop_reasoning();
  }

  // Sets thinking_, budget_, effort_ and max_tokens_, the last as the caller has it.
  void decide_thinking() {
    max_tokens_ = std::clamp(request_.max_output_tokens.value_or(target_.default_max_tokens), std::int64_t{1},
                             kTokensMax);
    if (!request_.reasoning) return;
    const Reasoning& wanted = *request_.reasoning;
    if (wanted.effort == "none") {
      if (target_.reasoning) thinking_ = off();
      if (is_newer() && thinking_ == Thinking::absent) drop("reasoning_effort");
      return;
    }
    if (wanted.effort.empty() && !wanted.budget_tokens && !wanted.adaptive) return;
    if (!target_.reasoning) return drop_reasoning();
    if (wanted.adaptive || is_newer()) {
      thinking_ = Thinking::adaptive;
    } else {
      thinking_ = Thinking::enabled;
    }
    effort_ = effort_word(wanted);
    budget_ = wanted.budget_tokens ? std::clamp(*wanted.budget_tokens, kThinkingBudgetMin, kTokensMax)
                                   : share_of_limit(wanted.effort);
    const ToolChoice::Mode choice = request_.tool_choice.value_or(ToolChoice()).mode;
    const bool is_forced =
        choice == ToolChoice::Mode::required || choice == ToolChoice::Mode::named;  // Refused with thinking.
    if (is_forced && !request_.tools.empty()) turn_off();
    if (thinking_ == Thinking::enabled && lacks_thinking()) turn_off();
  }

  static std::string effort_word(const Reasoning& wanted) {
    if (wanted.effort == "minimal") return "low";
    if (!wanted.effort.empty() || !wanted.budget_tokens) return wanted.effort;
    return *wanted.budget_tokens <= 2048 ? "low" : *wanted.budget_tokens <= 8192 ? "medium" : "high";
  }

  // The share of the limit that OpenRouter and coder/aibridge give to each effort (November 2026).
  std::int64_t share_of_limit(std::string_view effort) const {
    int percent = 50;
    if (effort == "minimal") percent = 0;
    if (effort == "low") percent = 20;
    if (effort == "high") percent = 80;
    if (effort == "xhigh" || effort == "max") percent = 95;
    return std::max(max_tokens_ * percent / 100, kThinkingBudgetMin);
  }

  // True when the running tool loop began without thinking: the provider refuses to go on with it. The loop
  // is what stands behind the last user turn that brings no results.
  bool lacks_thinking() const {
    const auto& turns = messages_.turns;
    if (turns.back().role != Role::user || turns.back().results.empty()) return false;
    std::size_t at = turns.size() - 1;
    while (at > 0 && (turns[at].role == Role::assistant || !turns[at].results.empty())) --at;
    while (at < turns.size() && turns[at].role != Role::assistant) ++at;
    if (at == turns.size() || turns[at].blocks.empty()) return false;
    const Json& blocks = turns[at].blocks;
    return !is_thinking(blocks[0]) && std::ranges::any_of(blocks, is_tool_use);
  }

  // An assistant turn at the end asks the model to go on with it: newer models refuse that, older ones do so
  // with thinking only, and none takes a space at its end.
  Result<> end_with_user() {
    if (messages_.turns.back().role != Role::assistant) return {};
    if (is_newer()) return cannot("messages", "messages: the target needs a user message at the end");
    turn_off();
    strip_thinking();
    if (messages_.turns.back().role != Role::assistant) return {};
    Json& last = messages_.turns.back().blocks.back();
    if (type_of(last) == "text") {
      auto& text = last["text"].get_ref<std::string&>();
      text.resize(text.find_last_not_of(kBlanks) + 1);
    }
    return {};
  }

  // "When `thinking` is disabled, an `assistant` message in the final position cannot contain `thinking`",
  // and elsewhere it is ignored then. A newer model that is told nothing thinks.
  void strip_thinking() {
    if (is_on() || (is_newer() && thinking_ == Thinking::absent)) return;
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

  void add_format() {
    if (!request_.response_format) return;
    using Kind = ResponseFormat::Kind;
    const ResponseFormat& format = *request_.response_format;
    auto schema = parse_object(format.schema);
    if (format.kind == Kind::json_schema && schema) {
      close_objects(*schema);
      output_config_["format"] = {{"type", "json_schema"}, {"schema", std::move(*schema)}};
    } else if (format.kind != Kind::text) {
      messages_.system.push_back(text_block({std::string(kJsonHint), {}}));
    }
  }

  void add_messages() {
    Json& system = messages_.system;
    const bool is_marked = std::ranges::any_of(system, [](const Json& block) { return block.size() > 2; });
    if (is_marked) {
      body_["system"] = std::move(system);
    } else if (!system.empty()) {
      std::string text;
      for (const Json& block : system) {
        if (!text.empty()) text += "\n\n";
        text += block["text"].get_ref<const std::string&>();
      }
      body_["system"] = std::move(text);
    }
    Json& list = body_["messages"] = Json::array();
    for (Turn& turn : messages_.turns) {
      Json blocks = std::move(turn.results);
      for (Json& block : turn.blocks) blocks.push_back(std::move(block));
      list.push_back({{"role", turn.role == Role::user ? "user" : "assistant"},
                      {"content", content_of(std::move(blocks))}});
    }
  }

  Result<> add_tools() {
    if (request_.tools.empty()) return {};
    Json& list = body_["tools"] = Json::array();
    for (std::size_t i = 0; i < request_.tools.size(); ++i) {
      const Tool& tool = request_.tools[i];
      auto schema = parse_arguments(tool.parameters, item("tools", i));
      if (!schema) return schema.error();
      if (schema->empty()) *schema = {{"type", "object"}, {"properties", Json::object()}};
      if (!schema->contains("type")) (*schema)["type"] = "object";
      Json written{{"name", tool.name}};
      if (!tool.description.empty()) written["description"] = tool.description;
      written["input_schema"] = std::move(*schema);
      if (tool.strict.value_or(false)) written["strict"] = true;
      add_cache_control(tool.cache_control, written);
      list.push_back(std::move(written));
    }
    const bool one_call = !request_.parallel_tool_calls.value_or(true);
    if (!request_.tool_choice && !one_call) return {};
    const ToolChoice choice = request_.tool_choice.value_or(ToolChoice());
    constexpr std::array<const char*, 4> kTypes{"auto", "none", "any", "tool"};
    Json written{{"type", kTypes[static_cast<std::size_t>(choice.mode)]}};
    if (choice.mode == ToolChoice::Mode::named) written["name"] = choice.name;
    if (one_call && choice.mode != ToolChoice::Mode::none) written["disable_parallel_tool_use"] = true;
    body_["tool_choice"] = std::move(written);
    return {};
  }

  void add_thinking() {
    if (thinking_ == Thinking::disabled) body_["thinking"] = {{"type", "disabled"}};
    if (thinking_ == Thinking::enabled) body_["thinking"] = {{"type", "enabled"}, {"budget_tokens", budget_}};
    if (thinking_ == Thinking::adaptive) {
      body_["thinking"] = {{"type", "adaptive"}};
      if (!effort_.empty()) output_config_["effort"] = effort_;
    }
    if (!output_config_.empty()) body_["output_config"] = std::move(output_config_);
  }

  void add_sampling() {
    const bool allowed = target_.sampling_parameters && !is_on();
    if (const auto& value = request_.temperature) {
      if (allowed) body_["temperature"] = std::clamp(*value, 0.0, 1.0);
      if (*value > 1 || (!allowed && *value != 1)) drop("temperature");
    }
    // Several models refuse the two together; everybody advises to set one.
    if (const auto& value = request_.top_p; value && *value != 1) {
      if (allowed && !request_.temperature) {
        body_["top_p"] = *value;
      } else {
        drop("top_p");
      }
    }
    if (request_.top_k) {
      if (allowed) {
        body_["top_k"] = *request_.top_k;
      } else {
        drop("top_k");
      }
    }
    if (request_.min_p) drop("min_p");
    if (request_.frequency_penalty.value_or(0) != 0) drop("frequency_penalty");
    if (request_.presence_penalty.value_or(0) != 0) drop("presence_penalty");
    if (request_.seed) drop("seed");
  }

  void add_rest() {
    Json stop = Json::array();
    for (const std::string& text : request_.stop) {
      if (is_blank(text)) {
        drop("stop");
      } else {
        stop.push_back(text);
      }
    }
    if (!stop.empty()) body_["stop_sequences"] = std::move(stop);
    if (!request_.user.empty()) body_["metadata"] = {{"user_id", request_.user}};
    if (!request_.metadata.empty()) drop("metadata");
    if (request_.service_tier == "auto" || request_.service_tier == "standard_only") {
      body_["service_tier"] = request_.service_tier;
    } else if (!request_.service_tier.empty()) {
      drop("service_tier");
    }
    if (request_.stream) body_["stream"] = true;
  }

  const ChatRequest& request_;
  const TargetTraits& target_;
  Conversation messages_;
  Json body_ = Json::object(), output_config_ = Json::object();
  std::vector<std::string> dropped_;
  Thinking thinking_ = Thinking::absent;
  std::int64_t max_tokens_ = 0, budget_ = 0;
  std::string effort_;
};

}  // namespace

Result<WrittenRequest> write_request(const ChatRequest& request, const TargetTraits& target) {
  return RequestWriter(request, target).write();
}

}  // namespace switchyard::anthropic
