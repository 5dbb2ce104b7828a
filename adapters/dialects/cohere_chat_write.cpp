#include "adapters/dialects/cohere_chat.h"
#include "adapters/dialects/json.h"
#include "adapters/dialects/media.h"
#include "adapters/dialects/provider_dialect.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace switchyard::cohere {

namespace {

constexpr std::size_t kStopMax = 5;
constexpr std::int64_t kTopKMax = 500;
constexpr double kTopPMin = 0.01, kTopPMax = 0.99;
// What the reasoning models write at most: a share of it is meant where the caller gives no limit.
constexpr std::int64_t kOutputTokensMax = 32'000;
constexpr std::int64_t kTokensMax = std::int64_t{1} << 40;

Error cannot(const std::string& param, const std::string& why) {
  return fail(ErrorKind::unsupported, param + ": " + why, param);
}

Json text_item(std::string_view text) {
  return {{"type", "text"}, {"text", text}};
}

// Writes the messages of a canonical request; a failure names the part.
class MessageWriter {
 public:
  MessageWriter(const TargetTraits& target, std::vector<std::string>& dropped)
      : target_(target), dropped_(dropped) {}

  Result<Json> write(const std::vector<Message>& messages) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const Message& message = messages[i];
      if (!message.name.empty()) add_loss(dropped_, "name");
      if (message.role != Role::user) flush_attachments();
      if (message.role == Role::assistant) {
        assistant(message);
      } else if (const auto written = other(message, i); !written) {
        return written.error();
      }
    }
    flush_attachments();
    if (!messages.empty() && messages.back().role == Role::assistant) {
      return cannot("messages", "the target needs a user message at the end");
    }
    return std::move(out_);
  }

 private:
  void assistant(const Message& message) {
    Json content = Json::array(), calls = Json::array();
    std::string plan;
    for (const Part& part : message.parts) {
      if (const auto* text = std::get_if<TextPart>(&part)) {
        if (!text->text.empty()) content.push_back(text_item(text->text));
      } else if (const auto* refusal = std::get_if<RefusalPart>(&part)) {
        if (!refusal->text.empty()) content.push_back(text_item(refusal->text));
      } else if (const auto* thought = std::get_if<ThinkingPart>(&part)) {
        if (thought->origin != kFamily || thought->text.empty()) continue;
        if (thought->signature == kPlan) {
          plan += thought->text;
        } else if (target_.reasoning) {
          content.push_back({{"type", "thinking"}, {"thinking", thought->text}});
        }
      } else if (const auto* call = std::get_if<ToolCallPart>(&part)) {
        Json function{{"name", call->name}, {"arguments", arguments_of(*call)}};
        calls.push_back({{"id", call->id}, {"type", "function"}, {"function", std::move(function)}});
      }
    }
    if (content.empty() && calls.empty()) return;
    Json written{{"role", "assistant"}};
    if (!content.empty()) written["content"] = plain(std::move(content));
    if (!plan.empty() && !calls.empty()) written["tool_plan"] = plan;
    if (!calls.empty()) written["tool_calls"] = std::move(calls);
    out_.push_back(std::move(written));
  }

  // They come from a model, so they may be no JSON: the object {"arguments": text} loses nothing.
  static std::string arguments_of(const ToolCallPart& call) {
    const auto parsed = parse_arguments(call.arguments, {});
    if (!parsed) return to_text({{"arguments", call.arguments}});
    return parsed->empty() ? "{}" : call.arguments;
  }

  void flush_attachments() {
    if (attachments_.empty()) return;
    Json written{{"role", "user"}};
    written["content"] = std::exchange(attachments_, Json::array());
    out_.push_back(std::move(written));
  }

  // A user's or a system message. The results of tools become messages of their own, in front of the rest;
  // what they brought besides text waits until all results of a turn are there.
  Result<> other(const Message& message, std::size_t index) {
    Json rest = Json::array();
    for (std::size_t i = 0; i < message.parts.size(); ++i) {
      const std::string place = "messages[" + std::to_string(index) + "].content[" + std::to_string(i) + "]";
      const auto* result = std::get_if<ToolResultPart>(&message.parts[i]);
      const auto written =
          result ? tool_result(*result, place) : content(message.parts[i], message.role, place, rest);
      if (!written) return written;
    }
    if (rest.empty()) return {};
    if (!attachments_.empty()) {
      for (Json& item : rest) attachments_.push_back(std::move(item));
      rest = std::exchange(attachments_, Json::array());
    }
    Json written{{"role", message.role == Role::system ? "system" : "user"}};
    written["content"] = plain(std::move(rest));
    out_.push_back(std::move(written));
    return {};
  }

  // One text is written as a string: shorter, and what people expect to see.
  static Json plain(Json items) {
    if (items.size() == 1 && items[0]["type"] == "text") return std::move(items[0]["text"]);
    return items;
  }

  // A tool's message holds text only: what else it returned goes to the user message behind it.
  Result<> tool_result(const ToolResultPart& result, const std::string& place) {
    std::string text;
    for (const auto& part : result.content) {
      if (!text.empty()) text += '\n';
      if (const auto* written = std::get_if<TextPart>(&part)) {
        text += written->text;
        continue;
      }
      text += "[see the attachment in the next message]";
      attachments_.push_back(text_item("Attachment of the result of tool call " + result.tool_call_id + ":"));
      const auto added = std::visit(
          [&](const auto& one) { return content(Part(one), Role::user, place, attachments_); }, part);
      if (!added) return added;
    }
    if (text.empty()) text = result.is_error ? "error" : "(empty)";
    out_.push_back({{"role", "tool"}, {"tool_call_id", result.tool_call_id}, {"content", text}});
    return {};
  }

  Result<> content(const Part& part, Role role, const std::string& place, Json& out) {
    if (const auto* text = std::get_if<TextPart>(&part)) {
      if (!text->text.empty()) out.push_back(text_item(text->text));
      return {};
    }
    if (const auto* document = std::get_if<DocumentPart>(&part)) return put_document(*document, place, out);
    const auto* image = std::get_if<ImagePart>(&part);
    if (!image) return cannot(place, "the target takes text and images only");
    if (!target_.images || role == Role::system) return cannot(place, "the target takes no images");
    if (image->data.empty() && (image->url.empty() || !target_.image_urls)) {
      return cannot(place, "the target takes an image's bytes only");
    }
    Json url{{"url", image->data.empty() ? image->url : make_data_url(image->media_type, image->data)}};
    if (!image->detail.empty()) url["detail"] = image->detail;
    out.push_back({{"type", "image_url"}, {"image_url", std::move(url)}});
    return {};
  }

  static Result<> put_document(const DocumentPart& document, const std::string& place, Json& out) {
    if (!document.media_type.starts_with("text/") || document.data.empty()) {
      return cannot(place, "the target takes text documents only");
    }
    const auto text = decode_base64(document.data);
    if (!text) return fail(ErrorKind::invalid_request, place + " is not base64", place);
    out.push_back(text_item(document.name.empty() ? *text : document.name + ":\n" + *text));
    return {};
  }

  const TargetTraits& target_;
  std::vector<std::string>& dropped_;
  Json out_ = Json::array(), attachments_ = Json::array();
};

