#pragma once

#include "adapters/canonical/embeddings.h"
#include "adapters/canonical/result.h"
#include "adapters/dialects/dialect.h"

#include <string>
#include <string_view>

namespace switchyard {

// One wire format of embeddings, both ways; stateless and pure like Dialect.
class EmbeddingsDialect {
 public:
  virtual ~EmbeddingsDialect() = default;
  virtual std::string_view name() const = 0;  // "openai_embeddings", "gemini_embeddings", ...

  // Caller to gateway. Fails with invalid_request naming the field. The model of Gemini's is in the path.
  virtual Result<EmbeddingsRequest> parse_request(std::string_view body) const = 0;
  // Gateway to provider. Fails with unsupported for what the provider cannot do.
  virtual Result<WrittenRequest> write_request(const EmbeddingsRequest& request,
                                               std::string_view model) const = 0;
  // Provider to gateway: one vector an input, in their order. Fails with bad_reply.
  virtual Result<EmbeddingsReply> parse_reply(std::string_view body) const = 0;
  // Gateway to caller. `model` is the name that the caller asked for.
  virtual std::string write_reply(const EmbeddingsReply& reply, const EmbeddingsRequest& request) const = 0;
};

inline constexpr int kEmbeddingInputsMax = 2048;  // As OpenAI's.

// Null for an unknown name.
const EmbeddingsDialect* find_embeddings_dialect(std::string_view name);
const EmbeddingsDialect& openai_embeddings();
const EmbeddingsDialect& gemini_embeddings();

// Little-endian 32-bit floats without a gap, as base64 (RFC 4648): OpenAI's encoding_format "base64".
std::string encode_floats(const std::vector<float>& values);
// The inverse. Fails with bad_reply.
Result<std::vector<float>> decode_floats(std::string_view text);

// How an OpenAI reply writes its vectors: true for base64. For a reply that passes through only if it is as
// the caller wants it.
bool has_base64_vectors(std::string_view reply);

}  // namespace switchyard
