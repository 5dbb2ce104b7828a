#include "bench/quality/arms.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace switchyard::evaluation {
namespace {

constexpr int kGreedyTokens = 16, kTopKept = 24;

Distribution softmax(const float* logits, int n, double temperature) {
  Distribution p(logits, logits + n);
  const float peak = *std::max_element(p.begin(), p.end());
  double sum = 0;
  for (float& x : p) {
    x = static_cast<float>(std::exp((x - peak) / temperature));
    sum += x;
  }
  for (float& x : p) x = static_cast<float>(x / sum);
  return p;
}

}  // namespace

std::vector<Arm> all_arms() {
  return {{.name = "f32 (healthy)"},
          {.name = "q8_0", .precision = Precision::q8_0},
          {.name = "q6", .precision = Precision::q6},
          {.name = "q5", .precision = Precision::q5},
          {.name = "q4_0", .precision = Precision::q4_0},
          {.name = "3 bit", .precision = Precision::three_bits},
          {.name = "2 bit", .precision = Precision::two_bits},
          {.name = "q8_0, 8-bit activations", .precision = Precision::served_q8_0},
          {.name = "q4_0, 8-bit activations", .precision = Precision::served_q4_0},
          {.name = "temperature x 0.7", .temperature = 0.7},
          {.name = "temperature x 0.9", .temperature = 0.9},
          {.name = "temperature x 1.2", .temperature = 1.2},
          {.name = "context cut to 32", .keep = 32},
          {.name = "context cut to 16", .keep = 16},
          {.name = "one layer skipped", .skipped_layer = 2},
          {.name = "hidden prefix", .hidden_prefix = true},
          {.name = "top token dropped, 1 %", .drop_top = 0.01},
          {.name = "top token dropped, 10 %", .drop_top = 0.1}};
}

int draw(const Distribution& p, Random& random) {
  double left = random.uniform();
  for (std::size_t i = 0; i < p.size(); ++i)
    if ((left -= p[i]) < 0) return static_cast<int>(i);
  return static_cast<int>(std::max_element(p.begin(), p.end()) - p.begin());
}

Provider::Provider(Arm arm, std::shared_ptr<Subject> subject)
    : arm_(std::move(arm)), subject_(std::move(subject)) {}

std::vector<int> Provider::prompt(const Turns& turns) const {
  Turns sent = turns;
  if (arm_.hidden_prefix) sent.insert(sent.begin(), {"system", "You are a kind helper."});
  std::vector<int> ids = subject_->render(sent);
  if (arm_.keep > 0 && static_cast<int>(ids.size()) > arm_.keep)
    ids.erase(ids.begin(), ids.end() - arm_.keep);
  return ids;
}

Distribution Provider::distribution(const float* logits) const {
  Distribution p = softmax(logits, subject_->vocabulary(), arm_.temperature);
  if (arm_.drop_top > 0) {
    float& top = *std::max_element(p.begin(), p.end());
    const float dropped = static_cast<float>(arm_.drop_top) * top;
    const float others = 1 - top, scale = others > 0 ? 1 + dropped / others : 1;
    for (float& x : p)
      if (&x != &top) x *= scale;
    top -= dropped;
  }
  return p;
}

std::vector<float> Provider::first_logits(const Turns& turns) {
  auto cache = subject_->make_cache();
  const float* logits = subject_->extend(cache, prompt(turns), 0);
  return {logits, logits + subject_->vocabulary()};
}

Distribution Provider::first_token(const Turns& turns) {
  return distribution(first_logits(turns).data());
}

Provider::Answer Provider::generate(const Turns& turns, int length, Random& random) {
  Answer out;
  auto cache = subject_->make_cache();
  std::vector<int> next = prompt(turns);
  int position = 0;
  while (static_cast<int>(out.tokens.size()) < length) {
    out.distributions.push_back(distribution(subject_->extend(cache, next, position)));
    position += static_cast<int>(next.size());
    out.tokens.push_back(draw(out.distributions.back(), random));
    if (subject_->ends_turn(out.tokens.back())) break;
    next = {out.tokens.back()};
  }
  return out;
}

