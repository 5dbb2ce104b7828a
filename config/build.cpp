#include "config/build.h"

#include "adapters/crypto/sha256.h"
#include "config/build_context.h"
#include "config/build_provider.h"
#include "config/expand.h"
#include "config/lookup.h"
#include "config/pattern.h"
#include "config/provider_types.h"
#include "config/read.h"

#include <algorithm>

namespace switchyard::config {

namespace {

constexpr std::size_t kModelNameMax = 128;

class Builder {
 public:
  explicit Builder(BuildContext& context) : context_(context), problems_(context.problems) {}

  Config build(const Node& root) {
    server(section(root, "server"));
    config_.provider_types =
        read_provider_types(section(root, "provider_types"), provider_types(), problems_);
    for (const auto& field : section(root, "providers").fields) {
      config_.providers.push_back(build_provider(field, config_.provider_types, context_));
    }
    not_empty(root, "providers");
    for (const auto& field : section(root, "models").fields) model(field);
    not_empty(root, "models");
    check_patterns(section(root, "models"));
    for (const Node* item : section(root, "keys").items) key(*item);
    store(root);
    telemetry(section(root, "telemetry"));
    sort_models(config_);
    return std::move(config_);
  }

 private:
  void not_empty(const Node& root, std::string_view name) {
    const Node* node = root.find(name);
    if (node && node->kind == Node::Kind::map && node->fields.empty()) {
      problems_.add(node->place, "`" + std::string(name) + "` is empty: nothing could be served");
    }
  }

  void server(const Node& node) {
    Server& server = config_.server;
    read(node, "listen", server.listen);
    read(node, "admin", server.admin);
    if (server.listen == server.admin && server.listen.port != 0) {
      const Node* given = node.find("admin") ? node.find("admin") : node.find("listen");
      problems_.add(given ? given->place : node.place, "`listen` and `admin` must be different addresses");
    }
    read(node, "workers", server.workers);
    const Node& limits = section(node, "limits");
    read(limits, "body", server.limits.body_bytes);
    read(limits, "headers", server.limits.header_bytes);
    read(limits, "connections", server.limits.connections);
    read(limits, "request_read", server.limits.request_read);
    read(limits, "idle", server.limits.idle);
    read(limits, "drain", server.limits.drain);
    read(limits, "heartbeat", server.limits.heartbeat);
    if (const Node* given = limits.find("heartbeat");
        given && (server.limits.heartbeat < std::chrono::seconds(1) ||
                  server.limits.heartbeat > std::chrono::seconds(15))) {
      problems_.add(given->place, "`heartbeat` must be 1s to 15s: what lies between may cut a silent stream");
    }
    if (const Node* tls = node.find("tls"); tls && tls->kind == Node::Kind::map) {
      server.tls = Tls{context_.pem_file(*tls, "certificate"), context_.pem_file(*tls, "private_key")};
    }
  }

  void model(const Node::Field& field) {
    const Node& node = *field.value;
    Model& model = config_.models.emplace_back();
    model.name = field.name;
    if (!is_field_text(field.name, kModelNameMax)) {
      problems_.add(field.place, "a model's name is 1 to 128 visible characters");
    }
    const Node& targets = section(node, "targets");
    if (targets.kind == Node::Kind::list && targets.items.empty()) {
      problems_.add(targets.place, "`targets` is empty: nothing could serve this model");
    }
    for (const Node* item : targets.items) target(*item, model);
    if (const Node* strategy = usable(node, "strategy"); strategy && strategy->text == "weighted") {
      model.strategy = Strategy::weighted;
    }
    const Node& timeouts = section(node, "timeouts");
    read(timeouts, "connect", model.timeouts.connect);
    read(timeouts, "first_token", model.timeouts.first_token);
    read(timeouts, "between_tokens", model.timeouts.between_tokens);
    read(timeouts, "total", model.timeouts.total);
    const Node& retry = section(node, "retry");
    read(retry, "attempts", model.retry.attempts);
    read(retry, "budget", model.retry.budget);
    read(node, "strict", model.strict);
  }

  void target(const Node& node, Model& model) {
    Target& target = model.targets.emplace_back();
    read(node, "weight", target.weight);
    read(node, "tier", target.tier);
    const Node* model_node = usable(node, "model");
    if (model_node && !model_node->text.empty()) {
      target.model = model_node->text;
      if (!is_field_text(target.model)) {
        problems_.add(model_node->place, "a model's name is 1 to 256 visible characters");
      }
      if (target.model == "*" && std::count(model.name.begin(), model.name.end(), '*') != 1) {
        problems_.add(model_node->place,
                      "`model` can be * only where the name above is a pattern with one *, whose part it is");
      }
    }
    const Node* name = usable(node, "provider");
    if (!name || name->text.empty()) return;
    target.provider = name->text;
    const auto provider = std::find_if(config_.providers.begin(), config_.providers.end(),
                                       [&](const Provider& one) { return one.name == target.provider; });
    if (provider == config_.providers.end()) {
      std::vector<std::string_view> names;
      for (const Provider& one : config_.providers) names.push_back(one.name);
      problems_.add(name->place, "no provider is called " + shown(*name) + context_.suggestion(*name, names));
    } else if (!provider->models.empty()) {
      local_target(node, *provider, model, target);
    }
  }

