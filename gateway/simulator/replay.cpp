#include "gateway/simulator/replay.h"

#include "gateway/routing/facts.h"
#include "gateway/routing/shares.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace switchyard::simulator {

namespace {

constexpr std::size_t kDifferencesMax = 10;

std::string name_of(const std::string& provider, const std::string& model) {
  return model.empty() ? provider : provider + "/" + model;
}

std::string first_of(const routing::Plan& plan, const std::vector<std::string>& names) {
  if (plan.attempts.empty()) return {};
  return names[static_cast<std::size_t>(plan.attempts.front().target)];
}

void expect(const routing::PlanInput& input, const routing::Plan& plan, const std::vector<std::string>& names,
            Expectation& expectation) {
  ++expectation.load[first_of(plan, names)];
  if (plan.attempts.empty()) return;
  const auto& candidate = input.candidates[static_cast<std::size_t>(plan.attempts.front().target)];
  if (candidate.ttft_ms_p50 > 0) {
    expectation.latency_ms += routing::predicted_ms(candidate, input.facts, candidate.ttft_ms_p50);
    ++expectation.latency_known;
  }
  if (candidate.usd >= 0) {
    expectation.usd += candidate.usd;
    ++expectation.usd_known;
  }
  expectation.quality += candidate.quality;
  ++expectation.quality_known;
}

// The verdict on a condition as far as a record tells; nothing: it does not.
std::optional<bool> verdict(const config::Condition& condition, const routing::Decision& decision) {
  if (!condition.keys.empty() && std::ranges::find(condition.keys, decision.key) == condition.keys.end())
    return false;
  const std::int64_t tokens = decision.input.facts.input_tokens;
  if (tokens < condition.input_tokens_min) return false;
  if (condition.input_tokens_max > 0 && tokens > condition.input_tokens_max) return false;
  const bool is_decided = condition.headers.empty() && condition.metadata.empty() && !condition.tools &&
                          !condition.images && !condition.json && !condition.stream;
  return is_decided ? std::optional(true) : std::nullopt;
}

void configure(const SimTarget& target, const routing::Decision& decision, bool is_new,
               routing::Candidate& candidate, std::uint64_t& taken_over) {
  const auto& facts = decision.input.facts;
  candidate.weight = target.config->weight;
  candidate.tier = target.config->tier;
  candidate.canary = target.config->canary;
  if (target.config->context_tokens || is_new)
    candidate.has_room = routing::has_room(facts.input_tokens, target.context_tokens);
  if (target.config->prices || is_new)
    candidate.usd = routing::expected_usd(target.prices, facts.input_tokens, facts.output_tokens);
  if (target.config->when.empty()) {
    candidate.is_meant = true;
  } else if (const auto holds = verdict(target.config->when, decision)) {
    candidate.is_meant = *holds;
  } else {
    ++taken_over;
  }
}

}  // namespace

routing::PlanInput under(const config::Config& config, const config::Model& model, const Lookup& lookup,
                         const routing::Decision& decision, std::vector<std::string>& names,
                         std::uint64_t& taken_over) {
  routing::PlanInput input = decision.input;
  input.strategy = model.strategy;
  input.objectives = model.objectives;
  if (model.sticky == config::Sticky::none) input.facts.affinity = 0;
  input.candidates.clear();
  names.clear();
  for (const SimTarget& target : targets_of(config, lookup, model, 0)) {
    const std::string name = name_of(target.config->provider, target.config->model);
    std::size_t i = 0;
    while (i < decision.providers.size() && (decision.providers[i] != target.config->provider ||
                                             decision.target_models[i] != target.config->model))
      ++i;
    const bool is_new = i == decision.providers.size();
    routing::Candidate& candidate =
        input.candidates.emplace_back(is_new ? routing::Candidate() : decision.input.candidates[i]);
    if (is_new) candidate.id = target.id;
    configure(target, decision, is_new, candidate, taken_over);
    names.push_back(name);
  }
  return input;
}

Result<> Replay::add(std::string_view line) {
  auto recorded = routing::recorded_from_json(line);
  if (!recorded) return recorded.error();
  const routing::Decision& decision = recorded->decision;
  ++summary_.decisions;
  const routing::Plan made = routing::make_plan(decision.input);
  std::string difference = routing::difference(recorded->plan, made);
  if (difference.empty()) {
    ++summary_.identical;
  } else if (summary_.differences.size() < kDifferencesMax) {
    summary_.differences.emplace_back(decision.request_id, std::move(difference));
  }
  if (against_) compare(decision, recorded->plan);
  return {};
}

void Replay::compare(const routing::Decision& decision, const routing::Plan& recorded) {
  std::vector<std::string> names_before, names_after;
  routing::PlanInput before = decision.input;
  routing::Plan plan_before = recorded;
  const config::Model* old_model = base_ ? lookup_.model(*base_, decision.model) : nullptr;
  if (old_model) {
    std::uint64_t taken_over = 0;
    before = under(*base_, *old_model, lookup_, decision, names_before, taken_over);
    plan_before = routing::make_plan(before);
  } else {
    for (std::size_t i = 0; i < decision.providers.size(); ++i)
      names_before.push_back(name_of(decision.providers[i], decision.target_models[i]));
  }
  const config::Model* new_model = lookup_.model(*against_, decision.model);
  if (!new_model) {
    ++summary_.unknown_models;
    return;
  }
  const routing::PlanInput after =
      under(*against_, *new_model, lookup_, decision, names_after, summary_.conditions_taken_over);
  const routing::Plan plan_after = routing::make_plan(after);
  expect(before, plan_before, names_before, summary_.before);
  expect(after, plan_after, names_after, summary_.after);
  const std::string from = first_of(plan_before, names_before), to = first_of(plan_after, names_after);
  if (from == to) return;
  ++summary_.moved;
  ++summary_.moves[{from, to}];
  if (on_move) on_move({decision.request_id, decision.model, from, to});
}

}  // namespace switchyard::simulator
