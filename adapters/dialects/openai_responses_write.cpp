#include "adapters/dialects/openai_responses_write.h"

#include "adapters/dialects/losses.h"

#include <algorithm>
#include <array>

namespace switchyard::responses {

namespace {

// The least that the provider takes for max_output_tokens.
constexpr std::int64_t kOutputTokensMin = 16;
constexpr std::size_t kMetadataMax = 16;

class RequestWriter {
 public:
  RequestWriter(const ChatRequest& request, const TargetTraits& target)
      : request_(request), target_(target) {}

  Result<WrittenRequest> write() {
    if (const auto allowed = refuse(); !allowed) return allowed.error();
    auto items = write_items(request_.messages, target_);
    if (!items) return items.error();
    if (items->lost_name) drop("name");
    body_["model"] = target_.model;
    if (!items->instructions.empty()) body_["instructions"] = std::move(items->instructions);
    body_["input"] = std::move(items->input);
    add_limit();
    add_sampling();
    if (const auto added = add_tools(); !added) return added.error();
    if (const auto added = add_format(); !added) return added.error();
    add_reasoning();
    add_rest();
    return WrittenRequest{to_text(body_), std::move(dropped_)};
  }

 private:
  void drop(std::string_view name) {
    if (std::ranges::find(dropped_, name) == dropped_.end()) dropped_.emplace_back(name);
  }

  bool is_refused(std::string_view name) const {
    return std::ranges::find(target_.refused, name) != target_.refused.end();
  }

  // Without these the answer would be a wrong one.
  Result<> refuse() {
    if (request_.choices.value_or(1) > 1) return cannot("n", "more than one choice");
    if (!request_.stop.empty()) return cannot("stop", "stop sequences");
    if (!request_.logit_bias.empty() && request_.logit_bias != "{}")
      return cannot("logit_bias", "logit_bias");
    if (!request_.tools.empty() && !target_.tools) return cannot("tools", "tools");
    const bool wants_logprobs = request_.logprobs.value_or(false) || request_.top_logprobs.value_or(0) > 0;
    if (wants_logprobs && (is_refused("logprobs") || is_refused("top_logprobs")))
      return cannot("logprobs", "logprobs");
    if (request_.hosted_tool_is_forced) return cannot("tool_choice", "a tool that another provider runs");
    for (const std::string& type : request_.hosted_tools) drop("tools." + type);
    return drop_unmapped(request_, dropped_);
  }

  void add_limit() {
    if (!request_.max_output_tokens) return;
    body_["max_output_tokens"] = std::max(*request_.max_output_tokens, kOutputTokensMin);
    if (*request_.max_output_tokens < kOutputTokensMin) drop("max_tokens");
  }

  void add_sampling() {
    const auto number = [&](const char* name, const std::optional<double>& value) {
      if (!value) return;
      if (target_.sampling_parameters && !is_refused(name)) {
        body_[name] = *value;
      } else if (*value != 1) {
        drop(name);
      }
    };
    number("temperature", request_.temperature);
    number("top_p", request_.top_p);
    if (request_.top_k) drop("top_k");
    if (request_.min_p) drop("min_p");
    if (request_.frequency_penalty.value_or(0) != 0) drop("frequency_penalty");
    if (request_.presence_penalty.value_or(0) != 0) drop("presence_penalty");
    if (request_.seed) drop("seed");
    if (request_.top_logprobs) body_["top_logprobs"] = *request_.top_logprobs;
    if (request_.logprobs.value_or(false) || request_.top_logprobs)
      include_.push_back("message.output_text.logprobs");
  }

  // Tools are flat here. Not saying `strict` means "if the schema allows it" to this provider and "no" to
  // everybody else.
  static Result<Json> tool_json(const Tool& tool, std::size_t index) {
    Json written{{"type", tool.custom ? "custom" : "function"}, {"name", tool.name}};
    if (!tool.description.empty()) written["description"] = tool.description;
    if (tool.custom) {
      Json format = Json::parse(tool.format, nullptr, false);
      if (format.is_object()) written["format"] = std::move(format);
      return written;
    }
    auto schema = parse_arguments(tool.parameters, "tools[" + std::to_string(index) + "]");
    if (!schema) return schema.error();
    if (schema->empty()) *schema = {{"type", "object"}, {"properties", Json::object()}};
    written["parameters"] = std::move(*schema);
    written["strict"] = tool.strict.value_or(false);
    return written;
  }

