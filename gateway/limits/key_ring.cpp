#include "gateway/limits/key_ring.h"

#include "adapters/crypto/sha256.h"
#include "config/pattern.h"

#include <openssl/crypto.h>

#include <algorithm>

namespace switchyard::limits {

const config::Key* KeyRing::find(std::string_view presented) const {
  const auto digest = sha256(presented);
  const config::Key* found = nullptr;
  for (const config::Key& key : keys_) {
    // No early exit: how long a refusal takes must not say which key came close.
    if (CRYPTO_memcmp(key.sha256.data(), digest.data(), digest.size()) == 0) found = &key;
  }
  return found;
}

bool KeyRing::may_use(const config::Key& key, std::string_view model) {
  return key.models.empty() ||
         std::any_of(key.models.begin(), key.models.end(),
                     [&](const std::string& pattern) { return config::matches(pattern, model); });
}

}  // namespace switchyard::limits
