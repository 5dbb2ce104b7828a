#include "gateway/admin/collectors.h"

#include "gateway/admin/target_state.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace switchyard::admin {

namespace {

// A model may have several targets at one provider, which share a series: the best of them counts.
struct Best {
  TargetState state = TargetState::drained;
  double quality = 0, latency = 0, availability = 0, total = 0;

  void take(TargetState of_target, const scoring::TargetView& view) {
    state = std::min(state, of_target);
    const double speed = std::min(1.0, 1 / std::max(view.latency_ratio, 1e-9));
    quality = std::max(quality, view.quality);
    latency = std::max(latency, speed);
    availability = std::max(availability, view.availability);
    total = std::max(total, view.quality * speed * view.availability);
  }
};

}  // namespace

void collect_targets(const relay::Snapshot& snapshot, const scoring::BoardView& scores, TimePoint now,
                     telemetry::Samples& samples) {
  std::map<std::pair<std::string_view, std::string_view>, Best> all;
  for (const relay::Model& model : snapshot.models) {
    for (const relay::Target& target : model.targets) {
      const scoring::TargetView& view = scores.of(target.score_id);
      all[{model.config->name, target.provider->name}].take(
          state_of(target, view, snapshot.config.quality.mode, now), view);
    }
  }
  for (const auto& [labels, best] : all) {
    const auto& [model, provider] = labels;
    telemetry::add_provider_state(samples, model, provider, name_of(best.state));
    if (snapshot.config.quality.mode == config::QualityMode::off) continue;
    telemetry::add_provider_score(samples, model, provider, "quality", best.quality);
    telemetry::add_provider_score(samples, model, provider, "latency", best.latency);
    telemetry::add_provider_score(samples, model, provider, "availability", best.availability);
    telemetry::add_provider_score(samples, model, provider, "total", best.total);
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
