#include "adapters/canonical/json_text.h"
#include "adapters/dialects/anthropic_messages.h"
#include "adapters/dialects/object_end.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <deque>

namespace switchyard::anthropic {

namespace {

std::string_view stop_reason_of(const Finish& finish) {
  switch (finish.reason) {
    case FinishReason::length:
      return "max_tokens";
    case FinishReason::tool_calls:
      return "tool_use";
    case FinishReason::content_filter:
      return "refusal";
    case FinishReason::stop:
      break;
  }
  return finish.stop_sequence ? "stop_sequence" : "end_turn";
}

// Letters, digits, '_' and '-' of `text` behind `prefix`.
std::string id_of(std::string_view prefix, std::string_view text) {
  std::string id(prefix);
  std::ranges::copy_if(text, std::back_inserter(id), [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '-';
  });
  return id;
}

std::int64_t uncached(const Usage& usage) {
  return std::max<std::int64_t>(usage.input_tokens - usage.cached_tokens - usage.cache_written_tokens, 0);
}

struct Block {
  enum class Kind { text, thinking, redacted, tool_use } kind = Kind::text;
  int call = -1;
  std::string id, name;    // Of a tool_use.
  std::string signature;   // Of a thinking; the data of a redacted one.
  std::string text;        // Its content: all of it, or what waits to be written.
  bool is_signed = false;  // A thinking that takes no more text.
  ObjectEnd arguments;     // Of a tool_use.

  // Nothing more can belong to it once another block has begun.
  bool can_end() const { return kind != Kind::tool_use || arguments.is_reached(); }
};

// The content blocks that events make, in the order of their first event.
class Blocks {
 public:
  // The block that `event` belongs to, and in `text` what it adds; null for an event without content.
  Block* place(const Event& event, std::string_view& text) {
    if (const auto* delta = std::get_if<TextDelta>(&event)) return place_text(delta->text, text);
    if (const auto* delta = std::get_if<RefusalDelta>(&event)) return place_text(delta->text, text);
    if (const auto* delta = std::get_if<ThinkingDelta>(&event)) {
      text = delta->text;
      return text.empty() ? nullptr : open_thinking();
    }
    if (const auto* end = std::get_if<ThinkingSignature>(&event)) {
      // Gemini signs its text behind it. Nothing has to come back with that, and a block behind the text
      // would be taken for the answer: Claude Code shows its user the last one.
      const bool is_of_text = !list.empty() && list.back().kind == Block::Kind::text;
      if (is_of_text && end->origin == "gemini") return nullptr;
      return sign(tag_signature({end->signature, end->origin}, kFamily));
    }
    if (const auto* redacted = std::get_if<RedactedThinking>(&event)) {
      Block& block = push(Block::Kind::redacted);
      block.signature = tag_signature({redacted->data, redacted->origin}, kFamily);
      return &block;
    }
    if (const auto* start = std::get_if<ToolCallStart>(&event)) {
      // A call has no place for a signature: it travels in a thinking block without text before the call.
      if (!start->signature.empty()) {
        Block& carrier = push(Block::Kind::thinking);
        carrier.signature = tag_signature({start->signature, start->origin + std::string(kOfCall)}, kFamily);
        carrier.is_signed = true;
      }
      Block& block = push(Block::Kind::tool_use);
      block.call = start->index;
      block.id = start->id;
      block.name = start->name;
      return &block;
    }
    const auto* delta = std::get_if<ToolCallDelta>(&event);
    if (!delta || delta->arguments.empty()) return nullptr;
    const auto found = std::ranges::find(list, delta->index, &Block::call);
    if (found == list.end()) return nullptr;
    text = delta->arguments;
    found->arguments.feed(text);
    return &*found;
  }

  std::deque<Block> list;

 private:
  Block& push(Block::Kind kind) {
    Block& block = list.emplace_back();
    block.kind = kind;
    return block;
  }

  Block* place_text(std::string_view delta, std::string_view& text) {
    if (delta.empty()) return nullptr;
    text = delta;
    if (list.empty() || list.back().kind != Block::Kind::text) push(Block::Kind::text);
    return &list.back();
  }

