// What golden files do not show of the Responses dialect: the scanner, items in any order, and signatures
// that come back through it.
#include "adapters/dialects/openai_responses.h"

#include "tests/unit/dialects/dump.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace switchyard {
namespace {

using nlohmann::json;

std::string frame(const std::string& type, const std::string& members) {
  std::string out = "event: " + type + "\ndata: {\"type\":\"" + type + "\"";
  if (!members.empty()) out += "," + members;
  return out + "}\n\n";
}

const std::string kCreated =
    frame("response.created", R"("response":{"id":"r","status":"in_progress","error":null})");
const std::string kItem = frame("response.output_item.added",
                                R"("output_index":0,"item":{"type":"message","id":"m","content":[]})");
const std::string kText =
    frame("response.output_text.delta", R"("output_index":0,"content_index":0,"delta":"Hi")");
const std::string kCompleted = frame(
    "response.completed",
    R"("response":{"id":"r","status":"completed","usage":{"input_tokens":7,"output_tokens":2,"input_tokens_details":{"cached_tokens":3}}})");

struct Scan {
  std::string forwarded;
  bool content = false, complete = false, failed = false;
  std::optional<Error> error;
  std::optional<Usage> usage;
};

Scan scan(const std::vector<std::string>& pieces) {
  const auto scanner = openai_responses().make_scanner({.drop_usage = true});
  Scan result;
  std::vector<std::string_view> forward;
  for (const std::string& piece : pieces) {
    const std::string_view view = piece;
    forward.clear();
    result.failed |= scanner->feed({&view, 1}, forward).has_error();
    for (const auto one : forward) result.forwarded += one;
  }
  forward.clear();
  if (!result.failed) result.failed = scanner->finish(forward).has_error();
  for (const auto one : forward) result.forwarded += one;
  result.content = scanner->has_content();
  result.complete = scanner->is_complete();
  result.error = scanner->error();
  result.usage = scanner->usage();
  return result;
}

TEST(ResponsesScanner, ForwardsWholeFramesAndReadsAlong) {
  const std::string body = kCreated + kItem + kText + kCompleted;
  for (std::size_t i = 0; i < body.size(); ++i) {
    const Scan result = scan({body.substr(0, i), body.substr(i)});
    ASSERT_EQ(result.forwarded, body) << "split at " << i;
    ASSERT_TRUE(result.complete && result.content && !result.failed) << "split at " << i;
    ASSERT_TRUE(result.usage) << "split at " << i;
    ASSERT_EQ(result.usage->input_tokens, 7);
    ASSERT_EQ(result.usage->cached_tokens, 3);
  }
}

TEST(ResponsesScanner, KnowsWhatIsContentAndWhatIsNot) {
  const struct {
    std::string body;
    const char* why;
    bool content;
  } rows[] = {
      {kCreated + kItem, "an item that has only begun", false},
      {frame("response.output_item.added", R"("item":{"type":"reasoning"})"), "a thought to come", false},
      {frame("response.output_item.added", R"("item":{"type":"function_call","name":"f"})"), "a call", true},
      {frame("response.output_item.added", R"("item":{"type":"web_search_call"})"), "a hosted call", true},
      {frame("response.output_text.delta", R"("delta":"")"), "an empty piece", false},
      {kText, "text", true},
      {frame("response.reasoning_summary_text.delta", R"("delta":"x")"), "a thought", true},
      {frame("response.output_item.done", R"("item":{"type":"reasoning"})"), "a whole item", true},
      {frame("response.queued", R"("response":{"id":"r"})"), "waiting", false},
      {frame("response.new_thing.delta", R"("delta":{"a":1})"), "a delta of a new kind", true},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    EXPECT_EQ(scan({row.body}).content, row.content);
  }
}

TEST(ResponsesScanner, TellsABrokenStreamFromAWholeOne) {
  const std::string incomplete =
      frame("response.incomplete", R"("response":{"id":"r","status":"incomplete"})");

  const struct {
    std::string body, forwarded;
    bool failed, complete;
    const char* why;
  } rows[] = {
      {kCreated + kText, kCreated + kText, true, false, "a clean end in the middle"},
      {kCreated + kText + "data: [DONE]\n\n", kCreated + kText, true, false, "[DONE] ends nothing here"},
      {kText + kCompleted + "data: [DONE]\n\n", kText + kCompleted, false, true,
       "and is not read behind the end"},
      {kText + incomplete, kText + incomplete, false, true, "an answer that was cut off says so"},
      {kText + "data: {\"ty", kText, true, false, "cut inside a frame"},
      {kText + "data: {]\n\n", kText, true, false, "no JSON"},
      {": ping\n\nevent: ping\n\n" + kText + kCompleted, kText + kCompleted, false, true,
       "comments and events without data are not handed on"},
      {"", "", true, false, "nothing"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const Scan result = scan({row.body});
    EXPECT_EQ(result.forwarded, row.forwarded);
    EXPECT_EQ(result.failed, row.failed);
    EXPECT_EQ(result.complete, row.complete);
  }
}

TEST(ResponsesScanner, KeepsAnErrorFrameBack) {
  const struct {
    std::string error;
    ErrorKind kind;
  } rows[] = {
      {frame("error", R"("code":"server_error","message":"busy","param":null)"), ErrorKind::provider_error},
      {frame("error", R"("error":{"type":"x","code":"rate_limit_exceeded","message":"slow"})"),
       ErrorKind::rate_limited},
      {"data: {\"error\":\"busy\"}\n\n", ErrorKind::provider_error},
      {frame("response.failed", R"("response":{"status":"failed","error":{"code":"rate_limit_exceeded"}})"),
       ErrorKind::rate_limited},
      {frame("response.failed", {}), ErrorKind::provider_error},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.error);
    const Scan result = scan({kCreated + kText + row.error + kCompleted});
    EXPECT_EQ(result.forwarded, kCreated + kText);
    ASSERT_TRUE(result.error);
    EXPECT_EQ(result.error->kind, row.kind);
    EXPECT_FALSE(result.complete);
  }
}

TEST(ResponsesReply, IsScannedForItsUsage) {
  const auto usage = openai_responses().scan_reply(
      R"({"id":"r","output":[],"error":null,"usage":{"input_tokens":4,"output_tokens":2,"output_tokens_details":{"reasoning_tokens":1}}})");
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->input_tokens, 4);
  EXPECT_EQ(usage->reasoning_tokens, 1);
  for (const std::string_view body : {R"({"id":"r"})", R"({"output":{}})", R"({"output":[)", "[]", "",
                                      "<html>", R"({"output":[],"error":{"code":"server_error"}})"}) {
    EXPECT_FALSE(openai_responses().scan_reply(body)) << body;
  }
}

