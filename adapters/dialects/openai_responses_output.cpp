#include "adapters/dialects/openai_responses_output.h"

#include "adapters/canonical/json_text.h"
#include "adapters/dialects/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <iterator>

namespace switchyard::responses {

namespace {

using Kind = OutputItem::Kind;

std::string clean_id(std::string_view request_id) {
  constexpr std::string_view kPrefix = "req_";
  if (request_id.starts_with(kPrefix)) request_id.remove_prefix(kPrefix.size());
  std::string id;
  std::ranges::copy_if(request_id, std::back_inserter(id), [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '-';
  });
  return id;
}

// The text that a custom tool takes, out of the argument object that stands for it.
std::string input_of(const std::string& arguments) {
  const auto object = parse_arguments(arguments, {});
  const Json* input = object ? find_member(*object, "input") : nullptr;
  return input && input->is_string() ? input->get<std::string>() : arguments;
}

// The members of a JSON array that is text.
std::string_view members_of(std::string_view array) {
  return array.size() >= 2 ? array.substr(1, array.size() - 2) : std::string_view();
}

void append_members(std::string_view members, std::string& out) {
  if (members.empty()) return;
  if (!out.empty()) out += ',';
  out += members;
}

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](unsigned char c) { return (c & 0xC0) != 0x80; }));
}

void append_member(std::string_view name, std::string_view text, std::string& out) {
  out += name;
  append_json_string(text, out);
}

std::string annotation_json(const Citation& citation, std::size_t position) {
  const std::string place = std::to_string(position);
  std::string out = R"({"type":"url_citation","start_index":)" + place + R"(,"end_index":)" + place;
  append_member(R"(,"url":)", citation.url, out);
  append_member(R"(,"title":)", citation.title, out);
  out += '}';
  return out;
}

}  // namespace

void ObjectEnd::feed(std::string_view text) {
  for (const char c : text) {
    if (in_string_) {
      in_string_ = escaped_ || c != '"';
      escaped_ = !escaped_ && c == '\\';
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
      begun_ = true;
    } else if (c == '}' || c == ']') {
      --depth_;
    }
  }
}

Output::Output(const ReplyContext& context, OutputListener* listener)
    : context_(context), listener_(listener), id_(clean_id(context.request_id)) {}

void Output::take(const Event& event) {
  std::visit([this](const auto& one) { on(one); }, event);
}

void Output::end() {
  const bool is_cut = reason_ == FinishReason::length || reason_ == FinishReason::content_filter;
  if (is_cut && !items_.empty() && items_.back().is_open) items_.back().is_complete = false;
  for (OutputItem& item : items_) {
    if (item.is_open) close(item);
  }
}

void Output::on(const TextDelta& event) {
  if (event.text.empty() && event.logprobs.empty() && event.citations.empty()) return;
  ContentPart& part = open_part(false);
  const OutputItem& item = items_.back();
  part.text += event.text;
  part.characters += count_characters(event.text);
  const std::string_view logprobs = members_of(event.logprobs);
  append_members(logprobs, part.logprobs);
  if (listener_ && (!event.text.empty() || !logprobs.empty())) listener_->delta(item, event.text, logprobs);
  for (const Citation& citation : event.citations) {
    if (citation.url.empty()) continue;
    const std::string annotation = annotation_json(citation, part.characters);
    append_members(annotation, part.annotations);
    if (listener_) listener_->annotated(item, annotation);
    ++part.annotation_count;
  }
}

void Output::on(const RefusalDelta& event) {
  if (event.text.empty()) return;
  ContentPart& part = open_part(true);
  part.text += event.text;
  if (listener_) listener_->delta(items_.back(), event.text, {});
}

void Output::on(const ThinkingDelta& event) {
  if (event.text.empty()) return;
  OutputItem* item = open_last(Kind::reasoning);
  if (!item) item = &push(Kind::reasoning);
  const bool is_first = item->text.empty();
  item->text += event.text;
  if (!listener_) return;
  if (is_first) listener_->part_added(*item);
  listener_->delta(*item, event.text, {});
}

void Output::on(const ThinkingSignature& event) {
  OutputItem* item = open_last(Kind::reasoning);
  if (!item && event.signature.empty()) return;
  if (!item) item = &push(Kind::reasoning);
  item->encrypted_content = tag_signature({event.signature, event.origin}, kFamily);
  close(*item);
}