class RequestWriter {
 public:
  RequestWriter(const ChatRequest& request, const TargetTraits& target)
      : request_(request), target_(target) {}

  Result<WrittenRequest> write() {
    if (const auto allowed = refuse_or_drop(request_, target_, dropped_); !allowed) return allowed.error();
    body_["stream"] = request_.stream;
    body_["model"] = target_.model;
    auto messages = MessageWriter(target_, dropped_).write(request_.messages);
    if (!messages) return messages.error();
    body_["messages"] = std::move(*messages);
    if (request_.max_output_tokens) body_["max_tokens"] = *request_.max_output_tokens;
    if (const auto added = add_tools(); !added) return added.error();
    if (const auto added = add_format(); !added) return added.error();
    if (const auto added = add_sampling(); !added) return added.error();
    add_thinking();
    if (!request_.user.empty()) drop("user");
    if (!request_.metadata.empty()) drop("metadata");
    if (!request_.service_tier.empty() && request_.service_tier != "auto") drop("service_tier");
    return WrittenRequest{to_text(body_), std::move(dropped_)};
  }

 private:
  void drop(std::string_view name) { add_loss(dropped_, name); }

  // The choice of one tool is written as that tool alone, and the duty to use one.
  Result<> add_tools() {
    using Mode = ToolChoice::Mode;
    const ToolChoice choice = request_.tool_choice.value_or(ToolChoice());
    Json list = Json::array();
    bool all_strict = true, any_strict = false;
    for (const Tool& tool : request_.tools) {
      if (choice.mode == Mode::named && tool.name != choice.name) continue;
      auto schema = parse_arguments(tool.parameters, "tools");
      if (!schema) return schema.error();
      if (schema->empty()) *schema = {{"type", "object"}, {"properties", Json::object()}};
      if (!schema->contains("type")) (*schema)["type"] = "object";
      Json function{{"name", tool.name}};
      if (!tool.description.empty()) function["description"] = tool.description;
      function["parameters"] = std::move(*schema);
      list.push_back({{"type", "function"}, {"function", std::move(function)}});
      all_strict &= tool.strict.value_or(false);
      any_strict |= tool.strict.value_or(false);
    }
    if (choice.mode == Mode::named && list.empty()) {
      return fail(ErrorKind::invalid_request, "tool_choice names a tool that is not in tools", "tool_choice");
    }
    if (list.empty()) return {};
    has_tools_ = choice.mode != Mode::none;
    body_["tools"] = std::move(list);
    if (choice.mode == Mode::required || choice.mode == Mode::named) body_["tool_choice"] = "REQUIRED";
    if (choice.mode == Mode::none) body_["tool_choice"] = "NONE";
    // It holds for every tool or for none.
    if (all_strict) body_["strict_tools"] = true;
    if (any_strict && !all_strict) drop("tools.strict");
    if (!request_.parallel_tool_calls.value_or(true)) drop("parallel_tool_calls");
    return {};
  }

