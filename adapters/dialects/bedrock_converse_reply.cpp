#include "adapters/dialects/aws_event_stream.h"
#include "adapters/dialects/bedrock_converse.h"

#include <simdjson.h>

#include <algorithm>

namespace switchyard::bedrock {

namespace {

namespace dom = simdjson::dom;

// Where a number from the wire stops, so that sums of them cannot overflow.
constexpr std::int64_t kTokensMax = std::int64_t{1} << 50;

// What the end of an answer says. The service ends one that its model garbled with a reason, not an error.
struct Ending {
  FinishReason reason = FinishReason::stop;
  std::optional<std::string> stop_sequence;
  bool is_known = false, is_malformed = false;

  void take(const dom::element& holder) {
    const std::string_view word = string_at(holder, "stopReason");
    is_known |= !word.empty();
    is_malformed |= word.starts_with("malformed_");
    if (word == "max_tokens" || word == "model_context_window_exceeded") reason = FinishReason::length;
    if (word == "tool_use") reason = FinishReason::tool_calls;
    if (word == "guardrail_intervened" || word == "content_filtered") reason = FinishReason::content_filter;
    std::string_view sequence;
    dom::element fields;
    if (word != "stop_sequence" || holder["additionalModelResponseFields"].get(fields)) return;
    if (!fields["stop_sequence"].get(sequence) || !fields["delta"]["stop_sequence"].get(sequence)) {
      stop_sequence = sequence;
    }
  }

  static Error failure() {
    return fail(ErrorKind::provider_error, "the provider's model gave a malformed answer");
  }
};

// inputTokens leaves out what was read from and written to the cache.
std::optional<Usage> read_usage(const dom::element& holder) {
  dom::element usage;
  if (holder["usage"].get(usage) || !usage.is_object()) return std::nullopt;
  const auto count = [&](std::string_view name) {
    return std::clamp(integer_at(usage, name), std::int64_t{0}, kTokensMax);
  };
  const std::int64_t cached = count("cacheReadInputTokens"), written = count("cacheWriteInputTokens");
  return Usage{.input_tokens = count("inputTokens") + cached + written,
               .cached_tokens = cached,
               .cache_written_tokens = written,
               .output_tokens = count("outputTokens")};
}

void add_text(std::string_view text, std::vector<Event>& out) {
  if (!text.empty()) out.emplace_back(TextDelta{std::string(text)});
}

void add_signature(std::string signature, std::vector<Event>& out) {
  std::string origin(signature.empty() ? std::string_view() : kFamily);
  out.emplace_back(ThinkingSignature{std::move(signature), std::move(origin)});
}

void add_redacted(std::string_view data, std::vector<Event>& out) {
  if (!data.empty()) out.emplace_back(RedactedThinking{std::string(data), std::string(kFamily)});
}

void add_citation(const dom::element& citation, std::vector<Event>& out) {
  Citation read;
  std::string_view url;
  if (!citation["location"]["web"]["url"].get(url)) read.url = url;
  read.title = string_at(citation, "title");
  dom::array content;
  if (!citation["sourceContent"].get(content)) {
    for (const dom::element piece : content) read.cited_text += string_at(piece, "text");
  }
  if (read.url.empty() && read.title.empty() && read.cited_text.empty()) return;
  TextDelta delta;
  delta.citations.push_back(std::move(read));
  out.emplace_back(std::move(delta));
}

// A content block of the answer that has begun and not ended.
struct OpenBlock {
  std::int64_t index = 0;
  bool is_call = false;  // Else it is reasoning: text needs no state.
  int call = 0;
  bool has_arguments = false, has_thinking = false;
  std::string signature;  // So far.
};

class Parser final : public EventParser {
 public:
  Result<> feed(std::string_view bytes, std::vector<Event>& out) override {
    AwsMessage message;
    while (!ended_) {
      const auto found = reader_.next(bytes, message);
      if (!found) return found.error();
      if (!*found) return {};
      if (const auto taken = take(message, out); !taken) return taken;
    }
    return {};
  }

