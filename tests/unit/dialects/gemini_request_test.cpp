#include "adapters/dialects/dialect.h"
#include "adapters/dialects/gemini.h"
#include "tests/unit/dialects/dump.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace switchyard {
namespace {

const std::string kHead = R"({"contents":[{"parts":[{"text":"hi"}]}])";

std::string with_parts(const std::string& role, const std::string& parts) {
  return R"({"contents":[{"role":")" + role + R"(","parts":[)" + parts + "]}]}";
}

nlohmann::json written(const ChatRequest& request, const TargetTraits& target) {
  const auto result = gemini().write_request(request, target);
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return result ? nlohmann::json::parse(result->body) : nlohmann::json();
}

TargetTraits with_budget() {
  TargetTraits target;
  target.reasoning_control = TargetTraits::ReasoningControl::budget;
  return target;
}

TargetTraits with_level() {
  TargetTraits target;
  target.reasoning_control = TargetTraits::ReasoningControl::level;
  return target;
}

ChatRequest question() {
  ChatRequest request;
  request.messages.push_back({Role::user, {TextPart{"hi", {}}}, {}});
  return request;
}

TEST(GeminiParseRequest, NamesTheFieldThatIsWrong) {
  const std::string config = R"(,"generationConfig":)";

  const struct {
    std::string body;
    const char* param;
  } rows[] = {
      {"{", ""},
      {"{}", "contents"},
      {R"({"contents":[5]})", "contents[0]"},
      {R"({"contents":[{"parts":[5]}]})", "contents[0].parts[0]"},
      {R"({"contents":[{"parts":[{}]}]})", "contents[0].parts[0]"},
      {R"({"contents":[{"parts":[{"thought":true}]}]})", "contents[0].parts[0]"},
      {with_parts("assistant", R"({"text":"a"})"), "contents[0].role"},
      {with_parts("user", R"({"text":5})"), "contents[0].parts[0].text"},
      {with_parts("user", R"({"text":"a","thought":"yes"})"), "contents[0].parts[0].thought"},
      {with_parts("user", R"({"text":"a","x_y":1})"), "contents[0].parts[0].x_y"},
      {with_parts("user", R"({"inlineData":{"data":"AA=="}})"), "contents[0].parts[0].inlineData.mimeType"},
      {with_parts("user", R"({"inline_data":{"mimeType":"image/png"}})"),
       "contents[0].parts[0].inlineData.data"},
      {with_parts("user", R"({"fileData":{"mimeType":"image/png"}})"),
       "contents[0].parts[0].fileData.fileUri"},
      {with_parts("user", R"({"functionCall":{"name":"f"}})"), "contents[0].parts[0].functionCall"},
      {with_parts("model", R"({"functionCall":{"args":{}}})"), "contents[0].parts[0].functionCall.name"},
      {with_parts("model", R"({"functionCall":{"name":"f","args":"{}"}})"),
       "contents[0].parts[0].functionCall.args"},
      {with_parts("model", R"({"functionResponse":{"name":"f","response":{}}})"),
       "contents[0].parts[0].functionResponse"},
      {kHead + R"(,"systemInstruction":"Be brief."})", "systemInstruction"},
      {kHead + R"(,"system_instruction":{"parts":[{"inlineData":{}}]}})", "systemInstruction.parts[0]"},
      {kHead + R"(,"tools":[5]})", "tools[0]"},
      {kHead + R"(,"tools":[{"search":{}}]})", "tools[0].search"},
      {kHead + R"(,"tools":[{"functionDeclarations":[{}]}]})", "tools[0].functionDeclarations[0].name"},
      {kHead + R"(,"tools":[{"functionDeclarations":[{"name":"f","parameters":[]}]}]})",
       "tools[0].functionDeclarations[0].parameters"},
      {kHead +
           R"(,"tools":[{"functionDeclarations":[{"name":"f","parameters":{},"parametersJsonSchema":{}}]}]})",
       "tools[0].functionDeclarations[0].parametersJsonSchema"},
      {kHead + R"(,"toolConfig":{"functionCallingConfig":{"mode":"auto"}}})",
       "toolConfig.functionCallingConfig.mode"},
      {kHead + R"(,"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}})",
       "toolConfig.functionCallingConfig.allowedFunctionNames[0]"},
      {kHead + config + R"({"temperature":"hot"}})", "generationConfig.temperature"},
      {kHead + config + R"({"maxOutputTokens":0}})", "generationConfig.maxOutputTokens"},
      {kHead + config + R"({"topK":1.5}})", "generationConfig.topK"},
      {kHead + config + R"({"stopSequences":"a"}})", "generationConfig.stopSequences"},
      {kHead + config + R"({"stopSequences":[5]}})", "generationConfig.stopSequences[0]"},
      {kHead + config + R"({"max_tokens":5}})", "generationConfig.max_tokens"},
      {kHead + config + R"({"responseMimeType":"text/html"}})", "generationConfig.responseMimeType"},
      {kHead + config + R"({"responseSchema":{}}})", "generationConfig.responseMimeType"},
      {kHead + config + R"({"responseSchema":{},"responseJsonSchema":{}}})",
       "generationConfig.responseJsonSchema"},
      {kHead + config + R"({"thinkingConfig":{"thinkingBudget":1,"thinkingLevel":"LOW"}}})",
       "generationConfig.thinkingConfig.thinkingLevel"},
      {kHead + config + R"({"thinkingConfig":{"thinkingBudget":-2}}})",
       "generationConfig.thinkingConfig.thinkingBudget"},
      {kHead + config + R"({"thinkingConfig":{"thinkingLevel":"SOME"}}})",
       "generationConfig.thinkingConfig.thinkingLevel"},
      {kHead + R"(,"labels":{"a":5}})", "labels.a"},
      {kHead + R"(,"serviceTier":5})", "serviceTier"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.body);
    const auto request = gemini().parse_request(row.body);
    ASSERT_FALSE(request);
    EXPECT_EQ(request.error().kind, ErrorKind::invalid_request);
    EXPECT_EQ(request.error().param, row.param);
    EXPECT_FALSE(request.error().message.empty());
  }
}

