#include "adapters/providers/provider.h"

#include <algorithm>
#include <array>

namespace switchyard {

namespace {

using Auth = ProviderType::Auth;

constexpr std::array<ProviderType, 4> kProviderTypes{{
    {.name = "openai",
     .dialect = "openai_chat",
     .default_base_url = "https://api.openai.com/v1",
     .environment_key = "OPENAI_API_KEY",
     .chat_path = "/chat/completions",
     .auth = Auth::bearer,
     .max_completion_tokens = true},
    {.name = "openai_compatible",
     .dialect = "openai_chat",
     .chat_path = "/chat/completions",
     .needs_key = false,
     .auth = Auth::bearer},
    {.name = "anthropic",
     .dialect = "anthropic_messages",
     .default_base_url = "https://api.anthropic.com",
     .environment_key = "ANTHROPIC_API_KEY",
     .chat_path = "/v1/messages",
     .auth = Auth::x_api_key},
    {.name = "local", .needs_key = false},
}};

constexpr std::string_view kOpenAiForwarded[] = {"openai-organization", "openai-project", "openai-beta",
                                                 "idempotency-key", "x-client-request-id"};
constexpr std::string_view kAnthropicForwarded[] = {"anthropic-version", "anthropic-beta"};

// The version whose requests may carry sampling parameters, which a translated request does.
constexpr std::string_view kAnthropicVersion = "2023-06-01";

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> prefixes) {
  return std::ranges::any_of(prefixes, [&](std::string_view prefix) { return text.starts_with(prefix); });
}

// Reads the number behind `prefix`, "-4-7" or "-5" of "claude-opus-4-7-20260101": major * 100 + minor; 0 for
// none.
int version_behind(std::string_view model, std::string_view prefix) {
  if (!model.starts_with(prefix)) return 0;
  model.remove_prefix(prefix.size());
  const auto number = [&]() -> int {
    std::size_t digits = 0;
    int value = 0;
    while (digits < model.size() && digits < 3 && model[digits] >= '0' && model[digits] <= '9') {
      value = value * 10 + (model[digits++] - '0');
    }
    // A date such as 20250514 is no version.
    if (digits == 0 || (digits < model.size() && model[digits] >= '0' && model[digits] <= '9')) return -1;
    model.remove_prefix(digits);
    return value;
  };
  const int major = number();
  if (major < 0) return 0;
  if (model.empty() || (model.front() != '-' && model.front() != '.')) return major * 100;
  model.remove_prefix(1);
  const int minor = number();
  return major * 100 + std::max(minor, 0);
}

// Claude models from 4.7 on, and every later family, refuse temperature, top_p and top_k.
bool claude_takes_sampling(std::string_view model) {
  if (starts_with_any(model, {"claude-fable", "claude-mythos"})) return false;
  for (const std::string_view family : {"claude-opus-", "claude-sonnet-", "claude-haiku-"}) {
    if (const int version = version_behind(model, family))
      return version < (family == "claude-haiku-" ? 505 : 407);
  }
  return true;
}

// OpenAI's reasoning models take the default sampling parameters only.
bool is_openai_reasoning(std::string_view model) {
  return starts_with_any(model, {"o1", "o3", "o4", "gpt-5", "gpt-6"});
}

}  // namespace

std::span<const ProviderType> provider_types() {
  return kProviderTypes;
}

const ProviderType* find_provider_type(std::string_view name) {
  const auto found = std::ranges::find(kProviderTypes, name, &ProviderType::name);
  return found != kProviderTypes.end() ? &*found : nullptr;
}

TargetTraits target_traits(const ProviderType& type, std::string_view model) {
  TargetTraits traits;
  traits.model = std::string(model);
  traits.max_completion_tokens = type.max_completion_tokens;
  traits.stream_usage = type.stream_usage;
  if (type.dialect == "anthropic_messages") {
    traits.sampling_parameters = claude_takes_sampling(model);
  } else if (type.name == "openai") {
    traits.sampling_parameters = !is_openai_reasoning(model);
    traits.reasoning = is_openai_reasoning(model);
    traits.audio = true;
  } else {
    traits.extended_sampling = true;
    traits.audio = true;
  }
  return traits;
}

std::span<const std::string_view> forwarded_headers(const ProviderType& type) {
  if (type.dialect == "anthropic_messages") return kAnthropicForwarded;
  if (type.name == "openai") return kOpenAiForwarded;
  return {};
}

Headers request_headers(const ProviderType& type, std::string_view api_key, const Headers& from_caller) {
  Headers headers{{"content-type", "application/json"}, {"user-agent", "switchyard"}};
  if (!api_key.empty()) {
    if (type.auth == Auth::bearer) headers.emplace_back("authorization", "Bearer " + std::string(api_key));
    if (type.auth == Auth::x_api_key) headers.emplace_back("x-api-key", api_key);
  }
  headers.insert(headers.end(), from_caller.begin(), from_caller.end());
  const auto has_version = [](const auto& field) { return field.first == "anthropic-version"; };
  if (type.dialect == "anthropic_messages" && std::ranges::none_of(headers, has_version)) {
    headers.emplace_back("anthropic-version", kAnthropicVersion);
  }
  return headers;
}

}  // namespace switchyard
