// The arms of the evaluation that need a real model: how many probe tokens each degradation of the bundled
// model takes to be seen, and the floor. bench/quality/run.sh drives it.
//
//   quality_model_arms MODEL_FOLDER PROMPTS.jsonl [--quick] > arms.json
//
// A prompt: {"task": "story", "turns": [["user", "..."], ...]}.
#include "bench/quality/arms.h"
#include "bench/quality/identity_arms.h"
#include "bench/quality/json.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <utility>

namespace {

using namespace switchyard;
using namespace switchyard::evaluation;

constexpr std::size_t kIdentityPrompts = 20, kLogprobPrompts = 5;
constexpr const char* kHealthy = "f32 (healthy)";
constexpr double kIdentityA = 1e4, kEjectA = 1e6;

struct Prompts {
  std::vector<std::vector<std::pair<std::string, std::string>>> text;  // What the turns point into.
  std::vector<Turns> identity, stories, any;
  std::vector<Turns> graded;  // With one right answer each.
  std::vector<std::string> answers;
  std::vector<Turns> json;  // That ask for a JSON object.
};

struct Options {
  std::string folder;
  bool quick = false;
  SearchLimits limits;
};

double entropy(const Distribution& p) {
  double sum = 0;
  for (const float x : p)
    if (x > 0) sum -= x * std::log(static_cast<double>(x));
  return sum;
}

// Of a list of candidates those whose answer can begin in some ways, but not in any: a certain one tells
// nothing, and of one that is near to a free choice the surprise stays what it was. A prober finds them with
// a few calls each; the bundled model answers most questions with certainty. A quarter of them are long: a
// short prompt does not show that the context is cut.
std::vector<Turns> some_uncertain(Provider& healthy, const std::vector<Turns>& candidates,
                                  std::size_t count) {
  constexpr double kWanted = 1.5;  // Nats.
  constexpr std::size_t kLong = 40;
  std::vector<std::pair<double, std::size_t>> order;
  for (std::size_t i = 0; i < candidates.size(); ++i)
    order.emplace_back(std::abs(entropy(healthy.first_token(candidates[i])) - kWanted), i);
  std::sort(order.begin(), order.end());
  std::vector<Turns> out, others;
  for (const auto& [distance, index] : order) {
    const bool is_long = healthy.prompt(candidates[index]).size() > kLong;
    auto& to = is_long ? others : out;
    if (to.size() < (is_long ? count / 4 : count - count / 4)) to.push_back(candidates[index]);
  }
  out.insert(out.end(), others.begin(), others.end());
  return out;
}

Prompts read_prompts(const std::string& path, bool quick) {
  Prompts out;
  std::ifstream in(path);
  std::vector<nlohmann::json> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  out.text.reserve(lines.size());
  std::map<std::string, int> seen;
  for (const auto& line : lines) {
    if (seen[line.at("turns").dump()]++ > 0) continue;
    auto& text = out.text.emplace_back();
    for (const auto& turn : line.at("turns")) text.emplace_back(turn.at(0), turn.at(1));
    Turns turns;
    for (const auto& [role, content] : text) turns.push_back({role, content});
    out.identity.push_back(turns);
    const std::string task = line.at("task");
    auto& kind = task == "story" ? out.stories : out.any;
    if (kind.size() < (quick ? 20U : 66U)) kind.push_back(turns);
    if (task == "json_make" && out.json.size() < (quick ? 8U : 30U)) out.json.push_back(turns);
    if (!line.value("exact", false) || out.graded.size() >= (quick ? 30U : 200U)) continue;
    out.graded.push_back(turns);
    out.answers.push_back(line.at("answer"));
  }
  return out;
}

Replies first_tokens(Provider& provider, const std::vector<Turns>& prompts) {
  Replies out;
  for (const Turns& turns : prompts) out.emplace_back(provider.first_token(turns));
  return out;
}

// `per_prompt` greedy replies to each, which stand for all that it would ever say.
Replies greedy_replies(Provider& provider, const std::vector<Turns>& prompts, double noise,
                       std::uint64_t seed) {
  Random random(seed);
  const bool varies = noise > 0 || provider.arm().drop_top > 0;
  const int per_prompt = !varies ? 1 : provider.arm().name == kHealthy ? 300 : 60;
  Replies out;
  for (std::size_t i = 0; i < kIdentityPrompts; ++i) {
    std::vector<std::uint64_t> hashes;
    for (int k = 0; k < per_prompt; ++k) hashes.push_back(provider.greedy_hash(prompts[i], noise, random));
    out.emplace_back(hashes);
  }
  return out;
}

double first_token_kl(Provider& degraded, Provider& healthy, const std::vector<Turns>& prompts) {
  double sum = 0;
  for (const Turns& turns : prompts) {
    const Distribution seen = degraded.first_token(turns), usual = healthy.first_token(turns);
    for (std::size_t i = 0; i < seen.size(); ++i)
      if (seen[i] > 1e-12F) sum += seen[i] * std::log(seen[i] / std::max(usual[i], 1e-30F));
  }
  return sum / static_cast<double>(prompts.size());
}

// The share of greedy replies that the healthy provider does not give at the same noise.
double changed(const Replies& healthy, const Replies& degraded) {
  Random random(5);
  int changed = 0, all = 0;
  for (std::size_t i = 0; i < healthy.size(); ++i) {
    std::map<std::uint64_t, int> known;
    for (int k = 0; k < 300; ++k) ++known[healthy[i].draw(random)];
    for (int k = 0; k < 100; ++k, ++all) changed += known.contains(degraded[i].draw(random)) ? 0 : 1;
  }
  return static_cast<double>(changed) / all;
}

class Evaluation {
 public:
  Evaluation(Options options, Prompts prompts)
      : options_(std::move(options)), prompts_(std::move(prompts)), healthy_(make({.name = kHealthy})) {
    prompts_.identity = some_uncertain(healthy_, prompts_.identity, kIdentityPrompts);
    tokens_ = first_tokens(healthy_, prompts_.identity);
    for (const double noise : kNoise)
      greedy_.push_back(greedy_replies(healthy_, prompts_.stories, noise, 11));
    for (std::size_t i = 0; i < kLogprobPrompts; ++i)
      logits_.push_back(healthy_.first_logits(prompts_.identity[i]));
  }

