// The dialects that providers speak and no client does: what the golden files do not show.
#include "adapters/dialects/provider_dialect.h"

#include "tests/unit/dialects/aws_frames.h"
#include "tests/unit/dialects/dump.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <set>

namespace switchyard {
namespace {

using nlohmann::json;

const Dialect* const kDialects[] = {&bedrock_converse(), &cohere_chat()};

TargetTraits claude() {
  TargetTraits target;
  target.model = "anthropic.claude-sonnet-4-5-20250929-v1:0";
  target.reasoning_control = TargetTraits::ReasoningControl::budget;
  return target;
}

json written(const Dialect& dialect, const ChatRequest& request, const TargetTraits& target = claude()) {
  const auto result = dialect.write_request(request, target);
  EXPECT_TRUE(result) << result.error().message;
  return result ? json::parse(result->body) : json();
}

ChatRequest asking(std::vector<Part> parts) {
  ChatRequest request;
  request.messages.push_back({Role::user, std::move(parts), {}});
  return request;
}

TEST(ProviderDialect, HasNoClients) {
  for (const Dialect* dialect : kDialects) {
    SCOPED_TRACE(dialect->name());
    EXPECT_EQ(find_dialect(dialect->name()), dialect);
    EXPECT_EQ(dialect->parse_request("{}").error().kind, ErrorKind::invalid_request);
    EXPECT_EQ(dialect->make_scanner({}), nullptr);
  }
  EXPECT_EQ(bedrock_converse().framing(), Framing::aws_event_stream);
  EXPECT_EQ(cohere_chat().framing(), Framing::server_sent_events);
}

TEST(ProviderDialect, UsageIsReadOutOfAReply) {
  const auto usage = bedrock_converse().scan_reply(
      R"({"output":{"message":{"content":[]}},"usage":{"inputTokens":3,"outputTokens":4}})");
  ASSERT_TRUE(usage);
  EXPECT_EQ(*usage, (Usage{.input_tokens = 3, .output_tokens = 4}));
  EXPECT_EQ(cohere_chat().scan_reply("{}").error().kind, ErrorKind::bad_reply);
}

// A client that hands back what it got: thinking, its signature and the ids of calls are what they were.
TEST(ProviderDialect, SignedThinkingAndIdsComeBackThroughEveryClient) {
  const std::string bedrock_reply =
      R"({"output":{"message":{"role":"assistant","content":[
          {"reasoningContent":{"reasoningText":{"text":"a city","signature":"c2ln+/=="}}},
          {"reasoningContent":{"redactedContent":"ZGF0YQ=="}},
          {"toolUse":{"toolUseId":"tooluse_1","name":"weather","input":{"city":"Paris"}}}]}},
          "stopReason":"tool_use","usage":{"inputTokens":1,"outputTokens":1}})";
  const std::string cohere_reply =
      R"({"id":"1","finish_reason":"TOOL_CALL","message":{"role":"assistant","tool_plan":"I will look.",
          "tool_calls":[{"id":"weather_1","type":"function",
                         "function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}}]}})";
  for (const Dialect* client : {&openai_chat(), &anthropic_messages()}) {
    for (const Dialect* dialect : kDialects) {
      SCOPED_TRACE(std::string(client->name()) + " to " + std::string(dialect->name()));
      const bool is_bedrock = dialect == &bedrock_converse();
      std::vector<Event> events;
      ASSERT_TRUE(dialect->parse_reply(is_bedrock ? bedrock_reply : cohere_reply, events));
      const json reply = json::parse(client->write_reply(events, {"req_1", "m", 1, true}));
      json body{{"model", "m"}, {"max_tokens", 4096}, {"messages", {{{"role", "user"}, {"content", "?"}}}}};
      const std::string id = is_bedrock ? "tooluse_1" : "weather_1";
      if (client == &openai_chat()) {
        body["messages"].push_back(reply["choices"][0]["message"]);
        body["messages"].push_back({{"role", "tool"}, {"tool_call_id", id}, {"content", "18"}});
        body["reasoning_effort"] = "low";
      } else {
        body["messages"].push_back({{"role", "assistant"}, {"content", reply["content"]}});
        body["messages"].push_back(
            {{"role", "user"},
             {"content", {{{"type", "tool_result"}, {"tool_use_id", id}, {"content", "18"}}}}});
        body["thinking"] = {{"type", "enabled"}, {"budget_tokens", 1024}};
      }
      const auto request = client->parse_request(body.dump());
      ASSERT_TRUE(request) << request.error().message;
      const json sent = written(*dialect, *request);
      const json& turn = sent["messages"][1];
      if (is_bedrock) {
        EXPECT_EQ(turn["content"], json::parse(bedrock_reply)["output"]["message"]["content"]) << turn;
        EXPECT_EQ(sent["messages"][2]["content"][0]["toolResult"]["toolUseId"], id);
      } else {
        json expected = json::parse(cohere_reply)["message"];
        EXPECT_EQ(turn, expected);
        EXPECT_EQ(sent["messages"][2]["tool_call_id"], id);
      }
    }
  }
}

TEST(BedrockConverse, AnIdThatIsNotAllowedBecomesAnother) {
  std::set<std::string> ids;
  const std::string longest(64, 'a');
  for (const std::string& id : {std::string("call_1"), std::string("call:1"), std::string("call.1"),
                                std::string(), longest, longest + "b", longest + "c"}) {
    ChatRequest request = asking({TextPart{"?", {}}});
    request.messages.push_back(
        {Role::assistant, {ToolCallPart{.id = id, .name = "f", .arguments = "{}"}}, {}});
    request.messages.push_back({Role::user, {ToolResultPart{id, {TextPart{"r", {}}}, false}}, {}});
    const json sent = written(bedrock_converse(), request);
    const std::string used = sent["messages"][1]["content"][0]["toolUse"]["toolUseId"];
    EXPECT_EQ(sent["messages"][2]["content"][0]["toolResult"]["toolUseId"], used);
    EXPECT_LE(used.size(), 64u);
    EXPECT_EQ(used.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"),
              used.npos);
    EXPECT_TRUE(ids.insert(used).second) << used;
  }
  EXPECT_TRUE(ids.contains("call_1") && ids.contains(longest)) << "what is allowed stays";
}

TEST(BedrockConverse, ADocumentsNameKeepsToWhatIsAllowed) {
  const struct {
    const char* name;
    const char* written;
  } rows[] = {{"report.pdf", "report"},          {"a/b_c  d.txt", "a b c d"}, {"", "document"},
              {"Zoë (1) [x]-y", "Zo (1) [x]-y"}, {".hidden", "hidden"},       {"...", "document"}};

  for (const auto& row : rows) {
    DocumentPart part{
        .media_type = "application/pdf", .data = "JVBERi0=", .url = {}, .file_id = {}, .name = row.name};
    const json sent = written(bedrock_converse(), asking({part, TextPart{"?", {}}}));
    EXPECT_EQ(sent["messages"][0]["content"][0]["document"]["name"], row.written) << row.name;
  }
}

TEST(BedrockConverse, AStreamThatOpensBlocksForeverIsRefused) {
  std::string text;
  for (int i = 0; i < 100; ++i) {
    text += R"(event contentBlockStart {"contentBlockIndex":)" + std::to_string(i) +
            R"(,"start":{"toolUse":{"toolUseId":"t","name":"f"}}})" + "\n";
  }
  const auto parser = bedrock_converse().make_event_parser();
  std::vector<Event> events;
  const auto fed = parser->feed(encode_aws_frames(text), events);
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().kind, ErrorKind::bad_reply);
}

