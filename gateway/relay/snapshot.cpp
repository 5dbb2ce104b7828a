#include "gateway/relay/snapshot.h"

#include "config/lookup.h"
#include "gateway/upstream/origin.h"

#include <nlohmann/json.hpp>

namespace switchyard::relay {

namespace {

void add_surfaces(Target& target) {
  const std::string base = upstream::path_of(target.provider->base_url);
  for (const Surface& surface : target.type->surfaces) {
    const auto whole = [&](const std::string& path) {
      const std::string& query = target.provider->query;
      if (query.empty()) return base + path;
      return base + path + (path.find('?') == std::string::npos ? '?' : '&') + query;
    };
    target.surfaces.push_back({find_dialect(surface.dialect), find_embeddings_dialect(surface.dialect),
                               find_token_count_dialect(surface.dialect), &surface, whole(surface.path),
                               whole(surface.stream_path.empty() ? surface.path : surface.stream_path),
                               surface.path.find("{model}") != std::string::npos});
  }
}

Result<std::shared_ptr<local::Engine>> make_engine(const config::Provider& provider, const std::string& path,
                                                   Inheritance& old, Inheritance& kept) {
  const std::string key =
      path + " threads=" + std::to_string(provider.threads) + " queue=" + std::to_string(provider.queue);
  if (const auto found = kept.engines.find(key); found != kept.engines.end()) return found->second;
  auto& slot = old.engines[key];
  if (!slot) {
    local::EngineOptions options;
    options.threads = provider.threads;
    options.queue_max = provider.queue;
    auto loaded = path == "bundled" ? local::load_bundled_engine(options) : local::load_engine(path, options);
    if (!loaded) {
      return fail(ErrorKind::invalid_request,
                  "provider " + provider.name + ": " + path + ": " + loaded.error().message);
    }
    slot = std::shared_ptr<local::Engine>(std::move(*loaded));
  }
  kept.engines[key] = slot;
  return slot;
}

store::Limits limits_of(const config::ResponseStore& responses) {
  return {responses.keep, responses.entries_max, static_cast<std::int64_t>(responses.bytes_max)};
}

// The ledger of the process is opened with the first configuration; what later ones say of its bounds holds.
Result<std::shared_ptr<store::Ledger>> make_ledger(const std::optional<config::Store>& configured,
                                                   const Snapshot* previous) {
  if (previous) {
    if (previous->ledger && configured) previous->ledger->set_limits(limits_of(configured->responses));
    return previous->ledger;
  }
  if (!configured) return std::shared_ptr<store::Ledger>();
  auto ledger = store::Ledger::open(configured->ledger, limits_of(configured->responses));
  if (!ledger) {
    return fail(ErrorKind::invalid_request,
                "store.ledger: " + configured->ledger + ": " + ledger.error().message);
  }
  return ledger;
}

}  // namespace

const Model* Snapshot::find(std::string_view name) const {
  const config::Model* found = config::find_model(config, name);
  return found ? &models[static_cast<std::size_t>(found - config.models.data())] : nullptr;
}

Result<std::shared_ptr<const Snapshot>> compile(config::Config config, const Snapshot* previous,
                                                telemetry::Metrics& metrics) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->config = std::move(config);
  const config::Config& checked = snapshot->config;
  snapshot->keys = limits::KeyRing(checked.keys);
  Inheritance old = previous ? previous->inheritance : Inheritance();
  for (const config::Provider& provider : checked.providers) {
    auto origin = provider.base_url.empty() ? Result<upstream::Origin>(upstream::Origin())
                                            : upstream::make_origin(provider.base_url, provider.ca_file,
                                                                    provider.name, provider.connections);
    if (!origin) return origin.error();
    snapshot->origins.push_back(std::move(*origin));
    auto tokens = upstream::make_token_request(provider);
    if (!tokens) return tokens.error();
    snapshot->tokens.push_back(std::move(*tokens));
  }
  for (const config::Model& model : checked.models) {
    Model& compiled = snapshot->models.emplace_back();
    compiled.config = &model;
    if (model.name.find('*') == std::string::npos) snapshot->listed_models.push_back(model.name);
    for (const config::Target& configured : model.targets) {
      Target& target = compiled.targets.emplace_back();
      target.config = &configured;
      std::size_t index = 0;
      while (checked.providers[index].name != configured.provider) ++index;
      target.provider = &checked.providers[index];
      target.type = config::find_type(checked.provider_types, target.provider->type);
      target.origin = &snapshot->origins[index];
      target.tokens = snapshot->tokens[index];
      target.model_json = nlohmann::json(configured.model).dump();
      if (!target.type->is_local()) {
        add_surfaces(target);
      } else {
        const auto& path = target.provider->models.at(configured.model);
        auto engine = make_engine(*target.provider, path, old, snapshot->inheritance);
        if (!engine) return engine.error();
        target.engine = *engine;
      }
      const std::string key = target.provider->name + "\n" + target.origin->key + "\n" + configured.model;
      auto& health = snapshot->inheritance.health[key];
      if (!health) {
        const auto found = old.health.find(key);
        health = found != old.health.end() ? found->second : std::make_shared<routing::SharedHealth>();
      }
      target.health = health;
      target.route = metrics.route(model.name, target.provider->name);
      target.provider_id = metrics.provider(target.provider->name);
    }
  }
  auto ledger = make_ledger(checked.store, previous);
  if (!ledger) return ledger.error();
  snapshot->ledger = std::move(*ledger);
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

}  // namespace switchyard::relay
