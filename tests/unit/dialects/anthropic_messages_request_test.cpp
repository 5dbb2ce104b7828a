#include "adapters/dialects/dialect.h"
#include "config/provider_types.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>

namespace switchyard {
namespace {

using nlohmann::json;

const Dialect& dialect() {
  return anthropic_messages();
}

TargetTraits target(std::string_view model) {
  return target_traits(*find_provider_type("anthropic"), model);
}

constexpr const char* kOlder = "claude-sonnet-4-5";
constexpr const char* kNewer = "claude-opus-4-8";

// An OpenAI request of a user who says hi, with `rest` behind it.
ChatRequest openai(const std::string& rest,
                   const std::string& messages = R"([{"role":"user","content":"hi"}])") {
  const auto request = openai_chat().parse_request(R"({"model":"m","messages":)" + messages +
                                                   (rest.empty() ? "" : ",") + rest + "}");
  EXPECT_TRUE(request) << (request ? "" : request.error().message);
  return request ? *request : ChatRequest();
}

struct Written {
  json body;
  std::string dropped;
};

Written written(const ChatRequest& request, std::string_view model = kOlder) {
  const auto result = dialect().write_request(request, target(model));
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  if (!result) return {};
  Written out{json::parse(result->body), {}};
  for (const std::string& name : result->dropped) out.dropped += (out.dropped.empty() ? "" : " ") + name;
  return out;
}

std::string refused(const ChatRequest& request, TargetTraits traits = target(kOlder)) {
  const auto result = dialect().write_request(request, traits);
  if (result) return "written";
  return std::string(name_of(result.error().kind)) + " " + result.error().param;
}

TEST(AnthropicWriteRequest, Sampling) {
  const struct {
    const char* rest;
    const char* model;
    const char* sent;
    const char* dropped;
    const char* why;
  } rows[] = {
      {R"("temperature":0.3)", kOlder, R"({"temperature":0.3})", "", "as it is"},
      {R"("temperature":1.7)", kOlder, R"({"temperature":1.0})", "temperature", "clamped"},
      {R"("temperature":0.3)", kNewer, "{}", "temperature", "refused by the model"},
      {R"("temperature":1,"top_p":1)", kNewer, "{}", "", "the default is no loss"},
      {R"("top_p":0.5)", kOlder, R"({"top_p":0.5})", "", "as it is"},
      {R"("temperature":0.3,"top_p":0.5)", kOlder, R"({"temperature":0.3})", "top_p", "not both"},
      {R"("top_k":5)", kOlder, R"({"top_k":5})", "", "as it is"},
      {R"("top_k":5,"min_p":0.1,"seed":1)", kNewer, "{}", "top_k min_p seed", "all refused"},
      {R"("frequency_penalty":0,"presence_penalty":0.5)", kOlder, "{}", "presence_penalty",
       "zero is no loss"},
      {R"("temperature":0.3,"top_k":5,"reasoning_effort":"low")", kOlder, "{}", "temperature top_k",
       "not with thinking"},
      {R"("stop":["a"," \n"])", kOlder, R"({"stop_sequences":["a"]})", "stop", "blank ones are refused"},
      {R"("service_tier":"flex")", kOlder, "{}", "service_tier", "not one of theirs"},
      {R"("service_tier":"auto")", kOlder, R"({"service_tier":"auto"})", "", "one of theirs"},
      {R"("user":"u","metadata":{"a":"b"})", kOlder, R"({"metadata":{"user_id":"u"}})", "metadata",
       "the user only"},
      {R"("n":1,"logprobs":false,"logit_bias":{})", kOlder, "{}", "", "nothing asked for"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    Written out = written(openai(row.rest), row.model);
    for (const char* name : {"model", "max_tokens", "messages", "thinking"}) out.body.erase(name);
    EXPECT_EQ(out.body, json::parse(row.sent));
    EXPECT_EQ(out.dropped, row.dropped);
  }
}

TEST(AnthropicWriteRequest, Reasoning) {
  const struct {
    const char* rest;
    const char* model;
    const char* thinking;
    const char* effort;
    int max_tokens;
    const char* why;
  } rows[] = {
      {R"("max_tokens":100)", kOlder, "null", "null", 100, "not asked for"},
      {R"("reasoning_effort":"none","max_tokens":100)", kOlder, "null", "null", 100,
       "older models do not think untold"},
      {R"("reasoning_effort":"none","max_tokens":100)", kNewer, R"({"type":"disabled"})", "null", 100,
       "newer ones do"},
      {R"("reasoning_effort":"none","max_tokens":100)", "claude-fable-5", "null", "null", 100,
       "cannot be told"},
      {R"("reasoning_effort":"minimal","max_tokens":9000)", kOlder,
       R"({"type":"enabled","budget_tokens":1024})", "null", 9000, "the least"},
      {R"("reasoning_effort":"low","max_tokens":10000)", kOlder, R"({"type":"enabled","budget_tokens":2000})",
       "null", 10000, "a fifth"},
      {R"("reasoning_effort":"medium")", kOlder, R"({"type":"enabled","budget_tokens":16000})", "null", 32000,
       "half of the default"},
      {R"("reasoning_effort":"high","max_tokens":10000)", kOlder,
       R"({"type":"enabled","budget_tokens":8000})", "null", 10000, "four fifths"},
      {R"("reasoning_effort":"xhigh","max_tokens":10000)", kOlder,
       R"({"type":"enabled","budget_tokens":9500})", "null", 10000, "nearly all"},
      {R"("reasoning_effort":"high","max_tokens":50)", kOlder, R"({"type":"enabled","budget_tokens":1024})",
       "null", 1074, "never under 1024: the limit is raised"},
      {R"("reasoning_effort":"minimal")", kNewer, R"({"type":"adaptive"})", R"("low")", 32000,
       "no such word there"},
      {R"("reasoning_effort":"max")", kNewer, R"({"type":"adaptive"})", R"("max")", 32000, "the same word"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const json body = written(openai(row.rest), row.model).body;
    EXPECT_EQ(body.value("thinking", json()), json::parse(row.thinking));
    EXPECT_EQ(body.value("output_config", json::object()).value("effort", json()), json::parse(row.effort));
    EXPECT_EQ(body["max_tokens"], row.max_tokens);
  }
  ChatRequest budget = openai("");
  budget.reasoning = Reasoning{.effort = {}, .budget_tokens = 40000};
  EXPECT_EQ(written(budget).body["max_tokens"], 32000 + 40000) << "a budget over the limit raises it";
  EXPECT_EQ(written(budget, kNewer).body["output_config"]["effort"], "high") << "a word for a budget";
  TargetTraits plain = target(kOlder);
  plain.reasoning = false;
  const auto result = dialect().write_request(budget, plain);
  ASSERT_TRUE(result);
  EXPECT_FALSE(json::parse(result->body).contains("thinking"));
  EXPECT_EQ(result->dropped, std::vector<std::string>{"thinking"});
}

const char* const kTools =
    R"("tools":[{"type":"function","function":{"name":"f"}}],"reasoning_effort":"high","max_tokens":9000)";

TEST(AnthropicWriteRequest, ThinkingIsOffWhereItWouldBeRefused) {
  const std::string loop =
      R"([{"role":"user","content":"a"},
          {"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},
          {"role":"tool","tool_call_id":"c","content":"r"}])";
  Written out = written(openai(kTools, loop));
  EXPECT_FALSE(out.body.contains("thinking")) << "the loop began without thinking";
  EXPECT_EQ(out.dropped, "reasoning_effort");

  std::string over = loop;
  over.insert(over.size() - 1, R"(,{"role":"assistant","content":"done"},{"role":"user","content":"b"})");
  EXPECT_TRUE(written(openai(kTools, over)).body.contains("thinking")) << "that loop is over";
  EXPECT_EQ(written(openai(kTools, loop), kNewer).body["thinking"]["type"], "adaptive")
      << "which is not strict";

  const std::string forced = std::string(kTools) + R"(,"tool_choice":"required")";
  EXPECT_FALSE(written(openai(forced)).body.contains("thinking")) << "a forced call";
  EXPECT_EQ(written(openai(forced), kNewer).body["thinking"]["type"], "disabled");

  ChatRequest signed_loop = openai(kTools, loop);
  signed_loop.messages[1].parts.insert(signed_loop.messages[1].parts.begin(), ThinkingPart{"t", "sig", {}});
  out = written(signed_loop);
  EXPECT_TRUE(out.body.contains("thinking"));
  EXPECT_EQ(out.body["messages"][1]["content"][0]["type"], "thinking");

  signed_loop.reasoning.reset();
  EXPECT_EQ(written(signed_loop).body["messages"][1]["content"][0]["type"], "tool_use")
      << "off: none is sent";
  EXPECT_EQ(written(signed_loop, kNewer).body["messages"][1]["content"][0]["type"], "thinking")
      << "on untold";
}

TEST(AnthropicWriteRequest, MessagesTakeTheFormTheyMustHave) {
  const struct {
    const char* messages;
    const char* sent;
    const char* why;
  } rows[] = {
      {R"([{"role":"user","content":"a"},{"role":"user","content":"b"}])",
       R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}])", "merged"},
      {R"([{"role":"assistant","content":"a"},{"role":"user","content":"b"}])",
       R"([{"role":"user","content":"Continue."},{"role":"assistant","content":"a"},{"role":"user","content":"b"}])",
       "a user turn first"},
      {R"([{"role":"system","content":"a"}])", R"([{"role":"user","content":"Continue."}])",
       "a user turn at all"},
      {R"([{"role":"user","content":"a"},{"role":"assistant","content":""},{"role":"user","content":" \n"}])",
       R"([{"role":"user","content":"a"}])", "blank texts are refused"},
      {R"([{"role":"user","content":"a"},{"role":"assistant","content":"So  "}])",
       R"([{"role":"user","content":"a"},{"role":"assistant","content":"So"}])", "no space at the end"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    EXPECT_EQ(written(openai("", row.messages)).body["messages"], json::parse(row.sent));
  }
  EXPECT_EQ(refused(openai("", rows[4].messages), target(kNewer)), "unsupported messages");
  const json body = written(openai("", R"([{"role":"system","content":"a"},{"role":"user","content":"b"},
                                           {"role":"developer","content":"c"}])"))
                        .body;
  EXPECT_EQ(body["system"], "a\n\nc");
}

TEST(AnthropicWriteRequest, IdsAreMadeLegalTheSameWayEverywhere) {
  ChatRequest request = openai("", R"([{"role":"user","content":"a"}])");
  request.messages.push_back({Role::assistant,
                              {ToolCallPart{"call:1", "f", R"({"a":1})"}, ToolCallPart{"call.1", "f", "{"},
                               ToolCallPart{"call_1", "f", ""}},
                              {}});
  request.messages.push_back(
      {Role::user,
       {ToolResultPart{"call_1", {}, false}, ToolResultPart{"call.1", {TextPart{"y", {}}}, true},
        ToolResultPart{"call:1", {TextPart{"z", {}}}, false}},
       {}});
  const json turns = written(request).body["messages"];
  const json& calls = turns[1]["content"];
  const json& results = turns[2]["content"];
  EXPECT_EQ(calls[2]["id"], "call_1") << "a legal one stays";
  EXPECT_NE(calls[0]["id"], calls[1]["id"]);
  EXPECT_EQ(results[0], (json{{"type", "tool_result"}, {"tool_use_id", "call_1"}}));
  EXPECT_EQ(results[1]["tool_use_id"], calls[1]["id"]);
  EXPECT_EQ(results[1]["is_error"], true);
  EXPECT_EQ(results[2]["tool_use_id"], calls[0]["id"]);
  for (const json& call : calls) {
    const std::string id = call["id"];
    EXPECT_TRUE(std::ranges::all_of(id, [](unsigned char c) {
      return std::isalnum(c) || c == '_' || c == '-';
    })) << id;
  }
  EXPECT_EQ(calls[0]["input"], (json{{"a", 1}}));
  EXPECT_EQ(calls[1]["input"], (json{{"arguments", "{"}})) << "what is no JSON is kept as it is";
  EXPECT_EQ(calls[2]["input"], json::object());
}

TEST(AnthropicWriteRequest, Tools) {
  ChatRequest request = openai("");
  request.parallel_tool_calls = false;
  EXPECT_FALSE(written(request).body.contains("tool_choice")) << "only with tools";
  request.tools.push_back(
      {.name = "f", .description = {}, .parameters = {}, .strict = {}, .cache_control = {}});
  json body = written(request).body;
  EXPECT_EQ(body["tools"][0],
            (json{{"name", "f"}, {"input_schema", {{"type", "object"}, {"properties", json::object()}}}}));
  EXPECT_EQ(body["tool_choice"], (json{{"type", "auto"}, {"disable_parallel_tool_use", true}}));
  request.tool_choice = ToolChoice{ToolChoice::Mode::named, "f"};
  body = written(request).body;
  EXPECT_EQ(body["tool_choice"],
            (json{{"type", "tool"}, {"name", "f"}, {"disable_parallel_tool_use", true}}));
  request.tool_choice = ToolChoice{ToolChoice::Mode::none, {}};
  EXPECT_EQ(written(request).body["tool_choice"], (json{{"type", "none"}}));
  request.tools[0].parameters = R"({"properties":{"a":{}}})";
  EXPECT_EQ(written(request).body["tools"][0]["input_schema"]["type"], "object");
}

TEST(AnthropicWriteRequest, Formats) {
  json body = written(openai(R"("response_format":{"type":"json_object"})")).body;
  EXPECT_EQ(body["system"], "Answer with one JSON object and nothing else.");
  body = written(openai(R"("response_format":{"type":"json_schema","json_schema":{"name":"n","schema":
      {"type":"object","properties":{"type":{"type":"object"},"list":{"items":{"type":"object","additionalProperties":true}}},
       "default":{"type":"object"}}}})"))
             .body;
  const json& schema = body["output_config"]["format"]["schema"];
  EXPECT_EQ(schema["additionalProperties"], false);
  EXPECT_EQ(schema["properties"]["type"]["additionalProperties"], false);
  EXPECT_EQ(schema["properties"]["list"]["items"]["additionalProperties"], true) << "what is said stays";
  EXPECT_FALSE(schema["properties"].contains("additionalProperties")) << "the map of properties is no schema";
  EXPECT_FALSE(schema["default"].contains("additionalProperties")) << "nor is a value";
}

TEST(AnthropicWriteRequest, RefusesWhatWouldChangeTheAnswer) {
  EXPECT_EQ(refused(openai(R"("n":2)")), "unsupported n");
  EXPECT_EQ(refused(openai(R"("logprobs":true)")), "unsupported logprobs");
  EXPECT_EQ(refused(openai(R"("logit_bias":{"1":5})")), "unsupported logit_bias");
  TargetTraits traits = target(kOlder);
  traits.tools = traits.images = traits.documents = false;
  EXPECT_EQ(refused(openai(kTools), traits), "unsupported tools");

  const struct {
    Part part;
    TargetTraits traits;
    const char* outcome;
    const char* why;
  } rows[] = {
      {ImagePart{"image/png", "AA==", {}, {}}, traits, "unsupported messages[1].content[0]",
       "takes no images"},
      {ImagePart{"image/tiff", "AA==", {}, {}}, target(kOlder), "unsupported messages[1].content[0]",
       "not this kind"},
      {DocumentPart{"application/pdf", "AA==", {}, {}, {}}, traits, "unsupported messages[1].content[0]",
       "takes no documents"},
      {DocumentPart{"application/msword", "AA==", {}, {}, {}}, target(kOlder),
       "unsupported messages[1].content[0]", "not this kind"},
      {DocumentPart{{}, {}, {}, "file-abc", {}}, target(kOlder), "unsupported messages[1].content[0]",
       "a file of another provider"},
      {DocumentPart{{}, {}, {}, "file_abc", {}}, target(kOlder), "written", "a file of this one"},
      {DocumentPart{"text/plain", "!!", {}, {}, {}}, target(kOlder), "invalid_request messages[1].content[0]",
       "no base64"},
      {AudioPart{"wav", "AA=="}, target(kOlder), "unsupported messages[1].content[0]", "takes no audio"},
      {ToolResultPart{"t", {ImagePart{"image/png", "AA==", {}, {}}}, false}, traits,
       "unsupported messages[1].content[0]", "nor in a result"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    ChatRequest request = openai("");
    request.messages.push_back({Role::user, {row.part}, {}});
    EXPECT_EQ(refused(request, row.traits), row.outcome);
  }
}

}  // namespace
}  // namespace switchyard