Result<ChatRequest> parse_items(const json& items) {
  return openai_responses().parse_request(json{{"model", "m"}, {"input", items}}.dump());
}

json call(const std::string& id) {
  return {{"type", "function_call"}, {"call_id", id}, {"name", "f"}, {"arguments", "{}"}};
}

json output(const std::string& id) {
  return {{"type", "function_call_output"}, {"call_id", id}, {"output", "x"}};
}

json said(const std::string& text) {
  return {{"role", "assistant"}, {"content", text}};
}

TEST(ResponsesRequest, GroupsItemsIntoTurns) {
  const struct {
    json items;
    std::string turns;
    const char* why;
  } rows[] = {
      {{said("a"), call("1"), call("2"), output("1"), output("2")},
       "assistant 3, user 2",
       "one turn, one answer"},
      {{call("1"), said("a"), output("1")}, "assistant 2, user 1", "a text between a call and its output"},
      {{said("a"), said("b")}, "assistant 1, assistant 1", "two texts are two turns"},
      {{call("1"), output("1"), call("2"), output("2")},
       "assistant 1, user 1, assistant 1, user 1",
       "calls one after the other"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const auto request = parse_items(row.items);
    ASSERT_TRUE(request) << request.error().message;
    std::string turns;
    for (const Message& message : request->messages) {
      if (!turns.empty()) turns += ", ";
      turns += message.role == Role::assistant ? "assistant " : "user ";
      turns += std::to_string(message.parts.size());
    }
    EXPECT_EQ(turns, row.turns);
  }
}

TEST(ResponsesRequest, CanContinueTheItemsOfAStore) {
  const std::string body =
      R"({"model":"m","previous_response_id":"resp_1","instructions":"New.","input":[{"type":"function_call_output","call_id":"c","output":"4"}]})";
  const auto refused = responses::parse_request(body);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "previous_response_not_found");
  EXPECT_EQ(refused.error().param, "previous_response_id");
  EXPECT_EQ(openai_responses().write_error(refused.error(), "r").status, 400);
  const auto request = responses::parse_request(
      body,
      R"([{"role":"user","content":"2+2"},{"type":"function_call","call_id":"c","name":"add","arguments":"{}"}])");
  ASSERT_TRUE(request) << request.error().message;
  ASSERT_EQ(request->messages.size(), 4u);
  EXPECT_EQ(std::get<TextPart>(request->messages[0].parts[0]).text, "New.");
  EXPECT_EQ(std::get<TextPart>(request->messages[1].parts[0]).text, "2+2");
  EXPECT_EQ(std::get<ToolCallPart>(request->messages[2].parts[0]).id, "c");
  EXPECT_EQ(std::get<ToolResultPart>(request->messages[3].parts[0]).tool_call_id, "c");
}

