#include "adapters/dialects/gemini.h"

#include "adapters/dialects/dialect.h"
#include "adapters/dialects/media.h"
#include "tests/unit/dialects/dump.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace switchyard {
namespace {

using Json = nlohmann::json;

std::string chunk(const std::string& parts, const std::string& more = {}) {
  return R"(data: {"candidates":[{"content":{"parts":[)" + parts + R"(],"role":"model"})" + more +
         "}]}\r\n\r\n";
}

const std::string kHello = chunk(R"({"text":"Hello"})");
const std::string kEnd = chunk(R"({"text":""})", R"(,"finishReason":"STOP")");

// What a scanner forwards of a stream that comes in pieces of `step` bytes, and how it ended.
std::string scan(const std::string& bytes, bool json_array, std::size_t step, bool* complete = nullptr) {
  const auto scanner = gemini().make_scanner({.drop_usage = false, .json_array = json_array});
  std::string out;
  std::vector<std::string_view> forward;
  Result<> result;
  const auto take = [&] {
    for (const std::string_view one : forward) out += one;
    forward.clear();
  };
  for (std::size_t i = 0; i < bytes.size() && result; i += step) {
    const std::string piece = bytes.substr(i, step);  // A copy, so that a view that outlives it is found.
    const std::string_view view = piece;
    result = scanner->feed({&view, 1}, forward);
    take();
  }
  if (result) result = scanner->finish(forward);
  take();
  if (complete) *complete = scanner->is_complete() && result && !scanner->error();
  return out;
}

TEST(GeminiScanner, MakesAnArrayOfAStream) {
  const std::string stream = ": comment\n\n" + kHello + "data: {\"a\":\ndata: 1}\n\n" + kEnd;
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, stream.size()}) {
    bool complete = false;
    const std::string array = scan(stream, true, step, &complete);
    EXPECT_TRUE(complete);
    const Json json = Json::parse(array, nullptr, false);
    ASSERT_TRUE(json.is_array()) << array;
    ASSERT_EQ(json.size(), 3u);
    EXPECT_EQ(json[0]["candidates"][0]["content"]["parts"][0]["text"], "Hello");
    EXPECT_EQ(json[1]["a"], 1);
    EXPECT_TRUE(array.starts_with("[{") && array.ends_with("}]"));
    EXPECT_NE(array.find(",\r\n"), std::string::npos);
  }
}

// The gateway ends such an array with an error, and it is an array all the same.
TEST(GeminiScanner, AnArrayThatBreaksCanBeEndedWithAnError) {
  bool complete = true;
  const std::string begun = scan(kHello + "data: {\"candi", true, 5, &complete);
  EXPECT_FALSE(complete);
  const Error error = fail(ErrorKind::bad_reply, "it broke");
  const Json json = Json::parse(begun + google::write_error_element(error, "req_1"), nullptr, false);
  ASSERT_EQ(json.size(), 2u) << begun;
  EXPECT_EQ(json[1]["error"]["code"], 502);
  EXPECT_EQ(Json::parse(google::write_error_element(error, "req_1", false))[0]["error"]["status"],
            "INTERNAL");
}

TEST(GeminiScanner, DropsATerminatorThatIsNotOfThisDialect) {
  EXPECT_EQ(scan(kHello + kEnd + "data: [DONE]\n\n", false, 4), kHello + kEnd);
}

TEST(GeminiScanner, KnowsWhatIsContentAndWhatIsNot) {
  const auto has_content = [](const std::string& parts) {
    const auto scanner = gemini().make_scanner({});
    const std::string bytes = chunk(parts);
    const std::string_view view = bytes;
    std::vector<std::string_view> forward;
    EXPECT_TRUE(scanner->feed({&view, 1}, forward));
    return scanner->has_content();
  };
  EXPECT_FALSE(has_content(""));
  EXPECT_FALSE(has_content(R"({"text":""})"));
  EXPECT_FALSE(has_content(R"({"text":"","thoughtSignature":"c2ln"})"));
  EXPECT_TRUE(has_content(R"({"text":"a"})"));
  EXPECT_TRUE(has_content(R"({"text":"a","thought":true})"));
  EXPECT_TRUE(has_content(R"({"functionCall":{"name":"f"}})"));
  EXPECT_TRUE(has_content(R"({"inlineData":{"mimeType":"image/png","data":"AA=="}})"));
}

