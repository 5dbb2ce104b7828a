#pragma once

#include "adapters/dialects/dialect.h"

#include <initializer_list>
#include <string_view>

namespace switchyard {

// A dialect that providers speak and no client does. Nothing of its client's half is reached by a request:
// reading fails, and what is written has OpenAI's shape.
class ProviderDialect : public Dialect {
 public:
  Result<ChatRequest> parse_request(std::string_view body) const final;
  std::unique_ptr<EventWriter> make_event_writer(ReplyContext context) const final;
  std::string write_reply(const std::vector<Event>& events, const ReplyContext& context) const final;
  WrittenError write_error(const Error& error, std::string_view request_id) const final;
  std::string write_models(const std::vector<std::string>& names, std::int64_t created_s) const final;
  std::string write_model(const std::string& name, std::int64_t created_s) const final;
  std::string write_error_frame(const Error& error, std::string_view request_id) const final;
  std::unique_ptr<StreamScanner> make_scanner(ScanOptions options) const final;

  using Dialect::scan_reply;
  Result<Usage> scan_reply(std::string_view body, std::size_t capacity, ReplyTap* tap) const final;
};

// What the writers of these dialects share: fails with unsupported for what changes the answer and that none
// of them can say (several choices, log probabilities, biases, a forced hosted tool), and lists in `dropped`
// what of the request goes lost with all of them.
Result<> refuse_or_drop(const ChatRequest& request, const TargetTraits& target,
                        std::vector<std::string>& dropped);

// Adds the name of a loss, once.
void add_loss(std::vector<std::string>& dropped, std::string_view name);

// The share of the output's limit that an effort's word stands for, in tokens: what OpenRouter and
// coder/aibridge give to each (November 2026), at least 1024.
std::int64_t thinking_budget(std::string_view effort, std::int64_t output_tokens_max);

// The caller's name for the field that asked for reasoning: a word is OpenAI's, a budget Anthropic's.
std::string_view reasoning_field(const ChatRequest& request);

// A provider's error as the gateway tells it: whose fault it is by its status and words, with the provider's
// words where the caller can act on them and they hold no secret, and words of our own elsewhere.
Error provider_error(int status, std::string_view message);
// The same where something better than the status says whose fault it is.
Error provider_error(ErrorKind kind, int status, std::string_view message);

bool holds_any(std::string_view text, std::initializer_list<std::string_view> words);
std::string lower_case(std::string_view text);

}  // namespace switchyard
