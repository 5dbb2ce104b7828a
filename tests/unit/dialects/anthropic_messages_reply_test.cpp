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

std::string block(int index, const std::string& body) {
  return frame("content_block_start", ",\"index\":" + std::to_string(index) + ",\"content_block\":" + body);
}

std::string delta(int index, const std::string& body) {
  return frame("content_block_delta", ",\"index\":" + std::to_string(index) + ",\"delta\":" + body);
}

std::string stop(int index) {
  return frame("content_block_stop", ",\"index\":" + std::to_string(index));
}

std::string parsed(const std::string& stream) {
  const auto parser = dialect().make_event_parser();
  std::vector<Event> events;
  auto result = parser->feed(stream, events);
  if (result) result = parser->finish(events);
  return dump(events) + (result ? "" : std::string(name_of(result.error().kind)) + "\n");
}

TEST(AnthropicParser, IsLiberalInWhatItTakes) {
  const std::string end = frame("message_stop");

  const struct {
    std::string stream;
    const char* events;
    const char* why;
  } rows[] = {
      {end, "start\nfinish stop\n", "nothing but an end"},
      {block(0, R"({"type":"text","text":"a"})") + delta(0, R"({"type":"text_delta","text":"b"})") + end,
       "start\ntext \"a\"\ntext \"b\"\nfinish stop\n", "text in the block's start; no stop of the block"},
      {block(0, R"({"type":"tool_use","id":"t","name":"f","input":{"a":1}})") +
           delta(0, R"({"type":"input_json_delta","partial_json":"{\"a\":1}"})") + stop(0) + end,
       "start\ntool_call 0 id \"t\" name \"f\"\narguments 0 \"{\\\"a\\\":1}\"\nfinish stop\n",
       "input both at the start and in pieces counts once"},
      {block(0, R"({"type":"tool_use","id":"t","name":"f"})") + end,
       "start\ntool_call 0 id \"t\" name \"f\"\narguments 0 \"{}\"\nfinish stop\n", "no arguments, no stop"},
      {block(0, R"({"type":"tool_use","id":"t","name":"f"})") +
           block(1, R"({"type":"tool_use","id":"u","name":"g"})") +
           delta(0, R"({"type":"input_json_delta","partial_json":"{"})") +
           delta(1, R"({"type":"input_json_delta","partial_json":"["})") + stop(0) + stop(1) + end,
       "start\ntool_call 0 id \"t\" name \"f\"\ntool_call 1 id \"u\" name \"g\"\narguments 0 "
       "\"{\"\narguments 1 "
       "\"[\"\nfinish stop\n",
       "two blocks open at once"},
      {block(0, R"({"type":"thinking","thinking":"","signature":""})") +
           delta(0, R"({"type":"signature_delta","signature":"s"})") + stop(0) + end,
       "start\nthinking_signature \"s\" origin \"anthropic\"\nfinish stop\n",
       "thinking whose text is omitted"},
      {block(0, R"({"type":"thinking","thinking":""})") + stop(0) + end, "start\nfinish stop\n",
       "empty thinking"},
      {block(0, R"({"type":"server_tool_use","id":"s","name":"web_search","input":{}})") +
           delta(0, R"({"type":"input_json_delta","partial_json":"{}"})") + stop(0) + end,
       "start\nfinish stop\n", "a server's tool is not the caller's"},
      {delta(0, R"({"type":"citations_delta","citation":{}})") + end, "start\nfinish stop\n", "citations"},
      {delta(5, R"({"type":"text_delta","text":"a"})") + end, "start\ntext \"a\"\nfinish stop\n",
       "no block at all"},
      {frame("message_start", R"(,"message":{"id":"m","model":"c"})") +
           frame("message_start", R"(,"message":{"id":"n"})") + end,
       "start id \"m\" model \"c\"\nfinish stop\n", "a second start"},
      {end + "data: {", "start\nfinish stop\n", "what follows the end"},
      {"data: {\"type\":\"message_stop\"}\r\r", "start\nfinish stop\n", "no event line; CR"},
      {"event: message_stop\ndata:{}\n\n", "start\nfinish stop\n", "no type"},
      {frame("message_delta", R"(,"delta":{"stop_reason":"stop_sequence","stop_sequence":"E"})") + end,
       "start\nfinish stop at \"E\"\n", "which sequence"},
      {frame("error", R"(,"error":{"type":"timeout_error","message":"m"})") + end,
       "failed provider_error \"m\"\n", "an error first"},
      {"data: 5\n\n", "bad_reply\n", "no object"},
      {"data: {\n\n", "bad_reply\n", "no JSON"},
      {"data\n\n", "bad_reply\n", "no text at all"},
      {"", "bad_reply\n", "nothing"},
      {"event: message_stop\ndata: {}\n", "bad_reply\n", "an unfinished frame"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    EXPECT_EQ(parsed(row.stream), row.events);
  }
}

TEST(AnthropicParser, Reasons) {
  const struct {
    const char* reason;
    const char* event;
    const char* back;
  } rows[] = {{"end_turn", "finish stop", "end_turn"},
              {"max_tokens", "finish length", "max_tokens"},
              {"model_context_window_exceeded", "finish length", "max_tokens"},
              {"tool_use", "finish tool_calls", "tool_use"},
              {"pause_turn", "finish stop", "end_turn"},
              {"refusal", "finish content_filter", "refusal"},
              {"a_later_one", "finish stop", "end_turn"}};

  for (const auto& row : rows) {
    SCOPED_TRACE(row.reason);
    std::vector<Event> events;
    ASSERT_TRUE(dialect().parse_reply(
        std::string(R"({"content":[],"stop_reason":")") + row.reason + R"(","stop_sequence":null})", events));
    EXPECT_EQ(dump(events.back()), row.event);
    EXPECT_EQ(json::parse(dialect().write_reply(events, {}))["stop_reason"], row.back);
  }
}

TEST(AnthropicParser, ErrorTypesInAStream) {
  const struct {
    const char* type;
    ErrorKind kind;
    int upstream_status;
  } rows[] = {{"overloaded_error", ErrorKind::overloaded, 529},
              {"rate_limit_error", ErrorKind::rate_limited, 0},
              {"authentication_error", ErrorKind::credential, 0},
              {"permission_error", ErrorKind::credential, 0},
              {"billing_error", ErrorKind::credential, 0},
              {"invalid_request_error", ErrorKind::invalid_request, 0},
              {"not_found_error", ErrorKind::not_found, 0},
              {"request_too_large", ErrorKind::too_large, 0},
              {"timeout_error", ErrorKind::provider_error, 0},
              {"api_error", ErrorKind::provider_error, 0},
              {"a_later_one", ErrorKind::provider_error, 0}};

  for (const auto& row : rows) {
    SCOPED_TRACE(row.type);
    std::vector<Event> events;
    const auto parser = dialect().make_event_parser();
    ASSERT_TRUE(parser->feed(
        frame("error", std::string(R"(,"error":{"message":"m","type":")") + row.type + "\"}"), events));
    ASSERT_TRUE(parser->finish(events)) << "the error is the end";
    const auto* failed = std::get_if<ReplyFailed>(&events.back());
    ASSERT_TRUE(failed);
    EXPECT_EQ(name_of(failed->error.kind), name_of(row.kind));
    EXPECT_EQ(failed->error.upstream_status, row.upstream_status);
  }
}

TEST(AnthropicParser, OpenBlocksAreLimited) {
  std::string stream;
  for (int i = 0; i < 100; ++i) stream += block(i, R"({"type":"text","text":""})");
  EXPECT_EQ(parsed(stream + frame("message_stop")), "start\nbad_reply\n");
}

// The blocks of a written stream as a client puts them together, with the rules of the official SDK: one
// message_start first, one block open at a time, indices without gaps, everything closed before
// message_delta, message_stop last.
json assembled(const std::string& stream) {
  json message;
  bool is_open = false, is_over = false;
  for (std::size_t at = 0; at < stream.size();) {
    const std::size_t end = stream.find("\n\n", at) + 2;
    const std::string text = stream.substr(at, end - at);
    at = end;
    const std::size_t line = text.find('\n');
    const json event = json::parse(text.substr(line + 7));
    const std::string type = event["type"];
    EXPECT_EQ(text.substr(0, line), "event: " + type);
    EXPECT_FALSE(is_over) << "nothing follows message_stop";
    if (type == "message_start") {
      EXPECT_TRUE(message.is_null());
      message = event["message"];
      EXPECT_TRUE(message["usage"].contains("output_tokens"));
      continue;
    }
    EXPECT_FALSE(message.is_null()) << "message_start comes first";
    json& content = message["content"];
    if (type == "content_block_start") {
      EXPECT_FALSE(is_open);
      EXPECT_EQ(event["index"], content.size());
      content.push_back(event["content_block"]);
      is_open = true;
    } else if (type == "content_block_delta") {
      EXPECT_TRUE(is_open && event["index"] == content.size() - 1);
      for (const auto& [name, value] : event["delta"].items()) {
        if (name == "type") continue;
        std::string& so_far =
            (content.back()[name].is_null() ? content.back()[name] = "" : content.back()[name])
                .get_ref<std::string&>();
        so_far += value.get<std::string>();
      }
    } else if (type == "content_block_stop") {
      EXPECT_TRUE(is_open && event["index"] == content.size() - 1);
      is_open = false;
    } else if (type == "message_delta") {
      EXPECT_FALSE(is_open);
      message.update(event["delta"]);
      message["usage"] = event["usage"];
    }
    is_over = type == "message_stop";
  }
  EXPECT_TRUE(is_over);
  return message;
}

json streamed(const std::vector<Event>& events) {
  const auto writer = dialect().make_event_writer({"req:1", "asked", 1, false});
  std::string out;
  for (const Event& event : events) writer->write(event, out);
  writer->end(out);
  return assembled(out);
}

std::string kinds(const json& message) {
  std::string out;
  for (const json& one : message["content"]) {
    out += one["type"].get<std::string>() + "(";
    for (const char* name : {"text", "thinking", "signature", "data", "name", "partial_json"}) {
      if (one.contains(name)) out += one[name].get<std::string>() + " ";
    }
    if (out.back() == ' ') out.pop_back();
    out += ") ";
  }
  return out;
}

TEST(AnthropicWriter, OneBlockAtATime) {
  const struct {
    std::vector<Event> events;
    const char* blocks;
    const char* why;
  } rows[] = {
      {{}, "", "nothing"},
      {{TextDelta{""}, ThinkingDelta{""}, ThinkingSignature{""}}, "", "nothing at all"},
      {{TextDelta{"a"}, TextDelta{"b"}, RefusalDelta{"c"}}, "text(abc) ", "one text; a refusal is text"},
      {{ThinkingDelta{"a"}, ThinkingSignature{"s"}, TextDelta{"b"}}, "thinking(a s) text(b) ", "signed"},
      {{ThinkingDelta{"a"}, TextDelta{"b"}}, "thinking(a ) text(b) ", "unsigned"},
      {{ThinkingDelta{"a"}, ThinkingSignature{"s"}, ThinkingDelta{"b"}, ThinkingSignature{"t"}},
       "thinking(a s) thinking(b t) ",
       "a signature ends the block"},
      {{ThinkingSignature{"s"}, RedactedThinking{"d"}, RedactedThinking{"e"}},
       "thinking( s) redacted_thinking(d) redacted_thinking(e) ",
       "omitted and redacted"},
      {{ToolCallStart{0, "x", "f"}, ToolCallDelta{0, "{\"a\":"}, ToolCallDelta{0, "1}"},
        ToolCallStart{1, "y", "g"}, ToolCallDelta{1, "{}"}},
       "tool_use(f {\"a\":1}) tool_use(g {}) ",
       "one after the other"},
      {{ToolCallStart{0, "x", "f"}, ToolCallStart{1, "y", "g"}, ToolCallDelta{0, "{"},
        ToolCallDelta{1, "{\"b\""}, ToolCallDelta{0, "}"}, ToolCallDelta{1, ":2}"}},
       "tool_use(f {}) tool_use(g {\"b\":2}) ",
       "interleaved"},
      {{ToolCallStart{0, "x", "f"}, ToolCallDelta{0, "{\"a\":\"}"}, TextDelta{"t"}, ToolCallDelta{0, "\"}"}},
       "tool_use(f {\"a\":\"}\"}) text(t) ",
       "text waits for a call that is not whole"},
      {{ToolCallStart{0, "x", "f"}, ToolCallStart{1, "y", "g"}},
       "tool_use(f) tool_use(g) ",
       "no arguments at all"},
      {{ToolCallDelta{3, "{}"}, TextDelta{"t"}}, "text(t) ", "arguments of a call that never began"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    EXPECT_EQ(kinds(streamed(row.events)), row.blocks);
  }
}

TEST(AnthropicWriter, CallsThatFollowOneAnotherDoNotWait) {
  const auto writer = dialect().make_event_writer({});
  std::string out;
  for (const Event& event : std::vector<Event>{
           ToolCallStart{0, "x", "f"}, ToolCallDelta{0, "{\"a\":\"\\\"}\"}"}, ToolCallStart{1, "y", "g"}}) {
    writer->write(event, out);
  }
  EXPECT_NE(out.find("\"name\":\"g\""), std::string::npos) << "the second call is on its way";
  out.clear();
  writer->write(ToolCallDelta{1, "{"}, out);
  EXPECT_NE(out.find("input_json_delta"), std::string::npos);
}

TEST(AnthropicWriter, IdsUsageAndReasons) {
  json message = streamed({TextDelta{"a"}});
  EXPECT_EQ(message["id"], "msg_req1") << "the request's id, stripped";
  EXPECT_EQ(message["model"], "asked");
  EXPECT_EQ(message["stop_reason"], "end_turn");
  EXPECT_EQ(message["usage"]["output_tokens"], 0);
  message = streamed({ReplyStart{"chatcmpl-1", "gpt"}, ToolCallStart{0, "", "f"},
                      Finish{FinishReason::tool_calls, {}}, Usage{100, 30, 20, 7, 5}});
  EXPECT_EQ(message["id"], "chatcmpl-1");
  EXPECT_EQ(message["model"], "asked");
  EXPECT_EQ(message["content"][0]["id"], "toolu_req1_0") << "an id for a call without one";
  EXPECT_EQ(message["stop_reason"], "tool_use");
  EXPECT_EQ(message["usage"], (json{{"input_tokens", 50},
                                    {"cache_creation_input_tokens", 20},
                                    {"cache_read_input_tokens", 30},
                                    {"output_tokens", 7},
                                    {"output_tokens_details", {{"thinking_tokens", 5}}}}));
  message = streamed({Usage{1, 5, 5, 0, 0}, Finish{FinishReason::stop, "E"}});
  EXPECT_EQ(message["usage"]["input_tokens"], 0) << "never below nothing";
  EXPECT_EQ(message["stop_reason"], "stop_sequence");
  EXPECT_EQ(message["stop_sequence"], "E");
}

TEST(AnthropicWriter, WholeRepliesSayTheSameAsStreams) {
  const std::vector<Event> events{ReplyStart{"m", "c"},        ThinkingDelta{"t"},
                                  ThinkingSignature{"s"},      RedactedThinking{"d"},
                                  TextDelta{"a\xFF"},          ToolCallStart{0, "x", "f"},
                                  ToolCallStart{1, "y", "g"},  ToolCallDelta{0, "{\"z\":1,"},
                                  ToolCallDelta{1, "no json"}, ToolCallDelta{0, "\"a\":2}"},
                                  Usage{3, 0, 0, 4, 0},        Finish{FinishReason::tool_calls, {}}};
  json message = streamed(events);
  for (json& one : message["content"]) {
    if (!one.contains("partial_json")) continue;
    const json input = json::parse(one["partial_json"].get<std::string>(), nullptr, false);
    one["input"] = input.is_object() ? input : json{{"arguments", one["partial_json"]}};
    one.erase("partial_json");
  }
  const std::string text = dialect().write_reply(events, {"req:1", "asked", 1, false});
  EXPECT_EQ(json::parse(text), message);
  EXPECT_NE(text.find(R"({"z":1,"a":2})"), std::string::npos) << "arguments keep their order";
  EXPECT_EQ(json::parse(dialect().write_reply({}, {}))["content"], json::array());
}

}  // namespace
}  // namespace switchyard
