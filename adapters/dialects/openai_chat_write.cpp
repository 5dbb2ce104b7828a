#include "adapters/dialects/openai_chat_write.h"

#include "adapters/dialects/json.h"
#include "adapters/dialects/losses.h"
#include "adapters/dialects/openai_chat.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace switchyard::openai {

namespace {

// Text that the canonical model keeps as JSON: a schema.
Result<Json> schema_of(const std::string& text, const char* param) {
  Json schema = Json::parse(text, nullptr, false);
  if (schema.is_object()) return schema;
  return fail(ErrorKind::invalid_request, std::string(param) + " holds a schema that is no object", param);
}

// The words of the field's common scale; a budget becomes the nearest word.
std::string effort_of(const Reasoning& reasoning) {
  if (!reasoning.effort.empty()) return reasoning.effort;
  if (!reasoning.budget_tokens) return {};
  return *reasoning.budget_tokens <= 2048 ? "low" : *reasoning.budget_tokens <= 8192 ? "medium" : "high";
}

class RequestWriter {
 public:
  RequestWriter(const ChatRequest& request, const TargetTraits& target)
      : request_(request), target_(target) {}

  Result<WrittenRequest> write() {
    if (const auto checked = drop_unmapped(request_, written_.dropped); !checked) return checked.error();
    out_["model"] = target_.model;
    auto messages = write_messages(request_, target_, written_.dropped);
    if (!messages) return messages.error();
    out_["messages"] = std::move(*messages);
    if (request_.max_output_tokens) {
      out_[target_.max_completion_tokens ? "max_completion_tokens" : "max_tokens"] =
          *request_.max_output_tokens;
    }
    for (const auto step :
         {&RequestWriter::sampling, &RequestWriter::choices, &RequestWriter::tools, &RequestWriter::format}) {
      if (const auto done = (this->*step)(); !done) return done.error();
    }
    reasoning();
    if (!request_.user.empty()) put("user", request_.user);
    if (!request_.service_tier.empty()) drop("service_tier");
    if (!request_.metadata.empty()) drop("metadata");  // OpenAI takes it for stored completions only.
    if (request_.stream) {
      out_["stream"] = true;
      if (target_.stream_usage) out_["stream_options"] = {{"include_usage", true}};
    }
    written_.body = to_text(out_);
    return std::move(written_);
  }

 private:
  void drop(std::string field) { written_.dropped.push_back(std::move(field)); }

  // A field that only tunes: left out, and named, where the target does not take it.
  template <class T>
  void put(const char* field, const T& value, bool takes = true) {
    if (takes && !refuses(target_, field)) {
      out_[field] = value;
    } else {
      drop(field);
    }
  }

  Result<> sampling() {
    const bool takes = target_.sampling_parameters;
    if (request_.temperature) put("temperature", *request_.temperature, takes);
    if (request_.top_p) put("top_p", *request_.top_p, takes);
    if (request_.frequency_penalty) put("frequency_penalty", *request_.frequency_penalty, takes);
    if (request_.presence_penalty) put("presence_penalty", *request_.presence_penalty, takes);
    if (request_.min_p) put("min_p", *request_.min_p, target_.extended_sampling);
    if (request_.top_k) put("top_k", *request_.top_k, target_.extended_sampling);
    if (request_.seed) {
      if (target_.seed_field.empty()) {
        drop("seed");
      } else {
        out_[target_.seed_field] = *request_.seed;
      }
    }
    if (request_.stop.empty()) return {};
    // An answer that runs on behind a stop sequence is a wrong one.
    if (!takes || refuses(target_, "stop")) return cannot("stop_sequences", "stop sequences");
    if (request_.stop.size() > 4) return cannot("stop_sequences", "more than four stop sequences");
    out_["stop"] = request_.stop;
    return {};
  }

  // What an answer is wrong without.
  Result<> choices() {
    // A translated reply carries one.
    if (request_.choices.value_or(1) > 1) return cannot("n", "n: it gives one choice only");
    if (request_.choices && !refuses(target_, "n")) out_["n"] = *request_.choices;
    const bool wanted = request_.logprobs.value_or(false) || request_.top_logprobs.value_or(0) > 0;
    if (wanted && (refuses(target_, "logprobs") || refuses(target_, "top_logprobs"))) {
      return cannot("logprobs", "logprobs");
    }
    if (request_.logprobs && !refuses(target_, "logprobs")) out_["logprobs"] = *request_.logprobs;
    if (request_.top_logprobs && !refuses(target_, "top_logprobs"))
      out_["top_logprobs"] = *request_.top_logprobs;
    if (!request_.logit_bias.empty()) {
      if (refuses(target_, "logit_bias")) return cannot("logit_bias", "logit_bias");
      out_["logit_bias"] = Json::parse(request_.logit_bias, nullptr, false);
    }
    return {};
  }

