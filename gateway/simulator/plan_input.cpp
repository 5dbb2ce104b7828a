#include "gateway/simulator/plan_input.h"

#include "adapters/providers/provider.h"
#include "gateway/routing/facts.h"

#include <algorithm>

namespace switchyard::simulator {

namespace {

// What the provider's type knows of the model, where the configuration says nothing.
void add_facts(const ProviderType& type, SimTarget& target) {
  if (type.is_local()) {
    if (!target.prices) target.prices.emplace();
    return;
  }
  if (target.config->model.empty() || target.config->model == "*") return;
  const ModelRow facts = model_facts(type, target.config->model);
  if (target.context_tokens == 0) target.context_tokens = facts.context_tokens.value_or(0);
  if (target.prices || !facts.usd_per_mtok_in || !facts.usd_per_mtok_out) return;
  const double input = *facts.usd_per_mtok_in;
  target.prices = config::Prices{input, *facts.usd_per_mtok_out, facts.usd_per_mtok_cached.value_or(input)};
}

}  // namespace

std::vector<SimTarget> targets_of(const config::Config& config, const Lookup& lookup,
                                  const config::Model& model, std::uint32_t first_score_id) {
  std::vector<SimTarget> targets;
  for (const config::Target& configured : model.targets) {
    SimTarget& target = targets.emplace_back();
    target.config = &configured;
    target.id = routing::hash_of(configured.provider + "\n" + configured.model);
    target.score_id = first_score_id++;
    target.prices = configured.prices;
    target.context_tokens = configured.context_tokens.value_or(0);
    const auto provider = std::ranges::find(config.providers, configured.provider, &config::Provider::name);
    const ProviderType* known =
        provider == config.providers.end() ? nullptr : lookup.type(config, provider->type);
    if (known) add_facts(*known, target);
  }
  return targets;
}

routing::Candidate candidate_of(const SimTarget& target, const scoring::TargetView& view,
                                config::QualityMode mode, const routing::RequestFacts& facts) {
  routing::Candidate candidate;
  candidate.id = target.id;
  candidate.weight = target.config->weight;
  candidate.tier = target.config->tier;
  candidate.canary = target.config->canary;
  candidate.has_room = routing::has_room(facts.input_tokens, target.context_tokens);
  const bool acts = mode == config::QualityMode::act;
  if (acts || view.state == scoring::State::drained) candidate.state = view.state;
  if (acts) {
    candidate.quality = view.quality;
    candidate.ramp = view.ramp;
    candidate.availability = view.availability;
  }
  const auto bucket = static_cast<std::size_t>(scoring::size_bucket(facts.input_tokens));
  candidate.ttft_ms_p50 = static_cast<double>(view.latency[bucket].ttft_ms_p50);
  candidate.ttft_ms_p95 = static_cast<double>(view.latency[bucket].ttft_ms_p95);
  candidate.inter_token_ms = view.inter_token_ms;
  const auto output = routing::expected_output_tokens(facts.output_tokens, view.output_tokens_mean);
  candidate.usd = routing::expected_usd(target.prices, facts.input_tokens, output);
  return candidate;
}

}  // namespace switchyard::simulator
