#include "adapters/canonical/json_text.h"
#include "adapters/dialects/json.h"
#include "adapters/dialects/openai_responses.h"
#include "adapters/dialects/sse.h"

#include <simdjson.h>

#include <utility>

namespace switchyard::responses {

namespace {

namespace dom = simdjson::dom;
using Element = dom::element;

constexpr std::size_t kItemsMax = 1024;
constexpr std::string_view kInputBegin = R"({"input":")", kInputEnd = R"("})";

std::string text_at(const Element& element, std::string_view name) {
  return std::string(string_at(element, name));
}

// A custom tool's text as a piece of the JSON string that stands for it.
std::string escaped(std::string_view text) {
  std::string out;
  append_json_string(text, out);
  return out.substr(1, out.size() - 2);
}

bool is_call(std::string_view type) {
  return type == "function_call" || type == "custom_tool_call";
}

void add_text(std::string_view text, const Element& holder, std::vector<Event>& out) {
  TextDelta delta{std::string(text)};
  dom::array logprobs;
  if (!holder["logprobs"].get_array().get(logprobs) && logprobs.size() > 0)
    delta.logprobs = simdjson::minify(logprobs);
  if (!text.empty() || !delta.logprobs.empty()) out.emplace_back(std::move(delta));
}

void add_citation(const Element& annotation, std::vector<Event>& out) {
  if (string_at(annotation, "type") != "url_citation") return;  // The others name files of the provider.
  TextDelta delta;
  delta.citations.push_back({text_at(annotation, "url"), text_at(annotation, "title"), {}});
  out.emplace_back(std::move(delta));
}

// The content parts of a whole message.
void add_message(const Element& item, std::vector<Event>& out) {
  dom::array content;
  if (item["content"].get_array().get(content)) return;
  for (const Element part : content) {
    add_text(string_at(part, "text"), part, out);
    if (const auto refusal = string_at(part, "refusal"); !refusal.empty())
      out.emplace_back(RefusalDelta{std::string(refusal)});
    dom::array annotations;
    if (part["annotations"].get_array().get(annotations)) continue;
    for (const Element annotation : annotations) add_citation(annotation, out);
  }
}

// The thoughts of a whole reasoning item: raw where they are given, else their summary.
std::string thoughts_of(const Element& item) {
  std::string text;
  for (const std::string_view name : {"content", "summary"}) {
    dom::array entries;
    if (!text.empty() || item[name].get_array().get(entries)) continue;
    for (const Element entry : entries) {
      if (!text.empty()) text += "\n\n";
      text += string_at(entry, "text");
    }
  }
  return text;
}

// Ends a thought. Encrypted content without a word that a client could show is a redacted block.
void end_thought(const Element& item, bool has_text, std::vector<Event>& out) {
  const auto encrypted = string_at(item, "encrypted_content");
  std::string opaque;
  if (!encrypted.empty()) opaque = join_reasoning(string_at(item, "id"), encrypted);
  if (has_text) {
    out.emplace_back(ThinkingSignature{std::move(opaque), std::string(kFamily)});
  } else if (!opaque.empty()) {
    out.emplace_back(RedactedThinking{std::move(opaque), std::string(kFamily)});
  }
}

void start_call(const Element& item, int call, std::vector<Event>& out) {
  std::string id = text_at(item, "call_id");
  if (id.empty()) id = text_at(item, "id");
  if (id.empty()) id = "call_" + std::to_string(call);
  out.emplace_back(ToolCallStart{call, std::move(id), text_at(item, "name")});
}

// The whole arguments of a call, as JSON.
std::string arguments_of(const Element& item, bool custom) {
  if (custom) {
    return std::string(kInputBegin) + escaped(string_at(item, "input")) + std::string(kInputEnd);
  }
  std::string arguments = text_at(item, "arguments");
  return arguments.empty() ? "{}" : arguments;
}

void add_item(const Element& item, int& calls, std::vector<Event>& out) {
  const std::string_view type = string_at(item, "type");
  if (type == "message") {
    add_message(item, out);
  } else if (type == "reasoning") {
    std::string text = thoughts_of(item);
    const bool has_text = !text.empty();
    if (has_text) out.emplace_back(ThinkingDelta{std::move(text)});
    end_thought(item, has_text, out);
  } else if (is_call(type)) {
    start_call(item, calls, out);
    out.emplace_back(ToolCallDelta{calls, arguments_of(item, type == "custom_tool_call")});
    ++calls;
  }
  // What a tool that the provider runs did is told in the message behind it.
}

void add_output(const Element& response, int& calls, std::vector<Event>& out) {
  dom::array output;
  if (response["output"].get_array().get(output)) return;
  for (const Element item : output) add_item(item, calls, out);
}

// How a response that is over ended: its usage and the reason.
void end_response(const Element& response, bool has_calls, std::vector<Event>& out) {
  Element usage, details;
  if (!response["usage"].get(usage) && usage.is_object()) out.emplace_back(read_usage(usage));
  Finish finish{has_calls ? FinishReason::tool_calls : FinishReason::stop, std::nullopt};
  if (!response["incomplete_details"].get(details) && details.is_object()) {
    const bool filtered = string_at(details, "reason") == "content_filter";
    finish.reason = filtered ? FinishReason::content_filter : FinishReason::length;
  } else if (string_at(response, "status") == "incomplete") {
    finish.reason = FinishReason::length;
  }
  out.emplace_back(std::move(finish));
}

class Parser final : public EventParser {
 public:
  Result<> feed(std::string_view bytes, std::vector<Event>& out) override {
    std::string_view frame;
    while (!done_ && splitter_.next(bytes, frame)) {
      if (const auto taken = take(frame, out); !taken) return taken;
    }
    if (splitter_.is_too_large())
      return fail(ErrorKind::bad_reply, "the provider's stream has an event too large");
    return {};
  }

  Result<> finish(std::vector<Event>& out) override {
    std::string_view frame;
    if (!done_) splitter_.finish(frame);
    if (!frame.empty()) {
      if (const auto taken = take(frame, out); !taken) return taken;
    }
    if (!done_) return fail(ErrorKind::bad_reply, "the provider's stream ended before its end");
    return {};
  }

 private:
  // An output item of the response, by its place in the output.
  struct Item {
    std::int64_t output_index = 0;
    enum class Kind { message, reasoning, function, custom, other } kind = Kind::other;
    int call = 0;
    bool has_content = false;  // Some of it has been streamed.
    bool is_done = false;      // All of it.
    bool is_raw = false;       // A thought of which the text is streamed, not its summary.
    std::int64_t part = -1;    // The part that the last piece belonged to.
  };

  Result<> take(std::string_view frame, std::vector<Event>& out) {
    const SseRecord record = parse_frame(frame, scratch_);
    if (!record.has_data || record.data == "[DONE]") return {};
    const auto event = parse_event_json(record.data);
    if (!event) return event.error();
    if (!event->is_object())
      return fail(ErrorKind::bad_reply, "the provider's stream has an event that is no object");
    const std::string_view named = string_at(*event, "type");
    const std::string_view type = named.empty() ? record.event : named;
    Element response, error;
    const bool has_response = !(*event)["response"].get(response) && response.is_object();
    if (type == "error" || (!(*event)["error"].get(error) && !error.is_null()))
      return failed(read_error_event(*event), out);
    if (type == "response.failed") return failed(read_error_event(has_response ? response : *event), out);
    if (has_response) start(response, out);
    if (type == "response.completed" || type == "response.incomplete") {
      if (!has_response) return fail(ErrorKind::bad_reply, "the provider's last event has no response");
      end(response, out);
      return {};
    }
    std::int64_t index = 0;
    if ((*event)["output_index"].get_int64().get(index)) return {};
    Item* item = find(index);
    if (!item) return fail(ErrorKind::bad_reply, "the provider's answer has too many items");
    on_item_event(type, *event, *item, out);
    return {};
  }

  Result<> failed(Error error, std::vector<Event>& out) {
    done_ = true;
    out.emplace_back(ReplyFailed{std::move(error)});
    return {};
  }

  void start(const Element& response, std::vector<Event>& out) {
    if (started_) return;
    started_ = true;
    out.emplace_back(ReplyStart{text_at(response, "id"), text_at(response, "model")});
  }

  void end(const Element& response, std::vector<Event>& out) {
    done_ = true;
    if (items_.empty()) add_output(response, calls_, out);
    for (Item& item : items_) close(item, out);
    end_response(response, calls_ > 0, out);
  }

  // Null when the answer has too many.
  Item* find(std::int64_t index) {
    for (std::size_t i = items_.size(); i-- > 0;) {
      if (items_[i].output_index == index) return &items_[i];
    }
    if (items_.size() == kItemsMax) return nullptr;
    Item& item = items_.emplace_back();
    item.output_index = index;
    return &item;
  }

  void on_item_event(std::string_view type, const Element& event, Item& item, std::vector<Event>& out) {
    if (item.is_done) return;
    if (!started_) {
      started_ = true;
      out.emplace_back(ReplyStart());
    }
    Element inner;
    if (type == "response.output_item.added") {
      if (!event["item"].get(inner)) on_added(inner, item, out);
    } else if (type == "response.output_item.done") {
      if (!event["item"].get(inner)) on_done(inner, item, out);
    } else if (type == "response.output_text.delta" || type == "response.output_text.done") {
      on_text(type, event, item, out);
    } else if (type == "response.refusal.delta" || type == "response.refusal.done") {
      on_refusal(type, event, item, out);
    } else if (type == "response.output_text.annotation.added") {
      if (!event["annotation"].get(inner)) add_citation(inner, out);
    } else if (type == "response.reasoning_summary_text.delta") {
      on_thought(event, "summary_index", false, item, out);
    } else if (type == "response.reasoning_text.delta") {
      on_thought(event, "content_index", true, item, out);
    } else if (type == "response.function_call_arguments.delta" ||
               type == "response.custom_tool_call_input.delta") {
      on_arguments(string_at(event, "delta"), item, out);
    } else if (type == "response.function_call_arguments.done") {
      if (!item.has_content) on_arguments(string_at(event, "arguments"), item, out);
    } else if (type == "response.custom_tool_call_input.done") {
      if (!item.has_content) on_arguments(string_at(event, "input"), item, out);
    }
  }

  void on_added(const Element& added, Item& item, std::vector<Event>& out) {
    if (item.kind != Item::Kind::other) return;
    const std::string_view type = string_at(added, "type");
    if (type == "message") {
      item.kind = Item::Kind::message;
    } else if (type == "reasoning") {
      item.kind = Item::Kind::reasoning;
    } else if (is_call(type)) {
      item.kind = type == "function_call" ? Item::Kind::function : Item::Kind::custom;
      item.call = calls_++;
      start_call(added, item.call, out);
    }
  }

  // What was not streamed is read here: some servers send the items whole.
  void on_done(const Element& done, Item& item, std::vector<Event>& out) {
    const bool is_call_item = is_call(string_at(done, "type"));
    if (item.kind == Item::Kind::other && !item.has_content) {
      item.is_done = true;
      return add_item(done, calls_, out);
    }
    if (item.kind == Item::Kind::message && !item.has_content) add_message(done, out);
    if (item.kind == Item::Kind::reasoning) {
      std::string text = item.has_content ? std::string() : thoughts_of(done);
      const bool has_text = item.has_content || !text.empty();
      if (!text.empty()) out.emplace_back(ThinkingDelta{std::move(text)});
      end_thought(done, has_text, out);
      item.is_done = true;
    }
    if (is_call_item && !item.has_content) {
      const auto text = string_at(done, item.kind == Item::Kind::custom ? "input" : "arguments");
      on_arguments(text, item, out);
    }
    close(item, out);
  }

  void on_text(std::string_view type, const Element& event, Item& item, std::vector<Event>& out) {
    if (item.kind == Item::Kind::other) item.kind = Item::Kind::message;
    const auto part = integer_at(event, "content_index");
    const bool is_delta = type.ends_with(".delta");
    if (!is_delta && item.has_content && item.part == part) return;
    const auto text = string_at(event, is_delta ? "delta" : "text");
    add_text(text, event, out);
    item.part = part;
    item.has_content |= !text.empty();
  }

  void on_refusal(std::string_view type, const Element& event, Item& item, std::vector<Event>& out) {
    if (item.kind == Item::Kind::other) item.kind = Item::Kind::message;
    const auto part = integer_at(event, "content_index");
    const bool is_delta = type.ends_with(".delta");
    if (!is_delta && item.has_content && item.part == part) return;
    const auto text = string_at(event, is_delta ? "delta" : "refusal");
    if (text.empty()) return;
    out.emplace_back(RefusalDelta{std::string(text)});
    item.part = part;
    item.has_content = true;
  }

  // The parts of a summary are paragraphs. Where raw text is streamed too, the first kind that came is read.
  void on_thought(const Element& event, std::string_view index_name, bool raw, Item& item,
                  std::vector<Event>& out) {
    if (item.kind == Item::Kind::other) item.kind = Item::Kind::reasoning;
    const auto text = string_at(event, "delta");
    if (text.empty() || item.kind != Item::Kind::reasoning) return;
    if (item.has_content && item.is_raw != raw) return;
    const auto part = integer_at(event, index_name);
    const bool is_next = item.has_content && item.part != part;
    out.emplace_back(ThinkingDelta{(is_next ? "\n\n" : "") + std::string(text)});
    item.part = part;
    item.is_raw = raw;
    item.has_content = true;
  }

  void on_arguments(std::string_view text, Item& item, std::vector<Event>& out) {
    const bool custom = item.kind == Item::Kind::custom;
    if (text.empty() || (!custom && item.kind != Item::Kind::function)) return;
    std::string piece(text);
    if (custom) piece = (item.has_content ? std::string() : std::string(kInputBegin)) + escaped(text);
    out.emplace_back(ToolCallDelta{item.call, std::move(piece)});
    item.has_content = true;
  }

  // Arguments are JSON in every reply: a call that brought none has the empty object.
  static void close(Item& item, std::vector<Event>& out) {
    if (std::exchange(item.is_done, true)) return;
    if (item.kind == Item::Kind::function && !item.has_content) {
      out.emplace_back(ToolCallDelta{item.call, "{}"});
    } else if (item.kind == Item::Kind::custom) {
      std::string end(kInputEnd);
      if (!item.has_content) end = std::string(kInputBegin) + end;
      out.emplace_back(ToolCallDelta{item.call, std::move(end)});
    } else if (item.kind == Item::Kind::reasoning && item.has_content) {
      out.emplace_back(ThinkingSignature());
    }
  }

  FrameSplitter splitter_;
  std::string scratch_;
  std::vector<Item> items_;
  int calls_ = 0;
  bool started_ = false, done_ = false;
};

}  // namespace

std::unique_ptr<EventParser> make_event_parser() {
  return std::make_unique<Parser>();
}

Result<> parse_reply(std::string_view body, std::vector<Event>& out) {
  const auto reply = parse_event_json(body);
  if (!reply) return reply.error();
  Element error;
  if ((!(*reply)["error"].get(error) && !error.is_null()) || string_at(*reply, "status") == "failed")
    return read_error_event(*reply);
  dom::array output;
  if ((*reply)["output"].get_array().get(output))
    return fail(ErrorKind::bad_reply, "the provider's answer is no response");
  const std::string_view status = string_at(*reply, "status");
  if (status == "in_progress" || status == "queued" || status == "cancelled")
    return fail(ErrorKind::bad_reply, "the provider's answer is not complete");
  out.emplace_back(ReplyStart{text_at(*reply, "id"), text_at(*reply, "model")});
  int calls = 0;
  add_output(*reply, calls, out);
  end_response(*reply, calls > 0, out);
  return {};
}

}  // namespace switchyard::responses
