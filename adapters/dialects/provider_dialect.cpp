#include "adapters/dialects/provider_dialect.h"

#include "adapters/dialects/losses.h"

#include <algorithm>

namespace switchyard {

Result<ChatRequest> ProviderDialect::parse_request(std::string_view) const {
  return fail(ErrorKind::invalid_request, "no client speaks " + std::string(name()));
}

std::unique_ptr<EventWriter> ProviderDialect::make_event_writer(ReplyContext context) const {
  return openai_chat().make_event_writer(std::move(context));
}

std::string ProviderDialect::write_reply(const std::vector<Event>& events,
                                         const ReplyContext& context) const {
  return openai_chat().write_reply(events, context);
}

WrittenError ProviderDialect::write_error(const Error& error, std::string_view request_id) const {
  return openai_chat().write_error(error, request_id);
}

std::string ProviderDialect::write_models(const std::vector<std::string>& names,
                                          std::int64_t created_s) const {
  return openai_chat().write_models(names, created_s);
}

std::string ProviderDialect::write_model(const std::string& name, std::int64_t created_s) const {
  return openai_chat().write_model(name, created_s);
}

std::string ProviderDialect::write_error_frame(const Error& error, std::string_view request_id) const {
  return openai_chat().write_error_frame(error, request_id);
}

std::unique_ptr<StreamScanner> ProviderDialect::make_scanner(ScanOptions) const {
  return nullptr;
}

Result<Usage> ProviderDialect::scan_reply(std::string_view body, std::size_t, ReplyTap* tap) const {
  std::vector<Event> events;
  if (const auto parsed = parse_reply(body, events); !parsed) return parsed.error();
  Usage usage;
  for (const Event& event : events) {
    if (tap) tell(event, *tap);
    if (const auto* counted = std::get_if<Usage>(&event)) usage = *counted;
  }
  return usage;
}

void add_loss(std::vector<std::string>& dropped, std::string_view name) {
  if (std::ranges::find(dropped, name) == dropped.end()) dropped.emplace_back(name);
}

Result<> refuse_or_drop(const ChatRequest& request, const TargetTraits& target,
                        std::vector<std::string>& dropped) {
  const auto cannot = [](std::string field, const char* why) {
    return fail(ErrorKind::unsupported, field + ": " + why, field);
  };
  if (request.choices.value_or(1) > 1) return cannot("n", "the target gives one choice only");
  if (request.logprobs.value_or(false) || request.top_logprobs.value_or(0) > 0) {
    return cannot("logprobs", "the target does not give them");
  }
  if (!request.logit_bias.empty() && request.logit_bias != "{}") {
    return cannot("logit_bias", "the target does not take it");
  }
  if (!request.tools.empty() && !target.tools) return cannot("tools", "the target takes none");
  if (request.hosted_tool_is_forced) return cannot("tool_choice", "the target does not have this tool");
  for (const std::string& type : request.hosted_tools) add_loss(dropped, "tools." + type.substr(0, 100));
  if (request.min_p) add_loss(dropped, "min_p");
  return drop_unmapped(request, dropped);
}

std::int64_t thinking_budget(std::string_view effort, std::int64_t output_tokens_max) {
  constexpr std::int64_t kBudgetMin = 1024, kLimitMax = std::int64_t{1} << 40;
  int percent = 50;
  if (effort == "minimal") percent = 0;
  if (effort == "low") percent = 20;
  if (effort == "high") percent = 80;
  if (effort == "xhigh" || effort == "max") percent = 95;
  return std::max(std::min(output_tokens_max, kLimitMax) * percent / 100, kBudgetMin);
}

std::string_view reasoning_field(const ChatRequest& request) {
  return request.reasoning && !request.reasoning->effort.empty() ? "reasoning_effort" : "thinking";
}

bool holds_any(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words, [&](std::string_view word) { return text.find(word) != text.npos; });
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

namespace {

constexpr std::size_t kMessageBytesMax = 500;

ErrorKind kind_of(int status, std::string_view lower_message) {
  switch (status) {
    case 400:
    case 422:
      if (holds_any(lower_message, {"input is too long", "prompt is too long", "too many tokens",
                                    "too many input tokens", "input tokens exceed", "context length",
                                    "context window", "context limit", "maximum context"})) {
        return ErrorKind::context_too_long;
      }
      return ErrorKind::invalid_request;
    case 401:
    case 402:
    case 403:
      return ErrorKind::credential;
    case 404:
      return ErrorKind::not_found;
    case 413:
      return ErrorKind::too_large;
    case 429:
      return ErrorKind::rate_limited;
    case 503:
    case 529:
      return ErrorKind::overloaded;
    default:
      return ErrorKind::provider_error;
  }
}

std::string fixed_message(ErrorKind kind, int status) {
  switch (kind) {
    case ErrorKind::invalid_request:
      return "the provider refused the request";
    case ErrorKind::context_too_long:
      return "the prompt does not fit the model";
    case ErrorKind::credential:
      return "the provider refused the gateway's credential";
    case ErrorKind::not_found:
      return "the provider does not know the model or the path";
    case ErrorKind::too_large:
      return "the provider finds the request too large";
    case ErrorKind::quota:
      return "the provider's quota is used up";
    case ErrorKind::rate_limited:
      return "the provider limits the rate of requests";
    case ErrorKind::overloaded:
      return "the provider is overloaded";
    default:
      return status == 0 ? "the provider failed in the middle of its answer"
                         : "the provider failed with status " + std::to_string(status);
  }
}

// The caller can act on it, and it speaks neither of a key nor of the operator's account.
bool is_fit_for_caller(ErrorKind kind, std::string_view lower_message) {
  const bool is_callers = kind == ErrorKind::invalid_request || kind == ErrorKind::context_too_long ||
                          kind == ErrorKind::not_found || kind == ErrorKind::too_large;
  return is_callers && !lower_message.empty() &&
         !holds_any(lower_message, {"arn:", "api key", "api-key", "api_key", "apikey", "bearer ",
                                    "key=", "api token", "credential", "account"});
}

// At most kMessageBytesMax bytes in one line, cut between characters.
std::string shortened(std::string_view text) {
  std::size_t size = std::min(text.size(), kMessageBytesMax);
  while (size < text.size() && size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  std::string out(text.substr(0, size));
  std::ranges::replace_if(
      out, [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  return out;
}

}  // namespace

Error provider_error(ErrorKind kind, int status, std::string_view message) {
  std::string shown = shortened(message);
  if (!is_fit_for_caller(kind, lower_case(message))) shown = fixed_message(kind, status);
  Error error(kind, std::move(shown));
  if (kind == ErrorKind::context_too_long) error.code = "context_length_exceeded";
  error.upstream_status = status;
  return error;
}

Error provider_error(int status, std::string_view message) {
  return provider_error(kind_of(status, lower_case(message)), status, message);
}

}  // namespace switchyard
