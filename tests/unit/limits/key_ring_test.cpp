#include "gateway/limits/key_ring.h"

#include "adapters/crypto/sha256.h"

#include <gtest/gtest.h>

#include <string>

namespace switchyard::limits {
namespace {

config::Key key_of(const char* name, const char* secret, std::vector<std::string> models = {}) {
  return {name, sha256(secret), std::move(models)};
}

TEST(KeyRing, WithoutKeysItIsOpen) {
  const KeyRing ring;
  EXPECT_TRUE(ring.open());
  EXPECT_EQ(ring.find("anything"), nullptr);
}

TEST(KeyRing, FindsByTheWholeSecret) {
  const KeyRing ring({key_of("a", "secret-a"), key_of("b", "secret-b"), key_of("c", "secret-c")});
  EXPECT_FALSE(ring.open());

  const struct {
    std::string presented;
    const char* name;
    const char* why;
  } rows[] = {
      {"secret-a", "a", "the first"},
      {"secret-b", "b", "in the middle"},
      {"secret-c", "c", "the last"},
      {"secret-d", nullptr, "wrong"},
      {"secret-", nullptr, "a part of one"},
      {"secret-a ", nullptr, "more than one"},
      {"SECRET-A", nullptr, "case matters"},
      {"", nullptr, "nothing"},
      {to_hex(sha256("secret-a")), nullptr, "a digest is not its secret"},
      {std::string(1 << 16, 'x'), nullptr, "very long"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const config::Key* found = ring.find(row.presented);
    ASSERT_EQ(found != nullptr, row.name != nullptr);
    if (found) EXPECT_EQ(found->name, row.name);
  }
}

TEST(KeyRing, WhichModelsAKeyMayUse) {
  const auto all = key_of("a", "x"), some = key_of("b", "y", {"assistant", "gpt-*"});

  const struct {
    const config::Key& key;
    const char* model;
    bool may;
  } rows[] = {{all, "anything", true},     {all, "", true},       {some, "assistant", true},
              {some, "assistant2", false}, {some, "gpt-5", true}, {some, "gpt-", true},
              {some, "gpt", false},        {some, "", false},     {some, "Assistant", false}};

  for (const auto& row : rows) {
    EXPECT_EQ(KeyRing::may_use(row.key, row.model), row.may) << row.key.name << " " << row.model;
  }
}

}  // namespace
}  // namespace switchyard::limits
