#pragma once

#include "adapters/canonical/request.h"
#include "adapters/canonical/result.h"
#include "adapters/dialects/dialect.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard {

// One wire format of counting a prompt's tokens, both ways; stateless and pure like Dialect.
class TokenCountDialect {
 public:
  virtual ~TokenCountDialect() = default;
  virtual std::string_view name() const = 0;  // "anthropic_count_tokens", "gemini_count_tokens".

  // Caller to gateway; as Dialect::parse_request.
  virtual Result<ChatRequest> parse_request(std::string_view body) const = 0;
  // Gateway to provider; as Dialect::write_request.
  virtual Result<WrittenRequest> write_request(const ChatRequest& request,
                                               const TargetTraits& target) const = 0;
  // Provider to gateway: the number of tokens. Fails with bad_reply.
  virtual Result<std::int64_t> parse_reply(std::string_view body) const = 0;
  // Gateway to caller.
  virtual std::string write_reply(std::int64_t tokens) const = 0;
};

// Null for an unknown name.
const TokenCountDialect* find_token_count_dialect(std::string_view name);
const TokenCountDialect& anthropic_count_tokens();
const TokenCountDialect& gemini_count_tokens();

// A guess where nobody counts: a token for every four bytes of text, every three of a call's JSON or a
// schema, and a flat 1,500 an image or page. It errs on the high side for English and code.
std::int64_t estimate_tokens(const ChatRequest& request);

}  // namespace switchyard
