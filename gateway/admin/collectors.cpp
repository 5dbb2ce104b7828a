#include "gateway/admin/collectors.h"

#include <map>
#include <set>
#include <utility>

namespace switchyard::admin {

void collect_targets(const relay::Snapshot& snapshot, TimePoint now, telemetry::Samples& samples) {
  using Labels = std::pair<std::string_view, std::string_view>;
  // A model may have several targets at one provider, which share a series: the best of them counts.
  std::map<Labels, routing::State> states;
  for (const relay::Model& model : snapshot.models) {
    for (const relay::Target& target : model.targets) {
      const routing::State state = target.health->snapshot(now).state;
      const auto [entry, is_new] = states.try_emplace({model.config->name, target.provider->name}, state);
      if (!is_new) entry->second = std::min(entry->second, state);
    }
  }
  for (const auto& [labels, state] : states) {
    telemetry::add_provider_state(samples, labels.first, labels.second, routing::name_of(state));
  }
}

void collect_local_models(const relay::Snapshot& snapshot, telemetry::Samples& samples) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const relay::Model& model : snapshot.models) {
    for (const relay::Target& target : model.targets) {
      if (!target.engine) continue;
      telemetry::LocalModelSample sample;
      sample.provider = target.provider->name;
      sample.model = target.config->model;
      if (!seen.emplace(sample.provider, sample.model).second) continue;
      const local::EngineStats stats = target.engine->stats();
      sample.device = target.engine->device();
      sample.waiting = stats.waiting;
      sample.running = stats.running;
      sample.context_tokens = target.engine->context_tokens();
      sample.prompt_tokens = stats.prompt_tokens;
      sample.generated_tokens = stats.generated_tokens;
      telemetry::add_local_model(samples, sample);
    }
  }
}

void collect_store(const relay::Snapshot& snapshot, telemetry::Samples& samples) {
  if (!snapshot.ledger) return;
  const store::Ledger::Stats stats = snapshot.ledger->stats();
  telemetry::add_store(samples, stats.entries, stats.bytes, stats.dropped);
}

}  // namespace switchyard::admin
