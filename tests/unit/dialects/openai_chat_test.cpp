#include "adapters/dialects/dialect.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace switchyard {
namespace {

std::string frame(const std::string& json) {
  return "data: " + json + "\n\n";
}

const std::string kText = frame(R"({"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]})");
const std::string kRole =
    frame(R"({"choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"usage":null})");
const std::string kStop = frame(R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})");
const std::string kUsage = frame(
    R"({"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":3}}})");
const std::string kDone = "data: [DONE]\n\n";

struct Scan {
  std::string forwarded;
  bool content = false, complete = false, failed = false;
  std::optional<Error> error;
  std::optional<Usage> usage;
};

Scan scan(const std::vector<std::string>& pieces, bool drop_usage = false) {
  const auto scanner = openai_chat().make_scanner({.drop_usage = drop_usage});
  Scan result;
  for (const std::string& piece : pieces) {
    std::vector<std::string_view> forward;
    const std::string_view view = piece;
    result.failed |= scanner->feed({&view, 1}, forward).has_error();
    for (const auto one : forward) result.forwarded += one;
    if (result.failed) break;
  }
  if (!result.failed) {
    std::vector<std::string_view> forward;
    result.failed = scanner->finish(forward).has_error();
    for (const auto one : forward) result.forwarded += one;
  }
  result.content = scanner->has_content();
  result.complete = scanner->is_complete();
  result.error = scanner->error();
  result.usage = scanner->usage();
  return result;
}

TEST(OpenAiScanner, ForwardsWholeFramesAndReadsAlong) {
  const std::string body = kRole + kText + kStop + kUsage + kDone;
  const Scan whole = scan({body});
  EXPECT_EQ(whole.forwarded, body);
  EXPECT_TRUE(whole.content && whole.complete && !whole.failed);
  ASSERT_TRUE(whole.usage);
  EXPECT_EQ(whole.usage->input_tokens, 7);
  EXPECT_EQ(whole.usage->cached_tokens, 3);
  for (std::size_t i = 0; i < body.size(); ++i) {
    const Scan split = scan({body.substr(0, i), body.substr(i)});
    ASSERT_EQ(split.forwarded, body) << "split at " << i;
    ASSERT_TRUE(split.complete) << "split at " << i;
  }
}

TEST(OpenAiScanner, KnowsWhatIsContentAndWhatIsNot) {
  const struct {
    const char *delta, *why;
    bool content;
  } rows[] = {
      {R"({"role":"assistant","content":""})", "the first chunk", false},
      {R"({"content":null})", "null", false},
      {R"({"content":"x"})", "text", true},
      {R"({"refusal":"x"})", "a refusal", true},
      {R"({"reasoning_content":"x"})", "reasoning", true},
      {R"({"tool_calls":[{"index":0}]})", "a tool call", true},
      {R"({"tool_calls":[]})", "no tool call", false},
      {R"({"obfuscation":"xyz"})", "padding", false},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    EXPECT_EQ(scan({frame(std::string(R"({"choices":[{"index":0,"delta":)") + row.delta + "}]}")}).content,
              row.content);
  }
}

TEST(OpenAiScanner, TellsABrokenStreamFromAWholeOne) {
  const struct {
    std::string body, forwarded;
    bool failed, complete;
    const char* why;
  } rows[] = {
      {kText + kStop, kText + kStop + kDone, false, true, "a server that leaves [DONE] out: it is put in"},
      {kText, kText, true, false, "a clean end in the middle"},
      {kText + kDone, kText, true, false, "[DONE] behind an answer that never said why it ended"},
      {kText + "data: {\"cho", kText, true, false, "cut inside a frame"},
      {kText + "data: {]\n\n" + kStop, kText, true, false, "no JSON"},
      {kText + "data: 7\n\n", kText, true, false, "no object"},
      {"", "", true, false, "nothing"},
      {kDone, "", true, false, "an end without an answer"},
      {": ping\n\n" + kText + kStop + kDone, kText + kStop + kDone, false, true,
       "comments are not handed on"},
      {"event: ping\n\n" + kText + kStop + kDone, kText + kStop + kDone, false, true,
       "nor are events without data"},
      {kText + kStop + kDone + kText, kText + kStop + kDone, false, true, "what follows the end is not read"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const Scan result = scan({row.body});
    EXPECT_EQ(result.forwarded, row.forwarded);
    EXPECT_EQ(result.failed, row.failed);
    EXPECT_EQ(result.complete, row.complete);
  }
}

TEST(OpenAiScanner, NeedsEveryChoiceToEnd) {
  const std::string second = frame(R"({"choices":[{"index":1,"delta":{"content":"x"}}]})");
  const std::string second_stop = frame(R"({"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]})");
  EXPECT_TRUE(scan({kText + second + kStop}).failed);
  EXPECT_FALSE(scan({kText + second + kStop + second_stop}).failed);
}