TEST(GeminiScanReply, ReadsUsageAndRefusesWhatIsNoReply) {
  const auto usage = gemini().scan_reply(
      R"({"candidates":[{}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"thoughtsTokenCount":3,
          "toolUsePromptTokenCount":1,"cachedContentTokenCount":4}})");
  ASSERT_TRUE(usage) << usage.error().message;
  EXPECT_EQ(dump(*usage), "usage input 6 cached 4 written 0 output 5 reasoning 3");
  EXPECT_TRUE(gemini().scan_reply(R"({"promptFeedback":{"blockReason":"SAFETY"}})"));
  for (const char* body : {"", "[]", "{}", R"({"candidates":5})", R"({"candidates":[]} x)",
                           R"({"candidates":[})", R"({"error":{"code":500}})"}) {
    const auto refused = gemini().scan_reply(body);
    ASSERT_FALSE(refused) << body;
    EXPECT_EQ(refused.error().kind, ErrorKind::bad_reply);
  }
}

TEST(GeminiErrors, TellHowLongToWaitAndWhichFieldIsWrong) {
  Error error = fail(ErrorKind::limited, "too fast");
  error.retry_after = std::chrono::milliseconds(1500);
  Json body = Json::parse(gemini().write_error(error, "req_1").body)["error"];
  EXPECT_EQ(body["code"], 429);
  EXPECT_EQ(body["status"], "RESOURCE_EXHAUSTED");
  EXPECT_EQ(body["details"][0]["@type"], "type.googleapis.com/google.rpc.RetryInfo");
  EXPECT_EQ(body["details"][0]["retryDelay"], "1.500s");
  EXPECT_EQ(body["details"][1]["requestId"], "req_1");
  body = Json::parse(
      gemini().write_error(fail(ErrorKind::invalid_request, "wrong", "contents"), {}).body)["error"];
  EXPECT_EQ(body["message"], "contents: wrong");
  EXPECT_EQ(body["details"][0]["fieldViolations"][0]["field"], "contents");
  EXPECT_EQ(gemini().write_error_frame(error, "r").substr(0, 15), "data: {\"error\":");
}

TEST(GeminiErrors, HaveTheStatusOfTheContract) {
  const std::pair<ErrorKind, std::pair<int, const char*>> rows[] = {
      {ErrorKind::unsupported, {400, "INVALID_ARGUMENT"}},
      {ErrorKind::invalid_key, {401, "UNAUTHENTICATED"}},
      {ErrorKind::forbidden, {403, "PERMISSION_DENIED"}},
      {ErrorKind::not_found, {404, "NOT_FOUND"}},
      {ErrorKind::too_large, {413, "INVALID_ARGUMENT"}},
      {ErrorKind::limited, {429, "RESOURCE_EXHAUSTED"}},
      {ErrorKind::exhausted, {502, "INTERNAL"}},
      {ErrorKind::unavailable, {503, "UNAVAILABLE"}},
      {ErrorKind::overloaded, {503, "UNAVAILABLE"}},
      {ErrorKind::total_timeout, {504, "DEADLINE_EXCEEDED"}},
      {ErrorKind::credential, {502, "INTERNAL"}},
      {ErrorKind::internal, {500, "INTERNAL"}}};
  for (const auto& [kind, shape] : rows) {
    const WrittenError written = gemini().write_error(fail(kind, "m"), "r");
    EXPECT_EQ(written.status, shape.first);
    EXPECT_EQ(Json::parse(written.body)["error"]["status"], shape.second);
    EXPECT_EQ(Json::parse(written.body)["error"]["code"], shape.first);
  }
}

TEST(GeminiErrors, NeverPassOnAKeyOrAProject) {
  for (const char* message :
       {"key AIzaSyA-secret is wrong", "no access for projects/1234", "see https://inside/"}) {
    const Error error = gemini().parse_error(500, R"({"error":{"message":")" + std::string(message) + "\"}}");
    EXPECT_EQ(error.message, "the provider failed");
  }
  const Error waits = gemini().parse_error(429, R"({"error":{"details":[{"@type":"x/google.rpc.RetryInfo",
    "retryDelay":"1e300s"}]}})");
  ASSERT_TRUE(waits.retry_after);
  EXPECT_LT(*waits.retry_after, std::chrono::hours(24 * 32));
  for (const char* delay : {"7", "s", "-1s", "nans", "soon"}) {
    EXPECT_FALSE(
        gemini()
            .parse_error(429, R"({"error":{"details":[{"@type":"x/google.rpc.RetryInfo","retryDelay":")" +
                                  std::string(delay) + "\"}]}}")
            .retry_after)
        << delay;
  }
}

