#pragma once

#include "config/config.h"

#include <string_view>
#include <vector>

namespace switchyard::limits {

// The keys that may call, immutable. It holds digests only, never a secret.
class KeyRing {
 public:
  KeyRing() = default;

  explicit KeyRing(std::vector<config::Key> keys) : keys_(std::move(keys)) {}

  // True when there are no keys: anyone may call.
  bool open() const { return keys_.empty(); }

  // The key whose secret was presented, or null; valid as long as the ring. The time it takes depends on the
  // number of keys and on the length of `presented` only.
  const config::Key* find(std::string_view presented) const;

  // The place of a key that find() gave in the configuration's order.
  std::size_t index_of(const config::Key& key) const { return static_cast<std::size_t>(&key - keys_.data()); }

  // True when the key's list of models is empty, or has the name or a pattern that matches it.
  static bool may_use(const config::Key& key, std::string_view model);

 private:
  std::vector<config::Key> keys_;
};

}  // namespace switchyard::limits
