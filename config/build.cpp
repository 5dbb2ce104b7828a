#include "config/build.h"

#include "adapters/crypto/sha256.h"
#include "config/build_context.h"
#include "config/build_model.h"
#include "config/build_provider.h"
#include "config/build_quality.h"
#include "config/expand.h"
#include "config/lookup.h"
#include "config/pattern.h"
#include "config/provider_types.h"
#include "config/read.h"
#include "config/references.h"

#include <algorithm>

namespace switchyard::config {

namespace {

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
    for (const auto& field : section(root, "models").fields) {
      config_.models.push_back(build_model(field, config_, context_));
    }
    not_empty(root, "models");
    check_patterns(section(root, "models"), context_);
    for (const Node* item : section(root, "keys").items) key(*item);
    store(root);
    telemetry(section(root, "telemetry"));
    config_.quality = build_quality(section(root, "quality"), context_);
    sort_models(config_);
    check_references(root, config_, context_);
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
    constexpr std::string_view kPriorities[] = {"batch", "normal", "interactive"};
    read_choice(node, "priority", kPriorities, key.priority);
    read(node, "shadow", key.shadow);
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
    const Node& decisions = section(node, "decisions");
    read(decisions, "enabled", store.decisions.enabled);
    read(decisions, "keep", store.decisions.keep);
    read(decisions, "max", store.decisions.entries_max);
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
