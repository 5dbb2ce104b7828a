#include "gateway/routing/facts.h"

#include <gtest/gtest.h>

namespace switchyard::routing {
namespace {

using namespace std::chrono_literals;

BodyFacts facts_of(std::string_view body) {
  const BodyFacts facts = read_body_facts(body, body.size());
  // With room behind it the body is read in place, with the same outcome.
  std::string roomy(body);
  roomy.resize(body.size() + 128);
  const BodyFacts in_place = read_body_facts(std::string_view(roomy).substr(0, body.size()), roomy.size());
  EXPECT_EQ(facts.prompt, in_place.prompt);
  EXPECT_EQ(facts.instructions, in_place.instructions);
  EXPECT_EQ(facts.session, in_place.session);
  return facts;
}

TEST(BodyFacts, OfOpenAiChat) {
  const auto facts = facts_of(R"({"model":"m","messages":[{"role":"system","content":"Be brief."},
    {"role":"user","content":[{"type":"text","text":"What is this?"},
     {"type":"image_url","image_url":{"url":"https://a.example/b.png"}}]}],
    "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],
    "response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{}}},
    "max_completion_tokens":512,"stream":true,"reasoning_effort":"high","user":"u-1",
    "metadata":{"team":"billing","n":7,"flag":true,"none":null},"prompt_cache_key":"agent-3"})");
  EXPECT_TRUE(facts.has_tools && facts.has_images && facts.wants_json && facts.stream &&
              facts.wants_reasoning);
  EXPECT_EQ(facts.asked_tokens, 512u);
  EXPECT_EQ(facts.session, "u-1");
  EXPECT_EQ(facts.cache_key, "agent-3");
  const std::vector<std::pair<std::string, std::string>> metadata{
      {"team", "billing"}, {"n", "7"}, {"flag", "true"}};
  EXPECT_EQ(facts.metadata, metadata);
  EXPECT_TRUE(facts.prompt.starts_with(R"([{"role":"system")")) << facts.prompt;
  EXPECT_TRUE(facts.prompt.ends_with("}]")) << facts.prompt;
}

TEST(BodyFacts, OfAnthropicMessages) {
  const auto facts = facts_of(R"({"model":"m","max_tokens":100,"system":[{"type":"text","text":"You are"}],
    "thinking":{"type":"enabled","budget_tokens":2000},"metadata":{"user_id":"user_1_session_2"},
    "messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":
      [{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}]}]})");
  EXPECT_TRUE(facts.has_images && facts.wants_reasoning);
  EXPECT_FALSE(facts.has_tools || facts.wants_json || facts.stream);
  EXPECT_EQ(facts.asked_tokens, 100u);
  EXPECT_EQ(facts.session, "user_1_session_2");
  EXPECT_EQ(facts.instructions, R"([{"type":"text","text":"You are"}])");
}

TEST(BodyFacts, OfGemini) {
  const auto facts = facts_of(R"({"contents":[{"role":"user","parts":[{"text":"hi"},
    {"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}],"systemInstruction":{"parts":[{"text":"Be"}]},
    "generationConfig":{"maxOutputTokens":64,"responseMimeType":"application/json","thinkingConfig":{}},
    "tools":[{"functionDeclarations":[{"name":"f"}]}]})");
  EXPECT_TRUE(facts.has_images && facts.wants_json && facts.wants_reasoning && facts.has_tools);
  EXPECT_EQ(facts.asked_tokens, 64u);
  EXPECT_EQ(facts.instructions, R"({"parts":[{"text":"Be"}]})");
}

TEST(BodyFacts, OfOpenAiResponses) {
  auto facts = facts_of(R"({"model":"m","input":"Tell me","instructions":"Be brief","max_output_tokens":9,
    "text":{"format":{"type":"json_object"}},"reasoning":{"effort":"low"},"tools":[]})");
  EXPECT_TRUE(facts.wants_json && facts.wants_reasoning);
  EXPECT_FALSE(facts.has_tools || facts.has_images);
  EXPECT_EQ(facts.prompt, R"("Tell me")");
  EXPECT_EQ(facts.instructions, R"("Be brief")");
  facts = facts_of(R"({"input":[{"role":"user","content":[{"type":"input_image","image_url":"x"}]}],
    "reasoning":{"effort":"none"}})");
  EXPECT_TRUE(facts.has_images);
  EXPECT_FALSE(facts.wants_reasoning);
}

