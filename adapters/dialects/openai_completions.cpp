#include "adapters/dialects/openai_completions.h"

#include "adapters/dialects/json.h"
#include "adapters/dialects/openai_chat.h"
#include "adapters/dialects/stream_scanner.h"

#include <simdjson.h>

#include <bitset>
#include <utility>

namespace switchyard {

namespace completions {

namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kDone = "data: [DONE]\n\n";

class Scanner final : public FrameScanner {
 public:
  explicit Scanner(bool drop_usage) : drop_usage_(drop_usage) {}

 private:
  Result<Verdict> inspect(const SseRecord& record) override {
    if (record.data == "[DONE]") {
      // A server that ends every stream with it, the broken ones too, would pass a cut answer off as a whole
      // one.
      if (!is_finished()) return fail(ErrorKind::bad_reply, "the provider's answer has no finish reason");
      complete_ = true;
      return Verdict::forward;
    }
    const auto chunk = parse_event_json(record.data, record.readable);
    if (!chunk) return chunk.error();
    if (!chunk->is_object())
      return fail(ErrorKind::bad_reply, "the provider's stream has an event that is no object");
    dom::element error;
    if (!(*chunk)["error"].get(error) && !error.is_null()) {
      error_ = openai::read_error(error, 0);
      return Verdict::drop;
    }
    dom::element usage;
    const bool has_usage = !(*chunk)["usage"].get(usage) && usage.is_object();
    if (has_usage) usage_ = openai::read_usage(usage);
    if (tap_ && !std::exchange(has_model_, true))
      tap_->on_model(string_at(*chunk, "model"), string_at(*chunk, "system_fingerprint"));
    dom::array choices;
    const bool has_choices = !(*chunk)["choices"].get_array().get(choices) && choices.size() > 0;
    if (has_choices) read_choices(choices);
    return drop_usage_ && has_usage && !has_choices ? Verdict::drop : Verdict::forward;
  }

  void read_choices(const dom::array& choices) {
    for (const dom::element choice : choices) {
      const auto index = static_cast<std::size_t>(integer_at(choice, "index")) % begun_.size();
      begun_.set(index);
      const std::string_view text = string_at(choice, "text"), reason = string_at(choice, "finish_reason");
      has_content_ |= !text.empty();
      if (!reason.empty()) finished_.set(index);
      if (!tap_ || index != 0) continue;
      if (!text.empty()) tap_->on_text(text);
      if (!reason.empty()) tap_->on_finish(openai::finish_reason_of(reason));
    }
  }

  // Some servers leave [DONE] out; an answer is complete when every choice has said why it ended.
  std::string_view missing_terminator() const override { return is_finished() ? kDone : std::string_view(); }

  bool is_finished() const { return begun_.any() && begun_ == finished_; }

  bool drop_usage_, has_model_ = false;
  std::bitset<4096> begun_, finished_;  // Choices: prompts times n.
};

class OpenAiCompletions final : public Dialect {
 public:
  std::string_view name() const override { return "openai_completions"; }

  std::string_view family() const override { return "openai"; }

  Result<ChatRequest> parse_request(std::string_view body) const override {
    return completions::parse_request(body);
  }

  Result<WrittenRequest> write_request(const ChatRequest& request,
                                       const TargetTraits& target) const override {
    return completions::write_request(request, target);
  }

  std::unique_ptr<EventParser> make_event_parser() const override { return completions::make_event_parser(); }

  Result<> parse_reply(std::string_view body, std::vector<Event>& out) const override {
    return completions::parse_reply(body, out);
  }

  Error parse_error(int status, std::string_view body) const override {
    return openai_chat().parse_error(status, body);
  }

  std::unique_ptr<EventWriter> make_event_writer(ReplyContext context) const override {
    return completions::make_event_writer(std::move(context));
  }

  std::string write_reply(const std::vector<Event>& events, const ReplyContext& context) const override {
    return completions::write_reply(events, context);
  }

  WrittenError write_error(const Error& error, std::string_view request_id) const override {
    return openai_chat().write_error(error, request_id);
  }

  std::string write_models(const std::vector<std::string>& names, std::int64_t created_s) const override {
    return openai_chat().write_models(names, created_s);
  }

  std::string write_model(const std::string& name, std::int64_t created_s) const override {
    return openai_chat().write_model(name, created_s);
  }

  std::string write_error_frame(const Error& error, std::string_view request_id) const override {
    return openai_chat().write_error_frame(error, request_id);
  }

  std::unique_ptr<StreamScanner> make_scanner(ScanOptions options) const override {
    return std::make_unique<Scanner>(options.drop_usage);
  }

  using Dialect::scan_reply;

  // The reply has the frame of a chat reply: choices, usage, or an error.
  Result<Usage> scan_reply(std::string_view body, std::size_t capacity, ReplyTap* tap) const override {
    return openai_chat().scan_reply(body, capacity, tap);
  }
};

}  // namespace

}  // namespace completions

const Dialect& openai_completions() {
  static const completions::OpenAiCompletions dialect;
  return dialect;
}

}  // namespace switchyard
