#include "adapters/dialects/json.h"
#include "adapters/dialects/losses.h"
#include "adapters/dialects/media.h"
#include "adapters/dialects/openai_chat.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace switchyard::openai {

namespace {

Error cannot(std::string param, std::string_view what) {
  return fail(ErrorKind::unsupported, "the target does not take " + std::string(what), std::move(param));
}

std::string place_of(std::size_t message, std::size_t part) {
  return "messages[" + std::to_string(message) + "].content[" + std::to_string(part) + "]";
}

Json text_part(std::string_view text) {
  return {{"type", "text"}, {"text", text}};
}

// Writes the messages of a canonical request; a failure names the part.
class MessageWriter {
 public:
  explicit MessageWriter(const TargetTraits& target) : target_(target) {}

  Result<Json> write(const std::vector<Message>& messages) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const Message& message = messages[i];
      const auto written = message.role == Role::assistant ? assistant(message) : other(message, i);
      if (!written) return written.error();
    }
    if (!messages.empty() && messages.back().role == Role::assistant) {
      return cannot("messages", "an unfinished assistant message to continue");
    }
    return std::move(out_);
  }

 private:
  void push(Json message, const std::string& name) {
    if (!name.empty()) message["name"] = name;
    out_.push_back(std::move(message));
  }

  Result<> assistant(const Message& message) {
    std::string text, refusal;
    Json calls = Json::array();
    for (const Part& part : message.parts) {
      if (const auto* plain = std::get_if<TextPart>(&part)) {
        text += plain->text;
      } else if (const auto* refused = std::get_if<RefusalPart>(&part)) {
        refusal += refused->text;
      } else if (const auto* call = std::get_if<ToolCallPart>(&part)) {
        Json function{{"name", call->name}, {"arguments", call->arguments.empty() ? "{}" : call->arguments}};
        calls.push_back({{"id", call->id}, {"type", "function"}, {"function", std::move(function)}});
      }
      // Reasoning of another provider has no place here: it would be read as text.
    }
    Json written{{"role", "assistant"}, {"content", nullptr}};
    if (!text.empty() || (calls.empty() && refusal.empty())) written["content"] = text;
    if (!refusal.empty()) written["refusal"] = refusal;
    if (!calls.empty()) written["tool_calls"] = std::move(calls);
    push(std::move(written), message.name);
    return {};
  }

  // A user's or a system message. The results of tools become messages of their own, in front of the rest.
  Result<> other(const Message& message, std::size_t index) {
    Json rest = Json::array();
    for (std::size_t i = 0; i < message.parts.size(); ++i) {
      const auto* result = std::get_if<ToolResultPart>(&message.parts[i]);
      const auto written = result ? tool_result(*result, place_of(index, i), rest)
                                  : content(message.parts[i], place_of(index, i), rest);
      if (!written) return written;
    }
    if (rest.empty() && !message.parts.empty()) return {};
    const bool is_plain = rest.size() == 1 && rest.front()["type"] == "text";
    Json written{{"role", message.role == Role::system ? "system" : "user"}};
    if (rest.empty()) {
      written["content"] = "";
    } else if (is_plain) {
      written["content"] = std::move(rest.front()["text"]);
    } else {
      written["content"] = std::move(rest);
    }
    push(std::move(written), message.name);
    return {};
  }

  // A tool's message holds text only: what else it returned goes to the user message behind it.
  Result<> tool_result(const ToolResultPart& result, const std::string& place, Json& rest) {
    std::string text;
    for (const auto& part : result.content) {
      if (const auto* plain = std::get_if<TextPart>(&part)) {
        if (!text.empty()) text += '\n';
        text += plain->text;
        continue;
      }
      if (!text.empty()) text += '\n';
      text += "[see the attachment in the next message]";
      rest.push_back(text_part("Attachment of the result of tool call " + result.tool_call_id + ":"));
      const auto written = std::visit([&](const auto& one) { return content(Part(one), place, rest); }, part);
      if (!written) return written;
    }
    if (text.empty() && result.is_error) text = "error";
    out_.push_back({{"role", "tool"}, {"tool_call_id", result.tool_call_id}, {"content", text}});
    return {};
  }

  Result<> content(const Part& part, const std::string& place, Json& out) {
    if (const auto* text = std::get_if<TextPart>(&part)) {
      out.push_back(text_part(text->text));
    } else if (const auto* image = std::get_if<ImagePart>(&part)) {
      if (!target_.images) return cannot(place, "images");
      Json url{{"url", image->url.empty() ? make_data_url(image->media_type, image->data) : image->url}};
      if (!image->detail.empty()) url["detail"] = image->detail;
      out.push_back({{"type", "image_url"}, {"image_url", std::move(url)}});
    } else if (const auto* document = std::get_if<DocumentPart>(&part)) {
      return file(*document, place, out);
    } else if (const auto* audio = std::get_if<AudioPart>(&part)) {
      if (!target_.audio) return cannot(place, "audio");
      out.push_back(
          {{"type", "input_audio"}, {"input_audio", {{"data", audio->data}, {"format", audio->format}}}});
    }
    return {};
  }

  Result<> file(const DocumentPart& document, const std::string& place, Json& out) {
    if (document.media_type.starts_with("text/")) {
      const auto text = decode_base64(document.data);
      if (!text) return fail(ErrorKind::invalid_request, place + " is not base64", place);
      out.push_back(text_part(document.name.empty() ? *text : document.name + ":\n" + *text));
      return {};
    }
    if (!target_.documents || document.data.empty())
      return cannot(place, "documents by address or by file id");
    Json written{{"filename", document.name.empty() ? "document.pdf" : document.name},
                 {"file_data", make_data_url(document.media_type, document.data)}};
    out.push_back({{"type", "file"}, {"file", std::move(written)}});
    return {};
  }

  const TargetTraits& target_;
  Json out_ = Json::array();
};