TEST(ResponsesRequest, HostedToolsAreNamedOnceAndForcedOnlyWhenTheyMustBeUsed) {
  const auto parse = [](const std::string& members) {
    const auto request = openai_responses().parse_request(R"({"model":"m","input":"Hi",)" + members + "}");
    EXPECT_TRUE(request) << members;
    return request ? *request : ChatRequest();
  };
  const std::string hosted =
      R"({"type":"web_search"},{"type":"namespace","name":"n","tools":[]},{"type":"web_search"})";
  const std::string function = R"({"type":"function","name":"f"})";
  const ChatRequest plain = parse(R"("tools":[)" + hosted + "," + function + R"(],"tool_choice":"required")");
  EXPECT_EQ(plain.hosted_tools, (std::vector<std::string>{"web_search", "namespace"}));
  EXPECT_FALSE(plain.hosted_tool_is_forced) << "the function may be called";
  EXPECT_TRUE(parse(R"("tools":[)" + hosted + R"(],"tool_choice":"required")").hosted_tool_is_forced);
  EXPECT_FALSE(parse(R"("tools":[)" + hosted + R"(],"tool_choice":"auto")").hosted_tool_is_forced);
  EXPECT_TRUE(parse(R"("tools":[)" + hosted + "," + function + R"(],"tool_choice":{"type":"web_search"})")
                  .hosted_tool_is_forced);
  const ChatRequest custom = parse(R"("tools":[{"type":"custom","name":"c"}])");
  ASSERT_EQ(custom.tools.size(), 1u);
  EXPECT_TRUE(custom.tools[0].custom);
}

TEST(ResponsesRequest, LongCallIdsStayTheSameForTheCallAndItsOutput) {
  const std::string id(100, 'x');
  const auto request = parse_items({call(id), output(id)});
  ASSERT_TRUE(request);
  TargetTraits target;
  target.model = "m";
  const auto written = openai_responses().write_request(*request, target);
  ASSERT_TRUE(written) << written.error().message;
  const json input = json::parse(written->body)["input"];
  EXPECT_EQ(input[0]["call_id"], input[1]["call_id"]);
  EXPECT_LE(input[0]["call_id"].get<std::string>().size(), 64u);
}

// An application that speaks Responses to a model of another family, and hands back what it got.
TEST(ResponsesSignatures, ComeBackToWhoMadeThem) {
  const std::vector<Event> events{ReplyStart{"x", "m"},
                                  ThinkingDelta{"a city"},
                                  ThinkingSignature{"c2ln+/==", "anthropic"},
                                  RedactedThinking{"ZGF0YQ==", "anthropic"},
                                  ToolCallStart{0, "toolu_1", "weather", "R2Vt", "gemini"},
                                  ToolCallDelta{0, R"({"city":"Paris"})"},
                                  Finish{FinishReason::tool_calls, {}}};
  const json reply = json::parse(openai_responses().write_reply(events, {"req_1", "m", 1, true}));
  json items = json::array({{{"role", "user"}, {"content", "Weather?"}}});
  for (const json& item : reply["output"]) items.push_back(item);
  items.push_back(output("toolu_1"));
  const auto request = parse_items(items);
  ASSERT_TRUE(request) << request.error().message;
  ASSERT_EQ(request->messages.size(), 3u);
  const auto& parts = request->messages[1].parts;
  ASSERT_EQ(parts.size(), 3u) << dump(*request);
  const auto& thinking = std::get<ThinkingPart>(parts[0]);
  EXPECT_EQ(thinking.text, "a city");
  EXPECT_EQ(thinking.signature, "c2ln+/==");
  EXPECT_EQ(thinking.origin, "anthropic");
  const auto& redacted = std::get<ThinkingPart>(parts[1]);
  EXPECT_EQ(redacted.redacted, "ZGF0YQ==");
  EXPECT_EQ(redacted.origin, "anthropic");
  const auto& tool_call = std::get<ToolCallPart>(parts[2]);
  EXPECT_EQ(tool_call.id, "toolu_1");
  EXPECT_EQ(tool_call.signature, "R2Vt");
  EXPECT_EQ(tool_call.origin, "gemini");
}