void Output::on(const RedactedThinking& event) {
  const bool is_own = event.origin.empty() || event.origin == kFamily;
  seal(tag_signature({event.data, is_own ? event.origin : event.origin + std::string(kRedacted)}, kFamily));
}

void Output::on(const ToolCallStart& event) {
  // A call has no place for a signature: it travels in a reasoning item without text before the call.
  if (!event.signature.empty() && !event.origin.empty()) {
    seal(tag_signature({event.signature, event.origin + std::string(kOfCall)}, kFamily));
  }
  const bool custom = std::ranges::find(context_.custom_tools, event.name) != context_.custom_tools.end();
  OutputItem& item = push(custom ? Kind::custom_call : Kind::function_call);
  item.name = event.name;
  // Clients tell calls apart by these ids, so one that is missing or there already is made up.
  item.call_id = event.id.empty() ? "call_" + id_ + "_" + std::to_string(item.index) : event.id;
  if (!call_ids_.insert(item.call_id).second) {
    item.call_id += "_" + std::to_string(item.index);
    call_ids_.insert(item.call_id);
  }
  calls_[event.index] = &item;
  if (listener_) listener_->item_added(item);
}

void Output::on(const ToolCallDelta& event) {
  const auto found = calls_.find(event.index);
  if (event.arguments.empty() || found == calls_.end() || !found->second->is_open) return;
  OutputItem& item = *found->second;
  const bool was_whole = item.arguments.is_reached();
  item.text += event.arguments;
  item.arguments.feed(event.arguments);
  if (!was_whole && item.arguments.is_reached()) whole_.push_back(&item);
  if (listener_ && item.kind == Kind::function_call) listener_->delta(item, event.arguments, {});
}

// Ends the items that nothing more can belong to, and begins another.
OutputItem& Output::push(Kind kind) {
  if (!items_.empty() && items_.back().is_open && !items_.back().is_call()) close(items_.back());
  for (OutputItem* item : whole_) {
    if (item->is_open) close(*item);
  }
  whole_.clear();
  static constexpr std::array<const char*, 4> kPrefixes{"msg_", "rs_", "fc_", "ctc_"};
  OutputItem& item = items_.emplace_back();
  item.kind = kind;
  item.index = items_.size() - 1;
  item.id = kPrefixes[static_cast<std::size_t>(kind)] + id_ + "_" + std::to_string(item.index);
  if (listener_ && !item.is_call()) listener_->item_added(item);
  return item;
}

// The last item, when it is of that kind and may grow.
OutputItem* Output::open_last(Kind kind) {
  return !items_.empty() && items_.back().is_open && items_.back().kind == kind ? &items_.back() : nullptr;
}

ContentPart& Output::open_part(bool is_refusal) {
  OutputItem* item = open_last(Kind::message);
  if (!item) item = &push(Kind::message);
  if (!item->parts.empty() && item->parts.back().is_refusal == is_refusal) return item->parts.back();
  if (!item->parts.empty() && listener_) listener_->part_done(*item);
  ContentPart& part = item->parts.emplace_back();
  part.is_refusal = is_refusal;
  if (listener_) listener_->part_added(*item);
  return part;
}

// An item of opaque content only.
void Output::seal(std::string encrypted_content) {
  OutputItem& item = push(Kind::reasoning);
  item.encrypted_content = std::move(encrypted_content);
  close(item);
}

void Output::close(OutputItem& item) {
  item.is_open = false;
  if (item.kind == Kind::function_call && item.text.empty()) item.text = "{}";
  if (item.kind == Kind::custom_call) {
    item.text = input_of(item.text);
    if (listener_ && !item.text.empty()) listener_->delta(item, item.text, {});
  }
  if (!listener_) return;
  const bool has_part =
      item.is_call() || (item.kind == Kind::message ? !item.parts.empty() : !item.text.empty());
  if (has_part) listener_->part_done(item);
  listener_->item_done(item);
}

std::string response_id(std::string_view request_id) {
  return "resp_" + clean_id(request_id);
}

void append_part(const ContentPart& part, std::string& out) {
  if (part.is_refusal) {
    append_member(R"({"type":"refusal","refusal":)", part.text, out);
    out += '}';
    return;
  }
  out += R"({"type":"output_text","annotations":[)";
  out += part.annotations;
  out += R"(],"logprobs":[)";
  out += part.logprobs;
  append_member(R"(],"text":)", part.text, out);
  out += '}';
}

