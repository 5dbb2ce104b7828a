#include "adapters/dialects/gemini_write.h"

#include "adapters/dialects/losses.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace switchyard::google {

namespace {

// What Google's own OpenAI layer gives to "high": the most that every model with a budget takes.
constexpr std::int64_t kBudgetMax = 24576;
constexpr std::int64_t kBudgetMin = 1024;
constexpr std::int64_t kBudgetFloor = 128;  // The least that a model which always thinks takes.
// What an effort is a share of when the caller set no limit.
constexpr std::int64_t kUsualLimit = 30720;
constexpr std::size_t kStopMax = 5;
constexpr std::size_t kNameMax = 128;

bool is_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

bool is_legal_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameMax && is_letter(name.front()) &&
         std::ranges::all_of(name, [](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') || c == '.' || c == ':' || c == '-';
         });
}

// True for the schema of a function without arguments, which is left out.
bool is_empty_schema(const Json& schema) {
  for (const auto& [name, value] : schema.items()) {
    const bool says_nothing = (name == "type" && value == "object") || name == "$schema" ||
                              (name == "additionalProperties" && value == false) ||
                              ((name == "properties" || name == "required") && value.empty());
    if (!says_nothing) return false;
  }
  return true;
}

class RequestWriter {
 public:
  RequestWriter(const ChatRequest& request, const TargetTraits& target)
      : request_(request), target_(target) {}

  Result<WrittenRequest> write() {
    if (const auto allowed = refuse(); !allowed) return allowed.error();
    auto conversation = write_contents(request_.messages, target_);
    if (!conversation) return conversation.error();
    if (conversation->lost_name) drop("name");
    if (conversation->lost_detail) drop("image_url.detail");
    if (!conversation->system.empty()) {
      body_["systemInstruction"] = {{"parts", std::move(conversation->system)}};
    }
    body_["contents"] = std::move(conversation->contents);
    if (const auto added = add_tools(); !added) return added.error();
    add_sampling();
    add_format();
    add_thinking();
    if (!config_.empty()) body_["generationConfig"] = std::move(config_);
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
    if (request_.choices.value_or(1) > 1) return cannot("n", "n: one choice only can be translated");
    if (!request_.logit_bias.empty() && request_.logit_bias != "{}") {
      return cannot("logit_bias", "logit_bias: the target does not take it");
    }
    const bool wants_logprobs = request_.logprobs.value_or(false) || request_.top_logprobs.value_or(0) > 0;
    if (wants_logprobs && is_refused("logprobs"))
      return cannot("logprobs", "logprobs: the target does not give them");
    if (request_.stop.size() > kStopMax) return cannot("stop", "stop: the target takes five at most");
    if (!request_.tools.empty() && !target_.tools) return cannot("tools", "tools: the target takes none");
    if (request_.hosted_tool_is_forced) {
      return cannot("tool_choice", "tool_choice: the target does not have the tool that it names");
    }
    if (wants_json() && !request_.tools.empty() && !is_gemini_3(target_)) {
      return cannot("response_format", "response_format: the target does not take it together with tools");
    }
    for (const std::string& type : request_.hosted_tools) drop("tools." + type);
    return drop_unmapped(request_, dropped_);
  }

  bool wants_json() const {
    return request_.response_format && request_.response_format->kind != ResponseFormat::Kind::text;
  }

  Result<> add_tools() {
    if (request_.parallel_tool_calls && !*request_.parallel_tool_calls) drop("parallel_tool_calls");
    if (request_.tools.empty()) return {};
    Json declarations = Json::array();
    for (std::size_t i = 0; i < request_.tools.size(); ++i) {
      const Tool& tool = request_.tools[i];
      const std::string place = "tools[" + std::to_string(i) + "]";
      if (!is_legal_name(tool.name))
        return cannot(place + ".name", place + ".name: the target does not take this name");
      Json written{{"name", tool.name}};
      if (!tool.description.empty()) written["description"] = tool.description;
      auto schema = parse_arguments(tool.parameters, place);
      if (!schema) return schema.error();
      if (!is_empty_schema(*schema)) written["parametersJsonSchema"] = std::move(*schema);
      declarations.push_back(std::move(written));
      if (tool.strict.value_or(false)) drop("tools.strict");
      if (!tool.format.empty()) drop("tools.format");
    }
    body_["tools"] = Json::array({Json{{"functionDeclarations", std::move(declarations)}}});
    if (!request_.tool_choice) return {};
    constexpr std::array<const char*, 4> kModes{"AUTO", "NONE", "ANY", "ANY"};
    Json calling{{"mode", kModes[static_cast<std::size_t>(request_.tool_choice->mode)]}};
    if (request_.tool_choice->mode == ToolChoice::Mode::named) {
      calling["allowedFunctionNames"] = Json::array({request_.tool_choice->name});
    }
    body_["toolConfig"] = {{"functionCallingConfig", std::move(calling)}};
    return {};
  }

  void add_number(const char* name, const char* field, const std::optional<double>& value, bool allowed) {
    if (!value) return;
    if (allowed && !is_refused(name)) {
      config_[field] = *value;
    } else {
      drop(name);
    }
  }