// What Google itself says, so that whoever looks for the text finds it.
TEST(GeminiParseRequest, RefusesUnknownNamesInGooglesWords) {
  const auto request = gemini().parse_request(kHead + R"(,"generation_config":{"max tokens":1}})");
  ASSERT_FALSE(request);
  EXPECT_EQ(
      request.error().message,
      "Invalid JSON payload received. Unknown name \"max_tokens\" at 'generationConfig': Cannot find field.");
}

TEST(GeminiParseRequest, FindsTheCallThatAResponseIsOf) {
  const auto conversation = [](const std::string& calls, const std::string& responses) {
    return R"({"contents":[{"role":"model","parts":[)" + calls + R"(]},{"parts":[)" + responses + "]}]}";
  };
  const std::string f = R"({"functionCall":{"name":"f"}})",
                    f_with_id = R"({"functionCall":{"id":"x","name":"f"}})";
  const auto response = [](const std::string& id, const std::string& name) {
    return R"({"functionResponse":{"id":")" + id + R"(","name":")" + name + R"(","response":{}}})";
  };
  const auto ids = [](const std::string& body) {
    std::string out;
    const auto request = gemini().parse_request(body);
    if (!request) return "refused " + request.error().param;
    for (const Part& part : request->messages.back().parts)
      out += std::get<ToolResultPart>(part).tool_call_id + ' ';
    return out;
  };
  EXPECT_EQ(ids(conversation(f + "," + f, response("", "f") + "," + response("", "f"))),
            "call_gm_0_0 call_gm_0_1 ");
  EXPECT_EQ(ids(conversation(f_with_id + "," + f, response("", "f") + "," + response("x", "f"))),
            "x call_gm_0_1 ");
  EXPECT_EQ(ids(conversation(f + "," + f_with_id, response("x", "f") + "," + response("other", "f"))),
            "x call_gm_0_0 ");
  EXPECT_EQ(ids(conversation(f_with_id, response("x", "another name"))), "x ");
  EXPECT_EQ(ids(conversation(f, response("", "g"))), "refused contents[1].parts[0].functionResponse");
  EXPECT_EQ(ids(conversation(f, response("", "f") + "," + response("", "f"))),
            "refused contents[1].parts[1].functionResponse");
}

// A call that was not answered is not the one that a later response is of.
TEST(GeminiParseRequest, AResponseIsOfTheLastTurnsCalls) {
  const auto request = gemini().parse_request(R"({"contents":[
    {"role":"model","parts":[{"functionCall":{"name":"f"}}]}, {"parts":[{"text":"no"}]},
    {"role":"model","parts":[{"functionCall":{"name":"f"}}]},
    {"parts":[{"functionResponse":{"name":"f","response":{"output":"a"}}}]}]})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(std::get<ToolResultPart>(request->messages.back().parts[0]).tool_call_id, "call_gm_2_0");
}