TEST(BedrockConverse, OnlyModelsThatTakeCachePointsGetThem) {
  const ChatRequest request = asking({TextPart{"long", R"({"type":"ephemeral","ttl":"1h"})"}});
  TargetTraits target = claude();
  EXPECT_EQ(written(bedrock_converse(), request, target)["messages"][0]["content"][1]["cachePoint"],
            (json{{"type", "default"}, {"ttl", "1h"}}));
  target.model = "amazon.nova-pro-v1:0";
  EXPECT_EQ(written(bedrock_converse(), request, target)["messages"][0]["content"][1]["cachePoint"],
            (json{{"type", "default"}}));
  target.model = "meta.llama3-3-70b-instruct-v1:0";
  EXPECT_EQ(written(bedrock_converse(), request, target)["messages"][0]["content"].size(), 1u);
}

TEST(ProviderDialect, AForcedHostedToolIsRefusedAndOthersAreNamed) {
  for (const Dialect* dialect : kDialects) {
    ChatRequest request = asking({TextPart{"?", {}}});
    request.hosted_tools = {"web_search"};
    const auto result = dialect->write_request(request, claude());
    ASSERT_TRUE(result);
    EXPECT_EQ(result->dropped, std::vector<std::string>{"tools.web_search"});
    request.hosted_tool_is_forced = true;
    const auto refused = dialect->write_request(request, claude());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::unsupported);
    EXPECT_EQ(refused.error().param, "tool_choice");
  }
}