  nlohmann::json run() {
    nlohmann::json out = {{"nulls", nulls()},
                          {"arms", nlohmann::json::array()},
                          {"entropy", entropies()},
                          {"healthy_harm", harm(healthy_)}};
    for (const Arm& arm : all_arms()) {
      if (arm.name == healthy_.arm().name) continue;
      std::cerr << arm.name << '\n';
      out["arms"].push_back(measure(arm));
    }
    for (const char* name : {"q4_0", "one layer skipped"}) out["mixing"][name] = mixing(name);
    return out;
  }

 private:
  static constexpr double kNoise[] = {0, 0.03, 0.1};

  Provider make(const Arm& arm) {
    auto& subject = subjects_[{arm.precision, arm.skipped_layer}];
    if (!subject) subject = Subject::load(options_.folder, arm.precision, arm.skipped_layer);
    return {arm, subject};
  }

  nlohmann::json entropies() {
    nlohmann::json out = nlohmann::json::array();
    for (const Turns& turns : prompts_.identity)
      out.push_back({{"prompt", turns.back().content}, {"nats", entropy(healthy_.first_token(turns))}});
    return out;
  }

  nlohmann::json nulls() {
    const int rounds = options_.quick ? 40'000 : 400'000;
    nlohmann::json out;
    for (const int per_prompt : {1, 3}) {
      const NullRun run = sampling_null(tokens_, per_prompt, per_prompt == 1 ? rounds : rounds / 4, 21);
      out["sampling"].push_back({{"per_prompt", per_prompt}, {"rounds", run.steps}, {"alarms", run.alarms}});
    }
    for (std::size_t i = 0; i < std::size(kNoise); ++i) {
      const NullRun run = greedy_null(greedy_[i], rounds, 22);
      out["greedy"].push_back({{"noise", kNoise[i]}, {"probes", run.steps}, {"alarms", run.alarms}});
    }
    return out;
  }

  nlohmann::json measure(const Arm& arm) {
    Provider degraded = make(arm);
    Random random(31);
    nlohmann::json out = {{"name", arm.name}};
    const std::pair<const char*, const std::vector<Turns>*> sets[] = {{"any", &prompts_.any},
                                                                      {"stories", &prompts_.stories}};
    for (const auto& [name, set] : sets) {
      const auto d = divergence(degraded, *subjects_[{Precision::f32, -1}], *set, 32, random);
      out["kl"][name] = {{"nats", d.kl}, {"tokens", d.tokens}, {"floor", std::log(kEjectA) / d.kl}};
    }
    const double kl = first_token_kl(degraded, healthy_, prompts_.identity);
    out["kl"]["probes"] = {{"nats", kl}, {"floor", std::log(kIdentityA) / kl}};
    const Replies tokens = first_tokens(degraded, prompts_.identity);
    for (const int per_prompt : {1, 3})
      out["sampling"].push_back(
          to_json(tokens_to_alarm({&tokens_, &tokens}, per_prompt, options_.limits, 41)));
    for (std::size_t i = 0; i < std::size(kNoise); ++i) out["greedy"].push_back(greedy(degraded, i));
    out["harm"] = harm(degraded);
    if (arm.temperature == 1 && arm.drop_top == 0) out["logprobs"] = logprobs(degraded);
    int other_length = 0;
    for (const Turns& turns : prompts_.any)
      other_length += degraded.prompt(turns).size() != healthy_.prompt(turns).size() ? 1 : 0;
    out["other_usage"] = static_cast<double>(other_length) / static_cast<double>(prompts_.any.size());
    return out;
  }

