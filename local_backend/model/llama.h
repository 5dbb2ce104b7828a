#pragma once

#include "local_backend/device/device.h"
#include "local_backend/model/gguf.h"

#include <memory>
#include <span>
#include <vector>

namespace switchyard::local {

// What stands for a text as its vector: the mean of the final hidden states, the first or the last of them.
enum class Pooling { mean, first, last };

struct LlamaConfig {
  int layers = 0, dim = 0, ffn = 0, heads = 0, kv_heads = 0, head_size = 0, context = 0, vocabulary = 0;
  float norm_epsilon = 0;
  double rope_base = 0;
  Pooling pooling = Pooling::mean;
};

// Fails naming the key for what is missing, contradictory or not supported. `vocabulary` is the tokenizer's.
Result<LlamaConfig> read_llama_config(const Gguf& file, int vocabulary);

// The keys and values of one sequence, in pages that are allocated as it grows.
class KvCache {
 public:
  static constexpr int kPagePositions = 64;

  explicit KvCache(const LlamaConfig& config);
  // Makes room for `positions` positions.
  void reserve(int positions);

  std::span<float* const> pages() const { return views_; }

 private:
  std::size_t page_floats_;
  std::vector<std::unique_ptr<float[]>> pages_;
  std::vector<float*> views_;
};

// One token to run through the model.
struct LlamaRow {
  int token = 0, position = 0;
  KvCache* cache = nullptr;  // Holds every position below, or an earlier row of the step writes it.
  bool wants_logits = false, wants_hidden = false;
};

// A Llama-family decoder: RMSNorm, rotary embedding on neighbouring pairs, grouped-query attention, SwiGLU.
class Llama {
 public:
  // The device and the file's bytes must outlive it.
  static Result<std::unique_ptr<Llama>> load(const Gguf& file, const LlamaConfig& config, Device& device);

  const LlamaConfig& config() const { return config_; }

  // Runs the rows, at most kRowsMax, and extends their caches. Returns the logits, (rows that want them,
  // vocabulary), in the rows' order, valid until the next call.
  const float* step(std::span<const LlamaRow> rows);

  // What the output projection reads, of the last step: (rows that wanted it, dim), in the rows' order.
  std::span<const float> hidden() const { return hidden_; }

  static constexpr int kRowsMax = 64;

 private:
  struct Layer {
    std::unique_ptr<Weight> attn_norm;    // (dim)
    std::unique_ptr<Weight> q;            // (heads · head size, dim)
    std::unique_ptr<Weight> k, v;         // (kv heads · head size, dim)
    std::unique_ptr<Weight> attn_output;  // (dim, heads · head size)
    std::unique_ptr<Weight> ffn_norm;     // (dim)
    std::unique_ptr<Weight> gate, up;     // (ffn, dim)
    std::unique_ptr<Weight> down;         // (dim, ffn)
  };

  Llama(const LlamaConfig& config, Device& device);
  Result<void> read_weights(const Gguf& file);
  Result<void> read_rope_factors(const Gguf& file);
  void rotations(std::span<const LlamaRow> rows);
  void attention(const Layer& layer, int index, int n);
  void feed_forward(const Layer& layer, int n);
  int gather(std::span<const LlamaRow> rows);

  LlamaConfig config_;
  Device& device_;
  std::unique_ptr<Weight> embedding_;    // (vocabulary, dim)
  std::unique_ptr<Weight> output_norm_;  // (dim)
  std::unique_ptr<Weight> output_;       // (vocabulary, dim); null: tied to embedding_.
  std::vector<Layer> layers_;
  std::vector<double> frequencies_;  // (head size / 2), radians a position
  std::vector<AttentionRow> attention_rows_;
  std::vector<int> tokens_;
  // One step's activations, n rows each.
  std::vector<float> x_, normed_, q_, k_, v_, attended_, added_, gate_, up_, rotation_, hidden_, logits_;
};

}  // namespace switchyard::local
