#include "adapters/dialects/media.h"

#include <gtest/gtest.h>

namespace switchyard {
namespace {

TEST(Media, Base64GoesBothWays) {
  const struct {
    std::string bytes, text;
  } rows[] = {{"", ""},        {"f", "Zg=="},          {"fo", "Zm8="},
              {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}, {"\xFF\xFE", "//4="}};

  for (const auto& row : rows) {
    EXPECT_EQ(encode_base64(row.bytes), row.text);
    EXPECT_EQ(decode_base64(row.text), row.bytes);
  }
  EXPECT_EQ(decode_base64("Zg"), "f") << "padding is optional";
  for (const char* wrong : {"Z", "Zm9vY", "Z!==", "Zm 9v"}) EXPECT_FALSE(decode_base64(wrong)) << wrong;
}

TEST(Media, ReadsDataUrls) {
  const auto plain = parse_data_url("data:image/png;base64,AAAA");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->media_type, "image/png");
  EXPECT_EQ(plain->data, "AAAA");
  const auto with_parameter = parse_data_url("data:text/plain;charset=utf-8;base64,QQ==");
  ASSERT_TRUE(with_parameter);
  EXPECT_EQ(with_parameter->media_type, "text/plain");
  for (const char* other : {"https://example.com/a.png", "data:image/png,raw", "data:image/png;base64"}) {
    EXPECT_FALSE(parse_data_url(other)) << other;
  }
  EXPECT_EQ(make_data_url("image/png", "AAAA"), "data:image/png;base64,AAAA");
}

}  // namespace
}  // namespace switchyard
