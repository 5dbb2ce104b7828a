#pragma once

#include "tests/unit/local_backend/gguf_builder.h"

#include <optional>
#include <string>
#include <vector>

namespace switchyard::local::testing {

// GPT-2's spelling of a byte (tokenizer.cpp).
inline std::string spelled_byte(int byte) {
  const auto printable = [](int b) { return (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174; };
  int character = byte;
  if (!printable(byte)) {
    character = 256;
    for (int b = 0; b < byte; ++b) character += printable(b) ? 0 : 1;
  }
  if (character < 0x80) return std::string(1, static_cast<char>(character));
  return {static_cast<char>(0xC0 | character >> 6), static_cast<char>(0x80 | (character & 0x3F))};
}

// A whole model in some 20 KB: one layer, arbitrary weights in each of the supported types, a vocabulary of
// bytes and one merge. Rows of 20 weights are no whole block, so that one stays F16 beside the quantised
// ones.
struct TinyLlama {
  static constexpr std::uint32_t kF32 = 0, kF16 = 1, kQ4 = 2, kQ8 = 8;
  static constexpr int kDim = 32, kFfn = 20, kVocabulary = 260, kHeadSize = 16, kContext = 100;

  bool has_output = false;        // A separate output matrix, equal to the embedding.
  float rope_factor = 0;          // 0: the file has no rope_freqs.weight.
  bool is_plain = false;          // Every weight is an F32.
  bool has_no_direction = false;  // The output norm is zero, and so is every final state.
  bool adds_ends = false;         // A text starts with token 0 and ends with token 2.
  std::optional<int> pooling = {};
  std::optional<bool> causal = {};

  std::string build() const {
    GgufBuilder b;
    add_metadata(b);
    add_vocabulary(b);
    add(b, "token_embd.weight", kQ4, kDim, kVocabulary, 1);
    if (has_output) add(b, "output.weight", kQ4, kDim, kVocabulary, 1);
    if (has_no_direction)
      place(b, "output_norm.weight", kF32, kDim, 0, std::string(kDim * sizeof(float), '\0'));
    else
      add(b, "output_norm.weight", kF32, kDim, 0, 2);
    add(b, "blk.0.attn_norm.weight", kF32, kDim, 0, 3);
    add(b, "blk.0.attn_q.weight", kQ8, kDim, 32, 4);
    add(b, "blk.0.attn_k.weight", kQ8, kDim, 16, 5);
    add(b, "blk.0.attn_v.weight", kQ4, kDim, 16, 6);
    add(b, "blk.0.attn_output.weight", kF32, 32, kDim, 7);
    add(b, "blk.0.ffn_norm.weight", kF32, kDim, 0, 8);
    add(b, "blk.0.ffn_gate.weight", kF16, kDim, kFfn, 9);
    add(b, "blk.0.ffn_up.weight", kQ8, kDim, kFfn, 10);
    add(b, "blk.0.ffn_down.weight", kF16, kFfn, kDim, 11);
    if (rope_factor != 0) {
      std::string factors;
      for (int i = 0; i < kHeadSize / 2; ++i) factors += raw(rope_factor);
      place(b, "rope_freqs.weight", kF32, kHeadSize / 2, 0, factors);
    }
    return b.build();
  }

 private:
  void add_metadata(GgufBuilder& b) const {
    b.entry("general.architecture", 8, gguf_string("llama"));
    const auto count = [&](const char* key, int value) {
      b.entry(key, 4, raw(static_cast<std::uint32_t>(value)));
    };
    count("llama.block_count", 1);
    count("llama.context_length", kContext);
    count("llama.embedding_length", kDim);
    count("llama.feed_forward_length", kFfn);
    count("llama.attention.head_count", 2);
    count("llama.attention.head_count_kv", 1);
    count("tokenizer.ggml.eos_token_id", 2);
    if (pooling) count("llama.pooling_type", *pooling);
    if (causal) b.entry("llama.attention.causal", 7, raw<std::uint8_t>(*causal ? 1 : 0));
    if (adds_ends) {
      count("tokenizer.ggml.bos_token_id", 0);
      b.entry("tokenizer.ggml.add_bos_token", 7, raw<std::uint8_t>(1));
      b.entry("tokenizer.ggml.add_eos_token", 7, raw<std::uint8_t>(1));
    }
    b.entry("llama.attention.layer_norm_rms_epsilon", 6, raw(1e-5F));
    b.entry("tokenizer.ggml.model", 8, gguf_string("gpt2"))
        .entry("tokenizer.ggml.pre", 8, gguf_string("gpt-2"));
    b.entry("tokenizer.chat_template", 8, gguf_string("{{ '<|im_start|>' }}{{ '<|im_end|>' }}"));
  }

  static void add_vocabulary(GgufBuilder& b) {
    const auto list = [](std::uint32_t kind, std::uint64_t count) { return raw(kind) + raw(count); };
    std::string tokens = list(8, kVocabulary), types = list(5, kVocabulary);
    for (const char* special : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}) {
      tokens += gguf_string(special);
      types += raw<std::int32_t>(3);
    }
    for (int byte = 0; byte < 256; ++byte) {
      tokens += gguf_string(spelled_byte(byte));
      types += raw<std::int32_t>(1);
    }
    b.entry("tokenizer.ggml.tokens", 9, tokens + gguf_string("He"));
    b.entry("tokenizer.ggml.token_type", 9, types + raw<std::int32_t>(1));
    b.entry("tokenizer.ggml.merges", 9, list(8, 1) + gguf_string("H e"));
  }

  static void place(GgufBuilder& b, const char* name, std::uint32_t type, int columns, int rows,
                    const std::string& data) {
    b.data.append((b.alignment - b.data.size() % b.alignment) % b.alignment, '\0');
    if (rows == 0)
      b.tensor(name, {static_cast<std::uint64_t>(columns)}, type, b.data.size());
    else
      b.tensor(name, {static_cast<std::uint64_t>(columns), static_cast<std::uint64_t>(rows)}, type,
               b.data.size());
    b.data += data;
  }

  // Weights from -1 to 1 without a pattern (splitmix64); the scale of every block is the same.
  void add(GgufBuilder& b, const char* name, std::uint32_t type, int columns, int rows,
           std::uint64_t seed) const {
    if (is_plain) type = kF32;
    const auto next = [&] {
      std::uint64_t z = seed += 0x9e3779b97f4a7c15U;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
      return z ^ (z >> 31);
    };
    constexpr std::uint16_t kHalfOfQ8 = 0x2000, kHalfOfQ4 = 0x3000;  // 2^-7 and 2^-3.
    std::string data;
    for (int i = 0; i < columns * (rows == 0 ? 1 : rows); ++i) {
      if ((type == kQ8 || type == kQ4) && i % 32 == 0) data += raw(type == kQ8 ? kHalfOfQ8 : kHalfOfQ4);
      const std::uint64_t bits = next();
      if (type == kF32) data += raw(static_cast<float>(bits >> 40) * 0x1p-23F - 1.0F);
      // A half between 0.5 and 1, or the same below zero.
      if (type == kF16) data += raw(static_cast<std::uint16_t>(0x3800U | (bits & 0x83ffU)));
      if (type == kQ8 || (type == kQ4 && i % 2 == 0)) data += raw(static_cast<std::uint8_t>(bits));
    }
    place(b, name, type, columns, rows, data);
  }
};

}  // namespace switchyard::local::testing