TEST(GeminiModels, AreListedAsGoogleDoes) {
  const Json list = Json::parse(gemini().write_models({"assistant", "org/x"}, 1));
  EXPECT_EQ(list["models"][1]["name"], "models/org/x");
  EXPECT_EQ(list["models"][0]["displayName"], "assistant");
  EXPECT_EQ(list["models"][0]["supportedGenerationMethods"][0], "generateContent");
  EXPECT_EQ(Json::parse(gemini().write_model("assistant", 1))["name"], "models/assistant");
}

std::string stream_of(const std::vector<Event>& events, bool json_array) {
  ReplyContext context{.request_id = "req_1", .model = "m", .created_s = 1, .include_usage = true};
  context.json_array = json_array;
  const auto writer = gemini().make_event_writer(context);
  std::string out;
  for (const Event& event : events) writer->write(event, out);
  writer->end(out);
  return out;
}

std::vector<Event> parsed(const std::string& bytes) {
  std::vector<Event> events;
  const auto parser = gemini().make_event_parser();
  auto result = parser->feed(bytes, events);
  if (result) result = parser->finish(events);
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return events;
}

const std::vector<Event> kAnswer{ReplyStart{"id", "x"},
                                 ThinkingDelta{"a "},
                                 ThinkingDelta{"city"},
                                 ThinkingSignature{"c2lnMQ==", "gemini"},
                                 TextDelta{"See: \"\n\""},
                                 ToolCallStart{0, "call_1", "weather", "c2lnMg==", "gemini"},
                                 ToolCallDelta{0, "{\"big\": 9007199254740993,\n"},
                                 ToolCallDelta{0, " \"b\":1.10}"},
                                 ToolCallStart{1, "call_2", "now"},
                                 ToolCallDelta{1, "{}"},
                                 Usage{10, 2, 0, 7, 3},
                                 Finish{FinishReason::tool_calls, {}}};

TEST(GeminiWriter, WhatIsWrittenIsReadBack) {
  const std::string expected = R"(start id "id" model "m"
thinking "a city"
thinking_signature "c2lnMQ==" origin "gemini"
text "See: \"\n\""
tool_call 0 id "call_1" name "weather" signature "c2lnMg==" origin "gemini"
arguments 0 "{\"big\":9007199254740993,\"b\":1.1}"
tool_call 1 id "call_2" name "now"
arguments 1 "{}"
usage input 10 cached 2 written 0 output 7 reasoning 3
finish tool_calls
)";
  EXPECT_EQ(dump(merged(parsed(stream_of(kAnswer, false)))), expected);
  std::vector<Event> whole;
  const std::string reply = gemini().write_reply(kAnswer, {"req_1", "m", 1, true});
  ASSERT_TRUE(gemini().parse_reply(reply, whole)) << reply;
  EXPECT_EQ(dump(whole), expected);
  EXPECT_NE(reply.find("1.10}"), std::string::npos) << "digits are kept as the model wrote them";
}

TEST(GeminiWriter, AnArrayHoldsTheSameChunksAsAStream) {
  const std::string stream = stream_of(kAnswer, false), array = stream_of(kAnswer, true);
  std::string wanted = stream;
  EXPECT_EQ(Json::parse(array).size(), static_cast<std::size_t>(std::ranges::count(stream, '\r')) / 2);
  EXPECT_EQ(Json::parse(array), Json::parse(scan(stream, true, 3)));
  EXPECT_EQ(wanted.find("[DONE]"), std::string::npos);
}

