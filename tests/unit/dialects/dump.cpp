#include "tests/unit/dialects/dump.h"

#include "adapters/canonical/json_text.h"

#include <sstream>
#include <string_view>

namespace switchyard {

namespace {

std::string in_quotes(std::string_view text) {
  std::string out;
  append_json_string(text, out);
  return out;
}

// ` name "value"`, or nothing for an empty value.
std::string field(std::string_view name, std::string_view value) {
  if (value.empty()) return {};
  return " " + std::string(name) + " " + in_quotes(value);
}

// JSON text is shown as it is: quoting it again would hide it.
std::string json_field(std::string_view name, std::string_view value) {
  if (value.empty()) return {};
  return " " + std::string(name) + " " + std::string(value);
}

std::string flag(std::string_view name, const std::optional<bool>& value) {
  if (!value) return {};
  return " " + std::string(name) + (*value ? " true" : " false");
}

struct PartLine {
  std::string operator()(const TextPart& part) const {
    return "text " + in_quotes(part.text) + json_field("cache_control", part.cache_control);
  }

  std::string operator()(const ImagePart& part) const {
    return "image" + field("media_type", part.media_type) + field("data", part.data) +
           field("url", part.url) + field("detail", part.detail) + field("file_id", part.file_id);
  }

  std::string operator()(const DocumentPart& part) const {
    return "document" + field("media_type", part.media_type) + field("data", part.data) +
           field("url", part.url) + field("file_id", part.file_id) + field("name", part.name);
  }

  std::string operator()(const AudioPart& part) const {
    return "audio" + field("format", part.format) + field("data", part.data);
  }

  std::string operator()(const ToolCallPart& part) const {
    return "tool_call" + field("id", part.id) + field("name", part.name) +
           json_field("arguments", part.arguments) + (part.custom ? " custom" : "") +
           field("signature", part.signature) + field("origin", part.origin);
  }

  std::string operator()(const ToolResultPart& part) const {
    std::string line = "tool_result" + field("id", part.tool_call_id) + (part.is_error ? " is_error" : "");
    for (const auto& inner : part.content) line += "\n    " + std::visit(PartLine(), inner);
    return line;
  }

  std::string operator()(const ThinkingPart& part) const {
    if (!part.redacted.empty()) {
      return "thinking redacted " + in_quotes(part.redacted) + field("origin", part.origin);
    }
    return "thinking " + in_quotes(part.text) + field("signature", part.signature) +
           field("origin", part.origin);
  }

  std::string operator()(const RefusalPart& part) const { return "refusal " + in_quotes(part.text); }
};

struct EventLine {
  std::string operator()(const ReplyStart& event) const {
    return "start" + field("id", event.id) + field("model", event.model);
  }

  std::string operator()(const TextDelta& event) const {
    std::string line = "text " + in_quotes(event.text) + json_field("logprobs", event.logprobs);
    for (const Citation& citation : event.citations) {
      line += "\n  citation" + field("url", citation.url) + field("title", citation.title) +
              field("cited_text", citation.cited_text);
    }
    return line;
  }

  std::string operator()(const RefusalDelta& event) const { return "refusal " + in_quotes(event.text); }

  std::string operator()(const ThinkingDelta& event) const { return "thinking " + in_quotes(event.text); }

  std::string operator()(const ThinkingSignature& event) const {
    return "thinking_signature " + in_quotes(event.signature) + field("origin", event.origin);
  }

  std::string operator()(const RedactedThinking& event) const {
    return "redacted_thinking " + in_quotes(event.data) + field("origin", event.origin);
  }

  std::string operator()(const ToolCallStart& event) const {
    return "tool_call " + std::to_string(event.index) + field("id", event.id) + field("name", event.name) +
           field("signature", event.signature) + field("origin", event.origin);
  }

  std::string operator()(const ToolCallDelta& event) const {
    return "arguments " + std::to_string(event.index) + " " + in_quotes(event.arguments);
  }

  std::string operator()(const Usage& event) const { return dump(event); }

  std::string operator()(const Finish& event) const {
    constexpr const char* kNames[] = {"stop", "length", "tool_calls", "content_filter"};
    std::string line = std::string("finish ") + kNames[static_cast<int>(event.reason)];
    if (event.stop_sequence) line += " at " + in_quotes(*event.stop_sequence);
    return line;
  }

