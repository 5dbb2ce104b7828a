#include "adapters/dialects/json.h"
#include "adapters/dialects/losses.h"
#include "adapters/dialects/openai_chat_request.h"
#include "adapters/dialects/openai_completions.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace switchyard::completions {

namespace {

using openai::json_of;
using openai::text_of;
using openai::wrong;

// What the API's reference gives a request that names no limit.
constexpr std::int64_t kMaxTokensDefault = 16;

// One text. Token ids are of one model's vocabulary, and a reply to several prompts has several choices: only
// a target of this dialect takes those, as they came.
Result<> parse_prompt(const Json& json, ChatRequest& request) {
  const auto cannot = [](const char* what) {
    return fail(ErrorKind::unsupported, std::string("the target does not take ") + what, "prompt");
  };
  const Json* prompt = find_member(json, "prompt");
  if (!prompt) return wrong("prompt", "is required");
  if (prompt->is_array()) {
    if (prompt->empty()) return wrong("prompt", "must not be empty");
    const Json& first = prompt->front();
    if (first.is_number() || first.is_array()) return cannot("token ids as a prompt");
    if (prompt->size() > 1) return cannot("several prompts at once");
    prompt = &first;
  }
  if (!prompt->is_string()) return wrong("prompt", "must be a string or a list of strings");
  request.messages.push_back({Role::user, {TextPart{prompt->get<std::string>(), {}}}, {}});
  return {};
}

Result<> parse_stop(const Json& json, ChatRequest& request) {
  const Json* stop = find_member(json, "stop");
  if (!stop) return {};
  const auto add = [&](const Json& one) {
    if (one.is_string()) request.stop.push_back(one.get<std::string>());
    return one.is_string();
  };
  const bool valid = stop->is_array() ? std::ranges::all_of(*stop, add) : add(*stop);
  if (!valid) return wrong("stop", "must be a string or a list of strings");
  return {};
}

Result<> parse_numbers(const Json& json, ChatRequest& request) {
  std::optional<std::int64_t> best_of;
  for (auto [name, out] : {std::pair{"max_tokens", &request.max_output_tokens},
                           {"seed", &request.seed},
                           {"top_k", &request.top_k},
                           {"n", &request.choices},
                           {"best_of", &best_of}}) {
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
  if (!request.max_output_tokens) request.max_output_tokens = kMaxTokensDefault;
  if (*request.max_output_tokens < 1) return wrong("max_tokens", "must be at least 1");
  if (request.choices.value_or(1) < 1) return wrong("n", "must be at least 1");
  if (outside(request.temperature, 0, 2)) return wrong("temperature", "must be between 0 and 2");
  if (outside(request.top_p, 0, 1)) return wrong("top_p", "must be between 0 and 1");
  if (outside(request.frequency_penalty, -2, 2))
    return wrong("frequency_penalty", "must be between -2 and 2");
  if (outside(request.presence_penalty, -2, 2)) return wrong("presence_penalty", "must be between -2 and 2");
  if (best_of.value_or(1) > 1) request.unmapped.emplace_back("best_of");
  // A translated reply has one choice.
  if (request.choices.value_or(1) > 1) request.unmapped.emplace_back("n");
  return {};
}

Result<> parse_rest(const Json& json, ChatRequest& request) {
  std::optional<bool> stream, usage, echo;
  if (const auto read = read_bool(json, "stream", stream); !read) return read;
  if (const auto read = read_bool(json, "echo", echo); !read) return read;
  if (const Json* options = find_member(json, "stream_options")) {
    if (const auto read = read_bool(*options, "include_usage", usage, "stream_options"); !read) return read;
  }
  if (const auto read = read_string(json, "user", request.user); !read) return read;
  request.stream = stream.value_or(false);
  request.include_usage = usage.value_or(false);
  request.logit_bias = json_of(json, "logit_bias");
  if (request.logit_bias == "{}") request.logit_bias.clear();
  if (echo.value_or(false)) request.unmapped.emplace_back("echo");
  if (!text_of(json, "suffix").empty()) request.unmapped.emplace_back("suffix");
  if (find_member(json, "logprobs")) request.unmapped.emplace_back("logprobs");
  return {};
}

// Every member that the functions above read.
constexpr std::array<std::string_view, 20> kKnown{
    "model",      "prompt", "stop",     "max_tokens",        "seed",
    "top_k",      "n",      "best_of",  "temperature",       "top_p",
    "min_p",      "stream", "echo",     "stream_options",    "user",
    "logit_bias", "suffix", "logprobs", "frequency_penalty", "presence_penalty"};

// The text of a request that is nothing but one.
Result<std::string> prompt_of(const ChatRequest& request) {
  const auto cannot = [](const char* param, const char* what) {
    return fail(ErrorKind::unsupported, std::string("the target takes one text, and no ") + what, param);
  };
  if (!request.tools.empty() || request.hosted_tool_is_forced) return cannot("tools", "tools");
  if (request.response_format && request.response_format->kind != ResponseFormat::Kind::text)
    return cannot("response_format", "format of the answer");
  if (request.messages.size() != 1 || request.messages.front().role != Role::user)
    return cannot("messages", "conversation");
  std::string text;
  for (const Part& part : request.messages.front().parts) {
    const auto* plain = std::get_if<TextPart>(&part);
    if (!plain) return cannot("messages[0].content", "other content");
    text += plain->text;
  }
  return text;
}

class RequestWriter {
 public:
  RequestWriter(const ChatRequest& request, const TargetTraits& target)
      : request_(request), target_(target) {}

  Result<WrittenRequest> write() {
    auto prompt = prompt_of(request_);
    if (!prompt) return prompt.error();
    if (request_.choices.value_or(1) > 1) return cannot("n", "more than one choice");
    if (request_.logprobs.value_or(false) || request_.top_logprobs.value_or(0) > 0)
      return cannot("logprobs", "logprobs in this form");
    if (request_.stop.size() > 4) return cannot("stop", "more than four stop sequences");
    for (const std::string& type : request_.hosted_tools) dropped_.push_back("tools." + type);
    if (const auto checked = drop_unmapped(request_, dropped_); !checked) return checked.error();
    body_["model"] = target_.model;
    body_["prompt"] = std::move(*prompt);
    // This dialect's own default would cut the answer off.
    body_["max_tokens"] = request_.max_output_tokens.value_or(target_.default_max_tokens);
    add_sampling();
    if (request_.stream) body_["stream"] = true;
    if (request_.stream && target_.stream_usage) body_["stream_options"] = {{"include_usage", true}};
    return WrittenRequest{to_text(body_), std::move(dropped_)};
  }

 private:
  static Error cannot(const char* param, const char* what) {
    return fail(ErrorKind::unsupported, std::string("the target does not take ") + what, param);
  }

  template <class T>
  void add(const std::string& name, const std::optional<T>& value, bool takes = true) {
    if (!value) return;
    if (takes && std::ranges::find(target_.refused, name) == target_.refused.end()) {
      body_[name] = *value;
    } else {
      dropped_.push_back(name);
    }
  }

  void add_sampling() {
    add("temperature", request_.temperature, target_.sampling_parameters);
    add("top_p", request_.top_p, target_.sampling_parameters);
    add("frequency_penalty", request_.frequency_penalty);
    add("presence_penalty", request_.presence_penalty);
    add("min_p", request_.min_p, target_.extended_sampling);
    add("top_k", request_.top_k, target_.extended_sampling);
    if (target_.seed_field.empty()) {
      add("seed", request_.seed, false);
    } else {
      add(target_.seed_field, request_.seed);
    }
    if (!request_.logit_bias.empty()) body_["logit_bias"] = Json::parse(request_.logit_bias, nullptr, false);
    if (body_.contains("logit_bias") && body_["logit_bias"].is_discarded()) body_.erase("logit_bias");
    if (!request_.stop.empty()) body_["stop"] = request_.stop;
    if (!request_.user.empty()) add("user", std::optional<std::string>(request_.user));
    if (request_.reasoning && request_.reasoning->effort != "none") dropped_.emplace_back("reasoning_effort");
    if (!request_.service_tier.empty()) dropped_.emplace_back("service_tier");
  }

  const ChatRequest& request_;
  const TargetTraits& target_;
  Json body_ = Json::object();
  std::vector<std::string> dropped_;
};

}  // namespace

Result<ChatRequest> parse_request(std::string_view body) {
  const auto json = parse_object(body);
  if (!json) return json.error();
  ChatRequest request;
  if (const auto read = read_string(*json, "model", request.model); !read) return read.error();
  if (request.model.empty()) return wrong("model", "is required");
  for (const auto step : {&parse_prompt, &parse_stop, &parse_numbers, &parse_rest}) {
    if (const auto read = step(*json, request); !read) return read.error();
  }
  for (const auto& [name, value] : json->items()) {
    if (!value.is_null() && std::ranges::find(kKnown, name) == kKnown.end()) request.unmapped.push_back(name);
  }
  return request;
}

Result<WrittenRequest> write_request(const ChatRequest& request, const TargetTraits& target) {
  return RequestWriter(request, target).write();
}

}  // namespace switchyard::completions