  Result<> finish(std::vector<Event>& out) override {
    if (ended_) return {};
    // The answer is whole once it has said why it ended; usage comes behind that, and may be lost.
    if (reader_.is_inside() || !ending_.is_known) {
      return fail(ErrorKind::bad_reply, "the provider's stream ended before its end");
    }
    end(out);
    return {};
  }

 private:
  static constexpr std::size_t kOpenBlocksMax = 64;

  Result<> take(const AwsMessage& message, std::vector<Event>& out) {
    if (message.message_type == "error") {
      return failed(to_error(message.error_code, 0, message.error_message), out);
    }
    const auto parsed = parse_event_json(message.payload);
    if (message.message_type == "exception") {
      const bool has_words = parsed && parsed->is_object();
      return failed(
          to_error(message.exception_type, 0, has_words ? string_at(*parsed, "message") : std::string_view()),
          out);
    }
    if (!parsed) return parsed.error();
    if (!parsed->is_object()) return fail(ErrorKind::bad_reply, "the provider's event is no JSON object");
    const std::string_view type = message.event_type;
    if (type == "contentBlockDelta") return on_delta(*parsed, out);
    if (type == "contentBlockStart") return on_block(*parsed, out);
    if (type == "contentBlockStop") close(integer_at(*parsed, "contentBlockIndex"), out);
    if (type == "messageStart") ensure_start(out);
    if (type == "messageStop") ending_.take(*parsed);
    if (type == "messageStop" && ending_.is_malformed) return failed(Ending::failure(), out);
    if (type == "metadata") {
      if (const auto usage = read_usage(*parsed)) usage_ = usage;
      if (ending_.is_known) end(out);
    }
    return {};
  }

  Result<> failed(Error error, std::vector<Event>& out) {
    ended_ = true;
    out.emplace_back(ReplyFailed{std::move(error)});
    return {};
  }

  void ensure_start(std::vector<Event>& out) {
    if (!started_) out.emplace_back(ReplyStart());
    started_ = true;
  }

  // Null when there are too many.
  OpenBlock* open(std::int64_t index) {
    const auto found = std::ranges::find(open_, index, &OpenBlock::index);
    if (found != open_.end()) return &*found;
    if (open_.size() == kOpenBlocksMax) return nullptr;
    open_.push_back({.index = index, .signature = {}});
    return &open_.back();
  }

  static Error too_many() {
    return fail(ErrorKind::bad_reply, "the provider's stream has too many open blocks");
  }

  // Only calls are announced; text and reasoning begin with their first piece.
  Result<> on_block(const dom::element& event, std::vector<Event>& out) {
    dom::element call;
    if (event["start"]["toolUse"].get(call)) return {};
    ensure_start(out);
    OpenBlock* block = open(integer_at(event, "contentBlockIndex"));
    if (!block) return too_many();
    if (block->is_call) return fail(ErrorKind::bad_reply, "the provider's stream begins a block twice");
    block->is_call = true;
    block->call = calls_++;
    out.emplace_back(ToolCallStart{block->call, std::string(string_at(call, "toolUseId")),
                                   std::string(string_at(call, "name"))});
    return {};
  }

  Result<> on_delta(const dom::element& event, std::vector<Event>& out) {
    dom::element delta, inner;
    if (event["delta"].get(delta)) return {};
    ensure_start(out);
    add_text(string_at(delta, "text"), out);
    if (!delta["citation"].get(inner)) add_citation(inner, out);
    if (!delta["reasoningContent"].get(inner)) return on_reasoning(event, inner, out);
    if (delta["toolUse"].get(inner)) return {};
    const std::int64_t index = integer_at(event, "contentBlockIndex");
    const auto block = std::ranges::find(open_, index, &OpenBlock::index);
    const std::string_view piece = string_at(inner, "input");
    if (block == open_.end() || !block->is_call || piece.empty()) return {};
    block->has_arguments = true;
    out.emplace_back(ToolCallDelta{block->call, std::string(piece)});
    return {};
  }

