// What a store needs to know of the responses dialect: it is read out of bytes that the dialect itself made.
#include "adapters/dialects/openai_responses_state.h"

#include "adapters/dialects/json.h"
#include "adapters/dialects/openai_responses.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace switchyard {
namespace {

Result<responses::StateFields> state(std::string_view body) {
  return responses::read_state(body, body.size());
}

std::string items(std::string_view body) {
  return responses::input_items(body, body.size());
}

ReplyContext kept() {
  ReplyContext context;
  context.request_id = "req_1";
  context.model = "asked";
  context.created_s = 7;
  context.store = true;
  context.previous_response_id = "resp_0";
  return context;
}

const std::vector<Event> kEvents{ReplyStart{}, TextDelta{"Sun:\n\nevent: response.completed\n"}, Usage{},
                                 Finish{}};

TEST(ResponsesState, ReadsWhatARequestSaysOfIt) {
  EXPECT_EQ(state(R"({"model":"m","input":"x"})")->previous_id, "");
  EXPECT_TRUE(state(R"({"model":"m","input":"x"})")->store) << "the API's default";
  const auto read = state(R"({"input":[{"store":true}],"store":false,"previous_response_id":"resp_\u0061"})");
  EXPECT_FALSE(read->store);
  EXPECT_EQ(read->previous_id, "resp_a");
  EXPECT_TRUE(state(R"({"store":null,"previous_response_id":null})")->store);
  EXPECT_EQ(state(R"({"store":1})").error().param, "store");
  EXPECT_EQ(state(R"({"previous_response_id":{}})").error().param, "previous_response_id");
  EXPECT_EQ(state(R"([])").error().kind, ErrorKind::invalid_request);
  EXPECT_EQ(state(R"({"store":)").error().kind, ErrorKind::invalid_request);
}

TEST(ResponsesState, TheInputIsAListOfItems) {
  EXPECT_EQ(Json::parse(items(R"({"input" : [ {"a":[1]} ] ,"model":"m"})")), Json::parse(R"([{"a":[1]}])"));
  const auto text = Json::parse(items(R"({"input": "a \"b\"\n" ,"model":"m"})"));
  EXPECT_EQ(text, Json::parse(R"([{"type":"message","role":"user","content":"a \"b\"\n"}])"));
  EXPECT_EQ(items(R"({"model":"m"})"), "");
}

TEST(ResponsesState, AWholeReplyIsRead) {
  const std::string reply = responses::write_reply(kEvents, kept());
  const auto read = responses::read_finished(reply);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->id, "resp_1");
  EXPECT_EQ(read->model, "asked");
  EXPECT_EQ(read->created_s, 7);
  EXPECT_EQ(read->object, reply);
  EXPECT_EQ(Json::parse(read->output), Json::parse(reply).at("output"));
  EXPECT_EQ(Json::parse(reply).at("store"), true);
  EXPECT_EQ(Json::parse(reply).at("previous_response_id"), "resp_0");
  EXPECT_FALSE(responses::read_finished(R"({"id":"resp_1","status":"failed","output":[]})"));
  EXPECT_FALSE(responses::read_finished(R"({"error":{}})"));
  EXPECT_FALSE(responses::read_finished("{"));
}

TEST(ResponsesState, AStreamsLastEventHoldsTheSame) {
  const auto writer = responses::make_event_writer(kept());
  std::string frames;
  for (const Event& event : kEvents) {
    writer->write(event, frames);
    EXPECT_FALSE(responses::finished_in(frames)) << "while it goes on, whatever the text says";
  }
  writer->end(frames);
  EXPECT_EQ(responses::finished_in(frames), responses::write_reply(kEvents, kept()));
  EXPECT_FALSE(responses::finished_in(frames + responses::write_error_frame(Error(), "req_1")));
  EXPECT_FALSE(responses::finished_in(std::string_view(frames).substr(0, frames.size() - 1)));
  EXPECT_FALSE(responses::finished_in({}));
}

