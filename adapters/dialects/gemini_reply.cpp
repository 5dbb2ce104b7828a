#include "adapters/dialects/gemini.h"
#include "adapters/dialects/sse.h"

#include <nlohmann/json.hpp>
#include <simdjson.h>

#include <algorithm>

namespace switchyard::google {

namespace {

using Element = simdjson::dom::element;

constexpr std::int64_t kTokensMax = std::int64_t{1} << 50;  // Keeps sums of counts from overflowing.

Error cut_short() {
  return fail(ErrorKind::bad_reply, "the provider's stream ended before its end");
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

// The reasons that mean that there is no answer, or none to rely on.
std::optional<Error> failure_of(std::string_view reason) {
  if (is_one_of(reason, {"MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE"})) {
    return fail(ErrorKind::bad_reply, "the provider's model wrote a malformed function call");
  }
  if (is_one_of(reason, {"UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"})) {
    return fail(ErrorKind::bad_reply, "the provider's model made tool calls that cannot be carried out");
  }
  if (reason == "OTHER")
    return fail(ErrorKind::provider_error, "the provider ended its answer without a reason");
  return std::nullopt;
}

// An id for a call that came without one: the same for the same reply, another for any other. Other dialects
// want it to be unique in a conversation.
std::string made_up_id(std::string_view reply, std::string_view name, std::string_view arguments, int index) {
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a.
  const std::string number = std::to_string(index);
  for (const std::string_view text : {reply, name, arguments, std::string_view(number)}) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    hash = (hash ^ 0xFFu) * 1099511628211u;
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string id(kMadeUpId);
  for (int shift = 60; shift >= 0; shift -= 4) id += kHex[(hash >> shift) & 15];
  return id;
}

// Turns a reply into events: the chunks of a stream, each a reply with what is new, or the one whole reply.
class ReplyReader {
 public:
  void take(const Element& chunk, std::vector<Event>& out) {
    if (!started_) {
      started_ = true;
      id_ = string_at(chunk, "responseId");
      out.emplace_back(ReplyStart{id_, std::string(string_at(chunk, "modelVersion"))});
    }
    counts_.merge(chunk);
    Element feedback;
    if (!chunk["promptFeedback"].get(feedback)) is_blocked_ |= !string_at(feedback, "blockReason").empty();
    simdjson::dom::array candidates;
    if (chunk["candidates"].get(candidates)) return;
    for (const Element candidate : candidates) {
      if (integer_at(candidate, "index") == 0) read_candidate(candidate, out);
    }
  }

  // True when the reply has said why it ended.
  bool is_finished() const { return is_blocked_ || !finish_.empty(); }

  // Ends a finished reply; gives the error that its end stands for.
  std::optional<Error> end(std::vector<Event>& out) {
    if (!citations_.empty()) out.emplace_back(TextDelta{{}, {}, std::move(citations_)});
    if (counts_.seen) out.emplace_back(counts_.total());
    if (auto failure = failure_of(finish_)) return failure;
    FinishReason reason =
        is_blocked_ && finish_.empty() ? FinishReason::content_filter : finish_reason_of(finish_);
    // Calls end with STOP too: the parts tell.
    if (reason == FinishReason::stop && calls_ > 0) reason = FinishReason::tool_calls;
    out.emplace_back(Finish{reason, {}});
    return std::nullopt;
  }

 private:
  void read_candidate(const Element& candidate, std::vector<Event>& out) {
    const std::size_t begin = out.size();
    simdjson::dom::array parts;
    if (!candidate["content"]["parts"].get(parts)) {
      for (const Element part : parts) read_part(part, out);
    }
    Element result;
    if (!candidate["logprobsResult"].get(result)) add_logprobs(logprobs_from_result(result), begin, out);
    read_grounding(candidate);
    read_citations(candidate);
    if (const auto reason = string_at(candidate, "finishReason"); !reason.empty()) finish_ = reason;
  }

  void read_part(const Element& part, std::vector<Event>& out) {
    const std::string_view signature = string_at(part, "thoughtSignature");
    Element call;
    if (!part["functionCall"].get(call)) return read_call(call, signature, out);
    const std::string_view text = string_at(part, "text");
    bool thought = false;
    if (part["thought"].get(thought)) thought = false;
    if (!text.empty() && thought) out.emplace_back(ThinkingDelta{std::string(text)});
    if (!text.empty() && !thought) out.emplace_back(TextDelta{std::string(text)});
    if (!signature.empty()) out.emplace_back(ThinkingSignature{std::string(signature), std::string(kFamily)});
  }

  void read_call(const Element& call, std::string_view signature, std::vector<Event>& out) {
    const int index = calls_++;
    const std::string_view name = string_at(call, "name");
    simdjson::dom::object args;
    std::string arguments = call["args"].get(args) ? "{}" : simdjson::minify(args);
    std::string id(string_at(call, "id"));
    if (id.empty()) id = made_up_id(id_, name, arguments, index);
    ToolCallStart start{index, std::move(id), std::string(name), std::string(signature), {}};
    if (!signature.empty()) start.origin = kFamily;
    out.emplace_back(std::move(start));
    out.emplace_back(ToolCallDelta{index, std::move(arguments)});
  }

  // They are of the text that came with them.
  static void add_logprobs(std::string logprobs, std::size_t begin, std::vector<Event>& out) {
    if (logprobs.empty()) return;
    for (std::size_t i = out.size(); i-- > begin;) {
      if (auto* text = std::get_if<TextDelta>(&out[i])) {
        text->logprobs = std::move(logprobs);
        return;
      }
    }
    out.emplace_back(TextDelta{{}, std::move(logprobs)});
  }

  // Each chunk says again what the ones before it said.
  void read_grounding(const Element& candidate) {
    Element grounding;
    simdjson::dom::array chunks, supports;
    if (candidate["groundingMetadata"].get(grounding) || grounding["groundingChunks"].get(chunks)) return;
    std::vector<Citation> sources, cited;
    for (const Element chunk : chunks) {
      Element source;
      if (chunk["web"].get(source) && chunk["retrievedContext"].get(source) && chunk["maps"].get(source)) {
        sources.emplace_back();  // Keeps the places of the others.
        continue;
      }
      sources.push_back({std::string(string_at(source, "uri")), std::string(string_at(source, "title")), {}});
    }
    if (!grounding["groundingSupports"].get(supports)) {
      for (const Element support : supports) read_support(support, sources, cited);
    }
    std::erase_if(sources, [](const Citation& source) { return source.url.empty(); });
    citations_ = cited.empty() ? std::move(sources) : std::move(cited);
  }

  static void read_support(const Element& support, const std::vector<Citation>& sources,
                           std::vector<Citation>& cited) {
    Element segment;
    simdjson::dom::array indices;
    if (support["segment"].get(segment) || support["groundingChunkIndices"].get(indices)) return;
    for (const Element index : indices) {
      std::int64_t at = 0;
      if (index.get_int64().get(at) || at < 0 || at >= static_cast<std::int64_t>(sources.size())) continue;
      Citation citation = sources[static_cast<std::size_t>(at)];
      if (citation.url.empty() || cited.size() >= kCitationsMax) continue;
      citation.cited_text = string_at(segment, "text");
      cited.push_back(std::move(citation));
    }
  }

  // "citations" at Vertex.
  void read_citations(const Element& candidate) {
    Element metadata;
    simdjson::dom::array list;
    if (candidate["citationMetadata"].get(metadata)) return;
    if (metadata["citationSources"].get(list) && metadata["citations"].get(list)) return;
    std::vector<Citation> found;
    for (const Element one : list) {
      const std::string_view uri = string_at(one, "uri");
      if (!uri.empty()) found.push_back({std::string(uri), std::string(string_at(one, "title")), {}});
    }
    if (!found.empty()) citations_ = std::move(found);
  }

  static constexpr std::size_t kCitationsMax = 1000;

  TokenCounts counts_;
  std::string id_, finish_;
  std::vector<Citation> citations_;
  int calls_ = 0;
  bool started_ = false, is_blocked_ = false;
};

class Parser final : public EventParser {
 public:
  Result<> feed(std::string_view bytes, std::vector<Event>& out) override {
    std::string_view frame;
    while (!failed_ && splitter_.next(bytes, frame)) {
      if (const auto taken = take(frame, out); !taken) return taken;
    }
    if (splitter_.is_too_large()) {
      return fail(ErrorKind::bad_reply, "the provider's stream has an event too large");
    }
    return {};
  }

  // A stream ends by closing.
  Result<> finish(std::vector<Event>& out) override {
    if (failed_) return {};
    std::string_view frame;
    if (splitter_.finish(frame)) return finish_in_frame(out);
    if (!frame.empty()) {
      if (const auto taken = take(frame, out); !taken) return taken;
    }
    if (failed_) return {};
    if (!reader_.is_finished()) return cut_short();
    if (auto failure = reader_.end(out)) out.emplace_back(ReplyFailed{std::move(*failure)});
    return {};
  }

 private:
  Result<> take(std::string_view frame, std::vector<Event>& out) {
    const SseRecord record = parse_frame(frame, scratch_);
    if (!record.has_data) return take_bare(frame, out);
    if (record.data == "[DONE]") return {};  // Some that imitate the format send it.
    const auto parsed = parse_event_json(record.data);
    if (!parsed) return parsed.error();
    if (!parsed->is_object()) return fail(ErrorKind::bad_reply, "the provider's event is no JSON object");
    if (!take_error(*parsed, out)) reader_.take(*parsed, out);
    return {};
  }

  Result<> take_bare(std::string_view frame, std::vector<Event>& out) {
    if (const auto parsed = parse_bare(frame)) take_error(*parsed, out);
    return {};
  }

  Result<> finish_in_frame(std::vector<Event>& out) {
    std::string_view end = "\n\n", frame;
    if (splitter_.next(end, frame) && parse_frame(frame, scratch_).has_data) return cut_short();
    if (const auto taken = take_bare(frame, out); !taken) return taken;
    return failed_ ? Result<>() : cut_short();
  }

  bool take_error(const Element& chunk, std::vector<Event>& out) {
    Element error;
    if (chunk["error"].get(error)) return false;
    failed_ = true;
    out.emplace_back(ReplyFailed{to_error(chunk, 0)});
    return true;
  }

  FrameSplitter splitter_;
  std::string scratch_;
  ReplyReader reader_;
  bool failed_ = false;
};

}  // namespace

void TokenCounts::merge(const Element& holder) {
  Element usage;
  if (holder["usageMetadata"].get(usage) || !usage.is_object()) return;
  seen = true;
  const auto take = [&](std::string_view name, std::int64_t& count) {
    count = std::max(count, std::min(integer_at(usage, name), kTokensMax));
  };
  take("promptTokenCount", prompt);
  take("cachedContentTokenCount", cached);
  take("candidatesTokenCount", candidates);
  take("thoughtsTokenCount", thoughts);
  take("toolUsePromptTokenCount", tool_prompt);
}

Usage TokenCounts::total() const {
  return {.input_tokens = prompt + tool_prompt,
          .cached_tokens = cached,
          .cache_written_tokens = 0,
          .output_tokens = candidates + thoughts,
          .reasoning_tokens = thoughts};
}

Result<Element> parse_bare(std::string_view frame) {
  const std::size_t begin = frame.find_first_not_of(" \t\r\n");
  if (begin == frame.npos || frame[begin] != '{') return fail(ErrorKind::bad_reply, "no JSON object");
  return parse_event_json(frame.substr(begin));
}

FinishReason finish_reason_of(std::string_view reason) {
  if (reason == "MAX_TOKENS") return FinishReason::length;
  if (is_one_of(reason, {"SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII",
                         "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"})) {
    return FinishReason::content_filter;
  }
  return FinishReason::stop;  // STOP, and what is added one day.
}

std::unique_ptr<EventParser> make_event_parser() {
  return std::make_unique<Parser>();
}

Result<> parse_reply(std::string_view body, std::vector<Event>& out) {
  const auto parsed = parse_event_json(body);
  if (!parsed) return parsed.error();
  Element ignored;
  if (!(*parsed)["error"].get(ignored)) return to_error(*parsed, 0);
  ReplyReader reader;
  if (!parsed->is_object()) return fail(ErrorKind::bad_reply, "the provider's reply is no JSON object");
  reader.take(*parsed, out);
  if (!reader.is_finished())
    return fail(ErrorKind::bad_reply, "the provider's reply has no finished candidate");
  if (auto failure = reader.end(out)) return std::move(*failure);
  return {};
}

}  // namespace switchyard::google