TEST(BodyFacts, AnySessionIdIsNearerThanAUser) {
  EXPECT_EQ(facts_of(R"({"metadata":{"user_id":"b"},"user":"a"})").session, "b");
  EXPECT_EQ(facts_of(R"({"user":"a","metadata":{"user_id":"b"}})").session, "b");
  EXPECT_EQ(facts_of(R"({"metadata":{"session_id":"c","user_id":"b"}})").session, "c");
  EXPECT_EQ(facts_of(R"({"metadata":{"user_id":"b","session_id":"c"},"user":"a"})").session, "c");
}

TEST(BodyFacts, WhatIsNoRequestSaysItsSizeAlone) {
  for (const char* body :
       {"", "[]", "null", "{", R"({"messages":[{"content":[{"type")", R"({"tools":7,"messages":{}})",
        R"({"max_tokens":"many","user":5,"metadata":[],"stream":"yes"})"}) {
    const auto facts = facts_of(body);
    EXPECT_EQ(facts.input_tokens, std::string_view(body).size() / 4) << body;
    EXPECT_FALSE(facts.has_tools || facts.has_images || facts.stream) << body;
    EXPECT_EQ(facts.asked_tokens, 0u) << body;
    EXPECT_TRUE(facts.session.empty() && facts.metadata.empty()) << body;
  }
}