// Text that the canonical model keeps as JSON: a schema.
Result<Json> schema_of(const std::string& text, const char* param) {
  Json schema = Json::parse(text, nullptr, false);
  if (schema.is_object()) return schema;
  return fail(ErrorKind::invalid_request, std::string(param) + " holds a schema that is no object", param);
}

Result<> write_tools(const ChatRequest& request, const TargetTraits& target, Json& out) {
  if (request.tools.empty()) return {};
  if (!target.tools) return cannot("tools", "tools");
  Json tools = Json::array();
  for (const Tool& tool : request.tools) {
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
  out["tools"] = std::move(tools);
  if (request.tool_choice) {
    switch (request.tool_choice->mode) {
      case ToolChoice::Mode::automatic:
        out["tool_choice"] = "auto";
        break;
      case ToolChoice::Mode::none:
        out["tool_choice"] = "none";
        break;
      case ToolChoice::Mode::required:
        out["tool_choice"] = "required";
        break;
      case ToolChoice::Mode::named:
        out["tool_choice"] = {{"type", "function"}, {"function", {{"name", request.tool_choice->name}}}};
        break;
    }
  }
  if (request.parallel_tool_calls) out["parallel_tool_calls"] = *request.parallel_tool_calls;
  return {};
}

Result<> write_format(const ChatRequest& request, Json& out) {
  if (!request.response_format) return {};
  const ResponseFormat& format = *request.response_format;
  if (format.kind == ResponseFormat::Kind::json_object) out["response_format"] = {{"type", "json_object"}};
  if (format.kind != ResponseFormat::Kind::json_schema) return {};
  Json schema{{"name", format.name.empty() ? "answer" : format.name}};
  if (!format.description.empty()) schema["description"] = format.description;
  if (!format.schema.empty()) {
    auto parsed = schema_of(format.schema, "output_config.format");
    if (!parsed) return parsed.error();
    schema["schema"] = std::move(*parsed);
  }
  if (format.strict) schema["strict"] = *format.strict;
  out["response_format"] = {{"type", "json_schema"}, {"json_schema", std::move(schema)}};
  return {};
}

// The words of the field's common scale; a budget becomes the nearest word.
std::string effort_of(const Reasoning& reasoning) {
  if (!reasoning.effort.empty()) return reasoning.effort;
  if (!reasoning.budget_tokens) return {};
  return *reasoning.budget_tokens <= 2048 ? "low" : *reasoning.budget_tokens <= 8192 ? "medium" : "high";
}

Result<> write_sampling(const ChatRequest& request, const TargetTraits& target, Json& out,
                        std::vector<std::string>& dropped) {
  const auto number = [&](const char* name, const std::optional<double>& value, bool takes) {
    if (!value) return;
    if (takes) {
      out[name] = *value;
    } else {
      dropped.emplace_back(name);
    }
  };
  const bool sampling = target.sampling_parameters;
  number("temperature", request.temperature, sampling);
  number("top_p", request.top_p, sampling);
  number("frequency_penalty", request.frequency_penalty, sampling);
  number("presence_penalty", request.presence_penalty, sampling);
  number("min_p", request.min_p, target.extended_sampling);
  if (request.top_k) {
    if (target.extended_sampling) {
      out["top_k"] = *request.top_k;
    } else {
      dropped.emplace_back("top_k");
    }
  }
  if (request.seed) out["seed"] = *request.seed;
  if (request.choices) out["n"] = *request.choices;
  if (request.logprobs) out["logprobs"] = *request.logprobs;
  if (request.top_logprobs) out["top_logprobs"] = *request.top_logprobs;
  if (!request.logit_bias.empty()) out["logit_bias"] = Json::parse(request.logit_bias, nullptr, false);
  if (!request.stop.empty()) {
    // An answer that runs on behind a stop sequence is a wrong one.
    if (!sampling) return cannot("stop_sequences", "stop sequences");
    if (request.stop.size() > 4) return cannot("stop_sequences", "more than four stop sequences");
    out["stop"] = request.stop;
  }
  return {};
}

}  // namespace

Result<WrittenRequest> write_request(const ChatRequest& request, const TargetTraits& target) {
  WrittenRequest written;
  if (const auto checked = drop_unmapped(request, written.dropped); !checked) return checked.error();
  Json out{{"model", target.model}};
  auto messages = MessageWriter(target).write(request.messages);
  if (!messages) return messages.error();
  out["messages"] = std::move(*messages);
  if (request.max_output_tokens) {
    out[target.max_completion_tokens ? "max_completion_tokens" : "max_tokens"] = *request.max_output_tokens;
  }
  if (const auto done = write_sampling(request, target, out, written.dropped); !done) return done.error();
  if (const auto done = write_tools(request, target, out); !done) return done.error();
  if (const auto done = write_format(request, out); !done) return done.error();
  if (request.reasoning) {
    const std::string effort = effort_of(*request.reasoning);
    if (target.reasoning && !effort.empty() && effort != "none") {
      out["reasoning_effort"] = effort;
    } else if (!target.reasoning) {
      written.dropped.emplace_back("thinking");
    }
  }
  if (!request.user.empty()) out["user"] = request.user;
  if (!request.service_tier.empty()) written.dropped.emplace_back("service_tier");
  if (request.stream) {
    out["stream"] = true;
    if (target.stream_usage) out["stream_options"] = {{"include_usage", true}};
  }
  written.body = to_text(out);
  return written;
}

}  // namespace switchyard::openai
