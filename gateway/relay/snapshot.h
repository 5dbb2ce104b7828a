#pragma once

#include "adapters/dialects/embeddings.h"
#include "adapters/dialects/token_count.h"
#include "adapters/providers/provider.h"
#include "config/config.h"
#include "gateway/limits/key_ring.h"
#include "gateway/relay/decisions.h"
#include "gateway/relay/feedback_desk.h"
#include "gateway/routing/health.h"
#include "gateway/routing/load.h"
#include "gateway/scoring/board.h"
#include "gateway/store/ledger.h"
#include "gateway/telemetry/metrics.h"
#include "gateway/upstream/pool.h"
#include "gateway/upstream/token_request.h"
#include "local_backend/engine/engine.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace switchyard::relay {

// One way to reach a target: a dialect, and the paths of its requests, with the base URL's. One of the three
// pointers is set.
struct TargetSurface {
  const Dialect* dialect = nullptr;
  const EmbeddingsDialect* embeddings = nullptr;
  const TokenCountDialect* counting = nullptr;
  const Surface* declared = nullptr;  // The row: which models it serves, and what their bodies need.
  std::string path, stream_path;
  bool model_in_path = false;
};

// One provider's model, ready to be called: everything that can be worked out before a request is.
struct Target {
  const config::Target* config = nullptr;
  const config::Provider* provider = nullptr;
  const ProviderType* type = nullptr;
  std::vector<TargetSurface> surfaces;  // The preferred one of each kind first; none for a local model.
  const upstream::Origin* origin = nullptr;
  std::shared_ptr<const upstream::TokenRequest> tokens;  // How its access tokens are had; null for none.
  std::string model_json;                                // The configured model's name as a JSON string.
  std::shared_ptr<local::Engine> engine;                 // Null for a hosted one.
  std::shared_ptr<routing::SharedHealth>
      health;  // Lives on through reloads while provider and model are the same.
  std::shared_ptr<routing::SharedLoad> load;  // The same.
  std::optional<config::Prices> prices;       // Nothing: not known.
  std::int64_t context_tokens = 0;            // 0: not known.
  telemetry::RouteId route = 0;
  telemetry::ProviderId provider_id = 0;
  std::uint64_t id = 0;        // Candidate::id.
  std::uint32_t score_id = 0;  // Observation::target: lives on through reloads like `health`.
};

struct Model {
  const config::Model* config = nullptr;
  std::vector<Target> targets;
  std::shared_ptr<const DecisionNames> names;
  bool has_conditions = false;  // One of the targets has a condition.
  // Whose answers are compared with the targets' (models.*.shadow); null for none. It serves nobody: what
  // targets share, and their ids, it has not.
  std::shared_ptr<const Target> shadow;
};

// What lives on from one configuration to the next, by what identifies it.
struct Inheritance {
  std::map<std::string, std::shared_ptr<routing::SharedHealth>> health;
  std::map<std::string, std::shared_ptr<routing::SharedLoad>> load;
  // Of every target that was ever served, so that an id never comes to mean another one.
  std::map<std::string, std::uint32_t> score_ids;
  std::map<std::string, std::shared_ptr<local::Engine>> engines;
  std::shared_ptr<FeedbackDesk> feedback;
};

// A configuration, compiled. Immutable and shared by all workers; swapped whole on a reload. A request ends
// under the snapshot that it began with.
struct Snapshot {
  config::Config config;
  limits::KeyRing keys;
  std::vector<upstream::Origin> origins;  // One a provider, in the configuration's order.
  std::vector<std::shared_ptr<const upstream::TokenRequest>> tokens;  // The same; null where none is needed.
  std::vector<Model> models;
  std::vector<std::string> listed_models;  // For GET /v1/models: names without patterns.
  std::shared_ptr<store::Ledger> ledger;   // Where responses are kept; null for none. One for all snapshots.
  Inheritance inheritance;

  std::vector<telemetry::KeyId> key_ids;  // One a key, in the configuration's order.

  // The entry that serves a name, or null; the most specific pattern wins.
  const Model* find(std::string_view name) const;
};

// Compiles a checked configuration: TLS contexts, base URLs, local models (which are loaded: seconds for a
// large one), the ledger, which a later configuration takes over from the first as it is. Fails with what
// cannot be had, in words for the operator.
Result<std::shared_ptr<const Snapshot>> compile(config::Config config, const Snapshot* previous,
                                                telemetry::Metrics& metrics);

// The targets of a configuration as the scores know them.
std::vector<scoring::TargetInfo> score_targets(const Snapshot& snapshot);

}  // namespace switchyard::relay
