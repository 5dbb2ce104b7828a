#include "gateway/relay/snapshot.h"

#include "config/lookup.h"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <nlohmann/json.hpp>

namespace switchyard::relay {

namespace {

Result<upstream::Origin> make_origin(const config::Provider& provider) {
  upstream::Origin origin;
  if (provider.base_url.empty()) return origin;
  const auto parsed = boost::urls::parse_uri(provider.base_url);
  if (!parsed) return fail(ErrorKind::invalid_request, "provider " + provider.name + ": base_url is no URL");
  const bool secure = parsed->scheme_id() == boost::urls::scheme::https;
  origin.host = std::string(parsed->host_address());
  origin.port = parsed->has_port() ? parsed->port_number() : static_cast<std::uint16_t>(secure ? 443 : 80);
  origin.host_field = std::string(parsed->encoded_host());
  if (parsed->has_port()) origin.host_field += ":" + std::string(parsed->port());
  origin.connections_max = provider.connections;
  if (secure) {
    auto tls = upstream::make_client_tls(provider.ca_file);
    if (!tls) return tls.error();
    origin.tls = *tls;
  }
  origin.key = std::string(parsed->scheme()) + "://" + origin.host + ":" + std::to_string(origin.port) +
               " ca=" + provider.ca_file + " of=" + provider.name;
  return origin;
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
    auto origin = make_origin(provider);
    if (!origin) return origin.error();
    snapshot->origins.push_back(std::move(*origin));
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
      target.type = find_provider_type(target.provider->type);
      target.dialect = find_dialect(target.type->dialect);
      target.origin = &snapshot->origins[index];
      target.model_json = nlohmann::json(configured.model).dump();
      if (target.dialect) {
        const auto url = boost::urls::parse_uri(target.provider->base_url);
        target.path = std::string(url->encoded_path()) + std::string(target.type->chat_path);
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
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

}  // namespace switchyard::relay
