#include "adapters/canonical/json_text.h"
#include "adapters/dialects/json.h"
#include "adapters/dialects/openai_responses_output.h"

#include <nlohmann/json.hpp>

namespace switchyard::responses {

namespace {

using Kind = OutputItem::Kind;

// Of the events that tell of a failure: behind every other, whatever the stream had come to.
constexpr std::int64_t kFailureSequence = 2'147'483'646;

class Writer final : public EventWriter, private OutputListener {
 public:
  explicit Writer(ReplyContext context) : context_(std::move(context)), output_(context_, this) {}

  void write(const Event& event, std::string& out) override {
    out_ = &out;
    begin();
    output_.take(event);
  }

  void end(std::string& out) override {
    out_ = &out;
    begin();
    output_.end();
    const ResponseState state = end_state(output_);
    response(state.status == "completed" ? "response.completed" : "response.incomplete", state,
             output_json(output_.items()));
  }

 private:
  void begin() {
    if (sequence_ > 0) return;
    response("response.created", {}, "[]");
    response("response.in_progress", {}, "[]");
  }

  void head(std::string_view type) {
    *out_ += "event: ";
    *out_ += type;
    *out_ += "\ndata: {\"type\":\"";
    *out_ += type;
    *out_ += "\",\"sequence_number\":" + std::to_string(sequence_++);
  }

  void tail() { *out_ += "}\n\n"; }

  void response(std::string_view type, const ResponseState& state, std::string_view output) {
    head(type);
    *out_ += ",\"response\":";
    append_response(context_, state, output, *out_);
    tail();
  }

  void text(std::string_view name, std::string_view value) {
    *out_ += ",\"";
    *out_ += name;
    *out_ += "\":";
    append_json_string(value, *out_);
  }

  // The head of an event of an item, and of the part of it that is open.
  void part_head(std::string_view type, const OutputItem& item) {
    head(type);
    text("item_id", item.id);
    *out_ += ",\"output_index\":" + std::to_string(item.index);
    if (item.kind == Kind::message) *out_ += ",\"content_index\":" + std::to_string(item.parts.size() - 1);
    if (item.kind == Kind::reasoning) *out_ += ",\"summary_index\":0";
  }

  void item_event(std::string_view type, const OutputItem& item, bool is_added) {
    head(type);
    *out_ += ",\"output_index\":" + std::to_string(item.index) + ",\"item\":";
    append_item(item, is_added, *out_);
    tail();
  }

  void summary_part(std::string_view value) {
    *out_ += R"(,"part":{"type":"summary_text")";
    text("text", value);
    *out_ += '}';
  }

  void item_added(const OutputItem& item) override { item_event("response.output_item.added", item, true); }

  void item_done(const OutputItem& item) override { item_event("response.output_item.done", item, false); }

  void part_added(const OutputItem& item) override {
    if (item.kind == Kind::reasoning) {
      part_head("response.reasoning_summary_part.added", item);
      summary_part({});
    } else {
      part_head("response.content_part.added", item);
      ContentPart empty;
      empty.is_refusal = item.parts.back().is_refusal;
      *out_ += ",\"part\":";
      append_part(empty, *out_);
    }
    tail();
  }

  void delta(const OutputItem& item, std::string_view added, std::string_view logprobs) override {
    const bool is_text = item.kind == Kind::message && !item.parts.back().is_refusal;
    if (item.kind == Kind::message) {
      part_head(is_text ? "response.output_text.delta" : "response.refusal.delta", item);
    } else if (item.kind == Kind::reasoning) {
      part_head("response.reasoning_summary_text.delta", item);
    } else if (item.kind == Kind::function_call) {
      part_head("response.function_call_arguments.delta", item);
    } else {
      part_head("response.custom_tool_call_input.delta", item);
    }
    text("delta", added);
    if (is_text) {
      *out_ += ",\"logprobs\":[";
      *out_ += logprobs;
      *out_ += ']';
    }
    tail();
  }

  void annotated(const OutputItem& item, std::string_view annotation) override {
    part_head("response.output_text.annotation.added", item);
    *out_ +=
        ",\"annotation_index\":" + std::to_string(item.parts.back().annotation_count) + ",\"annotation\":";
    *out_ += annotation;
    tail();
  }

  void part_done(const OutputItem& item) override {
    switch (item.kind) {
      case Kind::message:
        return message_part_done(item);
      case Kind::reasoning:
        part_head("response.reasoning_summary_text.done", item);
        text("text", item.text);
        tail();
        part_head("response.reasoning_summary_part.done", item);
        summary_part(item.text);
        break;
      case Kind::function_call:
        part_head("response.function_call_arguments.done", item);
        text("name", item.name);
        text("arguments", item.text);
        break;
      case Kind::custom_call:
        part_head("response.custom_tool_call_input.done", item);
        text("input", item.text);
        break;
    }
    tail();
  }

  void message_part_done(const OutputItem& item) {
    const ContentPart& part = item.parts.back();
    part_head(part.is_refusal ? "response.refusal.done" : "response.output_text.done", item);
    text(part.is_refusal ? "refusal" : "text", part.text);
    if (!part.is_refusal) {
      *out_ += ",\"logprobs\":[";
      *out_ += part.logprobs;
      *out_ += ']';
    }
    tail();
    part_head("response.content_part.done", item);
    *out_ += ",\"part\":";
    append_part(part, *out_);
    tail();
  }

  ReplyContext context_;
  Output output_;
  std::string* out_ = nullptr;  // Of the call under way.
  std::int64_t sequence_ = 0;
};

}  // namespace

std::unique_ptr<EventWriter> make_event_writer(ReplyContext context) {
  return std::make_unique<Writer>(std::move(context));
}

std::string write_reply(const std::vector<Event>& events, const ReplyContext& context) {
  Output output(context, nullptr);
  for (const Event& event : events) output.take(event);
  output.end();
  std::string out;
  append_response(context, end_state(output), output_json(output.items()), out);
  return out;
}

std::string write_error_frame(const Error& error, std::string_view request_id) {
  const Json body = Json::parse(openai_chat().write_error(error, request_id).body, nullptr, false);
  const Json& inner = body.at("error");
  const Json& code = inner.at("code").is_null() ? inner.at("type") : inner.at("code");
  const Json event{{"type", "error"},
                   {"sequence_number", kFailureSequence},
                   {"code", code},
                   {"message", inner.at("message")},
                   {"param", inner.at("param")},
                   {"error", inner}};
  ReplyContext context;
  context.request_id = request_id;
  ResponseState state;
  state.status = "failed";
  state.error = to_text({{"code", code}, {"message", inner.at("message")}});
  std::string out = "event: error\ndata: " + to_text(event) +
                    "\n\nevent: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":" +
                    std::to_string(kFailureSequence + 1) + ",\"response\":";
  append_response(context, state, "[]", out);
  return out + "}\n\n";
}

}  // namespace switchyard::responses
