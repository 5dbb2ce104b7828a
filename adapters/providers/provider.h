#pragma once

#include "adapters/dialects/dialect.h"

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard {

// A type of provider, as data: a dialect plus an address, a way to authenticate, and quirks. "openai",
// "openai_compatible", "anthropic", "local" (which has no address: it runs in process).
struct ProviderType {
  std::string_view name = {};
  std::string_view dialect = {};           // Empty for local.
  std::string_view default_base_url = {};  // Empty: the config must give one.
  std::string_view environment_key =
      {};                           // "OPENAI_API_KEY": adds the provider to the embedded default config.
  std::string_view chat_path = {};  // Appended to the base URL's path.
  bool needs_key = true;
  enum class Auth { none, bearer, x_api_key } auth = Auth::none;
  bool max_completion_tokens = false;
  bool stream_usage = true;
};

// The explicit table of provider types.
std::span<const ProviderType> provider_types();
const ProviderType* find_provider_type(std::string_view name);

// What this provider's model takes: the type's quirks, and what its model name says.
TargetTraits target_traits(const ProviderType& type, std::string_view model);

using Headers = std::vector<std::pair<std::string, std::string>>;

// Headers of the caller that may reach a provider of the same dialect (anthropic-version, anthropic-beta,
// OpenAI-Organization, ...), by lower-case name. Everything else of the caller's head stays here.
std::span<const std::string_view> forwarded_headers(const ProviderType& type);

// The head fields of an upstream chat request, the credential included; content-length, host and connection
// are the exchange's. `from_caller`: the allowed headers of the caller, empty when the dialects differ.
Headers request_headers(const ProviderType& type, std::string_view api_key, const Headers& from_caller);

}  // namespace switchyard
