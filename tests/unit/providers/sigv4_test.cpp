#include "adapters/providers/sigv4.h"

#include <gtest/gtest.h>

namespace switchyard {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::sys_seconds kNewYear2026 = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);
constexpr std::string_view kBody = R"({"messages":[{"role":"user","content":[{"text":"hi"}]}]})";

AwsRequest request() {
  return {.method = "POST",
          .host = "bedrock-runtime.us-east-1.amazonaws.com",
          .path = "/model/anthropic.claude-x%3A0/converse",
          .headers = {{"content-type", "application/json"}},
          .body_sha256 = sha256(kBody),
          .region = "us-east-1",
          .service = "bedrock"};
}

AwsCredentials credentials() {
  return {.access_key = "AKIDEXAMPLE",
          .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
          .session_token = {}};
}

// Made by the signer of the AWS SDKs.
TEST(SigV4, GivesTheSignatureOfTheOfficialSigner) {
  ASSERT_EQ(to_hex(sha256(kBody)), "c3335e07d6e89650bf94cb98664be69f8774dbc3198df221f113db0a59ea14f0");
  const Headers added = sign(request(), credentials(), kNewYear2026);
  ASSERT_EQ(added.size(), 2u);
  EXPECT_EQ(added[0], (std::pair<std::string, std::string>("x-amz-date", "20260101T000000Z")));
  EXPECT_EQ(added[1].first, "authorization");
  EXPECT_EQ(added[1].second,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/bedrock/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=e2a9a1d41ea14e064cd2caaa21c12a21952c587a73b4cedd953f59e45c3c7cf2");
}

TEST(SigV4, ATokenOfTemporaryCredentialsIsSentAndSigned) {
  AwsCredentials temporary = credentials();
  temporary.session_token = "FwoGZXIvYXdzEXAMPLE+/==";
  const Headers added = sign(request(), temporary, kNewYear2026);
  ASSERT_EQ(added.size(), 3u);
  EXPECT_EQ(added[1], (std::pair<std::string, std::string>("x-amz-security-token", temporary.session_token)));
  EXPECT_EQ(added[2].second,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/bedrock/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "
            "Signature=a404dc6b9797e7c0b6aae72c25564880901ddc9b8f0cdf07d5d8f8549ae0946d");
}

TEST(SigV4, EveryPartOfTheRequestCounts) {
  const auto signature = [](const AwsRequest& signed_request, const AwsCredentials& by,
                            std::chrono::sys_seconds now) {
    return sign(signed_request, by, now).back().second;
  };
  const std::string usual = signature(request(), credentials(), kNewYear2026);
  AwsRequest other = request();
  other.path = "/model/anthropic.claude-x%3A0/converse-stream";
  EXPECT_NE(signature(other, credentials(), kNewYear2026), usual);
  other = request();
  other.body_sha256 = sha256("{}");
  EXPECT_NE(signature(other, credentials(), kNewYear2026), usual);
  other = request();
  other.region = "eu-west-1";
  EXPECT_NE(signature(other, credentials(), kNewYear2026), usual);
  EXPECT_NE(signature(request(), credentials(), kNewYear2026 + 1s), usual);
  AwsCredentials stolen = credentials();
  stolen.secret_key += "x";
  EXPECT_NE(signature(request(), stolen, kNewYear2026), usual);
  other = request();
  other.headers[0].second = "  application/json ";
  EXPECT_EQ(signature(other, credentials(), kNewYear2026), usual)
      << "spaces around a value are no part of it";
}

}  // namespace
}  // namespace switchyard
