#pragma once

#include "local_backend/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::local {

struct ChatMessage {
  std::string role;  // "system", "user" or "assistant".
  std::string content;
};

struct Sampling {
  float temperature = 1.0F;  // 0: greedy, the others are ignored.
  float top_p = 1.0F;
  int top_k = 0;  // 0: off.
  float min_p = 0.0F;
  std::uint64_t seed = 0;  // The same request with the same seed gives the same answer.
};

struct GenerateRequest {
  std::vector<ChatMessage> messages;
  int max_tokens = 0;  // 0: until the context is full.
  Sampling sampling;
  std::vector<std::string> stop;  // None empty.
  // The beginning of the answer, which was given already: the answer goes on behind it as if the model had
  // said it all itself, and only what is new is sent. It counts for max_tokens and for the stop strings. When
  // it ends inside a sequence of UTF-8, the first text begins with the rest of that sequence.
  std::string prefix = {};
};

struct Outcome {
  enum class Reason { stop, stop_string, length, cancelled, failed } reason = Reason::stop;
  std::string stop_string;  // Which one, for stop_string.
  std::string message;      // Why, for failed.
  int input_tokens = 0;
  int output_tokens = 0;
  int prefix_tokens = 0;  // Of the output tokens, those that say no more than the request's prefix.
};

// Receives one request's output, on the engine's thread; must not block, nor destroy the engine. It may
// submit and cancel. After on_end nothing more comes, and the engine lets go of it.
class Sink {
 public:
  virtual ~Sink() = default;
  // The next text: whole UTF-8 sequences, never a part of a stop string.
  virtual void on_text(std::string_view text) = 0;
  virtual void on_end(const Outcome& outcome) = 0;
};

// Inputs to turn into vectors: texts, or token ids of the model's own vocabulary; one of the two is empty.
struct EmbeddingRequest {
  std::vector<std::string> texts;
  std::vector<std::vector<int>> tokens;
};

struct EmbeddingOutcome {
  enum class Reason { done, cancelled, failed } reason = Reason::done;
  std::string message;                      // Why, for failed.
  std::vector<std::vector<float>> vectors;  // For done: one an input, in their order, each of length 1.
  int input_tokens = 0;                     // Of all inputs.
};

// Receives the end of one embedding request, as Sink does.
class EmbeddingSink {
 public:
  virtual ~EmbeddingSink() = default;
  virtual void on_end(EmbeddingOutcome outcome) = 0;
};

struct EngineOptions {
  int threads = 0;     // Compute threads; 0: one for a small model, else one a core, at most 8.
  int queue_max = 64;  // Requests that may wait; one more is refused.
};

struct EngineStats {
  int waiting = 0, running = 0;
  std::uint64_t prompt_tokens = 0, generated_tokens = 0;
};

// One loaded model with its own threads, which sleep while there is nothing to do. Thread-safe. Its
// destructor ends every request with Outcome::cancelled; no other call may still be on its way then.
class Engine {
 public:
  virtual ~Engine() = default;

  enum class Refusal {
    none,
    queue_full,
    prompt_too_long,  // Or one input of an embedding request.
    // Of embedding requests only:
    empty_input,    // An input without a token, or no input at all.
    unknown_token,  // An id that is not in the vocabulary.
    too_large       // More than kInputsMax inputs, or 1 MiB of text or ids in all.
  };

  struct Submitted {
    Refusal refusal = Refusal::none;
    std::uint64_t id = 0;  // For cancel(); 0 when refused.
    // For the message when the prompt, with the prefix of the answer, is too long. Of a prompt of more than 1
    // MiB that cannot fit whatever its tokens are, they are not counted: prompt_tokens is then the least that
    // it may have.
    int prompt_tokens = 0, context_tokens = 0;
    int input = 0;  // The index of the input at fault, of an embedding request.
  };

  static constexpr int kInputsMax = 2048;

  // Queues the request. `sink` is shared because a cancelled request's last event may still be on its way.
  virtual Submitted submit(GenerateRequest request, std::shared_ptr<Sink> sink) = 0;
  // Queues the inputs to be turned into vectors of embedding_size() numbers. An input may fill the context.
  virtual Submitted submit_embedding(EmbeddingRequest request, std::shared_ptr<EmbeddingSink> sink) = 0;
  // The request ends as cancelled, after the pass of the model that runs: at most one more token comes.
  // Unknown ids, also those of requests that are over, are ignored.
  virtual void cancel(std::uint64_t id) = 0;
  virtual EngineStats stats() const = 0;
  virtual int context_tokens() const = 0;
  virtual int embedding_size() const = 0;
  // How many tokens the prompt has that submit() makes of the messages, whether or not it fits. Nothing when
  // it has more than 1 MiB and cannot fit whatever its tokens are: to count them would hold up the caller.
  virtual std::optional<int> count_tokens(const std::vector<ChatMessage>& messages) const = 0;
  // The same for a text as submit_embedding() takes it; an empty one has none.
  virtual std::optional<int> count_text_tokens(std::string_view text) const = 0;
  virtual std::string_view device() const = 0;  // "cpu (avx512)", ...
};

// Loads a GGUF file (llama architecture; F32, F16, Q8_0, Q4_0; byte-level BPE). Fails with what is wrong,
// naming the tensor or the metadata key.
Result<std::unique_ptr<Engine>> load_engine(const std::string& path, const EngineOptions& options);

// The model that is part of the executable: a GGUF file's bytes, for the life of the process, not copied.
std::span<const std::byte> bundled_model();
// The engine of bundled_model().
Result<std::unique_ptr<Engine>> load_bundled_engine(const EngineOptions& options);

}  // namespace switchyard::local