  void add_sampling() {
    if (request_.max_output_tokens) config_["maxOutputTokens"] = *request_.max_output_tokens;
    const bool allowed = target_.sampling_parameters;
    std::optional<double> temperature = request_.temperature;
    if (temperature && *temperature > 2) {
      temperature = 2;
      drop("temperature");
    }
    add_number("temperature", "temperature", temperature, allowed);
    add_number("top_p", "topP", request_.top_p, allowed);
    if (request_.top_k.value_or(0) > 0) {  // Elsewhere 0 and -1 mean: no limit.
      add_number("top_k", "topK", static_cast<double>(*request_.top_k), allowed);
      if (config_.contains("topK")) config_["topK"] = *request_.top_k;
    }
    if (request_.min_p) drop("min_p");
    add_number("frequency_penalty", "frequencyPenalty", request_.frequency_penalty, true);
    add_number("presence_penalty", "presencePenalty", request_.presence_penalty, true);
    if (request_.seed) {
      const bool fits = *request_.seed >= INT32_MIN && *request_.seed <= INT32_MAX;
      if (fits && !target_.seed_field.empty() && !is_refused("seed")) {
        config_["seed"] = *request_.seed;
      } else {
        drop("seed");
      }
    }
    if (!request_.stop.empty()) config_["stopSequences"] = request_.stop;
    if (request_.logprobs.value_or(false) || request_.top_logprobs.value_or(0) > 0) {
      config_["responseLogprobs"] = true;
      if (request_.top_logprobs) config_["logprobs"] = *request_.top_logprobs;
    }
  }

  void add_format() {
    if (!wants_json()) return;
    config_["responseMimeType"] = "application/json";
    auto schema = parse_object(request_.response_format->schema);
    if (schema) config_["responseJsonSchema"] = std::move(*schema);
  }

  // Named as the caller's dialect names it: a word is OpenAI's, a budget is another's.
  void drop_reasoning() { drop(request_.reasoning->effort.empty() ? "thinking" : "reasoning_effort"); }

  void add_thinking() {
    if (!request_.reasoning) return;
    const Reasoning& wanted = *request_.reasoning;
    const bool is_off = wanted.effort == "none";
    if (wanted.effort.empty() && !wanted.budget_tokens && !wanted.adaptive) return;
    if (!target_.reasoning) {
      if (!is_off) drop_reasoning();
      return;
    }
    Json thinking = Json::object();
    if (!is_off) thinking["includeThoughts"] = true;
    if (is_gemini_3(target_)) {
      const std::string_view level = level_of(wanted);
      if (!level.empty()) thinking["thinkingLevel"] = level;
    } else {
      thinking["thinkingBudget"] = budget_of(wanted);
    }
    if (is_off && !target_.can_stop_reasoning) drop_reasoning();
    config_["thinkingConfig"] = std::move(thinking);
  }

  std::string_view level_of(const Reasoning& wanted) const {
    const std::string& effort = wanted.effort;
    if (effort == "none" || effort == "minimal") return target_.can_stop_reasoning ? "MINIMAL" : "LOW";
    if (effort == "low") return "LOW";
    if (effort == "medium") return "MEDIUM";
    if (!effort.empty()) return "HIGH";
    if (!wanted.budget_tokens) return {};
    return *wanted.budget_tokens <= 2048 ? "LOW" : *wanted.budget_tokens <= 8192 ? "MEDIUM" : "HIGH";
  }

  // Thoughts count against the limit of the answer, so there must be room behind them.
  std::int64_t budget_of(const Reasoning& wanted) {
    if (wanted.effort == "none") return target_.can_stop_reasoning ? 0 : kBudgetFloor;
    const std::int64_t limit = request_.max_output_tokens.value_or(kUsualLimit);
    std::int64_t budget = -1;  // As much as the model likes.
    if (!wanted.effort.empty()) {
      budget = std::max(share_of(limit, wanted.effort), kBudgetMin);
    } else if (wanted.budget_tokens) {
      budget = std::max(*wanted.budget_tokens, kBudgetFloor);
    }
    if (budget < 0) return budget;
    return std::min({budget, kBudgetMax, std::max(limit - 1, kBudgetFloor)});
  }

  // The share of the limit that OpenRouter and coder/aibridge give to each effort (November 2026).
  static std::int64_t share_of(std::int64_t limit, std::string_view effort) {
    std::int64_t percent = 50;
    if (effort == "minimal") percent = 0;
    if (effort == "low") percent = 20;
    if (effort == "high") percent = 80;
    if (effort == "xhigh" || effort == "max") percent = 95;
    return limit / 100 * percent + limit % 100 * percent / 100;
  }

  void add_rest() {
    if (!request_.user.empty()) drop("user");
    if (!request_.metadata.empty()) drop("metadata");
    const std::string& tier = request_.service_tier;
    if (tier.empty() || tier == "auto") return;
    const bool is_standard = tier == "default" || tier == "standard" || tier == "standard_only";
    if ((!is_standard && tier != "flex" && tier != "priority") || is_refused("service_tier"))
      return drop("service_tier");
    body_["serviceTier"] = is_standard ? "standard" : tier;
  }

  const ChatRequest& request_;
  const TargetTraits& target_;
  Json body_ = Json::object(), config_ = Json::object();
  std::vector<std::string> dropped_;
};

}  // namespace

Result<WrittenRequest> write_request(const ChatRequest& request, const TargetTraits& target) {
  return RequestWriter(request, target).write();
}

}  // namespace switchyard::google