  // A local provider has just the models that it names.
  void local_target(const Node& node, const Provider& provider, const Model& model, Target& target) {
    const Node* given = node.find("model");
    if (given && given->broken) return;
    if (target.model.empty()) target.model = model.name;
    if (provider.models.contains(target.model)) return;
    std::vector<std::string_view> names;
    for (const auto& [name, path] : provider.models) names.push_back(name);
    if (given) {
      problems_.add(given->place, "the local provider " + provider.name + " has no model " + shown(*given) +
                                      context_.suggestion(*given, names));
    } else {
      problems_.add(node.place,
                    "a target of the local provider " + provider.name + " needs the field `model`");
    }
  }

  // Which of two patterns serves a name must never depend on their order in the file.
  void check_patterns(const Node& models) {
    std::vector<const Node::Field*> patterns;
    for (const auto& field : models.fields) {
      if (is_pattern(field.name) && field.name.size() <= kModelNameMax) patterns.push_back(&field);
    }
    constexpr std::size_t kPatternsMax = 256;  // The comparison is of each with each.
    if (patterns.size() > kPatternsMax) {
      problems_.add(patterns[kPatternsMax]->place, "more than 256 patterns");
      return;
    }
    for (std::size_t i = 0; i < patterns.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const std::string &a = patterns[j]->name, &b = patterns[i]->name;
        if (literal_length(a) != literal_length(b) || !overlap(a, b)) continue;
        problems_.add(patterns[i]->place, "as specific as the pattern \"" + a +
                                              "\", and some names match both: make one more specific");
      }
    }
  }

  void key(const Node& node) {
    Key& key = config_.keys.emplace_back();
    if (const Node* name = usable(node, "name"); name && !name->text.empty()) key_name(*name, key);
    if (const Node* secret = usable(node, "secret"); secret && !secret->text.empty())
      key_secret(*secret, key);
    for (const Node* item : section(node, "models").items) {
      if (item->kind != Node::Kind::scalar || item->broken) continue;
      key.models.push_back(item->text);
      check_key_model(*item);
    }
  }

  void key_name(const Node& node, Key& key) {
    if (!is_plain_name(node.text)) {
      problems_.add(node.place, "a key's name is 1 to 64 letters, digits, dots, underscores and dashes");
    }
    const bool is_taken = std::any_of(config_.keys.begin(), config_.keys.end(),
                                      [&](const Key& other) { return other.name == node.text; });
    if (is_taken) problems_.add(node.place, "another key is called " + shown(node));
    key.name = node.text;
  }

  void key_secret(const Node& node, Key& key) {
    constexpr std::string_view kDigest = "sha256:";
    if (node.text.starts_with(kDigest)) {
      const auto digest = from_hex(std::string_view(node.text).substr(kDigest.size()));
      if (!digest) {
        problems_.add(node.place, "sha256: is followed by 64 hexadecimal digits");
        return;
      }
      key.sha256 = *digest;
    } else if (context_.check_secret(node, "secret")) {
      key.sha256 = sha256(node.text);
    } else {
      return;
    }
    for (const Key& other : config_.keys) {
      if (&other != &key && other.sha256 == key.sha256) {
        problems_.add(node.place, "the secret is also that of the key \"" + other.name.substr(0, 64) + "\"");
      }
    }
  }

  void check_key_model(const Node& node) {
    const std::string& text = node.text;
    const bool is_served = text.size() <= kModelNameMax &&
                           std::any_of(config_.models.begin(), config_.models.end(), [&](const Model& model) {
                             return model.name.size() <= kModelNameMax && overlap(model.name, text);
                           });
    if (is_served) return;
    std::vector<std::string_view> names;
    for (const Model& model : config_.models) names.push_back(model.name);
    problems_.add(node.place, "no model is called " + shown(node) + context_.suggestion(node, names));
  }

  void store(const Node& root) {
    const Node& node = section(root, "store");
    const Node* ledger = usable(node, "ledger");
    if (!ledger || ledger->text.empty()) return;
    Store& store = config_.store.emplace();
    store.ledger = resolve_path(context_.config_path, ledger->text);
    const Node& responses = section(node, "responses");
    read(responses, "keep", store.responses.keep);
    read(responses, "max", store.responses.entries_max);
    read(responses, "bytes", store.responses.bytes_max);
  }

  void telemetry(const Node& node) {
    constexpr std::string_view kLevels[] = {"trace", "debug", "info", "warning", "error"};
    const Node* level = usable(node, "logs");
    for (std::size_t i = 0; level && i < std::size(kLevels); ++i) {
      if (level->text == kLevels[i]) config_.log_level = static_cast<LogLevel>(i);
    }
  }

  BuildContext& context_;
  Problems& problems_;
  Config config_;
};

}  // namespace

Config build(const Node& root, const std::string& config_path, const Environment& environment,
             Problems& problems, std::vector<std::string>& files) {
  BuildContext context{config_path, environment, problems, files};
  return Builder(context).build(root);
}

}  // namespace switchyard::config
