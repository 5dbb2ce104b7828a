#include "gateway/admin/reports.h"

#include "gateway/admin/target_state.h"
#include "gateway/relay/plan_input.h"

namespace switchyard::admin {

namespace {

using nlohmann::json;

json evidence_report(const scoring::Evidence& evidence) {
  json report = {{"signal", scoring::name_of(evidence.signal)},
                 {"stratum", evidence.stratum},
                 {"seen", evidence.seen},
                 {"bad", evidence.bad},
                 {"mean", evidence.mean},
                 {"allowed", evidence.allowed},
                 {"baseline", evidence.baseline},
                 {"baseline_version", evidence.baseline_version},
                 {"learning", evidence.learning},
                 {"odds", evidence.odds},
                 {"ejects", evidence.ejects},
                 {"severity", evidence.severity},
                 {"belief", evidence.belief},
                 {"factor", evidence.factor}};
  if (evidence.since_ms > 0) report["since_ms"] = evidence.since_ms;
  return report;
}

json latency_report(const scoring::TargetView& view) {
  json buckets = json::array();
  for (const scoring::LatencyView& times : view.latency) {
    buckets.push_back({{"ttft_ms_p50", times.ttft_ms_p50},
                       {"ttft_ms_p95", times.ttft_ms_p95},
                       {"ttft_ms_p99", times.ttft_ms_p99},
                       {"samples", times.samples}});
  }
  return buckets;
}

json score_report(const scoring::TargetView& view) {
  json report = {{"state", scoring::name_of(view.state)},
                 {"quality", view.quality},
                 {"ramp", view.ramp},
                 {"availability", view.availability},
                 {"latency_ratio", view.latency_ratio},
                 {"inter_token_ms", view.inter_token_ms},
                 {"output_tokens_mean", view.output_tokens_mean},
                 {"identity_armed", view.identity_armed},
                 {"latency", latency_report(view)}};
  if (view.state_since_ms > 0) report["state_since_ms"] = view.state_since_ms;
  if (view.state_until_ms > 0) report["state_until_ms"] = view.state_until_ms;
  if (!view.why.empty()) report["why"] = view.why;
  if (view.alone) report["alone"] = true;
  json& evidence = report["evidence"] = json::array();
  for (const scoring::Evidence& each : view.evidence) evidence.push_back(evidence_report(each));
  return report;
}

json candidate_report(const routing::Candidate& candidate) {
  json report = {{"in_flight", candidate.in_flight},
                 {"in_flight_max", candidate.in_flight_max},
                 {"quota", candidate.quota},
                 {"latency_ratio", candidate.latency_ratio}};
  if (candidate.usd >= 0) report["usd"] = candidate.usd;
  return report;
}

json terms_report(const routing::Terms& terms) {
  return {{"weight", terms.weight},
          {"quality", terms.quality},
          {"latency", terms.latency},
          {"cost", terms.cost},
          {"availability", terms.availability}};
}

std::string_view name_of(config::Strategy strategy) {
  switch (strategy) {
    case config::Strategy::priority:
      return "priority";
    case config::Strategy::weighted:
      return "weighted";
    case config::Strategy::latency:
      return "latency";
    case config::Strategy::cost:
      return "cost";
    case config::Strategy::least_busy:
      return "least_busy";
    case config::Strategy::score:
      return "score";
  }
  return "unknown";
}

json target_report(const relay::Model& model, const relay::Target& target) {
  return {{"model", model.config->name},
          {"provider", target.provider->name},
          {"target_model", target.config->model},
          {"tier", target.config->tier},
          {"weight", target.config->weight}};
}

}  // namespace

json providers_report(const relay::Snapshot& snapshot, const scoring::BoardView& scores, TimePoint now) {
  json targets = json::array();
  for (const relay::Model& model : snapshot.models) {
    for (const relay::Target& target : model.targets) {
      const scoring::TargetView& view = scores.of(target.score_id);
      json report = target_report(model, target);
      report["state"] = name_of(state_of(target, view, snapshot.config.quality.mode, now));
      report["score"] = score_report(view);
      targets.push_back(std::move(report));
    }
  }
  return {{"config", snapshot.config.version},
          {"scores_version", scores.version},
          {"scores_at_ms", scores.at_ms},
          {"targets", std::move(targets)}};
}

json routes_report(const relay::Snapshot& snapshot, const scoring::BoardView& scores, TimePoint now,
                   std::uint32_t input_tokens) {
  json models = json::array();
  for (const relay::Model& model : snapshot.models) {
    relay::PlanQuestion question{model, snapshot.config.quality.mode, &scores};
    question.facts.input_tokens = input_tokens;
    question.now = now;
    routing::PlanInput input;
    fill_plan_input(question, input);
    const routing::Plan plan = routing::make_plan(input);
    json targets = json::array();
    for (std::size_t i = 0; i < model.targets.size(); ++i) {
      const relay::Target& target = model.targets[i];
      json report = target_report(model, target);
      report.erase("model");
      report["state"] = name_of(state_of(target, scores.of(target.score_id), question.mode, now));
      report["share"] = i < plan.terms.size() ? plan.terms[i].share : 0;
      if (i < plan.terms.size()) report["terms"] = terms_report(plan.terms[i]);
      for (const routing::Excluded& excluded : plan.excluded) {
        if (excluded.target == static_cast<int>(i)) report["excluded"] = routing::name_of(excluded.reason);
      }
      report["now"] = candidate_report(input.candidates[i]);
      targets.push_back(std::move(report));
    }
    json report = {{"model", model.config->name},
                   {"strategy", name_of(model.config->strategy)},
                   {"degraded", plan.degraded},
                   {"full", plan.is_full},
                   {"targets", std::move(targets)}};
    if (model.config->strategy == config::Strategy::score) {
      const config::Objectives& wanted = model.config->objectives;
      report["objectives"] = {
          {"quality", wanted.quality}, {"latency", wanted.latency}, {"cost", wanted.cost}};
    }
    if (plan.retry_after) report["retry_after_ms"] = plan.retry_after->count();
    models.push_back(std::move(report));
  }
  return {{"config", snapshot.config.version},
          {"scores_version", scores.version},
          {"input_tokens", input_tokens},
          {"models", std::move(models)}};
}

}  // namespace switchyard::admin
