#include "adapters/crypto/sha256.h"
#include "config/build_provider.h"
#include "config/load.h"
#include "config/lookup.h"
#include "config/provider_types.h"

#include <deque>

namespace switchyard::config {

namespace {

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

// An entry of `providers` as a file would have it, with what the environment's variables say.
class Entry {
 public:
  explicit Entry(const ProviderType& type) : type_(type) { set("type", type.name); }

  // False when none of the variables that hold a credential is set.
  bool fill(const Environment& environment, std::string& identity) {
    bool has_credential = false;
    const auto take = [&](std::string_view field, const std::string& variable) {
      auto value = variable.empty() ? std::nullopt : environment.get(variable);
      if (!value || value->empty()) return;
      identity += '\0' + type_.name + '\0' + variable + '\0' + *value;
      has_credential |= field == "api_key" || field == "secret_access_key" || field == "service_account";
      // A key of its own goes before an access key.
      if (root_.find("api_key") &&
          (field == "access_key_id" || field == "secret_access_key" || field == "session_token"))
        return;
      if (field == "origin") {
        set("base_url", with_path(*value));
      } else {
        set(field, *value);
      }
    };
    take("api_key", type_.key_environment);
    for (const auto& [field, variable] : type_.environment) take(field, variable);
    return has_credential;
  }

  Node::Field field() { return {type_.name, {}, &root_}; }

 private:
  void set(std::string_view name, const std::string& value) {
    Node& node = nodes_.emplace_back();
    node.kind = Node::Kind::scalar;
    node.text = value;
    node.quoted = node.expanded = true;
    root_.kind = Node::Kind::map;
    root_.fields.push_back({std::string(name), {}, &node});
  }

  // An address; without a path it gets that of the type's.
  std::string with_path(std::string origin) const {
    while (origin.ends_with('/')) origin.pop_back();
    const auto own_scheme = origin.find("://");
    if (own_scheme != std::string::npos && origin.find('/', own_scheme + 3) != std::string::npos)
      return origin;
    const auto scheme = type_.base_url.find("://");
    const auto path = scheme == std::string::npos ? scheme : type_.base_url.find('/', scheme + 3);
    return path == std::string::npos ? origin : origin + type_.base_url.substr(path);
  }

  const ProviderType& type_;
  std::deque<Node> nodes_;
  Node root_;
};

void add_models(Config& config, const ProviderType& type) {
  for (const std::string& pattern : type.default_models) {
    Model model;
    model.name = pattern;
    model.targets.emplace_back().provider = type.name;
    config.models.push_back(std::move(model));
  }
  // "groq/llama-3.3-70b" is groq's llama-3.3-70b: what several hosts serve has to say from whom.
  Model model;
  model.name = type.name + "/*";
  Target& target = model.targets.emplace_back();
  target.provider = type.name;
  target.model = "*";
  config.models.push_back(std::move(model));
}

}  // namespace

Config default_config(const Environment& environment) {
  Config config;
  add_bundled_model(config);
  std::string identity = "embedded";
  for (const ProviderType& type : provider_types()) {
    Entry entry(type);
    if (type.is_local() || !entry.fill(environment, identity)) continue;
    // What does not suffice (a key without its region) adds nothing.
    Problems problems("");
    std::vector<std::string> files;
    const std::string path = "/";
    BuildContext context{path, environment, problems, files};
    Provider provider = build_provider(entry.field(), {}, context);
    if (!problems.none()) continue;
    config.providers.push_back(std::move(provider));
    add_models(config, type);
  }
  sort_models(config);
  config.version = to_hex(sha256(identity)).substr(0, 12);
  return config;
}

}  // namespace switchyard::config