  // "Not supported in combination with tools": with a choice of none, the format is what counts.
  Result<> add_format() {
    using Kind = ResponseFormat::Kind;
    if (!request_.response_format || request_.response_format->kind == Kind::text) return {};
    if (has_tools_) return cannot("response_format", "the target takes no format of the answer beside tools");
    if (body_.contains("tools")) {
      for (const char* name : {"tools", "tool_choice", "strict_tools"}) body_.erase(name);
    }
    Json format{{"type", "json_object"}};
    if (request_.response_format->kind == Kind::json_schema && !request_.response_format->schema.empty()) {
      if (!target_.json_schema) return cannot("response_format", "the target takes no JSON schema");
      auto schema = parse_arguments(request_.response_format->schema, "response_format");
      if (!schema) return schema.error();
      format["json_schema"] = std::move(*schema);
    }
    body_["response_format"] = std::move(format);
    return {};
  }

  // A value outside what the target takes is moved to the nearest that it does, and reported.
  void add_clamped(const char* field, std::string_view name, const std::optional<double>& value, double low,
                   double high) {
    if (!value) return;
    if (!target_.sampling_parameters) return drop(name);
    body_[field] = std::clamp(*value, low, high);
    if (*value < low || *value > high) drop(name);
  }

  Result<> add_sampling() {
    add_clamped("temperature", "temperature", request_.temperature, 0, 1);
    // 1 asks for no cut, and the highest value that there is cuts next to nothing.
    auto top_p = request_.top_p;
    if (top_p && *top_p == 1) top_p = kTopPMax;
    add_clamped("p", "top_p", top_p, kTopPMin, kTopPMax);
    add_clamped("frequency_penalty", "frequency_penalty", request_.frequency_penalty, 0, 1);
    add_clamped("presence_penalty", "presence_penalty", request_.presence_penalty, 0, 1);
    if (const auto& value = request_.top_k) {
      body_["k"] = std::clamp(*value, std::int64_t{0}, kTopKMax);
      if (*value < 0 || *value > kTopKMax) drop("top_k");
    }
    if (const auto& value = request_.seed) {
      if (*value >= 0) {
        body_["seed"] = *value;
      } else {
        drop("seed");
      }
    }
    // An answer that runs on behind a stop sequence is a wrong one.
    if (request_.stop.size() > kStopMax) return cannot("stop", "the target takes at most five");
    if (!request_.stop.empty()) body_["stop_sequences"] = request_.stop;
    return {};
  }

  void add_thinking() {
    if (!request_.reasoning) return;
    const Reasoning& wanted = *request_.reasoning;
    if (!target_.reasoning) {
      const bool asks = wanted.budget_tokens || wanted.adaptive || !wanted.effort.empty();
      if (asks && wanted.effort != "none") drop(reasoning_field(request_));
      return;
    }
    if (wanted.effort == "none") {
      if (target_.can_stop_reasoning) {
        body_["thinking"]["type"] = "disabled";
      } else {
        drop("reasoning_effort");
      }
      return;
    }
    std::optional<std::int64_t> budget = wanted.budget_tokens;
    const std::int64_t limit =
        std::clamp(request_.max_output_tokens.value_or(kOutputTokensMax), std::int64_t{1}, kTokensMax);
    if (!budget && !wanted.effort.empty()) budget = thinking_budget(wanted.effort, limit);
    if (!budget && !wanted.adaptive) return;
    Json& thinking = body_["thinking"] = {{"type", "enabled"}};
    // Room for the answer behind the thinking.
    if (budget)
      thinking["token_budget"] = std::clamp(*budget, std::int64_t{1}, std::max(limit - 1, std::int64_t{1}));
  }

  const ChatRequest& request_;
  const TargetTraits& target_;
  Json body_ = Json::object();
  std::vector<std::string> dropped_;
  bool has_tools_ = false;  // That the model may call.
};

}  // namespace

Result<WrittenRequest> write_request(const ChatRequest& request, const TargetTraits& target) {
  return RequestWriter(request, target).write();
}

}  // namespace switchyard::cohere
