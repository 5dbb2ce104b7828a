#pragma once

#include "local_backend/engine/continuation.h"
#include "local_backend/engine/job.h"
#include "local_backend/engine/sampler.h"
#include "local_backend/engine/stop.h"
#include "local_backend/model/utf8.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::local {

// One answer, from its prompt to its end.
class Sequence : public Job {
 public:
  // `prompt` is not empty. `begun` is the request's prefix; with its tokens the prompt is shorter than the
  // context.
  Sequence(std::uint64_t id, GenerateRequest request, std::vector<int> prompt, Continuation begun,
           std::shared_ptr<Sink> sink);

  bool is_embedding() const override { return false; }

  // Tokens of the prompt, or the one just sampled, that the model has not seen.
  int pending() const override { return static_cast<int>(tokens_.size()) - fed_; }

  // The prompt is done and at least one token is sampled.
  bool is_answering() const override { return has_sampled_; }

  // The last row of all that is pending wants logits.
  void feed(int count, const LlamaConfig& config, std::vector<LlamaRow>& rows) override;
  void receive(int rows, const PassOutput& output) override;
  // Samples from the logits after the last pending token, sends text, and ends when the answer does.
  void advance(std::span<const float> logits, const Tokenizer& tokenizer, int context);
  // Sends what is held back, unless the reason is a stop string, and the outcome.
  void end(Outcome::Reason reason, std::string_view message = {}) override;

 private:
  void send(std::string_view text);
  void deliver(std::string_view text);
  bool is_full(int context) const;
  int pick(std::span<const float> logits, const Tokenizer& tokenizer);
  std::string_view past_prefix(std::string_view token);

  const int max_tokens_;
  std::vector<int> tokens_;  // The prompt, then the answer.
  const int prompt_tokens_;
  std::string rest_;            // Of the prefix, what the next tokens must spell.
  std::size_t given_ = 0;       // Bytes that the filters hold back and the caller has: of the prefix.
  std::vector<float> allowed_;  // Logits without the tokens that do not fit rest_.
  std::shared_ptr<Sink> sink_;
  int fed_ = 0, output_tokens_ = 0, prefix_tokens_ = 0;
  bool has_sampled_ = false;
  bool says_more_ = false;  // Than the prefix.
  std::optional<KvCache> cache_;
  Sampler sampler_;
  Utf8Stream utf8_;
  StopFilter stop_;
};

}  // namespace switchyard::local