TEST(ResponsesState, AnAnswerThatWasCutIsKeptToo) {
  const auto writer = responses::make_event_writer(kept());
  std::string frames;
  writer->write(TextDelta{"Sun"}, frames);
  writer->write(Finish{FinishReason::length, {}}, frames);
  writer->end(frames);
  const auto object = responses::finished_in(frames);
  ASSERT_TRUE(object);
  EXPECT_TRUE(responses::read_finished(*object));
}

// What one turn leaves behind is what the next begins with.
TEST(ResponsesState, AConversationGoesOn) {
  const std::string first = R"({"model":"m","input":"Hi"})";
  const auto reply = responses::read_finished(responses::write_reply(kEvents, kept()));
  ASSERT_TRUE(reply);
  const std::string input = items(first);
  const std::string earlier = input.substr(0, input.size() - 1) + "," + reply->output.substr(1);
  const auto next =
      responses::parse_request(R"({"model":"m","input":"On","previous_response_id":"resp_1"})", earlier);
  ASSERT_TRUE(next) << next.error().message;
  ASSERT_EQ(next->messages.size(), 3u);
  EXPECT_EQ(next->messages[0].role, Role::user);
  EXPECT_EQ(next->messages[1].role, Role::assistant);
  EXPECT_EQ(next->messages[2].role, Role::user);
}

TEST(ResponsesState, AnItemIsFoundByTheIdThatItWasGiven) {
  const auto reply = responses::read_finished(responses::write_reply(kEvents, kept()));
  ASSERT_TRUE(reply);
  const std::string id = Json::parse(reply->output).at(0).at("id");
  const std::string body =
      R"({"model":"m","input":[{"role":"user","content":"Hi"},{"type":"item_reference","id":")" + id +
      R"("},{"type":"item_reference","id":"msg_theirs"},{"role":"user","content":"On"}]})";
  EXPECT_EQ(responses::referenced_responses(body, body.size()), std::vector<std::string>{"resp_1"});
  EXPECT_TRUE(responses::referenced_responses(R"({"input":"item_reference"})", 26).empty());
  const std::string resolved = responses::resolve_references(items(body), {"[1]", "no list", reply->output});
  const auto list = Json::parse(resolved);
  ASSERT_EQ(list.size(), 4u);
  EXPECT_EQ(list.at(1), Json::parse(reply->output).at(0));
  EXPECT_EQ(list.at(2).at("id"), "msg_theirs");
  EXPECT_FALSE(responses::parse_request(body, {}, resolved)) << "one is not resolved";
  auto whole = list;
  whole.erase(2);
  const auto request = responses::parse_request(body, {}, whole.dump());
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->messages.size(), 3u);
}

TEST(ResponsesState, OnlyIdsOfOurMakingNameAResponse) {
  for (const char* id : {"", "msg", "msg_1", "msg__1", "msg_x_", "msg_x_1a", "_", "__", "resp_x"}) {
    const std::string body = std::string(R"({"input":[{"type":"item_reference","id":")") + id + R"("}]})";
    EXPECT_TRUE(responses::referenced_responses(body, body.size()).empty()) << id;
  }
}

TEST(ResponsesState, AConversationOfTooManyValuesIsRefused) {
  std::string earlier = "[0";
  for (int i = 0; i < kJsonValuesMax; ++i) earlier += ",0";
  const auto request =
      responses::parse_request(R"({"model":"m","input":"On","previous_response_id":"r"})", earlier + "]");
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().kind, ErrorKind::invalid_request);
}

TEST(ResponsesState, ErrorsHaveTheApisShape) {
  const Error previous = responses::previous_not_found("resp_x");
  const Json body = Json::parse(openai_responses().write_error(previous, {}).body).at("error");
  EXPECT_EQ(body.at("code"), "previous_response_not_found");
  EXPECT_EQ(body.at("param"), "previous_response_id");
  EXPECT_EQ(openai_responses().write_error(previous, {}).status, 400);
  EXPECT_EQ(openai_responses().write_error(responses::response_not_found("r"), {}).status, 404);
  EXPECT_EQ(Json::parse(responses::write_deleted("r\"")),
            Json::parse(R"({"id":"r\"","object":"response","deleted":true})"));
}

}  // namespace
}  // namespace switchyard
