#pragma once

#include "adapters/canonical/result.h"
#include "config/config.h"
#include "gateway/upstream/pool.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace switchyard::upstream {

// How the access tokens of one provider are had. Immutable; shared by all workers.
struct TokenRequest {
  std::string key;  // Token sources are kept by it. Made of the credential's digest, not of the credential.
  Origin origin;
  std::string path;
  // The form to post, made anew for each token. It holds a secret.
  std::function<Result<std::string>(std::int64_t now_s)> make_form;
  // Where a token stands that somebody else renews; nothing is posted then.
  std::string file;
};

// Null for a provider that needs no tokens. Fails with invalid_request: an address or a certificate file.
Result<std::shared_ptr<const TokenRequest>> make_token_request(const config::Provider& provider);

// The claim of a Google service account that it is itself, as a JWT (RFC 7519) signed with RS256, good for an
// hour from `now_s` (seconds since the epoch).
Result<std::string> make_google_assertion(const config::ServiceAccount& account, std::int64_t now_s);

struct Token {
  std::string value;
  std::chrono::seconds lifetime{0};
};

// Reads the reply of a token endpoint (RFC 6749 5.1 and 5.2). Fails with credential; its message quotes
// nothing but the error's code.
Result<Token> parse_token_reply(int status, std::string_view body);

}  // namespace switchyard::upstream
