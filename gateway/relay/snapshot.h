#pragma once

#include "adapters/providers/provider.h"
#include "config/config.h"
#include "gateway/limits/key_ring.h"
#include "gateway/routing/health.h"
#include "gateway/telemetry/metrics.h"
#include "gateway/upstream/pool.h"
#include "local_backend/engine/engine.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace switchyard::relay {

// One provider's model, ready to be called: everything that can be worked out before a request is.
struct Target {
  const config::Target* config = nullptr;
  const config::Provider* provider = nullptr;
  const ProviderType* type = nullptr;
  const Dialect* dialect = nullptr;  // Null for a local model.
  const upstream::Origin* origin = nullptr;
  std::string path;                       // Of the chat request.
  std::string model_json;                 // The configured model's name as a JSON string.
  std::shared_ptr<local::Engine> engine;  // Null for a hosted one.
  std::shared_ptr<routing::SharedHealth>
      health;  // Lives on through reloads while provider and model are the same.
  telemetry::RouteId route = 0;
  telemetry::ProviderId provider_id = 0;
};

struct Model {
  const config::Model* config = nullptr;
  std::vector<Target> targets;
};

// What lives on from one configuration to the next, by what identifies it.
struct Inheritance {
  std::map<std::string, std::shared_ptr<routing::SharedHealth>> health;
  std::map<std::string, std::shared_ptr<local::Engine>> engines;
};

// A configuration, compiled. Immutable and shared by all workers; swapped whole on a reload. A request ends
// under the snapshot that it began with.
struct Snapshot {
  config::Config config;
  limits::KeyRing keys;
  std::vector<upstream::Origin> origins;  // One a provider, in the configuration's order.
  std::vector<Model> models;
  std::vector<std::string> listed_models;  // For GET /v1/models: names without patterns.
  Inheritance inheritance;

  // The entry that serves a name, or null; the most specific pattern wins.
  const Model* find(std::string_view name) const;
};

// Compiles a checked configuration: TLS contexts, base URLs, local models (which are loaded: seconds for a
// large one). Fails with what cannot be had, in words for the operator.
Result<std::shared_ptr<const Snapshot>> compile(config::Config config, const Snapshot* previous,
                                                telemetry::Metrics& metrics);

}  // namespace switchyard::relay
