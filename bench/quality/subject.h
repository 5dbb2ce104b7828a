#pragma once

#include "local_backend/engine/mapped_file.h"
#include "local_backend/model/chat_template.h"
#include "local_backend/model/llama.h"
#include "local_backend/model/tokenizer.h"

#include <memory>
#include <string>
#include <vector>

namespace switchyard::evaluation {

// How the weights of a subject are stored. The last two are the engine's own kernels, which round
// activations to 8 bits too; the others are rounded and run in F32, so that only the weights differ.
enum class Precision { f32, q8_0, q6, q5, q4_0, three_bits, two_bits, served_q8_0, served_q4_0 };
const char* name_of(Precision precision);

// Rounds blocks of weights as the format does, and back: llama.cpp's Q8_0 and Q4_0 (blocks of 32; a scale in
// half precision; for 4 bits and fewer the scale has the sign of the largest weight, so that it is met), and
// the same scheme with fewer levels. `weights` is a multiple of 32 long.
void round_weights(std::vector<float>& weights, Precision precision);

// The model that is degraded: a GGUF file's weights, rounded, perhaps with a layer left out.
class Subject {
 public:
  // `folder` holds mini.f16.gguf and, for the served ones, mini.q8_0.gguf and mini.q4_0.gguf.
  // `skipped_layer`: its contribution is zero; -1: none.
  static std::unique_ptr<Subject> load(const std::string& folder, Precision precision, int skipped_layer);

  // The prompt's ids, as the engine renders a chat.
  std::vector<int> render(const std::vector<local::ChatTurn>& turns) const;

  // Runs `tokens` from `position` on. Returns the logits behind the last of them, (vocabulary), valid until
  // the next call.
  const float* extend(local::KvCache& cache, const std::vector<int>& tokens, int position);
  // The logits behind each token, (tokens, vocabulary).
  std::vector<float> all_logits(const std::vector<int>& tokens);

  int vocabulary() const { return model_->config().vocabulary; }

  local::KvCache make_cache() const { return local::KvCache(model_->config()); }

  std::string_view bytes(int id) const { return tokenizer_->bytes(id); }

  bool ends_turn(int id) const { return tokenizer_->ends_turn(id); }

 private:
  Subject() = default;

  local::MappedFile file_;
  local::Gguf gguf_;
  std::vector<std::vector<float>> owned_;  // The rounded weights that gguf_ points to.
  std::unique_ptr<local::Device> device_;
  std::unique_ptr<local::Tokenizer> tokenizer_;
  std::unique_ptr<local::ChatTemplate> chat_;
  std::unique_ptr<local::Llama> model_;
  std::vector<local::LlamaRow> rows_;
};

}  // namespace switchyard::evaluation