void append_item(const OutputItem& item, bool is_added, std::string& out) {
  append_member(R"({"id":)", item.id, out);
  const std::string_view status = is_added ? "in_progress" : item.is_complete ? "completed" : "incomplete";
  if (item.kind == Kind::message) {
    append_member(R"(,"type":"message","status":)", status, out);
    out += R"(,"role":"assistant","content":[)";
    for (std::size_t i = 0; !is_added && i < item.parts.size(); ++i) {
      if (i > 0) out += ',';
      append_part(item.parts[i], out);
    }
    out += "]}";
    return;
  }
  const std::string_view text = is_added ? std::string_view() : std::string_view(item.text);
  if (item.kind == Kind::reasoning) {
    out += R"(,"type":"reasoning","summary":[)";
    if (!text.empty()) append_member(R"({"type":"summary_text","text":)", text, out);
    out += text.empty() ? "]" : "}]";
    if (!is_added && !item.encrypted_content.empty())
      append_member(R"(,"encrypted_content":)", item.encrypted_content, out);
    out += '}';
    return;
  }
  const bool custom = item.kind == Kind::custom_call;
  out += custom ? R"(,"type":"custom_tool_call","status":)" : R"(,"type":"function_call","status":)";
  append_json_string(status, out);
  append_member(R"(,"call_id":)", item.call_id, out);
  append_member(R"(,"name":)", item.name, out);
  append_member(custom ? R"(,"input":)" : R"(,"arguments":)", text, out);
  out += '}';
}

std::string output_json(const std::deque<OutputItem>& items) {
  std::string out = "[";
  for (const OutputItem& item : items) {
    if (item.index > 0) out += ',';
    append_item(item, false, out);
  }
  out += ']';
  return out;
}

ResponseState end_state(const Output& output) {
  const bool filtered = output.reason() == FinishReason::content_filter;
  if (filtered || output.reason() == FinishReason::length) {
    return {"incomplete", filtered ? "content_filter" : "max_output_tokens", {}, &output.usage()};
  }
  return {"completed", {}, {}, &output.usage()};
}

void append_response(const ReplyContext& context, const ResponseState& state, std::string_view output,
                     std::string& out) {
  append_member(R"({"id":)", response_id(context.request_id), out);
  out += R"(,"object":"response","created_at":)" + std::to_string(context.created_s);
  append_member(R"(,"status":)", state.status, out);
  out += R"(,"background":false,"error":)";
  out += state.error.empty() ? "null" : state.error;
  out += R"(,"incomplete_details":)";
  if (state.reason.empty()) {
    out += "null";
  } else {
    append_member(R"({"reason":)", state.reason, out);
    out += '}';
  }
  out += R"(,"instructions":null,"max_output_tokens":null,"metadata":{})";
  append_member(R"(,"model":)", context.model, out);
  out += R"(,"output":)";
  out += output;
  out += R"(,"parallel_tool_calls":true,"previous_response_id":)";
  if (context.previous_response_id.empty()) {
    out += "null";
  } else {
    append_json_string(context.previous_response_id, out);
  }
  out += R"(,"reasoning":{"effort":null,"summary":null},"store":)";
  out += context.store ? "true," : "false,";
  out += R"("temperature":null,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],)"
         R"("top_p":null,"truncation":"disabled","usage":)";
  if (!state.usage) {
    out += "null,\"user\":null}";
    return;
  }
  const Usage& usage = *state.usage;
  const auto number = [&](std::string_view name, std::int64_t value) {
    out += name;
    out += std::to_string(value);
  };
  number(R"({"input_tokens":)", usage.input_tokens);
  number(R"(,"input_tokens_details":{"cached_tokens":)", usage.cached_tokens);
  number(R"(,"cache_write_tokens":)", usage.cache_written_tokens);
  number(R"(},"output_tokens":)", usage.output_tokens);
  number(R"(,"output_tokens_details":{"reasoning_tokens":)", usage.reasoning_tokens);
  number(R"(},"total_tokens":)", usage.input_tokens + usage.output_tokens);
  out += "},\"user\":null}";
}

}  // namespace switchyard::responses