// @google/genai keeps each chunk of a streamed answer as a content of its own.
TEST(GeminiParseRequest, TheChunksOfAnAnswerAreOneMessage) {
  const auto request = gemini().parse_request(R"({"contents":[{"parts":[{"text":"Hi"}]},
    {"role":"model","parts":[{"text":"One"}]},{"role":"model","parts":[{"text":"\n"}]},
    {"role":"model","parts":[{"text":"two"},{"functionCall":{"name":"f"}}]},
    {"role":"model","parts":[{"text":""}]},
    {"parts":[{"functionResponse":{"name":"f","response":{"output":"a"}}}]}]})");
  ASSERT_TRUE(request) << request.error().message;
  ASSERT_EQ(request->messages.size(), 3u);
  EXPECT_EQ(request->messages[1].parts.size(), 2u);
  EXPECT_EQ(std::get<TextPart>(request->messages[1].parts[0]).text, "One\ntwo");
}

TEST(GeminiParseRequest, OnlyTheAllowedFunctionsAreOffered) {
  const std::string tools = R"(,"tools":[{"functionDeclarations":[{"name":"a"},{"name":"b"},{"name":"c"}]}])";
  const auto request = gemini().parse_request(
      kHead + tools +
      R"(,"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED","allowedFunctionNames":["c","a"]}}})");
  ASSERT_TRUE(request) << request.error().message;
  ASSERT_EQ(request->tools.size(), 2u);
  EXPECT_EQ(request->tools[1].name, "c");
  EXPECT_EQ(request->tool_choice->mode, ToolChoice::Mode::automatic);
}

TEST(GeminiParseRequest, ReadsTheThinkingThatIsWanted) {
  const auto reasoning = [](const std::string& thinking) {
    const auto request =
        gemini().parse_request(kHead + R"(,"generationConfig":{"thinkingConfig":)" + thinking + "}}");
    return request ? dump(*request).substr(dump(*request).find("hi\"") + 4) : request.error().message;
  };
  EXPECT_EQ(reasoning("{}"), "");
  EXPECT_EQ(reasoning(R"({"includeThoughts":true})"), "");
  EXPECT_EQ(reasoning(R"({"thinkingBudget":0})"), "reasoning effort \"none\"\n");
  EXPECT_EQ(reasoning(R"({"thinkingBudget":-1})"), "reasoning adaptive\n");
  EXPECT_EQ(reasoning(R"({"thinkingBudget":"512"})"), "reasoning budget_tokens 512\n");
  EXPECT_EQ(reasoning(R"({"thinkingLevel":"MINIMAL"})"), "reasoning effort \"minimal\"\n");
}

TEST(GeminiParseRequest, ReadsTheBodyOfCountTokens) {
  const auto plain = google::parse_count_request(kHead + R"(,"systemInstruction":{"parts":[{"text":"s"}]}})");
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(plain->messages.size(), 2u);
  const auto inner = google::parse_count_request(R"({"generate_content_request":{"model":"models/m",)" +
                                                 kHead.substr(1) + "}}");
  ASSERT_TRUE(inner) << inner.error().message;
  EXPECT_EQ(inner->messages.size(), 1u);
  EXPECT_TRUE(inner->model.empty());
  const auto wrong = google::parse_count_request(R"({"generateContentRequest":{"contents":[]}})");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().param, "generateContentRequest.contents");
  EXPECT_FALSE(google::parse_count_request(kHead + R"(,"generateContentRequest":)" + kHead + "}}"));
  EXPECT_FALSE(google::parse_count_request(kHead + R"(,"toolConfig":{}})"));
}

