#include "gateway/relay/plan_input.h"

#include "gateway/routing/facts.h"

#include <algorithm>

namespace switchyard::relay {

namespace {

// Scores that are watched only move nothing; what a person has drained stays out in every mode.
void fill_scores(const scoring::TargetView& view, config::QualityMode mode, routing::Candidate& candidate) {
  const bool acts = mode == config::QualityMode::act;
  if (acts || view.state == scoring::State::drained) candidate.state = view.state;
  if (!acts) return;
  candidate.quality = view.quality;
  candidate.ramp = view.ramp;
  candidate.availability = view.availability;
}

}  // namespace

void fill_plan_input(const PlanQuestion& question, routing::PlanInput& input) {
  static const scoring::TargetView unknown;
  const Model& model = question.model;
  input.strategy = model.config->strategy;
  input.objectives = model.config->objectives;
  input.facts = question.facts;
  input.now = question.now;
  input.seed = question.seed;
  input.candidates.resize(model.targets.size());
  const auto bucket = static_cast<std::size_t>(scoring::size_bucket(question.facts.input_tokens));
  double output_tokens_mean = 0;
  for (std::size_t i = 0; i < model.targets.size(); ++i) {
    const Target& target = model.targets[i];
    const scoring::TargetView& view = question.scores ? question.scores->of(target.score_id) : unknown;
    routing::Candidate& candidate = input.candidates[i] = {};
    candidate.id = target.id;
    candidate.weight = target.config->weight;
    candidate.tier = target.config->tier;
    candidate.canary = target.config->canary;
    candidate.health = target.health->snapshot(question.now);
    candidate.has_room = routing::has_room(question.facts.input_tokens, target.context_tokens);
    fill_scores(view, question.mode, candidate);
    candidate.ttft_ms_p50 = static_cast<double>(view.latency[bucket].ttft_ms_p50);
    candidate.ttft_ms_p95 = static_cast<double>(view.latency[bucket].ttft_ms_p95);
    candidate.inter_token_ms = view.inter_token_ms;
    const routing::LoadView load = target.load->snapshot(question.now, target.config->concurrent);
    candidate.in_flight = load.in_flight;
    candidate.in_flight_max = routing::limit_for(load.in_flight_max, question.priority);
    candidate.latency_ratio = load.latency_ratio;
    candidate.quota = load.quota;
    const std::uint32_t output =
        routing::expected_output_tokens(question.facts.output_tokens, view.output_tokens_mean);
    candidate.usd = routing::expected_usd(target.prices, question.facts.input_tokens, output);
    output_tokens_mean = std::max(output_tokens_mean, view.output_tokens_mean);
  }
  // What is compared is one reply, however long each of them would make it.
  input.facts.output_tokens =
      routing::expected_output_tokens(question.facts.output_tokens, output_tokens_mean);
}

double cost_usd(const std::optional<config::Prices>& prices, const Usage& usage) {
  if (!prices) return -1;
  const auto cached = static_cast<double>(std::min(usage.cached_tokens, usage.input_tokens));
  const double usd_millions = (static_cast<double>(usage.input_tokens) - cached) * prices->input +
                              cached * prices->cached +
                              static_cast<double>(usage.output_tokens) * prices->output;
  return usd_millions / 1e6;
}

}  // namespace switchyard::relay
