#pragma once

#include "bench/quality/random.h"
#include "bench/quality/subject.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace switchyard::evaluation {

using Turns = std::vector<local::ChatTurn>;

// What a provider does to the model without saying so.
struct Arm {
  std::string name;
  Precision precision = Precision::f32;
  int skipped_layer = -1;
  double temperature = 1;      // Multiplies the caller's.
  int keep = 0;                // Only the last tokens of the prompt; 0: all.
  bool hidden_prefix = false;  // A system prompt of 16 tokens before the caller's.
  double drop_top = 0;         // How often the likeliest token is left out.
};

// The arms of the evaluation; the first is the honest reference.
std::vector<Arm> all_arms();

using Distribution = std::vector<float>;

// Draws an index.
int draw(const Distribution& p, Random& random);

// One provider: an arm's model behind a chat interface.
class Provider {
 public:
  Provider(Arm arm, std::shared_ptr<Subject> subject);

  const Arm& arm() const { return arm_; }

  std::vector<int> prompt(const Turns& turns) const;
  // Of the first token of the answer, at the caller's temperature 1.
  Distribution first_token(const Turns& turns);
  // The logits of the first token, before any sampling.
  std::vector<float> first_logits(const Turns& turns);

  struct Answer {
    std::vector<int> tokens;
    std::vector<Distribution> distributions;  // That each token was drawn from.
  };

  // At most `length` tokens at the caller's temperature 1.
  Answer generate(const Turns& turns, int length, Random& random);

  // What it says, without the end of its turn.
  std::string text(const Answer& answer) const;

  // The hash of the 16 greedy tokens, FNV-1a. `noise`: the standard deviation of a normal error on every
  // logit, which stands for batching and other kernels.
  std::uint64_t greedy_hash(const Turns& turns, double noise, Random& random);

 private:
  // The candidates of the next token that noise could bring to the top, the likeliest first.
  struct Top {
    int id;
    float logit;
  };

  Distribution distribution(const float* logits) const;
  const std::vector<Top>& top_after(const std::vector<int>& prompt, const std::vector<int>& answer);

  Arm arm_;
  std::shared_ptr<Subject> subject_;

  // What the cache holds the keys and values of; a path that leaves it writes over its end.
  struct Path {
    local::KvCache cache;
    std::vector<int> tokens;
  };

  std::map<std::vector<int>, Path> paths_;             // By prompt.
  std::map<std::vector<int>, std::vector<Top>> tops_;  // By all tokens so far: few paths are ever taken.
};

// Mean over tokens of the Kullback-Leibler divergence of what `degraded` draws from to what `reference`
// would, in nats: ln(A) over it is the least number of tokens that any test needs (Wald 1945).
struct Divergence {
  double kl = 0;
  int tokens = 0;
};

Divergence divergence(Provider& degraded, Subject& reference, const std::vector<Turns>& prompts, int length,
                      Random& random);

}  // namespace switchyard::evaluation