TEST(OpenAiScanner, TakesOutTheUsageThatTheCallerDidNotAskFor) {
  const Scan result = scan({kText + kStop + kUsage + kDone}, true);
  EXPECT_EQ(result.forwarded, kText + kStop + kDone);
  EXPECT_TRUE(result.usage);
}

TEST(OpenAiScanner, KeepsAnErrorFrameBack) {
  const std::string frames[] = {
      frame(R"({"error":{"message":"busy","type":"server_error","code":null}})"),
      frame(
          R"({"id":"x","error":{"code":502,"message":"busy"},"choices":[{"index":0,"delta":{},"finish_reason":"error"}]})"),
      frame(R"({"error":"busy"})")};
  for (const std::string& error : frames) {
    const Scan result = scan({kText + error + kDone});
    EXPECT_EQ(result.forwarded, kText);
    ASSERT_TRUE(result.error) << error;
    EXPECT_EQ(result.error->kind, ErrorKind::provider_error);
    EXPECT_FALSE(result.complete);
  }
}

TEST(OpenAiErrors, SayWhoseFaultItIs) {
  const struct {
    int status;
    std::string body;
    ErrorKind kind;
    std::string message;
    const char* why;
  } rows[] = {
      {400, R"({"error":{"message":"bad temperature","param":"temperature","type":"invalid_request_error"}})",
       ErrorKind::invalid_request, "bad temperature", "the caller's"},
      {422, R"({"detail":"no such field"})", ErrorKind::invalid_request, "no such field", "FastAPI's shape"},
      {422, R"({"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs"}]})",
       ErrorKind::invalid_request, "Extra inputs", "FastAPI's shape for what it checks itself"},
      {400, R"({"object":"error","message":"bad","code":400})", ErrorKind::invalid_request, "bad",
       "vLLM's old shape"},
      {400, R"([{"error":{"message":"bad"}}])", ErrorKind::invalid_request, "bad", "wrapped in a list"},
      {400, R"({"error":{"message":"This model's maximum context length is 8 tokens","code":null}})",
       ErrorKind::context_too_long, "This model's maximum context length is 8 tokens", "by its words"},
      {400, R"({"error":{"message":"too big","code":"context_length_exceeded"}})",
       ErrorKind::context_too_long, "too big", "by its code"},
      {401, R"({"error":{"message":"Incorrect API key provided: sk-secret"}})", ErrorKind::credential,
       "the provider refused the gateway's credential", "never the provider's words: they may hold the key"},
      {403, "<html>", ErrorKind::credential, "the provider refused the gateway's credential", "no JSON"},
      {404, "", ErrorKind::not_found, "the provider does not know the model or the path", "empty"},
      {413, "", ErrorKind::too_large, "the provider finds the request too large", ""},
      {429, R"({"error":{"message":"slow down","code":"rate_limit_exceeded"}})", ErrorKind::rate_limited,
       "the provider limits the rate of requests", ""},
      {429, R"({"error":{"message":"pay","type":"insufficient_quota","code":"insufficient_quota"}})",
       ErrorKind::quota, "the provider's quota is used up", ""},
      {500, R"({"error":{"message":"secret stack trace"}})", ErrorKind::provider_error,
       "the provider failed with status 500", ""},
      {503, "", ErrorKind::overloaded, "the provider is overloaded", ""},
      {529, "", ErrorKind::overloaded, "the provider is overloaded", ""},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(std::to_string(row.status) + " " + row.why);
    const Error error = openai_chat().parse_error(row.status, row.body);
    EXPECT_EQ(name_of(error.kind), name_of(row.kind));
    EXPECT_EQ(error.message, row.message);
    EXPECT_EQ(error.upstream_status, row.status);
  }
}

