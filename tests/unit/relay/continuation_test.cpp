// What another target may do with a stream that broke, in time and in number.
#include "tests/unit/relay/rig.h"

#include <gtest/gtest.h>

namespace switchyard::relay {
namespace {

using namespace test;
using std::chrono::seconds;

class ContinuationTest : public Rig {
 protected:
  // a0 stands at p0's address and takes the beginning of an answer.
  void serve_two(const std::string& more = {}) {
    serve(
        "  a: { targets: [ { provider: p1 }, { provider: a0, model: claude-3-haiku }, { provider: p2 } ],\n"
        "       timeouts: { first_token: 10s, between_tokens: 3s, total: 60s }, on_break: continue" +
        more + " }\n");
  }

  // The caller has "hel" when the first provider's connection ends.
  Peer broken() {
    Peer peer = ask("a", true);
    auto first = provider(1);
    first.send(loop, kStreamHead + chunk(kRole + openai_text("hel")));
    EXPECT_TRUE(loop.until([&] {
      peer.poll();
      return peer.received.find("hel") != std::string::npos;
    }));
    first.close();
    return peer;
  }

  static std::string event(const std::string& type, const std::string& more) {
    return "event: " + type + "\ndata: {\"type\":\"" + type + "\"" + more + "}\n\n";
  }

  static std::string begun() {
    return event("message_start",
                 R"(,"message":{"id":"m","type":"message","role":"assistant","model":"c","content":[],)"
                 R"("stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":1}})") +
           event("content_block_start", R"(,"index":0,"content_block":{"type":"text","text":""})");
  }

  static std::string says(const std::string& text) {
    return event("content_block_delta",
                 R"(,"index":0,"delta":{"type":"text_delta","text":")" + text + R"("})");
  }

  static std::string ended() {
    return event("content_block_stop", R"(,"index":0)") +
           event("message_delta", R"(,"delta":{"stop_reason":"end_turn","stop_sequence":null},)"
                                  R"("usage":{"output_tokens":4})") +
           event("message_stop", "");
  }

  static std::size_t count(const std::string& text, std::string_view part) {
    std::size_t found = 0;
    for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
    return found;
  }
};

TEST_F(ContinuationTest, TheSecondHasItsOwnTimeToItsFirstToken) {
  serve_two();
  auto peer = broken();
  auto second = provider(0);
  EXPECT_NE(last_request.find(R"("role":"assistant")"), std::string::npos) << last_request;
  EXPECT_NE(last_request.find("hel"), std::string::npos);
  loop.pass(seconds(9));  // Longer than may be between two tokens.
  second.send(loop, kStreamHead + chunk(begun() + says("lo")));
  loop.settle();
  second.send(loop, chunk(ended()) + kLastChunk);
  const std::string body = body_of(answer(peer));
  EXPECT_EQ(count(body, R"("role":"assistant")"), 1U) << body;
  EXPECT_EQ(count(body, R"("content":"lo")"), 1U) << body;
  EXPECT_TRUE(body.ends_with(kDone)) << body;
  EXPECT_TRUE(nobody_called(2));
  EXPECT_TRUE(counted(
      R"(switchyard_failovers_total{model="a",from="p1",to="a0",reason="bad_reply",phase="mid_stream"} 1)"))
      << metrics.scrape();
  second.close();
  loop.settle();
}

TEST_F(ContinuationTest, BehindItsFirstTokenItMayBeSilentForAsLongAsAnyOther) {
  serve_two();
  auto peer = broken();
  auto second = provider(0);
  second.send(loop, kStreamHead + chunk(begun() + says("lo")));
  loop.settle();
  loop.pass(seconds(4));
  const std::string body = body_of(answer(peer));
  EXPECT_NE(body.find(R"("type":"timeout")"), std::string::npos) << body;
  EXPECT_EQ(count(body, kDone), 0U);
  EXPECT_TRUE(nobody_called(2)) << "once is enough";
  second.close();
  loop.settle();
}

TEST_F(ContinuationTest, OneThatNeverBeginsLeavesTheErrorOfTheBreak) {
  serve_two();
  auto peer = broken();
  auto second = provider(0);
  second.send(loop, kStreamHead + chunk(begun()));
  loop.settle();
  loop.pass(seconds(11));
  const std::string body = body_of(answer(peer));
  EXPECT_NE(body.find(R"("type":"upstream_error")"), std::string::npos) << body;
  EXPECT_TRUE(nobody_called(2)) << "it takes no beginning of an answer";
  second.close();
  loop.settle();
}

TEST_F(ContinuationTest, ItIsARetryLikeAnyOther) {
  serve_two(", retry: { attempts: 3, budget: 0% }");
  while (context->retry_budget.try_retry(Clock::now())) {
  }
  auto peer = broken();
  const std::string body = body_of(answer(peer));
  EXPECT_NE(body.find(R"("error":)"), std::string::npos) << body;
  EXPECT_TRUE(nobody_called(0)) << "the budget is spent";
}

TEST_F(ContinuationTest, AClientThatLeavesEndsIt) {
  serve_two();
  auto peer = broken();
  auto second = provider(0);
  peer.close();
  EXPECT_TRUE(loop.until([&] {
    second.poll();
    return second.ended;
  }));
  EXPECT_TRUE(counted(R"(outcome="cancelled"} 1)")) << metrics.scrape();
}

}  // namespace
}  // namespace switchyard::relay
