#include "gateway/relay/endpoints.h"

#include "gateway/http/request_parser.h"
#include "tests/unit/relay/rig.h"

#include <gtest/gtest.h>

namespace switchyard::relay {
namespace {

TEST(FindRoute, TakesBaseUrlsAsPeopleWriteThem) {
  using Kind = Route::Kind;

  const struct {
    const char* path;
    bool anthropic_version;
    Kind kind;
    const char *dialect, *model;
    const char* why;
  } rows[] = {
      {"/v1/chat/completions", false, Kind::chat, "openai_chat", "", "as OpenAI has it"},
      {"/chat/completions", false, Kind::chat, "openai_chat", "", "without /v1"},
      {"/v1/v1/chat/completions", false, Kind::chat, "openai_chat", "", "with /v1 twice"},
      {"/openai/v1/chat/completions", false, Kind::chat, "openai_chat", "", "with the dialect's prefix"},
      {"/v1/chat/completions/", false, Kind::chat, "openai_chat", "", "with a slash at the end"},
      {"/v1/chat/completions", true, Kind::chat, "openai_chat", "", "the path counts more than the field"},
      {"/v1/messages", false, Kind::chat, "anthropic_messages", "", "as Anthropic has it"},
      {"/messages", false, Kind::chat, "anthropic_messages", "", "without /v1"},
      {"/anthropic/v1/messages", false, Kind::chat, "anthropic_messages", "", "with the dialect's prefix"},
      {"/v1/models", false, Kind::models, "openai_chat", "", "the list"},
      {"/v1/models", true, Kind::models, "anthropic_messages", "", "the list for Anthropic's SDK"},
      {"/anthropic/v1/models", false, Kind::models, "anthropic_messages", "", "the list by prefix"},
      {"/v1/models/", false, Kind::models, "openai_chat", "", "the list with a slash"},
      {"/v1/models/org/name", false, Kind::models, "openai_chat", "org/name",
       "one, with a slash in its name"},
      {"/v1/responses", false, Kind::chat, "openai_responses", "", "OpenAI's newer API"},
      {"/v1/responses/resp_1", false, Kind::stored_response, "openai_responses", "resp_1",
       "one that is kept"},
      {"/openai/responses/resp_1/cancel/", false, Kind::stored_response, "openai_responses", "resp_1",
       "what is done with it"},
      {"/v1/responses//", false, Kind::stored_response, "openai_responses", "", "none"},
      {"/v1/responsesx", false, Kind::unknown, "openai_chat", "", "not responses"},
      {"/v1/completions", false, Kind::chat, "openai_completions", "", "OpenAI's older API"},
      {"/v1/embeddings", false, Kind::embeddings, "openai_chat", "", "vectors"},
      {"/v1/feedback", false, Kind::feedback, "openai_chat", "", "what callers say of answers"},
      {"/anthropic/v1/feedback", false, Kind::feedback, "anthropic_messages", "", "in their dialect"},
      {"/v1/messages/count_tokens", false, Kind::count_tokens, "anthropic_messages", "", "a count"},
      {"/v1beta/models/m:generateContent", false, Kind::chat, "gemini", "m", "as Gemini has it"},
      {"/v1/models/m:streamGenerateContent", false, Kind::chat, "gemini", "m", "its newer SDKs"},
      {"/gemini/v1beta/models/m:countTokens", false, Kind::count_tokens, "gemini", "m", "with the prefix"},
      {"/v1beta/models/m:batchEmbedContents", false, Kind::embeddings, "gemini", "m", "vectors of Gemini"},
      {"/v1beta/models/a%2Fb:c:generateContent", false, Kind::chat, "gemini", "a/b:c",
       "a slash that is encoded, and a colon in the name"},
      {"/v1beta/models/openai/gpt-x:generateContent", false, Kind::chat, "gemini", "openai/gpt-x",
       "a slash as it is"},
      {"/v1beta/publishers/google/models/m:generateContent", false, Kind::chat, "gemini", "m", "Vertex"},
      {"/v1beta/models", false, Kind::models, "gemini", "", "the list for Gemini"},
      {"/v1beta/models/m:c", false, Kind::models, "gemini", "m:c", "a colon in a model's name"},
      {"/v1beta/openai/chat/completions", false, Kind::chat, "openai_chat", "", "Google's OpenAI layer"},
      {"/openai/deployments/d-1/chat/completions", false, Kind::chat, "openai_chat", "d-1", "Azure"},
      {"/openai/deployments/d-1/embeddings", false, Kind::embeddings, "openai_chat", "d-1",
       "Azure's vectors"},
      {"/openai/deployments//chat/completions", false, Kind::unknown, "openai_chat", "", "no deployment"},
      {"/openai/deployments/d", false, Kind::unknown, "openai_chat", "d", "half of Azure's path"},
      {"/", false, Kind::unknown, "openai_chat", "", "the root"},
      {"/v1", false, Kind::unknown, "openai_chat", "", "the base alone"},
      {"/v1x/chat/completions", false, Kind::unknown, "openai_chat", "", "not /v1"},
      {"/v1/modelsx", false, Kind::unknown, "openai_chat", "", "not models"},
      {"/openaix/chat/completions", false, Kind::unknown, "openai_chat", "", "not the prefix"},
      {"/v1/chat", false, Kind::unknown, "openai_chat", "", "half a path"},
      {"/v1/Chat/Completions", false, Kind::unknown, "openai_chat", "", "paths have their case"},
      {"/v1/../chat/completions", false, Kind::unknown, "openai_chat", "", "nothing is resolved"},
      {"/anthropic/x", false, Kind::unknown, "anthropic_messages", "", "an error in the prefix's dialect"},
      {"", false, Kind::unknown, "openai_chat", "", "nothing"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const Route route = find_route(row.path, {.anthropic_version = row.anthropic_version});
    EXPECT_EQ(route.kind, row.kind);
    ASSERT_NE(route.dialect, nullptr);
    EXPECT_EQ(route.dialect->name(), row.dialect);
    EXPECT_EQ(route.model, row.model);
  }
}

TEST(PresentedKey, IsFoundWhereverSdksPutIt) {
  const struct {
    const char *query, *fields;
    const char* key;
    const char* why;
  } rows[] = {
      {"", "", "", "none"},
      {"", "Authorization: Bearer k\r\n", "k", "OpenAI"},
      {"", "authorization: bearer   k\r\n", "k", "small letters, more spaces"},
      {"", "Authorization: Basic k\r\n", "", "another scheme"},
      {"", "Authorization: Bearer\r\n", "", "a scheme alone"},
      {"", "x-api-key: k\r\n", "k", "Anthropic"},
      {"", "api-key: k\r\n", "k", "Azure"},
      {"", "x-goog-api-key: k\r\n", "k", "Gemini"},
      {"?key=k", "", "k", "Gemini's query"},
      {"?a=b&key=k&c", "", "k", "among others"},
      {"?monkey=k", "", "", "another parameter"},
      {"", "x-api-key: k\r\nAuthorization: Bearer first\r\n", "first", "Authorization comes first"},
      {"", "Authorization: Basic x\r\nx-api-key: k\r\n", "k", "a scheme that is not ours is passed over"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    http::Request request;
    http::RequestParser parser(request, 4096, 4096);
    parser.feed("GET /" + std::string(row.query) + " HTTP/1.1\r\nHost: a\r\n" + row.fields + "\r\n");
    ASSERT_TRUE(parser.is_done());
    EXPECT_EQ(presented_key(request), row.key);
  }
}

class EndpointsTest : public test::Rig {
 protected:
  // The answer to a request without a body.
  std::string get(const std::string& line, const std::string& fields = {}) {
    auto peer = connect();
    peer.send(loop, line + " HTTP/1.1\r\nhost: gateway\r\n" + fields + "\r\n");
    return answer(peer);
  }
};

const std::string kKeys =
    "keys:\n"
    "  - { name: all, secret: secret-of-all }\n"
    "  - { name: one, secret: secret-of-one, models: [ a ] }\n";

TEST_F(EndpointsTest, RefusalsAreInTheDialectOfThePath) {
  serve("  a: { targets: [ { provider: p0 } ] }\n  b: { targets: [ { provider: p0 } ] }\n", kKeys);
  const std::string key = "authorization: Bearer secret-of-one\r\n";

  const struct {
    const char *path, *body;
    std::string fields;
    const char *status, *says;
    const char* why;
  } rows[] = {
      {"/v1/chat/completions", "{}", "", "401", "invalid_api_key", "no key"},
      {"/v1/messages", "{}", "", "401", "authentication_error", "no key, Anthropic"},
      {"/v1/messages", "{}", "x-api-key: nonsense\r\n", "401", "authentication_error", "a wrong key"},
      {"/v1/chat/completions", "nonsense", key, "400", "invalid_request_error", "no JSON"},
      {"/v1/messages", "{}", key, "400", "invalid_request_error", "no model"},
      {"/v1/chat/completions", R"({"model":"b","messages":[]})", key, "403", "permission_error",
       "a model that the key may not use"},
      {"/v1/messages", R"({"model":"b","messages":[]})", key, "403", "permission_error",
       "the same, Anthropic"},
      {"/v1/chat/completions", R"({"model":"x","messages":[]})", key, "404", "model_not_found",
       "no such model"},
      {"/v1/messages", R"({"model":"x","messages":[]})", key, "404", "not_found_error",
       "no such model, Anthropic"},
      {"/v1/nothing", "{}", key, "404", "no such endpoint", "no such path"},
      {"/v1/models", "{}", key, "405", "method", "a list is not posted to"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    auto peer = connect();
    send(peer, row.path, row.body, row.fields);
    const std::string reply = answer(peer);
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 " + std::string(row.status))) << reply;
    EXPECT_NE(reply.find(row.says), std::string::npos) << reply;
    EXPECT_NE(reply.find("\r\nx-request-id: req_"), std::string::npos) << reply;
    EXPECT_EQ(reply.find("secret-of"), std::string::npos);
  }
  EXPECT_TRUE(get("GET /v1/chat/completions", key).starts_with("HTTP/1.1 405"));
  EXPECT_TRUE(nobody_called(0));
  EXPECT_TRUE(counted(
      R"(switchyard_requests_total{model="none",provider="none",dialect="openai_chat",outcome="client_error"})"));
}

TEST_F(EndpointsTest, ListsWhatTheKeyMayUse) {
  serve(
      "  a: { targets: [ { provider: p0 } ] }\n  b: { targets: [ { provider: p0 } ] }\n"
      "  \"c-*\": { targets: [ { provider: p0 } ] }\n",
      kKeys);
  const std::string all = get("GET /v1/models", "api-key: secret-of-all\r\n");
  EXPECT_NE(all.find(R"("id":"a")"), std::string::npos) << all;
  EXPECT_NE(all.find(R"("id":"b")"), std::string::npos) << all;
  EXPECT_EQ(all.find("c-"), std::string::npos) << "a pattern is no name";
  const std::string one = get("GET /v1/models", "api-key: secret-of-one\r\n");
  EXPECT_NE(one.find(R"("id":"a")"), std::string::npos);
  EXPECT_EQ(one.find(R"("id":"b")"), std::string::npos);
  EXPECT_TRUE(get("GET /v1/models/c-1", "api-key: secret-of-all\r\n").starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(get("GET /v1/models/b", "api-key: secret-of-one\r\n").starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(get("GET /v1/models/x", "api-key: secret-of-all\r\n").starts_with("HTTP/1.1 404"));
  const std::string anthropic = get("GET /v1/models/a", "api-key: secret-of-one\r\nanthropic-version: 1\r\n");
  EXPECT_NE(anthropic.find(R"("type":"model")"), std::string::npos) << anthropic;
  EXPECT_NE(anthropic.find("\r\nrequest-id: "), std::string::npos) << anthropic;
}

TEST_F(EndpointsTest, TheCallersOwnRequestIdIsKeptWhenItIsHarmless) {
  serve("  a: { targets: [ { provider: p0 } ] }\n");
  EXPECT_NE(
      get("GET /v1/models", "x-request-id: mine-1.2:3_4\r\n").find("\r\nx-request-id: mine-1.2:3_4\r\n"),
      std::string::npos);
  for (const std::string& id : {std::string("a b"), std::string("\"quoted\""), std::string(129, 'a')}) {
    const std::string reply = get("GET /v1/models", "x-request-id: " + id + "\r\n");
    EXPECT_NE(reply.find("\r\nx-request-id: req_"), std::string::npos) << reply;
  }
}

TEST_F(EndpointsTest, WhatIsNoRequestIsAnsweredAsJson) {
  serve("  a: { targets: [ { provider: p0 } ] }\n");
  auto peer = connect();
  peer.send(loop, "POST /v1/messages HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999\r\n\r\n");
  const std::string reply = answer(peer);
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 413")) << reply;
  EXPECT_NE(reply.find("request_too_large"), std::string::npos) << reply;
}

}  // namespace
}  // namespace switchyard::relay