TEST(GeminiWriter, CallsThatInterleaveComeWholeAndInOrder) {
  const Json array = Json::parse(
      stream_of({ReplyStart{}, ToolCallStart{0, "a", "f"}, ToolCallDelta{0, "{\"x\":"},
                 ToolCallStart{1, "b", "g"}, ToolCallDelta{1, "{\"y\":2}"}, ToolCallDelta{0, "\"}{\"}"},
                 ToolCallDelta{7, "lost"}, ThinkingDelta{"so"}, ToolCallStart{2, "c", "h"},
                 ToolCallDelta{2, "no JSON"}, Finish{FinishReason::tool_calls, {}}},
                true));
  ASSERT_EQ(array.size(), 3u) << array.dump(1);
  const auto part = [&](std::size_t i, std::size_t j) {
    return array[i]["candidates"][0]["content"]["parts"][j];
  };
  EXPECT_EQ(part(0, 0)["functionCall"].dump(), R"({"args":{"x":"}{"},"id":"a","name":"f"})");
  EXPECT_EQ(part(0, 1)["functionCall"]["args"]["y"], 2);
  EXPECT_EQ(part(1, 0)["thought"], true);
  EXPECT_EQ(part(2, 0)["functionCall"]["args"]["arguments"], "no JSON");
  EXPECT_EQ(array[2]["candidates"][0]["finishReason"], "STOP");
}

// The ways of an answer of Claude to a client of this dialect and back: also through Python's SDK, which
// decodes the base64 of a signature and encodes it in the alphabet of URLs.
TEST(GeminiSignatures, OfOthersComeBackWhole) {
  const std::vector<Event> events{ReplyStart{"msg_1", "claude"},
                                  ThinkingDelta{"a city"},
                                  ThinkingSignature{"EqQ/+9==", "anthropic"},
                                  RedactedThinking{"ZGF0/+==", "anthropic"},
                                  ThinkingSignature{"b25seQ", "openai"},
                                  TextDelta{"Paris"},
                                  ToolCallStart{0, "toolu_1", "weather"},
                                  ToolCallDelta{0, "{}"},
                                  Finish{FinishReason::tool_calls, {}}};
  const std::string chunks = stream_of(events, true),
                    whole = "[" + gemini().write_reply(events, {"r", "m"}) + "]";
  for (const std::string& reply : {chunks, whole}) {
    for (const bool is_python : {false, true}) {
      Json body{{"contents", Json::array({{{"parts", {{{"text", "Weather?"}}}}}})}};
      for (Json& one : Json::parse(reply)) {
        Json content = one["candidates"][0]["content"];
        for (Json& part : content["parts"]) {
          if (!part.contains("thoughtSignature")) continue;
          auto signature = part["thoughtSignature"].get<std::string>();
          if (signature == "skip_thought_signature_validator") continue;  // The call, which nobody signed.
          ASSERT_EQ(signature.size() % 4, 0u);
          ASSERT_EQ(encode_base64(decode_base64(signature).value_or("")), signature);
          if (is_python) std::ranges::replace(signature, '/', '_');
          if (is_python) std::ranges::replace(signature, '+', '-');
          part["thoughtSignature"] = signature;
        }
        body["contents"].push_back(content);
      }
      body["contents"].push_back(
          {{"parts", {{{"functionResponse", {{"name", "weather"}, {"response", {{"output", "18"}}}}}}}}});
      const auto request = gemini().parse_request(body.dump());
      ASSERT_TRUE(request) << request.error().message;
      ASSERT_EQ(request->messages.size(), 3u);
      EXPECT_EQ(dump(*request), R"(model ""
user
  text "Weather?"
assistant
  thinking "a city" signature "EqQ/+9==" origin "anthropic"
  thinking redacted "ZGF0/+==" origin "anthropic"
  thinking "" signature "b25seQ" origin "openai"
  text "Paris"
  tool_call id "toolu_1" name "weather" arguments {}
user
  tool_result id "toolu_1"
    text "18"
)");
      const auto written = anthropic_messages().write_request(*request, {.model = "m"});
      ASSERT_TRUE(written) << written.error().message;
    }
  }
}

// A conversation of Gemini's that goes through a client of another dialect keeps its signatures.
TEST(GeminiSignatures, OfItsOwnGoThroughAnOpenAiClient) {
  const Json message =
      Json::parse(openai_chat().write_reply(kAnswer, {"r", "m", 1, true}))["choices"][0]["message"];
  const Json body{{"model", "m"},
                  {"messages",
                   {{{"role", "user"}, {"content", "Weather?"}},
                    message,
                    {{"role", "tool"}, {"tool_call_id", "call_2"}, {"content", "12"}},
                    {{"role", "tool"}, {"tool_call_id", "call_1"}, {"content", "18"}}}}};
  const auto request = openai_chat().parse_request(body.dump());
  ASSERT_TRUE(request) << request.error().message;
  const auto written = gemini().write_request(*request, {.model = "m"});
  ASSERT_TRUE(written) << written.error().message;
  const Json contents = Json::parse(written->body)["contents"];
  ASSERT_EQ(contents.size(), 3u) << contents.dump(1);
  const Json& parts = contents[1]["parts"];
  ASSERT_EQ(parts.size(), 4u) << contents.dump(1);
  EXPECT_EQ(parts[0], (Json{{"text", "a city"}, {"thought", true}, {"thoughtSignature", "c2lnMQ=="}}));
  EXPECT_EQ(parts[2]["thoughtSignature"], "c2lnMg==");
  EXPECT_EQ(parts[2]["functionCall"]["id"], "call_1");
  EXPECT_EQ(contents[2]["parts"][0]["functionResponse"]["name"], "weather");
  EXPECT_EQ(contents[2]["parts"][1]["functionResponse"]["name"], "now");
}