TEST(GeminiWriteRequest, WritesThinkingAsTheModelTakesIt) {
  const auto thinking = [](Reasoning reasoning, TargetTraits target, std::optional<std::int64_t> limit = {}) {
    ChatRequest request = question();
    request.reasoning = std::move(reasoning);
    request.max_output_tokens = limit;
    const auto body = written(request, target);
    if (!body.contains("generationConfig") || !body["generationConfig"].contains("thinkingConfig"))
      return std::string();
    const auto& config = body["generationConfig"]["thinkingConfig"];
    if (config.contains("thinkingLevel")) return config["thinkingLevel"].get<std::string>();
    return config.contains("thinkingBudget") ? config["thinkingBudget"].dump() : std::string("default");
  };
  TargetTraits always = with_budget(), always_3 = with_level(), never;
  always.can_stop_reasoning = always_3.can_stop_reasoning = never.reasoning = false;
  EXPECT_EQ(thinking({"none", {}, false}, with_budget()), "0");
  EXPECT_EQ(thinking({"none", {}, false}, always), "128");
  EXPECT_EQ(thinking({"none", {}, false}, with_level()), "MINIMAL");
  EXPECT_EQ(thinking({"none", {}, false}, always_3), "LOW");
  EXPECT_EQ(thinking({"minimal", {}, false}, with_budget()), "1024");
  EXPECT_EQ(thinking({"low", {}, false}, with_budget(), 10000), "2000");
  EXPECT_EQ(thinking({"medium", {}, false}, with_budget(), 10000), "5000");
  EXPECT_EQ(thinking({"high", {}, false}, with_budget(), 10000), "8000");
  EXPECT_EQ(thinking({"high", {}, false}, with_budget()), "24576");
  EXPECT_EQ(thinking({"max", {}, false}, with_budget(), 1'000'000), "24576");
  EXPECT_EQ(thinking({"high", {}, false}, with_budget(), 500), "499");
  EXPECT_EQ(thinking({"", 4000, false}, with_budget()), "4000");
  EXPECT_EQ(thinking({"", {}, true}, with_budget()), "-1");
  EXPECT_EQ(thinking({"xhigh", {}, false}, with_level()), "HIGH");
  EXPECT_EQ(thinking({"", 2048, false}, with_level()), "LOW");
  EXPECT_EQ(thinking({"", 8192, false}, with_level()), "MEDIUM");
  EXPECT_EQ(thinking({"", 9000, false}, with_level()), "HIGH");
  EXPECT_EQ(thinking({"", {}, true}, with_level()), "default");
  EXPECT_EQ(thinking({"high", {}, false}, never), "");
  ChatRequest request = question();
  request.reasoning = Reasoning{"high", {}, false};
  EXPECT_EQ(gemini().write_request(request, never)->dropped, std::vector<std::string>{"reasoning_effort"});
}

TEST(GeminiWriteRequest, RefusesWhatItCannotSay) {
  const auto param = [](const ChatRequest& request, const TargetTraits& target) {
    const auto result = gemini().write_request(request, target);
    return result ? std::string("written")
                  : std::string(name_of(result.error().kind)) + " " + result.error().param;
  };
  ChatRequest request = question();
  EXPECT_EQ(param(request, {}), "written");
  request.stop = {"1", "2", "3", "4", "5", "6"};
  EXPECT_EQ(param(request, {}), "unsupported stop");
  request = question();
  request.hosted_tools = {"web_search"};
  EXPECT_EQ(gemini().write_request(request, {})->dropped, std::vector<std::string>{"tools.web_search"});
  request.hosted_tool_is_forced = true;
  EXPECT_EQ(param(request, {}), "unsupported tool_choice");
  request = question();
  request.messages[0].parts.emplace_back(AudioPart{"wav", "AAAA"});
  EXPECT_EQ(param(request, {}), "unsupported messages[0].content[1]");
  request = question();
  request.messages[0].parts.emplace_back(ImagePart{{}, {}, "https://example.com/a.png", {}});
  TargetTraits bytes_only;
  bytes_only.image_urls = false;
  EXPECT_EQ(param(request, {}), "written");
  EXPECT_EQ(param(request, bytes_only), "unsupported messages[0].content[1]");
  request = question();
  request.messages[0].parts.emplace_back(ImagePart{{}, {}, {}, {}, "file-abc"});
  EXPECT_EQ(param(request, {}), "unsupported messages[0].content[1]");
  request = question();
  request.messages[0].parts.emplace_back(ToolResultPart{"nobody's", {}, false});
  EXPECT_EQ(param(request, {}), "invalid_request messages[0].content[1]");
  request.messages.clear();
  EXPECT_EQ(param(request, {}), "unsupported messages");
}

