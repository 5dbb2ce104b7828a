#include "gateway/upstream/token_request.h"

#include "adapters/dialects/media.h"
#include "config/service_account.h"
#include "tests/unit/support/rsa_key.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace switchyard::upstream {
namespace {

using Json = nlohmann::json;

std::string from_base64url(std::string text) {
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  return decode_base64(text).value_or("");
}

const test::RsaKey& key() {
  static const test::RsaKey kKey;
  return kKey;
}

config::ServiceAccount account() {
  return *config::parse_service_account(test::service_account_json(key().pem())).account;
}

TEST(GoogleAssertion, IsSignedAndSaysWhoAsksForWhat) {
  const auto assertion = make_google_assertion(account(), 1'700'000'000);
  ASSERT_TRUE(assertion);
  const auto first = assertion->find('.'), second = assertion->rfind('.');
  ASSERT_LT(first, second);
  const std::string signed_text = assertion->substr(0, second);
  EXPECT_TRUE(key().verifies(signed_text, from_base64url(assertion->substr(second + 1))));
  EXPECT_FALSE(key().verifies(signed_text + "x", from_base64url(assertion->substr(second + 1))));
  EXPECT_EQ(assertion->find_first_of("+/="), std::string::npos) << "base64url, without padding";
  const Json header = Json::parse(from_base64url(assertion->substr(0, first)));
  EXPECT_EQ(header, (Json{{"alg", "RS256"}, {"typ", "JWT"}, {"kid", "key-1"}}));
  const Json claims = Json::parse(from_base64url(assertion->substr(first + 1, second - first - 1)));
  EXPECT_EQ(claims, (Json{{"iss", "gateway@the-project.iam.gserviceaccount.com"},
                          {"scope", "https://www.googleapis.com/auth/cloud-platform"},
                          {"aud", "https://oauth2.googleapis.com/token"},
                          {"iat", 1'700'000'000},
                          {"exp", 1'700'003'600}}));
}

TEST(GoogleAssertion, NeedsAKeyThatSigns) {
  config::ServiceAccount broken = account();
  broken.private_key = config::Secret("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
  const auto assertion = make_google_assertion(broken, 0);
  ASSERT_FALSE(assertion);
  EXPECT_EQ(assertion.error().kind, ErrorKind::credential);
}

TEST(TokenReply, IsReadStrictly) {
  const struct {
    int status;
    const char* body;
    const char* token;
    int lifetime_s;
    const char* why;
  } rows[] = {
      {200, R"({"access_token":"abc","expires_in":3599,"token_type":"Bearer"})", "abc", 3599, "Google's"},
      {200, R"({"access_token":"abc","expires_in":"3599"})", "abc", 3599,
       "older Entra's: digits in a string"},
      {200, R"({"access_token":"abc"})", "abc", 300, "no lifetime: a short one"},
      {200, R"({"access_token":"abc","expires_in":-5})", "abc", 0, "it is over"},
      {200, R"({"access_token":"abc","expires_in":99999999})", "abc", 86400, "a day at most"},
      {200, R"({"access_token":"a b"})", "", 0, "it would not fit a field"},
      {200, R"({"access_token":"a\r\nx: y"})", "", 0, "nor would this"},
      {200, R"({"access_token":7})", "", 0, "no text"},
      {200, "[]", "", 0, "no object"},
      {200, "", "", 0, "nothing"},
      {200, "<html>", "", 0, "a proxy's page"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const auto token = parse_token_reply(row.status, row.body);
    ASSERT_EQ(token.has_value(), row.token[0] != '\0');
    if (!token) continue;
    EXPECT_EQ(token->value, row.token);
    EXPECT_EQ(token->lifetime.count(), row.lifetime_s);
  }
}

TEST(TokenReply, ARefusalNamesItsCodeOnly) {
  const auto refused = parse_token_reply(
      401, R"({"error":"invalid_client","error_description":"AADSTS7000215: secret s3cret is wrong"})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::credential);
  EXPECT_NE(refused.error().message.find("401 (invalid_client)"), std::string::npos);
  EXPECT_EQ(refused.error().message.find("s3cret"), std::string::npos);
  EXPECT_NE(parse_token_reply(302, "").error().message.find("302"), std::string::npos) << "not followed";
  EXPECT_EQ(parse_token_reply(400, R"({"error":"a b\nc"})").error().message.find('\n'), std::string::npos);
}

TEST(TokenRequest, IsMadeOfTheProvidersCredential) {
  config::Provider plain;
  EXPECT_EQ(*make_token_request(plain), nullptr);
  config::Provider entra;
  entra.name = "azure";
  entra.entra = config::EntraClient{"the client", "", "http://127.0.0.1:1/tenant/oauth2/v2.0/token",
                                    config::Secret("s&cret")};
  const auto request = *make_token_request(entra);
  EXPECT_EQ(request->path, "/tenant/oauth2/v2.0/token");
  EXPECT_EQ(request->origin.port, 1);
  EXPECT_EQ(*request->make_form(0),
            "grant_type=client_credentials&client_id=the%20client&scope=https%3A%2F%2Fcognitiveservices."
            "azure.com%2F"
            ".default&client_secret=s%26cret");
  EXPECT_EQ(request->key.find("s&cret"), std::string::npos);
  const std::string before = request->key;
  entra.entra->client_secret = config::Secret("another");
  EXPECT_NE((*make_token_request(entra))->key, before) << "a new secret is a new source";
  entra.entra = config::EntraClient{"c", "/nowhere/token", "http://127.0.0.1:1/t", {}};
  EXPECT_EQ((*make_token_request(entra))->make_form(0).error().kind, ErrorKind::credential);
  config::Provider google;
  google.service_account = account();
  EXPECT_TRUE(
      (*make_token_request(google))
          ->make_form(0)
          ->starts_with("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=ey"));
}

}  // namespace
}  // namespace switchyard::upstream
