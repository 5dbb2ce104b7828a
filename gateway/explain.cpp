#include "config/lookup.h"
#include "gateway/commands.h"
#include "gateway/loading.h"
#include "gateway/routing/decision.h"
#include "gateway/routing/facts.h"
#include "gateway/routing/hedge.h"
#include "gateway/simulator/plan_input.h"
#include "gateway/simulator/scores_json.h"
#include "gateway/store/database.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>

namespace switchyard {

namespace {

int complain(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  return 1;
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// A decision of the ledger, in words.
int explain_recorded(const ExplainOptions& options) {
  // Opening would make it.
  if (!std::filesystem::is_regular_file(options.ledger)) return complain(options.ledger + ": no such file");
  auto database = store::Database::open(options.ledger);
  if (!database) return complain(options.ledger + ": " + database.error().message);
  const auto records = (*database)->decisions({options.request_id, {}, 1});
  if (!records) return complain(options.ledger + ": " + records.error().message);
  const std::string record = records->substr(0, records->find('\n'));
  if (record.empty()) return complain(options.ledger + ": no decision on the request " + options.request_id);
  const auto decision = routing::decision_from_json(record);
  if (!decision) return complain(options.ledger + ": " + decision.error().message);
  std::fputs(routing::to_text(*decision, nullptr).c_str(), stdout);
  return 0;
}

// One request that was never sent, and all that is known for it.
class Explainer {
 public:
  Explainer(const config::Config& config, const config::Model& model, std::string asked)
      : config_(config), model_(model), asked_(std::move(asked)) {
    const simulator::Lookup lookup{
        [](const config::Config& from, std::string_view name) {
          return config::find_type(from.provider_types, name);
        },
        [](const config::Config& from, std::string_view name) { return config::find_model(from, name); }};
    targets_ = simulator::targets_of(config, lookup, model, 0);
  }

  Result<> read_scores(const std::string& text) {
    auto scores = simulator::scores_from_json(text, model_.name, targets_);
    if (!scores) return scores.error();
    scores_ = std::move(*scores);
    return {};
  }

  void run(const routing::BodyFacts& body, const std::string& key) {
    routing::Decision decision;
    decision.model = asked_;
    decision.key = key;
    decision.config_version = config_.version;
    routing::PlanInput& input = decision.input;
    input.strategy = model_.strategy;
    input.objectives = model_.objectives;
    input.facts = {body.input_tokens, body.asked_tokens, routing::affinity_of(model_.sticky, {}, body)};
    for (const simulator::SimTarget& target : targets_) {
      routing::Candidate& candidate = input.candidates.emplace_back(
          simulator::candidate_of(target, scores_.of(target.score_id), config_.quality.mode, input.facts));
      candidate.capable = is_capable(target, body);
      candidate.is_meant = routing::is_met(
          target.config->when, key, [](std::string_view) { return std::string_view(); }, body);
      decision.providers.push_back(target.config->provider);
      decision.target_models.emplace_back(config::upstream_model(model_, *target.config, asked_));
      decision.score_ids.push_back(target.score_id);
    }
    std::fputs(routing::to_text(decision, scores_.targets.empty() ? nullptr : &scores_).c_str(), stdout);
    hedge(decision);
  }

 private:
  bool is_capable(const simulator::SimTarget& target, const routing::BodyFacts& body) const {
    const auto provider =
        std::ranges::find(config_.providers, target.config->provider, &config::Provider::name);
    const ProviderType* type = config::find_type(config_.provider_types, provider->type);
    if (!type || type->is_local()) return true;
    const TargetTraits traits = target_traits(*type, config::upstream_model(model_, *target.config, asked_));
    return (!body.has_tools || traits.tools) && (!body.has_images || traits.images);
  }

  // Whether the first target's slowness would be worth a second attempt.
  void hedge(const routing::Decision& decision) const {
    const routing::Plan plan = routing::make_plan(decision.input);
    if (!model_.hedge || plan.attempts.size() < 2) return;
    const auto bucket = static_cast<std::size_t>(scoring::size_bucket(decision.input.facts.input_tokens));
    const auto view = [&](std::size_t attempt) {
      const auto target = static_cast<std::size_t>(plan.attempts[attempt].target);
      return scores_.of(targets_[target].score_id).latency[bucket];
    };
    const routing::HedgeInput input{*model_.hedge, view(0), view(1), 1,
                                    model_.sticky == config::Sticky::prompt};
    std::printf("  hedge: %s\n", routing::to_text(routing::advise_hedge(input), input).c_str());
  }

  const config::Config& config_;
  const config::Model& model_;
  std::string asked_;
  std::vector<simulator::SimTarget> targets_;
  scoring::BoardView scores_;
};

}  // namespace

int explain(const ExplainOptions& options) {
  if (!options.request_id.empty()) return explain_recorded(options);
  auto read = read_config(options.config);
  if (!read.config) {
    std::fputs(to_text(read.problems).c_str(), stderr);
    return 1;
  }
  const auto body = read_file(options.request);
  if (!body) return complain(options.request + ": cannot be read");
  const auto request = nlohmann::json::parse(*body, nullptr, false);
  if (!request.is_object() || !request.contains("model") || !request["model"].is_string())
    return complain(options.request + ": not a JSON object with a `model`");
  const auto asked = request["model"].get<std::string>();
  const config::Model* model = config::find_model(*read.config, asked);
  if (!model) return complain(options.request + ": no model is called `" + asked + "`");
  Explainer explainer(*read.config, *model, asked);
  if (!options.scores.empty()) {
    const auto scores = read_file(options.scores);
    if (!scores) return complain(options.scores + ": cannot be read");
    if (const auto known = explainer.read_scores(*scores); !known)
      return complain(options.scores + ": " + known.error().message);
  }
  explainer.run(routing::read_body_facts(*body, body->size()), options.key);
  return 0;
}

}  // namespace switchyard
