#pragma once

#include "local_backend/engine/engine.h"
#include "local_backend/engine/sampler.h"
#include "local_backend/engine/stop.h"
#include "local_backend/model/llama.h"
#include "local_backend/model/tokenizer.h"
#include "local_backend/model/utf8.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::local {

// One request from its prompt to its end: what is fed to the model next, and what goes out. Belongs to the
// engine's thread, except cancel().
class Sequence {
 public:
  // `prompt` is not empty and shorter than the context.
  Sequence(std::uint64_t id, GenerateRequest request, std::vector<int> prompt, std::shared_ptr<Sink> sink);

  std::uint64_t id() const { return id_; }

  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }

  bool is_cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

  bool is_ended() const { return ended_; }

  // Tokens of the prompt, or the one just sampled, that the model has not seen.
  int pending() const { return static_cast<int>(tokens_.size()) - fed_; }

  // The prompt is done and at least one token is sampled.
  bool is_answering() const { return output_tokens_ > 0; }

  int prompt_tokens() const { return prompt_tokens_; }

  // Appends the next `count` pending tokens as rows; the last row of all that is pending wants logits.
  void feed(int count, const LlamaConfig& config, std::vector<LlamaRow>& rows);
  // Samples from the logits after the last pending token, sends text, and ends when the answer does.
  void advance(std::span<const float> logits, const Tokenizer& tokenizer, int context);
  // Ends now: sends what is held back, unless the reason is a stop string, and the outcome. `message` says
  // why it failed.
  void end(Outcome::Reason reason, std::string_view message = {});

 private:
  void send(std::string text);

  const std::uint64_t id_;
  const int max_tokens_;
  std::vector<int> tokens_;  // The prompt, then the answer.
  const int prompt_tokens_;
  std::shared_ptr<Sink> sink_;
  std::atomic<bool> cancelled_{false};
  bool ended_ = false;
  int fed_ = 0, output_tokens_ = 0;
  std::optional<KvCache> cache_;
  Sampler sampler_;
  Utf8Stream utf8_;
  StopFilter stop_;
};

}  // namespace switchyard::local