// The call that runs has to be signed; what was before the last prompt has not, and 2.x models check nothing.
TEST(GeminiWriteRequest, SignsTheFirstCallOfEachStepOfTheCurrentTurn) {
  ChatRequest request = question();
  const auto step = [&](const std::string& id, const std::string& signature) {
    ToolCallPart call{id, "f", "{}", signature, signature.empty() ? "" : "gemini"};
    request.messages.push_back({Role::assistant, {call, ToolCallPart{id + "2", "f", "{}"}}, {}});
    request.messages.push_back(
        {Role::user,
         {ToolResultPart{id, {}, false}, ToolResultPart{id + "2", {}, false}, TextPart{"a hint", {}}},
         {}});
  };
  step("a", "");
  request.messages.push_back({Role::assistant, {TextPart{"done", {}}}, {}});
  request.messages.push_back({Role::user, {TextPart{"again", {}}}, {}});
  step("b", "");
  step("c", "c2ln");
  const auto signatures = [&](const TargetTraits& target) {
    std::string out;
    const auto body = written(request, target);
    for (const auto& content : body["contents"]) {
      for (const auto& part : content["parts"]) {
        if (part.contains("functionCall")) out += part.value("thoughtSignature", "-") + " ";
      }
    }
    return out;
  };
  EXPECT_EQ(signatures(with_level()), "- - skip_thought_signature_validator - c2ln - ");
  EXPECT_EQ(signatures(with_budget()), "- - - - c2ln - ");
  TargetTraits before_2_5 = with_level();
  before_2_5.reasoning = false;
  EXPECT_EQ(signatures(before_2_5), "- - - - c2ln - ");
}

TEST(GeminiWriteRequest, KeepsWhatAResultSays) {
  const auto response = [](const std::string& text, bool is_error) {
    ChatRequest request = question();
    request.messages.push_back({Role::assistant, {ToolCallPart{"a", "f", "not JSON"}}, {}});
    request.messages.push_back({Role::user, {ToolResultPart{"a", {TextPart{text, {}}}, is_error}}, {}});
    const auto body = written(request, {});
    EXPECT_EQ(body["contents"][1]["parts"][0]["functionCall"]["args"].dump(), R"({"arguments":"not JSON"})");
    return body["contents"][2]["parts"][0]["functionResponse"]["response"].dump();
  };
  EXPECT_EQ(response("18", false), R"({"output":"18"})");
  EXPECT_EQ(response("", false), R"({"output":""})");
  EXPECT_EQ(response("no", true), R"({"error":"no"})");
  EXPECT_EQ(response("", true), R"({"error":"error"})");
  EXPECT_EQ(response(R"({"degrees":18})", false), R"({"degrees":18})");
  EXPECT_EQ(response(R"({"output":18,"x":1})", false), R"({"output":{"output":18,"x":1}})");
  EXPECT_EQ(response("[1]", false), R"({"output":"[1]"})");
  EXPECT_EQ(response("{broken", false), R"({"output":"{broken"})");
}

TEST(GeminiSchema, BecomesJsonSchema) {
  const auto schema = [](const std::string& parameters) {
    const auto request = gemini().parse_request(
        kHead + R"(,"tools":[{"functionDeclarations":[{"name":"f","parameters":)" + parameters + "}]}]}");
    return request ? request->tools[0].parameters : request.error().message;
  };
  EXPECT_EQ(schema(R"({"type":"TYPE_UNSPECIFIED","title":"T"})"), R"({"title":"T"})");
  EXPECT_EQ(schema(R"({"any_of":[{"type":"STRING"},{"type":"NUMBER"}],"nullable":true})"),
            R"({"anyOf":[{"type":"string"},{"type":"number"},{"type":"null"}]})");
  EXPECT_EQ(schema(R"({"type":"STRING","enum":["a"],"nullable":true})"),
            R"({"type":["string","null"],"enum":["a",null]})");
  EXPECT_EQ(
      schema(
          R"({"type":"ARRAY","minItems":"2","maxItems":"many","items":{"type":"INTEGER","format":"int32"}})"),
      R"({"type":"array","minItems":2,"maxItems":"many","items":{"type":"integer","format":"int32"}})");
  // Names of properties are the caller's, whatever they look like.
  EXPECT_EQ(
      schema(R"({"type":"OBJECT","properties":{"any_of":{"type":"STRING"},"example":{"type":"STRING"}}})"),
      R"({"type":"object","properties":{"any_of":{"type":"string"},"example":{"type":"string"}}})");
  EXPECT_EQ(
      schema(R"({"type":"object","additionalProperties":{"type":"STRING"},"default":{"type":"STRING"}})"),
      R"({"type":"object","additionalProperties":{"type":"string"},"default":{"type":"STRING"}})");
}

}  // namespace
}  // namespace switchyard
