#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace switchyard {

// The one model of an embeddings request.
struct EmbeddingsRequest {
  std::string model;                              // As the caller named it.
  std::vector<std::string> texts;                 // Either texts...
  std::vector<std::vector<std::int64_t>> tokens;  // ... or token ids of the model's own vocabulary.
  bool base64 = false;                            // The caller wants little-endian 32-bit floats in base64.
  std::optional<std::int64_t> dimensions;
  std::string user;
  std::string task;        // Gemini's taskType ("RETRIEVAL_QUERY", ...), or empty.
  bool is_single = false;  // Asked for one vector, not for a list (Gemini's embedContent).
  std::vector<std::string> unmapped;
};

// One vector an input, in their order.
struct EmbeddingsReply {
  std::string model;  // What the provider says answered; may be empty.
  std::vector<std::vector<float>> vectors;
  std::int64_t input_tokens = 0;
};

}  // namespace switchyard
