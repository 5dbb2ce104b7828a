#include "adapters/dialects/dialect.h"
#include "tests/unit/dialects/dump.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace switchyard {
namespace {

using nlohmann::json;

const Dialect& dialect() {
  return anthropic_messages();
}

std::string frame(const std::string& type, const std::string& rest = {}) {
  return "event: " + type + "\ndata: {\"type\":\"" + type + "\"" + rest + "}\n\n";
}

TEST(AnthropicErrors, WhoseFaultItIs) {
  const struct {
    int status;
    const char* body;
    ErrorKind kind;
    const char* message;
    const char* why;
  } rows[] = {
      {400, R"({"error":{"type":"invalid_request_error","message":"x: Extra inputs are not permitted"}})",
       ErrorKind::invalid_request, "x: Extra inputs are not permitted", "the caller's, in its words"},
      {400, R"({"error":{"message":"bad, see https://docs.example.com/errors"}})", ErrorKind::invalid_request,
       "bad, see https://docs.example.com/errors", "a link to the documentation helps"},
      {400, R"({"error":{"message":"input length and `max_tokens` exceed context limit: 1 + 2 > 2"}})",
       ErrorKind::context_too_long, "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
       "the other way to say it"},
      {400, R"({"error":{"message":"Your credit balance is too low to access the API"}})",
       ErrorKind::credential, "the provider refused the gateway's credential",
       "the account's, whatever the status"},
      {401, R"({"error":{"message":"sk-ant-1 is no key"}})", ErrorKind::credential,
       "the provider refused the gateway's credential", "keys stay here"},
      {402, R"({"error":{"type":"billing_error","message":"pay"}})", ErrorKind::credential,
       "the provider refused the gateway's credential", "an unpaid bill"},
      {403, "", ErrorKind::credential, "the provider refused the gateway's credential", "no body"},
      {404, R"({"error":{"message":"model: claude-x"}})", ErrorKind::not_found, "model: claude-x",
       "no model"},
      {408, "", ErrorKind::provider_error, "the provider failed", "its own timeout"},
      {413, R"({"error":{"message":"too big"}})", ErrorKind::too_large, "too big", "bytes"},
      {422, R"({"detail":"field required"})", ErrorKind::invalid_request, "field required",
       "FastAPI's shape"},
      {429, R"({"error":"slow down"})", ErrorKind::rate_limited, "slow down", "an error that is a string"},
      {429, R"({"error":{"message":"m","details":{"error_code":"contract_spend_limit_reached"}}})",
       ErrorKind::quota, "m", "used up"},
      {500, R"({"error":{"message":"no route to http://10.0.0.7:8000"}})", ErrorKind::provider_error,
       "the provider failed", "addresses inside stay inside"},
      {500, R"({"error":{"message":"rejected API_KEY abc"}})", ErrorKind::provider_error,
       "the provider failed", "could hold a key"},
      {500, R"({"error":{"type":"overloaded_error","message":"m"}})", ErrorKind::overloaded, "m",
       "the type says more than the status"},
      {503, "<html>", ErrorKind::overloaded, "the provider is overloaded", "a proxy's page"},
      {504, "[]", ErrorKind::provider_error, "the provider failed", "JSON, and no object"},
      {529, R"({"message":"busy"})", ErrorKind::overloaded, "busy", "the message at the top"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const Error error = dialect().parse_error(row.status, row.body);
    EXPECT_EQ(name_of(error.kind), name_of(row.kind));
    EXPECT_EQ(error.message, row.message);
    EXPECT_EQ(error.upstream_status, row.status);
  }
}

TEST(AnthropicErrors, LongMessagesAreCutBetweenCharacters) {
  std::string text(499, 'a');
  text += "\xC3\xA9 and more";
  const Error error = dialect().parse_error(400, R"({"error":{"message":")" + text + R"("}})");
  EXPECT_EQ(error.message, std::string(499, 'a'));
}

TEST(AnthropicErrors, StatusAndTypeTowardTheCaller) {
  using enum ErrorKind;

  const struct {
    ErrorKind kind;
    int upstream_status, status;
    const char* type;
  } rows[] = {{invalid_request, 0, 400, "invalid_request_error"},
              {unsupported, 0, 400, "invalid_request_error"},
              {context_too_long, 400, 400, "invalid_request_error"},
              {invalid_key, 0, 401, "authentication_error"},
              {forbidden, 0, 403, "permission_error"},
              {not_found, 0, 404, "not_found_error"},
              {method_not_allowed, 0, 405, "invalid_request_error"},
              {too_large, 0, 413, "request_too_large"},
              {limited, 0, 429, "rate_limit_error"},
              {rate_limited, 429, 429, "rate_limit_error"},
              {quota, 429, 429, "rate_limit_error"},
              {overloaded, 529, 529, "overloaded_error"},
              {overloaded, 503, 503, "overloaded_error"},
              {unavailable, 0, 503, "overloaded_error"},
              {connect_timeout, 0, 504, "timeout_error"},
              {first_token_timeout, 0, 504, "timeout_error"},
              {between_tokens_timeout, 0, 504, "timeout_error"},
              {total_timeout, 0, 504, "timeout_error"},
              {exhausted, 0, 502, "api_error"},
              {unreachable, 0, 502, "api_error"},
              {bad_reply, 0, 502, "api_error"},
              {provider_error, 500, 502, "api_error"},
              {credential, 401, 502, "api_error"},
              {cancelled, 0, 499, "api_error"},
              {internal, 0, 500, "api_error"}};

  for (const auto& row : rows) {
    SCOPED_TRACE(name_of(row.kind));
    Error error(row.kind, "said \"so\"");
    error.upstream_status = row.upstream_status;
    const WrittenError written = dialect().write_error(error, "req_1");
    EXPECT_EQ(written.status, row.status);
    const json body = json::parse(written.body);
    EXPECT_EQ(body, (json{{"type", "error"},
                          {"error", {{"type", row.type}, {"message", "said \"so\""}}},
                          {"request_id", "req_1"}}));
    EXPECT_EQ(dialect().write_error_frame(error, "req_1"), "event: error\ndata: " + written.body + "\n\n");
  }
  EXPECT_EQ(json::parse(dialect().write_error(Error(internal, ""), "r").body)["error"]["message"],
            "internal");
}

TEST(AnthropicModels, ListAndOne) {
  const json list = json::parse(dialect().write_models({"a", "b-*"}, 1767225661));
  EXPECT_EQ(list["data"].size(), 2u);
  EXPECT_EQ(
      list["data"][0],
      (json{{"type", "model"}, {"id", "a"}, {"display_name", "a"}, {"created_at", "2026-01-01T00:01:01Z"}}));
  EXPECT_EQ(list["has_more"], false);
  EXPECT_EQ(list["first_id"], "a");
  EXPECT_EQ(list["last_id"], "b-*");
  const json empty = json::parse(dialect().write_models({}, 0));
  EXPECT_EQ(
      empty,
      (json{{"data", json::array()}, {"has_more", false}, {"first_id", nullptr}, {"last_id", nullptr}}));
  EXPECT_EQ(json::parse(dialect().write_model("a", 0))["created_at"], "1970-01-01T00:00:00Z");
}

struct Scan {
  std::string forwarded, report;
};

Scan scan(const std::vector<std::string>& pieces) {
  const auto scanner = dialect().make_scanner({});
  std::vector<std::string_view> views(pieces.begin(), pieces.end()), forward;
  Scan out;
  const auto take = [&] {
    for (const std::string_view view : forward) out.forwarded += view;
    forward.clear();
  };
  Result<> result = scanner->feed(views, forward);
  take();
  if (result) result = scanner->finish(forward);
  take();
  if (scanner->has_content()) out.report += "content ";
  if (scanner->is_complete()) out.report += "complete ";
  if (scanner->usage()) out.report += dump(*scanner->usage()) + " ";
  if (scanner->error()) out.report += "error " + std::string(name_of(scanner->error()->kind)) + " ";
  if (!result) out.report += std::string(name_of(result.error().kind)) + " ";
  return out;
}

TEST(AnthropicScanner, WhatEachFrameSays) {
  const std::string stop = frame("message_stop");

  const struct {
    std::string stream;
    const char* report;
    const char* why;
  } rows[] = {
      {frame("ping") + stop, "complete ", "a ping is no content"},
      {frame("content_block_start", R"(,"content_block":{"type":"text","text":""})") + stop, "complete ",
       "an empty block of text is none yet"},
      {frame("content_block_start", R"(,"content_block":{"type":"text","text":"a"})") + stop,
       "content complete ", "one that begins with text is"},
      {frame("content_block_start", R"(,"content_block":{"type":"thinking","thinking":""})") + stop,
       "complete ", "an empty block of thinking is none yet"},
      {frame("content_block_start", R"(,"content_block":{"type":"tool_use","id":"t"})") + stop,
       "content complete ", "a call is"},
      {frame("content_block_start", R"(,"content_block":{"type":"redacted_thinking","data":"x"})") + stop,
       "content complete ", "so is redacted thinking"},
      {frame("content_block_delta", R"(,"delta":{"type":"text_delta","text":""})") + stop, "complete ",
       "empty text is none"},
      {frame("content_block_delta", R"(,"delta":{"type":"thinking_delta","thinking":"a"})") + stop,
       "content complete ", "thinking is"},
      {frame("content_block_delta", R"(,"delta":{"type":"signature_delta","signature":"a"})") + stop,
       "complete ", "a signature alone is none"},
      {frame("content_block_delta", R"(,"delta":{"type":"input_json_delta","partial_json":"{"})") + stop,
       "content complete ", "arguments are"},
      {frame("message_start", R"(,"message":{"usage":{"input_tokens":5,"output_tokens":1}})") +
           frame("message_delta", R"(,"delta":{"stop_reason":null},"usage":{"output_tokens":3})") + stop,
       "complete usage input 5 cached 0 written 0 output 3 reasoning 0 ", "usage is cumulative"},
      {frame("error", R"(,"error":{"type":"rate_limit_error","message":"m"})"), "error rate_limited ",
       "an error ends it"},
      {frame("message_delta", R"(,"delta":{"stop_reason":"end_turn"})"), "complete ",
       "only the end is missing"},
      {frame("message_delta", R"(,"delta":{"stop_reason":null})"), "bad_reply ", "cut short"},
      {"", "bad_reply ", "nothing at all"},
      {stop + "data: {\n\n", "complete ", "what follows the end is passed over"},
      {"data: {}\n\ndata: [1]\n\n", "bad_reply ", "no object"},
      {"data: {\n\n", "bad_reply ", "no JSON"},
      {": comment\n\nevent: ping\n\n" + stop, "complete ", "records without data are none"},
      {"event: message_stop\ndata: {}\n\n", "complete ", "the event's name stands in for a missing type"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    EXPECT_EQ(scan({row.stream}).report, row.report);
  }
}

TEST(AnthropicScanner, ForwardsWholeFramesAndAddsAMissingEnd) {
  const std::string delta = frame("message_delta", R"(,"delta":{"stop_reason":"end_turn"})");
  const std::string stop = frame("message_stop");
  EXPECT_EQ(scan({delta}).forwarded, delta + stop);
  EXPECT_EQ(scan({delta + stop}).forwarded, delta + stop);
  EXPECT_EQ(scan({delta + "event: mess"}).forwarded, delta) << "half a frame is not handed on";
  EXPECT_EQ(scan({delta + "event: mess"}).report, "bad_reply ");
  EXPECT_EQ(scan({": hi\n\n" + delta, stop}).forwarded, delta + stop) << "comments are not handed on";
  EXPECT_EQ(scan({delta + frame("error", R"(,"error":{})") + stop}).forwarded, delta)
      << "neither the error nor what follows it is handed on";
}

TEST(AnthropicReply, ScanReadsUsage) {
  const auto usage = dialect().scan_reply(
      R"({"type":"message","content":[],"usage":{"input_tokens":1,"cache_read_input_tokens":2,"output_tokens":3}})");
  ASSERT_TRUE(usage);
  EXPECT_EQ(*usage, (Usage{.input_tokens = 3, .cached_tokens = 2, .output_tokens = 3}));
  for (const char* body : {"", "{", "[]", "{}", R"({"content":"a"})", R"({"type":"error","error":{}})"}) {
    const auto bad = dialect().scan_reply(body);
    ASSERT_FALSE(bad) << body;
    EXPECT_EQ(bad.error().kind, ErrorKind::bad_reply) << body;
  }
}

TEST(AnthropicReply, AbsurdCountsDoNotOverflow) {
  const auto usage = dialect().scan_reply(
      R"({"content":[],"usage":{"input_tokens":9223372036854775807,"cache_read_input_tokens":9223372036854775807,)"
      R"("cache_creation_input_tokens":-5,"output_tokens":1e300}})");
  ASSERT_TRUE(usage);
  EXPECT_GT(usage->input_tokens, 0);
  EXPECT_EQ(usage->cache_written_tokens, 0);
}

}  // namespace
}  // namespace switchyard
