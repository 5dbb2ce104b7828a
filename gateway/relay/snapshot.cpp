#include "gateway/relay/snapshot.h"

#include "config/lookup.h"
#include "gateway/routing/facts.h"
#include "gateway/upstream/origin.h"

#include <nlohmann/json.hpp>

namespace switchyard::relay {

namespace {

std::string score_key(const config::Model& model, const Target& target) {
  return model.name + "|" + target.provider->name + "|" + target.config->model;
}

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

store::Limits limits_of(const config::Store& store) {
  return {store.responses.keep, store.responses.entries_max,
          static_cast<std::int64_t>(store.responses.bytes_max), store.decisions.keep,
          store.decisions.enabled ? store.decisions.entries_max : 0};
}

// The ledger of the process is opened with the first configuration; what later ones say of its bounds holds.
Result<std::shared_ptr<store::Ledger>> make_ledger(const std::optional<config::Store>& configured,
                                                   const Snapshot* previous) {
  if (previous) {
    if (previous->ledger && configured) previous->ledger->set_limits(limits_of(*configured));
    return previous->ledger;
  }
  if (!configured) return std::shared_ptr<store::Ledger>();
  auto ledger = store::Ledger::open(configured->ledger, limits_of(*configured));
  if (!ledger) {
    return fail(ErrorKind::invalid_request,
                "store.ledger: " + configured->ledger + ": " + ledger.error().message);
  }
  return ledger;
}

// What is known of the target's size and price. A name that only a request will tell has none but what the
// configuration says.
void add_facts(Target& target) {
  const config::Target& configured = *target.config;
  target.prices = configured.prices;
  target.context_tokens = configured.context_tokens.value_or(0);
  if (target.engine) {
    if (!target.prices) target.prices.emplace();  // It costs no one but the machine.
    if (target.context_tokens == 0) target.context_tokens = target.engine->context_tokens();
    return;
  }
  if (configured.model.empty() || configured.model == "*") return;
  const ModelRow facts = model_facts(*target.type, configured.model);
  if (target.context_tokens == 0) target.context_tokens = facts.context_tokens.value_or(0);
  if (!target.prices && facts.usd_per_mtok_in && facts.usd_per_mtok_out) {
    const double input = *facts.usd_per_mtok_in;
    target.prices = config::Prices{input, *facts.usd_per_mtok_out, facts.usd_per_mtok_cached.value_or(input)};
  }
}

// What lives on of a target through reloads while provider and model are the same.
void inherit(Target& target, const config::Model& model, Inheritance& old, Inheritance& kept) {
  const std::string key = target.provider->name + "\n" + target.origin->key + "\n" + target.config->model;
  const auto from = [&key]<class T>(std::map<std::string, std::shared_ptr<T>>& before,
                                    std::map<std::string, std::shared_ptr<T>>& now) {
    auto& shared = now[key];
    if (shared) return shared;
    const auto found = before.find(key);
    shared = found != before.end() ? found->second : std::make_shared<T>();
    return shared;
  };
  target.health = from(old.health, kept.health);
  target.load = from(old.load, kept.load);
  target.id = routing::hash_of(key);
  const auto next = static_cast<std::uint32_t>(kept.score_ids.size());
  target.score_id = kept.score_ids.try_emplace(score_key(model, target), next).first->second;
}

// A target ready to be called, but for what it shares with others.
Result<Target> make_target(const config::Target& configured, Snapshot& snapshot, Inheritance& old) {
  const config::Config& checked = snapshot.config;
  Target target;
  target.config = &configured;
  std::size_t index = 0;
  while (checked.providers[index].name != configured.provider) ++index;
  target.provider = &checked.providers[index];
  target.type = config::find_type(checked.provider_types, target.provider->type);
  target.origin = &snapshot.origins[index];
  target.tokens = snapshot.tokens[index];
  target.model_json = nlohmann::json(configured.model).dump();
  if (!target.type->is_local()) {
    add_surfaces(target);
  } else {
    const auto& path = target.provider->models.at(configured.model);
    auto engine = make_engine(*target.provider, path, old, snapshot.inheritance);
    if (!engine) return engine.error();
    target.engine = *engine;
  }
  add_facts(target);
  return target;
}

std::shared_ptr<const DecisionNames> names_of(const Model& model, const std::string& version) {
  auto names = std::make_shared<DecisionNames>();
  names->model = model.config->name;
  names->config_version = version;
  for (const Target& target : model.targets) {
    names->providers.push_back(target.provider->name);
    names->target_models.push_back(target.config->model);
    names->score_ids.push_back(target.score_id);
  }
  return names;
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
  snapshot->inheritance.score_ids = old.score_ids;
  snapshot->inheritance.feedback = old.feedback ? old.feedback : std::make_shared<FeedbackDesk>();
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
      auto made = make_target(configured, *snapshot, old);
      if (!made) return made.error();
      Target& target = compiled.targets.emplace_back(std::move(*made));
      inherit(target, model, old, snapshot->inheritance);
      compiled.has_conditions |= !configured.when.empty();
      target.route = metrics.route(model.name, target.provider->name);
      target.provider_id = metrics.provider(target.provider->name);
    }
    compiled.names = names_of(compiled, checked.version);
    if (model.shadow) {
      auto shadow = make_target(model.shadow->target, *snapshot, old);
      if (!shadow) return shadow.error();
      compiled.shadow = std::make_shared<const Target>(std::move(*shadow));
    }
  }
  for (const config::Key& key : checked.keys) snapshot->key_ids.push_back(metrics.key(key.name));
  auto ledger = make_ledger(checked.store, previous);
  if (!ledger) return ledger.error();
  snapshot->ledger = std::move(*ledger);
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

std::vector<scoring::TargetInfo> score_targets(const Snapshot& snapshot) {
  std::vector<scoring::TargetInfo> targets;
  std::map<std::pair<const Model*, int>, std::uint32_t> groups;
  for (const Model& model : snapshot.models) {
    for (const Target& target : model.targets) {
      const auto next = static_cast<std::uint32_t>(groups.size());
      const auto group = groups.try_emplace({&model, target.config->tier}, next).first->second;
      targets.push_back({target.score_id, score_key(*model.config, target), model.config->name,
                         target.provider->name, target.config->model, group});
    }
  }
  return targets;
}

}  // namespace switchyard::relay