  std::string operator()(const ReplyFailed& event) const { return dump(event.error); }
};

template <class T>
void number(std::ostringstream& out, const char* name, const std::optional<T>& value) {
  if (value) out << name << ' ' << *value << '\n';
}

void dump_messages(const ChatRequest& request, std::ostringstream& out) {
  constexpr const char* kRoles[] = {"system", "user", "assistant"};
  for (const Message& message : request.messages) {
    out << kRoles[static_cast<int>(message.role)] << field("name", message.name) << '\n';
    for (const Part& part : message.parts) out << "  " << std::visit(PartLine(), part) << '\n';
  }
}

void dump_tools(const ChatRequest& request, std::ostringstream& out) {
  for (const Tool& tool : request.tools) {
    out << "tool" << field("name", tool.name) << field("description", tool.description)
        << flag("strict", tool.strict) << json_field("cache_control", tool.cache_control)
        << json_field("parameters", tool.parameters) << (tool.custom ? " custom" : "")
        << json_field("format", tool.format) << '\n';
  }
  for (const std::string& type : request.hosted_tools) out << "hosted_tool " << in_quotes(type) << '\n';
  if (request.hosted_tool_is_forced) out << "hosted_tool_is_forced\n";
  if (request.tool_choice) {
    constexpr const char* kModes[] = {"automatic", "none", "required", "named"};
    out << "tool_choice " << kModes[static_cast<int>(request.tool_choice->mode)]
        << field("name", request.tool_choice->name) << '\n';
  }
  if (request.parallel_tool_calls)
    out << "parallel_tool_calls " << (*request.parallel_tool_calls ? "true" : "false") << '\n';
}

void dump_formats(const ChatRequest& request, std::ostringstream& out) {
  if (const auto& format = request.response_format) {
    constexpr const char* kKinds[] = {"text", "json_object", "json_schema"};
    out << "response_format " << kKinds[static_cast<int>(format->kind)] << field("name", format->name)
        << field("description", format->description) << flag("strict", format->strict)
        << json_field("schema", format->schema) << '\n';
  }
  if (const auto& reasoning = request.reasoning) {
    out << "reasoning" << (reasoning->adaptive ? " adaptive" : "") << field("effort", reasoning->effort);
    if (reasoning->budget_tokens) out << " budget_tokens " << *reasoning->budget_tokens;
    out << '\n';
  }
}

}  // namespace

std::string dump(const ChatRequest& request) {
  std::ostringstream out;
  out << std::boolalpha << "model " << in_quotes(request.model) << '\n';
  dump_messages(request, out);
  dump_tools(request, out);
  dump_formats(request, out);
  number(out, "max_output_tokens", request.max_output_tokens);
  number(out, "temperature", request.temperature);
  number(out, "top_p", request.top_p);
  number(out, "top_k", request.top_k);
  number(out, "min_p", request.min_p);
  number(out, "frequency_penalty", request.frequency_penalty);
  number(out, "presence_penalty", request.presence_penalty);
  number(out, "seed", request.seed);
  number(out, "choices", request.choices);
  number(out, "logprobs", request.logprobs);
  number(out, "top_logprobs", request.top_logprobs);
  if (!request.logit_bias.empty()) out << "logit_bias " << request.logit_bias << '\n';
  for (const std::string& stop : request.stop) out << "stop " << in_quotes(stop) << '\n';
  if (!request.user.empty()) out << "user " << in_quotes(request.user) << '\n';
  if (!request.service_tier.empty()) out << "service_tier " << in_quotes(request.service_tier) << '\n';
  for (const auto& [name, value] : request.metadata)
    out << "metadata " << in_quotes(name) << ' ' << in_quotes(value) << '\n';
  if (request.stream) out << "stream" << (request.include_usage ? " with usage" : "") << '\n';
  for (const std::string& name : request.unmapped) out << "unmapped " << in_quotes(name) << '\n';
  return out.str();
}

std::string dump(const Event& event) {
  return std::visit(EventLine(), event);
}

std::string dump(const std::vector<Event>& events) {
  std::string out;
  for (const Event& event : events) out += dump(event) + '\n';
  return out;
}

std::string dump(const Usage& usage) {
  std::ostringstream out;
  out << "usage input " << usage.input_tokens << " cached " << usage.cached_tokens << " written "
      << usage.cache_written_tokens << " output " << usage.output_tokens << " reasoning "
      << usage.reasoning_tokens;
  return out.str();
}

std::string dump(const Error& error) {
  std::ostringstream out;
  out << "failed " << name_of(error.kind) << ' ' << in_quotes(error.message) << field("param", error.param)
      << field("code", error.code);
  if (error.upstream_status) out << " upstream_status " << error.upstream_status;
  if (error.retry_after) out << " retry_after_ms " << error.retry_after->count();
  return out.str();
}

namespace {

// Joins `next` to `last` when both are pieces of the same run.
bool join(Event& last, const Event& next) {
  if (auto* text = std::get_if<TextDelta>(&last)) {
    const auto* more = std::get_if<TextDelta>(&next);
    const bool is_plain = text->logprobs.empty() && text->citations.empty();
    if (more && is_plain && more->logprobs.empty() && more->citations.empty()) {
      return text->text += more->text, true;
    }
  } else if (auto* refusal = std::get_if<RefusalDelta>(&last)) {
    if (const auto* more = std::get_if<RefusalDelta>(&next)) return refusal->text += more->text, true;
  } else if (auto* thinking = std::get_if<ThinkingDelta>(&last)) {
    if (const auto* more = std::get_if<ThinkingDelta>(&next)) return thinking->text += more->text, true;
  } else if (auto* call = std::get_if<ToolCallDelta>(&last)) {
    const auto* more = std::get_if<ToolCallDelta>(&next);
    if (more && more->index == call->index) return call->arguments += more->arguments, true;
  }
  return false;
}

}  // namespace

std::vector<Event> merged(const std::vector<Event>& events) {
  std::vector<Event> out;
  for (const Event& event : events) {
    if (out.empty() || !join(out.back(), event)) out.push_back(event);
  }
  return out;
}

}  // namespace switchyard
