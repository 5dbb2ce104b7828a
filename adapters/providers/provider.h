#pragma once

#include "adapters/dialects/dialect.h"
#include "adapters/providers/quirks.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard {

// One way to talk to a provider: a dialect and where it is spoken.
struct Surface {
  std::string dialect;      // One of kSurfaceDialects.
  std::string path;         // Appended to the base URL's path; "{model}" stands for the model's name in it.
  std::string stream_path;  // The same for a streamed reply; empty: `path`.
  std::vector<std::string> models;  // Patterns of the models that it serves; empty: all.
  // A member that stands in the body in place of `model`, as JSON text: Claude on Vertex has the model in the
  // path and a version in its body. Empty: the body names the model.
  std::string instead_of_model;

  bool serves(std::string_view model) const;
};

// What is known of some of a provider's models.
struct ModelRow {
  std::vector<std::string> match;  // Names or patterns.
  Quirks quirks;
  std::optional<std::int64_t> context_tokens, max_output_tokens;
  std::optional<double> usd_per_mtok_in, usd_per_mtok_out, usd_per_mtok_cached;  // For a million tokens.
};

// A type of provider, as data: an address, the dialects that it speaks, a way to authenticate, and quirks.
// Rows come from adapters/providers/providers.yaml and from a configuration's `provider_types` (config/).
struct ProviderType {
  enum class Auth {
    none,
    bearer,          // Authorization: Bearer KEY
    x_api_key,       // x-api-key: KEY
    api_key,         // api-key: KEY
    x_goog_api_key,  // x-goog-api-key: KEY
    entra,           // api-key: KEY, or a bearer token that Microsoft Entra gave
    google,          // a bearer token that a service account's key was exchanged for
    aws,             // Authorization: Bearer KEY, or a signature of the request
  };

  std::string name;
  bool in_process = false;      // The model runs in this process: no address, no surfaces.
  std::string base_url;         // May hold {region}, {resource}, {project}, {location}; empty: the config's.
  std::string key_environment;  // "OPENAI_API_KEY": adds the provider to the embedded default config.
  // Other fields of that provider, and the variables that hold them; `origin` is what stands in base_url
  // before its path.
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<std::string> default_models;  // What the embedded default config serves from it.
  Auth auth = Auth::none;
  bool key_optional = false;
  std::string query;        // Of every path, once its placeholder has a value: "api-version={api_version}".
  std::string api_version;  // The placeholder's default.
  std::string deployment_urls;    // The row that a provider with `deployment_urls: true` is of instead.
  std::vector<Surface> surfaces;  // The first of chat is what other dialects are translated to.
  // A request in a dialect of its own is written anew all the same: the plain one would be refused.
  bool rewrite = false;
  std::vector<std::string> own_fields;  // Fields of its own that a rewrite keeps as they are.
  Quirks quirks;
  std::vector<ModelRow> models;  // Each that matches has a say, the last one the last.

  bool is_local() const { return in_process; }

  // Null when it does not speak the dialect, or not with this model.
  const Surface* find_surface(std::string_view dialect, std::string_view model) const;
  // The same for any model.
  const Surface* find_surface(std::string_view dialect) const;
};

// The names that a surface's `dialect` may have: Dialect::name()s, and what the gateway speaks besides chat.
inline constexpr std::string_view kSurfaceDialects[] = {"openai_chat",
                                                        "openai_responses",
                                                        "openai_completions",
                                                        "openai_embeddings",
                                                        "anthropic_messages",
                                                        "anthropic_count_tokens",
                                                        "gemini",
                                                        "gemini_embeddings",
                                                        "gemini_count_tokens",
                                                        "bedrock_converse",
                                                        "bedrock_embeddings",
                                                        "cohere_chat",
                                                        "cohere_embeddings"};

// The auths by name, as the table writes them: the index is the enumerator's.
inline constexpr std::string_view kAuthNames[] = {"none",           "bearer", "x_api_key", "api_key",
                                                  "x_goog_api_key", "entra",  "google",    "aws"};

// True when `name` fits a pattern, in which '*' stands for any run of characters.
bool matches_model(std::string_view pattern, std::string_view name);

// What this provider's model takes: the type's quirks, and those of each row that its name fits.
TargetTraits target_traits(const ProviderType& type, std::string_view model);

// What the rows say of the model's size and price; the last row that says something has the say.
ModelRow model_facts(const ProviderType& type, std::string_view model);

// The path of a request for `model`: "{model}" replaced by its name, percent-encoded.
std::string request_path(std::string_view path, std::string_view model);

using Headers = std::vector<std::pair<std::string, std::string>>;

// Headers of the caller that may reach a provider of the same dialect (anthropic-version, anthropic-beta,
// OpenAI-Organization, ...), by lower-case name. Everything else of the caller's head stays here.
std::span<const std::string_view> forwarded_headers(const ProviderType& type, std::string_view dialect);

// The head fields of an upstream chat request, a key included; content-length, host and connection are the
// exchange's, and so is a token or a signature. `dialect`: that of the request. `from_caller`: the allowed
// headers of the caller, empty when the dialects differ.
Headers request_headers(const ProviderType& type, std::string_view dialect, std::string_view api_key,
                        const Headers& from_caller);

}  // namespace switchyard