// Claude Code with Gemini behind it.
TEST(GeminiSignatures, OfItsOwnGoThroughAnAnthropicClient) {
  const Json message = Json::parse(anthropic_messages().write_reply(kAnswer, {"r", "m", 1, true}));
  const auto result = [](const char* id) { return Json{{"type", "tool_result"}, {"tool_use_id", id}}; };
  const Json body{{"model", "m"},
                  {"max_tokens", 100},
                  {"messages",
                   {{{"role", "user"}, {"content", "Weather?"}},
                    {{"role", "assistant"}, {"content", message["content"]}},
                    {{"role", "user"}, {"content", Json::array({result("call_2"), result("call_1")})}}}}};
  const auto request = anthropic_messages().parse_request(body.dump());
  ASSERT_TRUE(request) << request.error().message;
  const auto written = gemini().write_request(*request, {.model = "m"});
  ASSERT_TRUE(written) << written.error().message;
  const Json contents = Json::parse(written->body)["contents"];
  ASSERT_EQ(contents.size(), 3u) << contents.dump(1);
  const Json& parts = contents[1]["parts"];
  ASSERT_EQ(parts.size(), 4u) << contents.dump(1);
  EXPECT_EQ(parts[0], (Json{{"text", "a city"}, {"thought", true}, {"thoughtSignature", "c2lnMQ=="}}));
  EXPECT_EQ(parts[2]["thoughtSignature"], "c2lnMg==");
  EXPECT_EQ(parts[2]["functionCall"]["name"], "weather");
  EXPECT_FALSE(parts[3].contains("thoughtSignature"));
  EXPECT_EQ(contents[2]["parts"][0]["functionResponse"]["name"], "weather");
}

// parse(write(x)) is x, for whatever this dialect can say.
TEST(GeminiRequest, WhatIsWrittenIsReadBack) {
  const std::string body = R"({"systemInstruction":{"parts":[{"text":"s"}]},"contents":[
    {"role":"user","parts":[{"text":"a"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}},
      {"fileData":{"fileUri":"https://e.com/a.pdf","mimeType":"application/pdf"}}]},
    {"role":"model","parts":[{"text":"t","thought":true,"thoughtSignature":"c2ln"},{"text":"b"},
      {"functionCall":{"name":"f","id":"x","args":{"n":1}},"thoughtSignature":"c2ln"}]},
    {"role":"user","parts":[{"functionResponse":{"name":"f","id":"x","response":{"k":[1]}}},{"text":"c"}]}],
    "tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type":"object",
      "properties":{"n":{"type":"integer"}}}}]}],
    "toolConfig":{"functionCallingConfig":{"mode":"ANY"}},
    "generationConfig":{"maxOutputTokens":5000,"temperature":0.5,"topP":0.25,"topK":4,"seed":-7,"presencePenalty":0.5,
      "frequencyPenalty":-0.5,"stopSequences":["x"],"responseLogprobs":true,"logprobs":2,
      "responseMimeType":"application/json","responseJsonSchema":{"type":"object"},
      "thinkingConfig":{"thinkingLevel":"LOW"}},"serviceTier":"flex"})";
  const auto first = gemini().parse_request(body);
  ASSERT_TRUE(first) << first.error().message;
  TargetTraits target;
  target.reasoning_control = TargetTraits::ReasoningControl::level;
  const auto written = gemini().write_request(*first, target);
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_TRUE(written->dropped.empty());
  const auto second = gemini().parse_request(written->body);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(dump(*second), dump(*first));
}

}  // namespace
}  // namespace switchyard