std::string Provider::text(const Answer& answer) const {
  std::string out;
  for (const int id : answer.tokens) out += subject_->bytes(id);
  return out;
}

const std::vector<Provider::Top>& Provider::top_after(const std::vector<int>& prompt,
                                                      const std::vector<int>& answer) {
  std::vector<int> all = prompt;
  all.insert(all.end(), answer.begin(), answer.end());
  const auto [found, is_new] = tops_.try_emplace(all);
  if (!is_new) return found->second;
  Path& path = paths_.try_emplace(prompt, Path{subject_->make_cache(), {}}).first->second;
  const auto [known, wanted] =
      std::mismatch(path.tokens.begin(), path.tokens.end(), all.begin(), all.end() - 1);
  const float* logits =
      subject_->extend(path.cache, {wanted, all.end()}, static_cast<int>(known - path.tokens.begin()));
  path.tokens = all;
  std::vector<int> ids(static_cast<std::size_t>(subject_->vocabulary()));
  std::iota(ids.begin(), ids.end(), 0);
  std::partial_sort(ids.begin(), ids.begin() + kTopKept, ids.end(),
                    [&](int a, int b) { return logits[a] > logits[b]; });
  for (int i = 0; i < kTopKept; ++i) found->second.push_back({ids[i], logits[ids[i]]});
  return found->second;
}

std::uint64_t Provider::greedy_hash(const Turns& turns, double noise, Random& random) {
  const std::vector<int> ids = prompt(turns);
  std::vector<int> answer;
  std::uint64_t hash = 0xcbf29ce484222325U;
  while (static_cast<int>(answer.size()) < kGreedyTokens) {
    const auto& top = top_after(ids, answer);
    const std::size_t from = arm_.drop_top > 0 && random.chance(arm_.drop_top) ? 1 : 0;
    std::size_t best = from;
    double best_logit = -1e9;
    // Eight deviations below the top nothing ever wins.
    for (std::size_t i = from; i < top.size() && top[i].logit >= top[from].logit - 8 * noise; ++i) {
      const double logit = top[i].logit + (noise > 0 ? noise * random.normal() : 0);
      if (logit > best_logit) best_logit = logit, best = i;
    }
    answer.push_back(top[best].id);
    hash = (hash ^ static_cast<std::uint64_t>(answer.back())) * 0x100000001b3U;
    if (subject_->ends_turn(answer.back())) break;
  }
  return hash;
}

Divergence divergence(Provider& degraded, Subject& reference, const std::vector<Turns>& prompts, int length,
                      Random& random) {
  Divergence out;
  const auto width = static_cast<std::size_t>(reference.vocabulary());
  for (const Turns& turns : prompts) {
    const auto answer = degraded.generate(turns, length, random);
    std::vector<int> tokens = reference.render(turns);
    const std::size_t from = tokens.size() - 1;  // The logits behind the prompt's last token come first.
    tokens.insert(tokens.end(), answer.tokens.begin(), answer.tokens.end() - 1);
    const std::vector<float> logits = reference.all_logits(tokens);
    for (std::size_t t = 0; t < answer.tokens.size(); ++t) {
      const Distribution healthy = softmax(logits.data() + (from + t) * width, reference.vocabulary(), 1);
      const Distribution& seen = answer.distributions[t];
      for (std::size_t i = 0; i < width; ++i)
        if (seen[i] > 1e-12F) out.kl += seen[i] * std::log(seen[i] / std::max(healthy[i], 1e-30F));
      ++out.tokens;
    }
  }
  if (out.tokens > 0) out.kl /= out.tokens;
  return out;
}

}  // namespace switchyard::evaluation
