#include "adapters/providers/provider.h"
#include "config/load.h"
#include "config/lookup.h"
#include "config/sha256.h"

#include <array>
#include <span>

namespace switchyard::config {

namespace {

using Patterns = std::span<const std::string_view>;

constexpr std::string_view kOpenAi[] = {"gpt-*", "chatgpt-*", "o1*", "o3*", "o4*"};
constexpr std::string_view kAnthropic[] = {"claude-*"};

// How the models of a hosted provider are called.
struct Family {
  std::string_view type;
  Patterns patterns;
};

constexpr std::array<Family, 2> kFamilies{{{"openai", kOpenAi}, {"anthropic", kAnthropic}}};

void add_bundled_model(Config& config) {
  constexpr const char* kModel = "switchyard-mini";
  Provider provider;
  provider.name = provider.type = "local";
  provider.models[kModel] = "bundled";
  config.providers.push_back(std::move(provider));
  Model model;
  model.name = "local";
  Target& target = model.targets.emplace_back();
  target.provider = config.providers.back().name;
  target.model = kModel;
  config.models.push_back(std::move(model));
}

void add_hosted(Config& config, const ProviderType& type, Patterns patterns, std::string key) {
  Provider provider;
  provider.name = provider.type = std::string(type.name);
  provider.base_url = std::string(type.default_base_url);
  provider.api_key = Secret(std::move(key));
  for (const std::string_view pattern : patterns) {
    Model model;
    model.name = std::string(pattern);
    model.targets.emplace_back().provider = provider.name;
    config.models.push_back(std::move(model));
  }
  config.providers.push_back(std::move(provider));
}

}  // namespace

Config default_config(const Environment& environment) {
  Config config;
  add_bundled_model(config);
  std::string identity = "embedded";
  for (const Family& family : kFamilies) {
    const ProviderType* type = find_provider_type(family.type);
    if (!type || type->environment_key.empty()) continue;
    auto key = environment.get(std::string(type->environment_key));
    if (!key || key->empty()) continue;
    identity += '\0' + std::string(family.type) + '\0' + *key;
    add_hosted(config, *type, family.patterns, std::move(*key));
  }
  sort_models(config);
  config.version = to_hex(sha256(identity)).substr(0, 12);
  return config;
}

}  // namespace switchyard::config