// An application that speaks another dialect to a model behind Responses: Claude Code on OpenAI.
TEST(ResponsesSignatures, OfOpenAiComeBackThroughAnotherDialect) {
  std::vector<Event> events;
  ASSERT_TRUE(openai_responses().parse_reply(
      R"({"id":"r","status":"completed","model":"gpt-5","output":[
          {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a city"}],"encrypted_content":"gAAA-_=="},
          {"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"gBBB"},
          {"type":"reasoning","summary":[],"encrypted_content":"gCCC"},
          {"type":"function_call","id":"fc_1","call_id":"call_1","name":"weather","arguments":"{}"}]})",
      events));
  const json reply = json::parse(anthropic_messages().write_reply(events, {"req_1", "m", 1, true}));
  const json body{
      {"model", "m"},
      {"max_tokens", 2000},
      {"messages",
       {{{"role", "user"}, {"content", "Weather?"}},
        {{"role", "assistant"}, {"content", reply["content"]}},
        {{"role", "user"},
         {"content", {{{"type", "tool_result"}, {"tool_use_id", "call_1"}, {"content", "18"}}}}}}}};
  const auto request = anthropic_messages().parse_request(body.dump());
  ASSERT_TRUE(request) << request.error().message;
  TargetTraits target;
  target.model = "gpt-5";
  const auto written = openai_responses().write_request(*request, target);
  ASSERT_TRUE(written) << written.error().message;
  const json input = json::parse(written->body)["input"];
  ASSERT_EQ(input.size(), 6u) << input.dump(2);
  EXPECT_EQ(input[1], (json{{"type", "reasoning"},
                            {"id", "rs_1"},
                            {"summary", {{{"type", "summary_text"}, {"text", "a city"}}}},
                            {"encrypted_content", "gAAA-_=="}}));
  EXPECT_EQ(input[2]["id"], "rs_2");
  EXPECT_EQ(input[2]["encrypted_content"], "gBBB");
  EXPECT_FALSE(input[3].contains("id")) << "the provider gave none";
  EXPECT_EQ(input[3]["encrypted_content"], "gCCC");
  EXPECT_EQ(input[4]["call_id"], "call_1");
  EXPECT_EQ(input[5]["call_id"], "call_1");
}

TEST(ResponsesRequest, AThoughtThatLedToNothingIsNotSent) {
  const json thought{
      {"type", "reasoning"}, {"id", "rs_1"}, {"summary", json::array()}, {"encrypted_content", "e"}};
  const json user{{"role", "user"}, {"content", "Hi"}};
  for (const auto& [items, sent] :
       {std::pair{json{user, thought, said("a"), user}, 4u}, {json{user, thought, user}, 2u}}) {
    const auto request = parse_items(items);
    ASSERT_TRUE(request) << request.error().message;
    TargetTraits target;
    target.model = "m";
    const auto written = openai_responses().write_request(*request, target);
    ASSERT_TRUE(written) << written.error().message;
    EXPECT_EQ(json::parse(written->body)["input"].size(), sent) << written->body;
  }
}

TEST(ResponsesErrors, EndAStreamForTheSdkAndForCodex) {
  Error error(ErrorKind::context_too_long, "too long \"x\"", "input");
  const std::string frames = openai_responses().write_error_frame(error, "req_abc");
  EXPECT_TRUE(frames.starts_with("event: error\ndata: {\"type\":\"error\","));
  EXPECT_NE(frames.find("\n\nevent: response.failed\ndata: "), std::string::npos);
  EXPECT_TRUE(frames.ends_with("}\n\n"));
  std::vector<Event> events;
  const auto parser = openai_responses().make_event_parser();
  ASSERT_TRUE(parser->feed(frames, events));
  ASSERT_TRUE(parser->finish(events));
  ASSERT_EQ(events.size(), 1u) << "a gateway behind this one reads one error";
  EXPECT_EQ(std::get<ReplyFailed>(events[0]).error.kind, ErrorKind::context_too_long);
}

}  // namespace
}  // namespace switchyard