TEST(EstimateInputTokens, CountsTextByBytesAndImagesByTheirNumber) {
  EXPECT_EQ(estimate_input_tokens(std::string(4'000, 'a')), 1'000u);
  const std::string base64(40'000, 'A');
  const std::string url = R"({"url":"data:image/png;base64,)" + base64 + R"("})";
  EXPECT_EQ(estimate_input_tokens(url), 1'000 + (url.size() - base64.size()) / 4);
  const std::string two = R"({"data" : ")" + base64 + R"(","x":{"data":")" + base64 + R"("}})";
  EXPECT_EQ(estimate_input_tokens(two), 2'000 + (two.size() - 2 * base64.size()) / 4);
  const std::string prose = R"({"data":")" + std::string(100, 'a') + std::string(400, ' ') + R"("})";
  EXPECT_EQ(estimate_input_tokens(prose), prose.size() / 4) << "text that is named data is text";
  EXPECT_EQ(estimate_input_tokens(R"({"data":")" + base64), 1'000 + 2) << "cut off";
}

TEST(HasRoom, RefusesOnlyWhatIsSurelyTooLong) {
  EXPECT_TRUE(has_room(1'000'000, 0)) << "nothing is known of its context";
  EXPECT_TRUE(has_room(8'000, 8'192));
  EXPECT_TRUE(has_room(10'000, 8'192)) << "a third too high at most";
  EXPECT_FALSE(has_room(11'000, 8'192));
}

TEST(ExpectedOutput, IsTheLimitOrTheMean) {
  EXPECT_EQ(expected_output_tokens(0, 0), 0u);
  EXPECT_EQ(expected_output_tokens(500, 0), 500u);
  EXPECT_EQ(expected_output_tokens(500, 120.4), 120u);
  EXPECT_EQ(expected_output_tokens(50, 120.4), 50u);
  EXPECT_EQ(expected_output_tokens(0, 120.4), 120u);
}

TEST(ExpectedUsd, ByTheMillion) {
  const config::Prices prices{3, 15, 0.3};
  EXPECT_DOUBLE_EQ(expected_usd(prices, 1'000, 200), 0.003 + 0.003);
  EXPECT_DOUBLE_EQ(expected_usd(prices, 1'000, 0, 0.5), 0.0015 + 0.00015);
  EXPECT_LT(expected_usd(std::nullopt, 1'000, 200), 0);
  EXPECT_EQ(expected_usd(config::Prices{}, 1'000, 200), 0);
}

TEST(Condition, EverythingThatIsSetMustHold) {
  BodyFacts facts;
  facts.input_tokens = 5'000;
  facts.has_tools = true;
  facts.metadata = {{"team", "billing-eu"}};
  const HeaderLookup header = [](std::string_view name) -> std::string_view {
    return name == "x-tier" ? "gold" : "";
  };
  config::Condition all;
  all.keys = {"other", "app"};
  all.headers = {{"x-tier", "go*"}};
  all.metadata = {{"team", "billing-*"}};
  all.input_tokens_min = 5'000, all.input_tokens_max = 5'000;
  all.tools = true, all.images = false, all.json = false, all.stream = false;
  EXPECT_TRUE(is_met({}, "", header, facts)) << "nothing is asked";
  EXPECT_TRUE(is_met(all, "app", header, facts));

  const struct {
    void (*change)(config::Condition&);
    const char* why;
  } rows[] = {
      {[](config::Condition& c) { c.keys = {"other"}; }, "key"},
      {[](config::Condition& c) {
         c.headers = {{"x-tier", "gold"}, {"x-more", "1"}};
       },
       "header"},
      {[](config::Condition& c) {
         c.metadata = {{"team", "sales"}};
       },
       "metadata"},
      {[](config::Condition& c) {
         c.metadata = {{"absent", "*"}};
       },
       "absent metadata"},
      {[](config::Condition& c) { c.input_tokens_min = 5'001; }, "too short"},
      {[](config::Condition& c) { c.input_tokens_max = 4'999; }, "too long"},
      {[](config::Condition& c) { c.tools = false; }, "tools"},
      {[](config::Condition& c) { c.images = true; }, "images"},
      {[](config::Condition& c) { c.json = true; }, "json"},
      {[](config::Condition& c) { c.stream = true; }, "stream"},
  };

  for (const auto& row : rows) {
    config::Condition condition = all;
    row.change(condition);
    EXPECT_FALSE(is_met(condition, "app", header, facts)) << row.why;
  }
}

TEST(Affinity, BySessionAndByPrompt) {
  using config::Sticky;
  BodyFacts facts;
  EXPECT_EQ(affinity_of(Sticky::session, "", facts), 0u) << "no session, no affinity";
  EXPECT_EQ(affinity_of(Sticky::prompt, "", facts), 0u);
  facts.session = "s";
  EXPECT_EQ(affinity_of(Sticky::session, "", facts), hash_of("s"));
  EXPECT_EQ(affinity_of(Sticky::session, "h", facts), hash_of("h")) << "the header first";
  EXPECT_EQ(affinity_of(Sticky::none, "h", facts), 0u);

  const std::string head(1'500, 'a'), one = head + "one", other = head + "other";
  facts.prompt = one;
  const auto affinity = affinity_of(Sticky::prompt, "", facts);
  EXPECT_NE(affinity, 0u);
  facts.prompt = other;
  EXPECT_EQ(affinity_of(Sticky::prompt, "", facts), affinity) << "the first KiB is the same";
  facts.instructions = "x";
  EXPECT_NE(affinity_of(Sticky::prompt, "", facts), affinity);
  facts.cache_key = "k";
  EXPECT_EQ(affinity_of(Sticky::prompt, "", facts), hash_of("k")) << "the caller says what begins alike";
}

TEST(FirstTokenTimeout, AdaptsToEnoughSamples) {
  scoring::LatencyView times{500, 1'000, 4'000, 100};
  EXPECT_EQ(first_token_timeout(60s, times), 12s);
  EXPECT_EQ(first_token_timeout(10s, times), 10s) << "never above the configured one";
  times.ttft_ms_p99 = 200;
  EXPECT_EQ(first_token_timeout(60s, times), 5s);
  EXPECT_EQ(first_token_timeout(2s, times), 2s);
  times.samples = 99;
  EXPECT_EQ(first_token_timeout(60s, times), 60s);
}

TEST(Fallback, ByTheClassOfTheError) {
  const config::Fallbacks fallbacks{"long", "frank", "spare"};
  const auto model = [&](ErrorKind kind) { return fallback_model(fallbacks, Error(kind, "")); };
  EXPECT_EQ(model(ErrorKind::context_too_long), "long");
  EXPECT_EQ(fallback_model_for_refusal(fallbacks), "frank");
  for (const auto kind : {ErrorKind::exhausted, ErrorKind::unavailable, ErrorKind::rate_limited,
                          ErrorKind::first_token_timeout, ErrorKind::unsupported}) {
    EXPECT_EQ(model(kind), "spare");
  }
  for (const auto kind : {ErrorKind::invalid_request, ErrorKind::total_timeout, ErrorKind::cancelled,
                          ErrorKind::forbidden, ErrorKind::internal}) {
    EXPECT_EQ(model(kind), "");
  }
}

}  // namespace
}  // namespace switchyard::routing