TEST(OpenAiErrors, HaveTheShapeThatTheSdksRead) {
  for (int kind = 0; kind <= static_cast<int>(ErrorKind::internal); ++kind) {
    const Error error(static_cast<ErrorKind>(kind), "a \"message\"", "messages[0]");
    const auto written = openai_chat().write_error(error, "req_1");
    const auto body = nlohmann::json::parse(written.body);
    EXPECT_GE(written.status, 400);
    EXPECT_EQ(body["error"]["message"], "a \"message\"");
    EXPECT_EQ(body["error"]["param"], "messages[0]");
    EXPECT_TRUE(body["error"]["type"].is_string());
    EXPECT_TRUE(body["error"]["code"].is_string() || body["error"]["code"].is_null());
    EXPECT_EQ(openai_chat().write_error_frame(error, "req_1"), "data: " + written.body + "\n\n");
  }
}

TEST(OpenAiReply, ScansUsageAndRefusesWhatIsNoReply) {
  const auto usage = openai_chat().scan_reply(
      R"({"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":4,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":1}}})");
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->input_tokens, 4);
  EXPECT_EQ(usage->reasoning_tokens, 1);
  for (const char* body : {"", "{}", "[]", R"({"choices":[]})", "<html>", R"({"choices":[{)"}) {
    EXPECT_FALSE(openai_chat().scan_reply(body)) << body;
  }
  const auto failed = openai_chat().scan_reply(R"({"error":{"message":"x","code":429}})");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, ErrorKind::rate_limited);
}

TEST(OpenAiRequest, NamesTheFieldThatIsWrong) {
  const struct {
    std::string body, param;
  } rows[] = {
      {R"({"model":"m"})", "messages"},
      {R"({"model":"m","messages":[]})", "messages"},
      {R"({"model":"m","messages":{}})", "messages"},
      {R"({"model":"m","messages":[7]})", "messages[0]"},
      {R"({"model":"m","messages":[{"role":"robot","content":"x"}]})", "messages[0].role"},
      {R"({"model":"m","messages":[{"role":"user"}]})", "messages[0].content"},
      {R"({"model":"m","messages":[{"role":"user","content":7}]})", "messages[0].content"},
      {R"({"model":"m","messages":[{"role":"user","content":[{"type":"video"}]}]})",
       "messages[0].content[0].type"},
      {R"({"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]})",
       "messages[0].content[0].image_url.url"},
      {R"({"model":"m","messages":[{"role":"tool","content":"x"}]})", "messages[0].tool_call_id"},
      {R"({"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{}}]}]})",
       "messages[0].tool_calls[0].function.name"},
      {R"({"model":"m","messages":[{"role":"user","content":"x"}],"temperature":3})", "temperature"},
      {R"({"model":"m","messages":[{"role":"user","content":"x"}],"temperature":"hot"})", "temperature"},
      {R"({"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":0})", "max_tokens"},
      {R"({"model":"m","messages":[{"role":"user","content":"x"}],"tools":{}})", "tools"},
      {R"({"model":"m","messages":[{"role":"user","content":"x"}],"tool_choice":"maybe"})", "tool_choice"},
      {R"({"model":"m","messages":[{"role":"user","content":"x"}],"stop":[7]})", "stop"},
      {R"({"model":"m","messages":[{"role":"user","content":"x"}],"response_format":{"type":"xml"}})",
       "response_format.type"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.body);
    const auto request = openai_chat().parse_request(row.body);
    ASSERT_FALSE(request);
    EXPECT_EQ(request.error().kind, ErrorKind::invalid_request);
    EXPECT_EQ(request.error().param, row.param);
  }
}

// A tree of tiny values is many times its text, and its members are found one behind the other.
TEST(OpenAiRequest, RefusesADocumentThatCostsMoreThanItsSize) {
  const auto with = [](const std::string& more) {
    return R"({"model":"m","messages":[{"role":"user","content":"x"}])" + more + "}";
  };
  std::string members, values = ",\"x\":[0";
  for (int i = 0; i < 600; ++i) members += ",\"a" + std::to_string(i) + "\":1";
  for (int i = 0; i < 200'000; ++i) values += ",0";
  for (const std::string& body : {with(members), with(values + "]")}) {
    const auto request = openai_chat().parse_request(body);
    ASSERT_FALSE(request);
    EXPECT_EQ(request.error().kind, ErrorKind::invalid_request);
    EXPECT_NE(request.error().message.find("too many"), std::string::npos) << request.error().message;
  }
  EXPECT_TRUE(openai_chat().parse_request(with(",\"seed\":1")));
}

}  // namespace
}  // namespace switchyard