// Nothing may stand between the results of one turn's calls, though each comes in a message of its own.
TEST(CohereChat, WhatResultsBroughtBesidesTextComesBehindThemAll) {
  const ImagePart image{.media_type = "image/png", .data = "iVBORw0KGgo=", .url = {}, .detail = {}};
  ChatRequest request = asking({TextPart{"?", {}}});
  request.messages.push_back({Role::assistant,
                              {ToolCallPart{.id = "a", .name = "f", .arguments = "{}"},
                               ToolCallPart{.id = "b", .name = "f", .arguments = R"({"broken)"}},
                              {}});
  request.messages.push_back({Role::user, {ToolResultPart{"a", {image}, false}}, {}});
  request.messages.push_back({Role::user, {ToolResultPart{"b", {TextPart{"r", {}}}, false}}, {}});
  const auto roles = [&] {
    std::string out;
    const json sent = written(cohere_chat(), request);
    for (const json& message : sent["messages"]) out += message["role"].get<std::string>() + " ";
    return out;
  };
  EXPECT_EQ(roles(), "user assistant tool tool user ");
  const json calls = written(cohere_chat(), request)["messages"][1]["tool_calls"];
  EXPECT_EQ(calls[1]["function"]["arguments"], R"({"arguments":"{\"broken"})");
  request.messages.push_back({Role::user, {TextPart{"and?", {}}}, {}});
  EXPECT_EQ(roles(), "user assistant tool tool user ");
  EXPECT_EQ(written(cohere_chat(), request)["messages"][4]["content"].size(), 3u);
  request.messages.back().role = Role::system;
  request.messages.push_back({Role::user, {TextPart{"and?", {}}}, {}});
  EXPECT_EQ(roles(), "user assistant tool tool user system user ");
}

TEST(ProviderError, SaysWhoseFaultItIsAndKeepsSecrets) {
  const struct {
    int status;
    const char* message;
    ErrorKind kind;
    const char* shown;
  } rows[] = {
      {400, "temperature is too high", ErrorKind::invalid_request, "temperature is too high"},
      {400, "key=abc is wrong", ErrorKind::invalid_request, "the provider refused the request"},
      {400, "arn:aws:bedrock:us-east-1:123456789012:x", ErrorKind::invalid_request,
       "the provider refused the request"},
      {400, "Input is too long for requested model.", ErrorKind::context_too_long,
       "Input is too long for requested model."},
      {401, "bad", ErrorKind::credential, "the provider refused the gateway's credential"},
      {404, "no such\nmodel", ErrorKind::not_found, "no such model"},
      {413, "", ErrorKind::too_large, "the provider finds the request too large"},
      {429, "slow down, account 123", ErrorKind::rate_limited, "the provider limits the rate of requests"},
      {503, "10.0.0.1 is down", ErrorKind::overloaded, "the provider is overloaded"},
      {418, "teapot", ErrorKind::provider_error, "the provider failed with status 418"},
      {0, "broken", ErrorKind::provider_error, "the provider failed in the middle of its answer"},
  };

  for (const auto& row : rows) {
    const Error error = provider_error(row.status, row.message);
    EXPECT_EQ(name_of(error.kind), name_of(row.kind)) << row.message;
    EXPECT_EQ(error.message, row.shown);
    EXPECT_EQ(error.upstream_status, row.status);
  }
  const Error cut = provider_error(400, std::string(499, 'x') + "ü");
  EXPECT_EQ(cut.message, std::string(499, 'x')) << "never inside a character";
}

}  // namespace
}  // namespace switchyard
