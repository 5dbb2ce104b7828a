#include "adapters/crypto/sha256.h"

#include <gtest/gtest.h>

namespace switchyard {
namespace {

// FIPS 180-4's own examples.
TEST(Sha256, GivesTheDigestsOfTheStandard) {
  EXPECT_EQ(to_hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

// RFC 4231, 4.2, 4.3, 4.4 and 4.7.
TEST(HmacSha256, GivesTheCodesOfTheRfc) {
  const struct {
    std::string key, message;
    const char* code;
    const char* why;
  } rows[] = {
      {std::string(20, '\x0b'), "Hi There",
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", "a key of 20 bytes"},
      {"Jefe", "what do ya want for nothing?",
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "a key shorter than the digest"},
      {std::string(20, '\xaa'), std::string(50, '\xdd'),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe", "bytes over 127"},
      {std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54", "a key longer than a block"},
  };

  for (const auto& row : rows) EXPECT_EQ(to_hex(hmac_sha256(row.key, row.message)), row.code) << row.why;
}

TEST(Sha256, ADigestIsReadBack) {
  const Digest digest = sha256("abc");
  EXPECT_EQ(from_hex(to_hex(digest)), digest);
  EXPECT_FALSE(from_hex("abc"));
  EXPECT_FALSE(from_hex(std::string(64, 'g')));
}

}  // namespace
}  // namespace switchyard