  // What it does to users, at temperature 1: wrong answers, and replies that are not the JSON asked for.
  nlohmann::json harm(Provider& provider) {
    constexpr int kLength = 48;
    Random random(51);
    double wrong = 0, broken = 0;
    for (std::size_t i = 0; i < prompts_.graded.size(); ++i)
      wrong += provider.text(provider.generate(prompts_.graded[i], kLength, random)) == prompts_.answers[i]
                   ? 0
                   : 1;
    for (const Turns& turns : prompts_.json)
      broken += nlohmann::json::accept(provider.text(provider.generate(turns, kLength, random))) ? 0 : 1;
    return {{"wrong", wrong / static_cast<double>(std::max<std::size_t>(prompts_.graded.size(), 1))},
            {"asked", prompts_.graded.size()},
            {"broken_json", broken / static_cast<double>(std::max<std::size_t>(prompts_.json.size(), 1))},
            {"asked_json", prompts_.json.size()}};
  }

  nlohmann::json greedy(Provider& degraded, std::size_t noise) {
    const Replies replies = greedy_replies(degraded, prompts_.stories, kNoise[noise], 12);
    nlohmann::json out = to_json(probes_to_alarm({&greedy_[noise], &replies}, options_.limits, 42));
    out["noise"] = kNoise[noise];
    out["changed"] = changed(greedy_[noise], replies);
    return out;
  }

  nlohmann::json logprobs(Provider& degraded) {
    LogprobArm arm{logits_, {}, 0};
    for (std::size_t i = 0; i < kLogprobPrompts; ++i)
      arm.degraded.push_back(degraded.first_logits(prompts_.identity[i]));
    nlohmann::json out = nlohmann::json::array();
    SearchLimits limits = options_.limits;
    limits.runs = std::min(limits.runs, 20);
    limits.tokens_max = 1'000;
    for (const double noise : {0.01, 0.03, 0.1}) {
      arm.noise = noise;
      const LogprobResult result = logprob_calls(arm, limits, 43);
      out.push_back({{"noise", noise}, {"calls", to_json(result.calls)}, {"power", result.power_of_10}});
    }
    return out;
  }

  nlohmann::json mixing(const std::string& name) {
    nlohmann::json out = nlohmann::json::array();
    for (const Arm& arm : all_arms()) {
      if (arm.name != name) continue;
      Provider degraded = make(arm);
      const Replies tokens = first_tokens(degraded, prompts_.identity);
      for (const double share : {1.0, 0.5, 0.25, 0.1, 0.05, 0.02})
        out.push_back(
            {{"share", share},
             {"sampling", to_json(tokens_to_alarm({&tokens_, &tokens, share}, 1, options_.limits, 44))},
             {"greedy", mixed_greedy(degraded, share)}});
    }
    return out;
  }

  nlohmann::json mixed_greedy(Provider& degraded, double share) {
    const Replies replies = greedy_replies(degraded, prompts_.stories, 0, 13);
    return to_json(probes_to_alarm({&greedy_[0], &replies, share}, options_.limits, 45));
  }

  Options options_;
  Prompts prompts_;
  std::map<std::pair<Precision, int>, std::shared_ptr<Subject>> subjects_;
  Provider healthy_;
  Replies tokens_;               // Of the healthy provider.
  std::vector<Replies> greedy_;  // By noise.
  std::vector<std::vector<float>> logits_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: quality_model_arms MODEL_FOLDER PROMPTS.jsonl [--quick] > arms.json\n";
    return 2;
  }
  Options options{.folder = argv[1], .quick = argc > 3 && std::string(argv[3]) == "--quick", .limits = {}};
  if (options.quick) options.limits = {.runs = 10, .tokens_max = 10'000};
  try {
    std::cout << Evaluation(options, read_prompts(argv[2], options.quick)).run().dump(1) << '\n';
  } catch (const nlohmann::json::exception& error) {
    std::cerr << "quality: the prompts are not as they should be: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