  Block* open_thinking() {
    const bool is_open = !list.empty() && list.back().kind == Block::Kind::thinking && !list.back().is_signed;
    return is_open ? &list.back() : &push(Block::Kind::thinking);
  }

  Block* sign(const std::string& signature) {
    const bool is_open = !list.empty() && list.back().kind == Block::Kind::thinking && !list.back().is_signed;
    if (!is_open && signature.empty()) return nullptr;
    Block& block = *open_thinking();
    block.signature = signature;
    block.is_signed = true;
    return &block;
  }
};

std::string call_id(const Block& block, const ReplyContext& context) {
  if (!block.id.empty()) return block.id;
  return id_of("toolu_", context.request_id) + "_" + std::to_string(block.call);
}

// The format has one block open at a time; the calls of other providers may interleave. The first block of
// the list is the open one and is written as it comes; what belongs to later ones waits in them. A call's
// block ends when its arguments are whole and another block has begun, so calls that come one after the
// other never wait.
class Writer final : public EventWriter {
 public:
  explicit Writer(ReplyContext context) : context_(std::move(context)) {}

  void write(const Event& event, std::string& out) override {
    if (const auto* start = std::get_if<ReplyStart>(&event)) return begin(start->id, out);
    if (const auto* usage = std::get_if<Usage>(&event)) {
      usage_ = *usage;
    } else if (const auto* finish = std::get_if<Finish>(&event)) {
      finish_ = *finish;
    } else {
      std::string_view text;
      Block* block = blocks_.place(event, text);
      if (!block) return;
      begin({}, out);
      if (is_open_ && block == &blocks_.list.front()) {
        if (!text.empty()) delta(*block, text, out);
      } else {
        block->text += text;
      }
      advance(false, out);
    }
  }

  void end(std::string& out) override {
    begin({}, out);
    advance(true, out);
    out += "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":";
    append_json_string(stop_reason_of(finish_), out);
    out += ",\"stop_sequence\":";
    if (finish_.stop_sequence) {
      append_json_string(*finish_.stop_sequence, out);
    } else {
      out += "null";
    }
    out += "},\"usage\":{\"input_tokens\":" + std::to_string(uncached(usage_));
    out += ",\"cache_creation_input_tokens\":" + std::to_string(usage_.cache_written_tokens);
    out += ",\"cache_read_input_tokens\":" + std::to_string(usage_.cached_tokens);
    out += ",\"output_tokens\":" + std::to_string(usage_.output_tokens);
    if (usage_.reasoning_tokens > 0) {
      out +=
          ",\"output_tokens_details\":{\"thinking_tokens\":" + std::to_string(usage_.reasoning_tokens) + "}";
    }
    out += "}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
  }

 private:
  void begin(const std::string& id, std::string& out) {
    if (begun_) return;
    begun_ = true;
    out += "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":";
    append_json_string(id.empty() ? id_of("msg_", context_.request_id) : id, out);
    out += ",\"type\":\"message\",\"role\":\"assistant\",\"model\":";
    append_json_string(context_.model, out);
    out +=
        ",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,"
        "\"usage\":{\"input_tokens\":0,\"output_tokens\":0}}}\n\n";
  }

  // Writes what may be written; `all`: no more events come.
  void advance(bool all, std::string& out) {
    auto& list = blocks_.list;
    while (!list.empty()) {
      Block& block = list.front();
      if (!is_open_) open(block, out);
      if (!block.text.empty()) delta(block, block.text, out);
      block.text.clear();
      if (!all && (list.size() == 1 || !block.can_end())) return;
      close(block, out);
      list.pop_front();
    }
  }