  Result<> on_reasoning(const dom::element& event, const dom::element& piece, std::vector<Event>& out) {
    add_redacted(string_at(piece, "redactedContent"), out);
    const std::string_view text = string_at(piece, "text"), signature = string_at(piece, "signature");
    if (text.empty() && signature.empty()) return {};
    OpenBlock* block = open(integer_at(event, "contentBlockIndex"));
    if (!block) return too_many();
    if (!text.empty()) out.emplace_back(ThinkingDelta{std::string(text)});
    block->has_thinking = true;
    block->signature += signature;
    return {};
  }

  void close(std::int64_t index, std::vector<Event>& out) {
    const auto block = std::ranges::find(open_, index, &OpenBlock::index);
    if (block == open_.end()) return;
    close(*block, out);
    open_.erase(block);
  }

  static void close(OpenBlock& block, std::vector<Event>& out) {
    if (block.has_thinking) add_signature(std::move(block.signature), out);
    // Arguments are always JSON, also of a call without any.
    if (block.is_call && !block.has_arguments) out.emplace_back(ToolCallDelta{block.call, "{}"});
  }

  void end(std::vector<Event>& out) {
    ended_ = true;
    ensure_start(out);
    for (OpenBlock& block : open_) close(block, out);
    if (usage_) out.emplace_back(*usage_);
    out.emplace_back(Finish{ending_.reason, std::move(ending_.stop_sequence)});
  }

  AwsMessageReader reader_;
  std::vector<OpenBlock> open_;
  std::optional<Usage> usage_;
  Ending ending_;
  int calls_ = 0;
  bool started_ = false, ended_ = false;
};

void add_call(const dom::element& call, int index, std::vector<Event>& out) {
  out.emplace_back(
      ToolCallStart{index, std::string(string_at(call, "toolUseId")), std::string(string_at(call, "name"))});
  dom::object input;
  const bool has_input = !call["input"].get(input) && input.size() > 0;
  out.emplace_back(ToolCallDelta{index, has_input ? simdjson::minify(input) : "{}"});
}

void add_block(const dom::element& block, int& calls, std::vector<Event>& out) {
  dom::element inner, text;
  add_text(string_at(block, "text"), out);
  if (!block["toolUse"].get(inner)) add_call(inner, calls++, out);
  if (!block["reasoningContent"].get(inner)) {
    add_redacted(string_at(inner, "redactedContent"), out);
    if (!inner["reasoningText"].get(text)) {
      const std::string_view thought = string_at(text, "text"), signature = string_at(text, "signature");
      if (!thought.empty()) out.emplace_back(ThinkingDelta{std::string(thought)});
      if (!thought.empty() || !signature.empty()) add_signature(std::string(signature), out);
    }
  }
  if (block["citationsContent"].get(inner)) return;
  dom::array list;
  if (!inner["content"].get(list)) {
    for (const dom::element piece : list) add_text(string_at(piece, "text"), out);
  }
  if (!inner["citations"].get(list)) {
    for (const dom::element citation : list) add_citation(citation, out);
  }
}

}  // namespace

std::unique_ptr<EventParser> make_event_parser() {
  return std::make_unique<Parser>();
}

Result<> parse_reply(std::string_view body, std::vector<Event>& out) {
  const auto parsed = parse_event_json(body);
  if (!parsed) return parsed.error();
  dom::array content;
  if ((*parsed)["output"]["message"]["content"].get(content)) {
    return fail(ErrorKind::bad_reply, "the provider's reply is no message");
  }
  Ending ending;
  ending.take(*parsed);
  if (ending.is_malformed) return Ending::failure();
  out.emplace_back(ReplyStart());
  int calls = 0;
  for (const dom::element block : content) add_block(block, calls, out);
  if (const auto usage = read_usage(*parsed)) out.emplace_back(*usage);
  out.emplace_back(Finish{ending.reason, std::move(ending.stop_sequence)});
  return {};
}

}  // namespace switchyard::bedrock
