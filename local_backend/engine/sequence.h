#pragma once

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
  // `prompt` is not empty and shorter than the context.
  Sequence(std::uint64_t id, GenerateRequest request, std::vector<int> prompt, std::shared_ptr<Sink> sink);

  bool is_embedding() const override { return false; }

  // Tokens of the prompt, or the one just sampled, that the model has not seen.
  int pending() const override { return static_cast<int>(tokens_.size()) - fed_; }

  // The prompt is done and at least one token is sampled.
  bool is_answering() const override { return output_tokens_ > 0; }

  // The last row of all that is pending wants logits.
  void feed(int count, const LlamaConfig& config, std::vector<LlamaRow>& rows) override;
  void receive(int rows, const PassOutput& output) override;
  // Samples from the logits after the last pending token, sends text, and ends when the answer does.
  void advance(std::span<const float> logits, const Tokenizer& tokenizer, int context);
  // Sends what is held back, unless the reason is a stop string, and the outcome.
  void end(Outcome::Reason reason, std::string_view message = {}) override;

 private:
  void send(std::string text);

  const int max_tokens_;
  std::vector<int> tokens_;  // The prompt, then the answer.
  const int prompt_tokens_;
  std::shared_ptr<Sink> sink_;
  int fed_ = 0, output_tokens_ = 0;
  std::optional<KvCache> cache_;
  Sampler sampler_;
  Utf8Stream utf8_;
  StopFilter stop_;
};

}  // namespace switchyard::local
