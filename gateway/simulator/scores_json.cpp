#include "gateway/simulator/scores_json.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace switchyard::simulator {

namespace {

using Json = nlohmann::json;

// A member of the type of `value`, which keeps its default where the member is absent or of another type.
template <class T>
void read(const Json& object, const char* name, T& value) {
  const auto found = object.find(name);
  if (found == object.end()) return;
  if constexpr (std::is_same_v<T, std::string>) {
    if (found->is_string()) value = found->get<std::string>();
  } else if constexpr (std::is_same_v<T, bool>) {
    if (found->is_boolean()) value = found->get<bool>();
  } else if constexpr (std::is_floating_point_v<T>) {
    if (found->is_number()) value = found->get<T>();
  } else {
    if (found->is_number_unsigned() || (found->is_number_integer() && std::is_signed_v<T>))
      value = found->get<T>();
  }
}

const Json& list(const Json& object, const char* name) {
  static const Json kNone = Json::array();
  const auto found = object.find(name);
  return found != object.end() && found->is_array() ? *found : kNone;
}

std::optional<scoring::State> find_state(const std::string& name) {
  for (int i = 0; i <= static_cast<int>(scoring::State::drained); ++i) {
    if (scoring::name_of(static_cast<scoring::State>(i)) == name) return static_cast<scoring::State>(i);
  }
  return std::nullopt;
}

Result<scoring::Evidence> read_evidence(const Json& object) {
  scoring::Evidence evidence;
  std::string name;
  read(object, "signal", name);
  const auto signal = scoring::find_signal(name);
  if (!signal) return fail(ErrorKind::invalid_request, "no signal is called `" + name + "`");
  evidence.signal = *signal;
  read(object, "stratum", evidence.stratum);
  read(object, "seen", evidence.seen);
  read(object, "bad", evidence.bad);
  read(object, "mean", evidence.mean);
  read(object, "allowed", evidence.allowed);
  read(object, "baseline", evidence.baseline);
  read(object, "baseline_version", evidence.baseline_version);
  read(object, "learning", evidence.learning);
  read(object, "odds", evidence.odds);
  read(object, "ejects", evidence.ejects);
  read(object, "severity", evidence.severity);
  read(object, "belief", evidence.belief);
  read(object, "factor", evidence.factor);
  read(object, "since_ms", evidence.since_ms);
  return evidence;
}

Result<scoring::TargetView> read_target(const Json& score) {
  scoring::TargetView view;
  std::string state = "serving";
  read(score, "state", state);
  const auto found = find_state(state);
  if (!found) return fail(ErrorKind::invalid_request, "no state is called `" + state + "`");
  view.state = *found;
  read(score, "quality", view.quality);
  read(score, "ramp", view.ramp);
  read(score, "availability", view.availability);
  read(score, "latency_ratio", view.latency_ratio);
  read(score, "inter_token_ms", view.inter_token_ms);
  read(score, "output_tokens_mean", view.output_tokens_mean);
  read(score, "identity_armed", view.identity_armed);
  read(score, "state_since_ms", view.state_since_ms);
  read(score, "state_until_ms", view.state_until_ms);
  read(score, "why", view.why);
  read(score, "alone", view.alone);
  const Json& latency = list(score, "latency");
  for (std::size_t i = 0; i < std::min<std::size_t>(latency.size(), scoring::kSizeBuckets); ++i) {
    read(latency[i], "ttft_ms_p50", view.latency[i].ttft_ms_p50);
    read(latency[i], "ttft_ms_p95", view.latency[i].ttft_ms_p95);
    read(latency[i], "ttft_ms_p99", view.latency[i].ttft_ms_p99);
    read(latency[i], "samples", view.latency[i].samples);
  }
  for (const Json& item : list(score, "evidence")) {
    auto evidence = read_evidence(item);
    if (!evidence) return evidence.error();
    view.evidence.push_back(std::move(*evidence));
  }
  return view;
}

}  // namespace

Result<scoring::BoardView> scores_from_json(std::string_view text, std::string_view model,
                                            const std::vector<SimTarget>& targets) {
  const Json root = Json::parse(text, nullptr, false);
  if (!root.is_object() || !root.contains("targets") || !root["targets"].is_array())
    return fail(ErrorKind::invalid_request, "not what GET /admin/providers gives: an object with `targets`");
  scoring::BoardView scores;
  read(root, "scores_version", scores.version);
  read(root, "scores_at_ms", scores.at_ms);
  for (const Json& item : root["targets"]) {
    std::string name, provider, target_model;
    read(item, "model", name);
    read(item, "provider", provider);
    read(item, "target_model", target_model);
    if (name != model) continue;
    const auto target = std::ranges::find_if(targets, [&](const SimTarget& one) {
      return one.config->provider == provider && one.config->model == target_model;
    });
    if (target == targets.end() || !item.contains("score") || !item["score"].is_object()) continue;
    auto view = read_target(item["score"]);
    if (!view) return view.error();
    if (scores.targets.size() <= target->score_id) scores.targets.resize(target->score_id + 1);
    scores.targets[target->score_id] = std::move(*view);
    scores.targets[target->score_id].target = target->score_id;
  }
  return scores;
}

}  // namespace switchyard::simulator