  void open(const Block& block, std::string& out) {
    is_open_ = true;
    head("content_block_start", out);
    out += ",\"content_block\":{\"type\":";
    switch (block.kind) {
      case Block::Kind::text:
        out += "\"text\",\"text\":\"\"";
        break;
      case Block::Kind::thinking:
        out += "\"thinking\",\"thinking\":\"\",\"signature\":\"\"";
        break;
      case Block::Kind::redacted:
        out += "\"redacted_thinking\",\"data\":";
        append_json_string(block.signature, out);
        break;
      case Block::Kind::tool_use:
        out += "\"tool_use\",\"id\":";
        append_json_string(call_id(block, context_), out);
        out += ",\"name\":";
        append_json_string(block.name, out);
        out += ",\"input\":{}";
        break;
    }
    out += "}}\n\n";
  }

  void delta(const Block& block, std::string_view text, std::string& out) {
    head("content_block_delta", out);
    if (block.kind == Block::Kind::text) {
      out += ",\"delta\":{\"type\":\"text_delta\",\"text\":";
    } else if (block.kind == Block::Kind::thinking) {
      out += ",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":";
    } else {
      out += ",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":";
    }
    append_json_string(text, out);
    out += "}}\n\n";
  }

  void close(const Block& block, std::string& out) {
    if (block.kind == Block::Kind::thinking && !block.signature.empty()) {
      head("content_block_delta", out);
      out += ",\"delta\":{\"type\":\"signature_delta\",\"signature\":";
      append_json_string(block.signature, out);
      out += "}}\n\n";
    }
    head("content_block_stop", out);
    out += "}\n\n";
    is_open_ = false;
    ++index_;
  }

  void head(std::string_view type, std::string& out) const {
    out += "event: ";
    out += type;
    out += "\ndata: {\"type\":\"";
    out += type;
    out += "\",\"index\":";
    out += std::to_string(index_);
  }

  ReplyContext context_;
  Blocks blocks_;
  Usage usage_;
  Finish finish_;
  int index_ = 0;
  bool begun_ = false, is_open_ = false;
};

Json block_json(const Block& block, const ReplyContext& context) {
  switch (block.kind) {
    case Block::Kind::thinking:
      return {{"type", "thinking"}, {"thinking", block.text}, {"signature", block.signature}};
    case Block::Kind::redacted:
      return {{"type", "redacted_thinking"}, {"data", block.signature}};
    case Block::Kind::tool_use:
      return {{"type", "tool_use"},
              {"id", call_id(block, context)},
              {"name", block.name},
              {"input", input_of(block.text)}};
    case Block::Kind::text:
      break;
  }
  return {{"type", "text"}, {"text", block.text}};
}

}  // namespace

std::unique_ptr<EventWriter> make_event_writer(ReplyContext context) {
  return std::make_unique<Writer>(std::move(context));
}

std::string write_reply(const std::vector<Event>& events, const ReplyContext& context) {
  std::string id;
  Blocks blocks;
  Usage usage;
  Finish finish;
  for (const Event& event : events) {
    std::string_view text;
    if (const auto* start = std::get_if<ReplyStart>(&event)) {
      id = start->id;
    } else if (const auto* counted = std::get_if<Usage>(&event)) {
      usage = *counted;
    } else if (const auto* finished = std::get_if<Finish>(&event)) {
      finish = *finished;
    } else if (Block* block = blocks.place(event, text)) {
      block->text += text;
    }
  }
  Json content = Json::array();
  for (const Block& block : blocks.list) content.push_back(block_json(block, context));
  Json counts{{"input_tokens", uncached(usage)},
              {"cache_creation_input_tokens", usage.cache_written_tokens},
              {"cache_read_input_tokens", usage.cached_tokens},
              {"output_tokens", usage.output_tokens}};
  if (usage.reasoning_tokens > 0) {
    counts["output_tokens_details"] = {{"thinking_tokens", usage.reasoning_tokens}};
  }
  const Json reply{{"id", id.empty() ? id_of("msg_", context.request_id) : id},
                   {"type", "message"},
                   {"role", "assistant"},
                   {"model", context.model},
                   {"content", std::move(content)},
                   {"stop_reason", stop_reason_of(finish)},
                   {"stop_sequence", finish.stop_sequence ? Json(*finish.stop_sequence) : Json()},
                   {"usage", std::move(counts)}};
  return to_text(reply);
}

}  // namespace switchyard::anthropic