  Result<> add_tools() {
    if (request_.tools.empty()) return {};
    Json list = Json::array();
    for (const Tool& tool : request_.tools) {
      auto written = tool_json(tool, list.size());
      if (!written) return written.error();
      list.push_back(std::move(*written));
    }
    body_["tools"] = std::move(list);
    if (request_.tool_choice) {
      const ToolChoice& choice = *request_.tool_choice;
      constexpr std::array<const char*, 3> kWords{"auto", "none", "required"};
      if (choice.mode == ToolChoice::Mode::named) {
        const bool custom = std::ranges::any_of(
            request_.tools, [&](const Tool& tool) { return tool.custom && tool.name == choice.name; });
        body_["tool_choice"] = {{"type", custom ? "custom" : "function"}, {"name", choice.name}};
      } else {
        body_["tool_choice"] = kWords[static_cast<std::size_t>(choice.mode)];
      }
    }
    if (!request_.parallel_tool_calls) return {};
    if (target_.parallel_tool_calls) {
      body_["parallel_tool_calls"] = *request_.parallel_tool_calls;
    } else if (!*request_.parallel_tool_calls) {
      drop("parallel_tool_calls");
    }
    return {};
  }

  Result<> add_format() {
    if (!request_.response_format) return {};
    using Kind = ResponseFormat::Kind;
    const ResponseFormat& format = *request_.response_format;
    if (format.kind == Kind::text) return {};
    if (format.kind == Kind::json_object) {
      if (!target_.json_object) return cannot("response_format", "JSON mode");
      body_["text"] = {{"format", {{"type", "json_object"}}}};
      return {};
    }
    if (!target_.json_schema) return cannot("response_format", "a JSON schema for its answer");
    auto schema = parse_arguments(format.schema, "response_format");
    if (!schema) return schema.error();
    Json written{{"type", "json_schema"}, {"name", format.name.empty() ? "answer" : format.name}};
    if (!format.description.empty()) written["description"] = format.description;
    written["schema"] = std::move(*schema);
    if (format.strict) written["strict"] = *format.strict;
    body_["text"] = {{"format", std::move(written)}};
    return {};
  }

  // The words of the common scale; a budget becomes the nearest word.
  static std::string effort_of(const Reasoning& reasoning) {
    if (!reasoning.effort.empty() || !reasoning.budget_tokens) return reasoning.effort;
    return *reasoning.budget_tokens <= 2048 ? "low" : *reasoning.budget_tokens <= 8192 ? "medium" : "high";
  }

  void add_reasoning() {
    // Without state on the provider's side the model gets its own thoughts back only when they come along.
    if (target_.reasoning) include_.push_back("reasoning.encrypted_content");
    if (!request_.reasoning) return;
    const Reasoning& wanted = *request_.reasoning;
    const std::string effort = effort_of(wanted);
    const bool is_off = effort == "none";
    const bool reasons = target_.reasoning && !is_refused("reasoning_effort");
    if (!reasons || (is_off && !target_.can_stop_reasoning)) {
      // Who does not reason need not be told not to.
      if (!is_off || reasons) drop(wanted.effort.empty() ? "thinking" : "reasoning_effort");
      return;
    }
    Json reasoning = Json::object();
    if (!effort.empty()) reasoning["effort"] = effort;
    // Who asks for a budget reads the thoughts; who asks for an effort has no place for them.
    if (wanted.budget_tokens || wanted.adaptive) reasoning["summary"] = "auto";
    if (!reasoning.empty()) body_["reasoning"] = std::move(reasoning);
  }

  void add_rest() {
    if (!request_.user.empty()) {
      if (is_refused("user")) {
        drop("user");
      } else {
        body_["user"] = request_.user;
      }
    }
    if (!request_.metadata.empty()) {
      if (request_.metadata.size() > kMetadataMax || is_refused("metadata")) {
        drop("metadata");
      } else {
        for (const auto& [name, value] : request_.metadata) body_["metadata"][name] = value;
      }
    }
    if (const std::string& tier = request_.service_tier; !tier.empty()) {
      constexpr std::string_view kTiers[] = {"auto", "default", "flex", "scale", "priority", "fast"};
      if (std::ranges::find(kTiers, tier) != std::end(kTiers) && !is_refused("service_tier")) {
        body_["service_tier"] = tier;
      } else {
        drop("service_tier");
      }
    }
    if (!include_.empty()) body_["include"] = std::move(include_);
    body_["store"] = false;
    if (request_.stream) body_["stream"] = true;
  }

  const ChatRequest& request_;
  const TargetTraits& target_;
  Json body_ = Json::object(), include_ = Json::array();
  std::vector<std::string> dropped_;
};

}  // namespace

Result<WrittenRequest> write_request(const ChatRequest& request, const TargetTraits& target) {
  return RequestWriter(request, target).write();
}

}  // namespace switchyard::responses