  Result<> tools() {
    if (request_.hosted_tool_is_forced) return cannot("tool_choice", "a tool that the provider runs itself");
    for (const std::string& type : request_.hosted_tools) drop("tools." + type);
    if (request_.tools.empty()) return {};
    using Mode = ToolChoice::Mode;
    const Mode mode = request_.tool_choice.value_or(ToolChoice()).mode;
    const bool takes_choice = !refuses(target_, "tool_choice");
    // Not to call a tool is said by offering none where no other word is taken.
    if (mode == Mode::none && !takes_choice) return {};
    if (!target_.tools) return cannot("tools", "tools");
    Json tools = Json::array();
    for (const Tool& tool : request_.tools) {
      Json function{{"name", tool.name}};
      if (!tool.description.empty()) function["description"] = tool.description;
      if (!tool.parameters.empty()) {
        auto schema = schema_of(tool.parameters, "tools");
        if (!schema) return schema.error();
        function["parameters"] = std::move(*schema);
      }
      if (tool.strict) function["strict"] = *tool.strict;
      tools.push_back({{"type", "function"}, {"function", std::move(function)}});
    }
    out_["tools"] = std::move(tools);
    if (request_.tool_choice && takes_choice) {
      tool_choice(*request_.tool_choice);
    } else if (mode == Mode::required || mode == Mode::named) {
      return cannot("tool_choice", "tool_choice");
    }
    if (request_.parallel_tool_calls) {
      if (target_.parallel_tool_calls) {
        put("parallel_tool_calls", *request_.parallel_tool_calls);
      } else if (!*request_.parallel_tool_calls) {
        drop("parallel_tool_calls");
      }
    }
    return {};
  }

  void tool_choice(const ToolChoice& choice) {
    switch (choice.mode) {
      case ToolChoice::Mode::automatic:
        out_["tool_choice"] = "auto";
        break;
      case ToolChoice::Mode::none:
        out_["tool_choice"] = "none";
        break;
      case ToolChoice::Mode::required:
        out_["tool_choice"] = "required";
        break;
      case ToolChoice::Mode::named:
        out_["tool_choice"] = {{"type", "function"}, {"function", {{"name", choice.name}}}};
        break;
    }
  }

  Result<> format() {
    if (!request_.response_format) return {};
    const ResponseFormat& format = *request_.response_format;
    using Kind = ResponseFormat::Kind;
    if (format.kind == Kind::text) return {};
    Json schema;
    if (format.kind == Kind::json_schema && !format.schema.empty()) {
      auto parsed = schema_of(format.schema, "response_format");
      if (!parsed) return parsed.error();
      schema = std::move(*parsed);
    }
    if (format.kind == Kind::json_schema && target_.json_schema) {
      Json written{{"name", format.name.empty() ? "answer" : format.name}};
      if (!format.description.empty()) written["description"] = format.description;
      if (!schema.is_null()) written["schema"] = std::move(schema);
      if (format.strict) written["strict"] = *format.strict;
      out_["response_format"] = {{"type", "json_schema"}, {"json_schema", std::move(written)}};
      return {};
    }
    // A caller who counts on the schema is not given what merely looks like it.
    if (format.kind == Kind::json_schema && format.strict.value_or(false)) {
      return cannot("response_format", "a JSON schema for the answer");
    }
    if (!target_.json_object && format.kind == Kind::json_object && target_.json_schema) {
      out_["response_format"] = {{"type", "json_schema"},
                                 {"json_schema", {{"name", "answer"}, {"schema", {{"type", "object"}}}}}};
      return {};
    }
    if (target_.json_object) out_["response_format"] = {{"type", "json_object"}};
    std::string hint = "Answer with one JSON object and nothing else.";
    if (!schema.is_null()) {
      hint += " It must fit this JSON schema:\n" + to_text(schema);
      drop("response_format.json_schema");
    }
    // Such targets want the word JSON in the prompt too.
    Json message{{"role", target_.developer_role ? "developer" : "system"}, {"content", std::move(hint)}};
    Json& messages = out_["messages"];
    if (format.kind == Kind::json_schema || !target_.json_object)
      messages.insert(messages.begin(), std::move(message));
    return {};
  }

  void reasoning() {
    if (!request_.reasoning) return;
    const Reasoning& wanted = *request_.reasoning;
    // Named as the caller's dialect names it: a word is OpenAI's, a budget is Anthropic's.
    const char* field = wanted.effort.empty() ? "thinking" : "reasoning_effort";
    const std::string effort = effort_of(wanted);
    if (effort.empty()) {
      if (!target_.reasoning) drop(field);
      return;
    }
    const bool stops = effort == "none";
    if (!target_.reasoning || refuses(target_, "reasoning_effort")) {
      if (!stops) drop(field);  // It does not reason anyway.
    } else if (stops && !target_.can_stop_reasoning) {
      drop(field);
    } else if (target_.reasoning_control == TargetTraits::ReasoningControl::adaptive) {
      out_["thinking"] = {{"type", stops ? "disabled" : "enabled"}};
    } else {
      out_["reasoning_effort"] = effort;
    }
  }

  const ChatRequest& request_;
  const TargetTraits& target_;
  Json out_ = Json::object();
  WrittenRequest written_;
};

}  // namespace

Result<WrittenRequest> write_request(const ChatRequest& request, const TargetTraits& target) {
  return RequestWriter(request, target).write();
}

}  // namespace switchyard::openai
