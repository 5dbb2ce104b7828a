#include "adapters/dialects/token_count.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace switchyard {
namespace {

using nlohmann::json;

TargetTraits traits(const char* model) {
  TargetTraits target;
  target.model = model;
  return target;
}

TEST(TokenCount, AnAnthropicBodyNeedsNoLimit) {
  for (const char* body : {R"({"model":"m","messages":[{"role":"user","content":"Hi"}]})",
                           R"( { "messages":[{"role":"user","content":"Hi"}], "model":"m" })"}) {
    const auto request = anthropic_count_tokens().parse_request(body);
    ASSERT_TRUE(request) << request.error().message;
    EXPECT_EQ(request->messages.size(), 1u);
  }
  for (const char* body :
       {"", "{}", "[]", R"({"model":"m"})", R"({"model":"m","messages":[{"role":"x"}]})"}) {
    const auto request = anthropic_count_tokens().parse_request(body);
    ASSERT_FALSE(request) << body;
    EXPECT_EQ(request.error().kind, ErrorKind::invalid_request);
  }
}

// Each asks the other's provider, with what counts and nothing that it would refuse.
TEST(TokenCount, CrossesDialects) {
  const auto from_anthropic = anthropic_count_tokens().parse_request(
      R"({"model":"m","system":"Be brief.","messages":[{"role":"user","content":"Hi"}],)"
      R"("tools":[{"name":"f","input_schema":{"type":"object"}}]})");
  ASSERT_TRUE(from_anthropic);
  const auto to_gemini = gemini_count_tokens().write_request(*from_anthropic, traits("gemini-2.5-pro"));
  ASSERT_TRUE(to_gemini) << to_gemini.error().message;
  const json asked = json::parse(to_gemini->body)["generateContentRequest"];
  EXPECT_EQ(asked["model"], "models/gemini-2.5-pro");
  EXPECT_EQ(asked["contents"][0]["parts"][0]["text"], "Hi");
  EXPECT_EQ(asked["systemInstruction"]["parts"][0]["text"], "Be brief.");
  EXPECT_EQ(asked["tools"][0]["functionDeclarations"][0]["name"], "f");

  const auto from_gemini =
      gemini_count_tokens().parse_request(R"({"contents":[{"role":"user","parts":[{"text":"Hi"}]}]})");
  ASSERT_TRUE(from_gemini);
  const auto to_anthropic = anthropic_count_tokens().write_request(*from_gemini, traits("claude-sonnet-4-5"));
  ASSERT_TRUE(to_anthropic);
  const json sent = json::parse(to_anthropic->body);
  EXPECT_EQ(sent["model"], "claude-sonnet-4-5");
  EXPECT_FALSE(sent.contains("max_tokens"));
  EXPECT_EQ(sent["messages"].size(), 1u);
}

TEST(TokenCount, RepliesBothWays) {
  EXPECT_EQ(*anthropic_count_tokens().parse_reply(R"({"input_tokens":7})"), 7);
  EXPECT_EQ(*gemini_count_tokens().parse_reply(R"({"totalTokens":8,"promptTokensDetails":[]})"), 8);
  EXPECT_EQ(anthropic_count_tokens().write_reply(7), R"({"input_tokens":7})");
  EXPECT_EQ(gemini_count_tokens().write_reply(7), R"({"totalTokens":7})");
  for (const char* body : {"", "{}", R"({"input_tokens":"7"})", R"({"input_tokens":-1})", "<html>"}) {
    const auto reply = anthropic_count_tokens().parse_reply(body);
    ASSERT_FALSE(reply) << body;
    EXPECT_EQ(reply.error().kind, ErrorKind::bad_reply);
  }
}

TEST(TokenCount, AGuessCountsEverything) {
  ChatRequest request;
  const auto with = [&](Part part) {
    ChatRequest more = request;
    more.messages.push_back({Role::user, {std::move(part)}, {}});
    return estimate_tokens(more);
  };
  EXPECT_EQ(estimate_tokens(request), 0);
  EXPECT_EQ(with(TextPart{"12345678", {}}), 4 + 2);
  EXPECT_GT(with(ImagePart{"image/png", "AAAA", {}, {}}), 1000);
  EXPECT_GT(with(ToolCallPart{"i", "f", R"({"a":1})"}), 4);
  ToolResultPart result;
  result.content.emplace_back(TextPart{std::string(400, 'a'), {}});
  EXPECT_GT(with(result), 100);
  request.tools.push_back({"f", "does", R"({"type":"object"})", {}, {}});
  EXPECT_GT(estimate_tokens(request), 8);
}

}  // namespace
}  // namespace switchyard
