// What happens when a target fails before the caller has seen anything of its answer.
#include "tests/unit/relay/rig.h"

#include <gtest/gtest.h>

namespace switchyard::relay {
namespace {

using namespace test;
using std::chrono::seconds;

class FailoverTest : public Rig {
 protected:
  static constexpr const char* kTwo =
      "  a: { targets: [ { provider: p0 }, { provider: p1 } ], timeouts: { first_token: 10s, total: 60s } "
      "}\n";

  // The second provider serves; the caller gets its answer and nothing of the first.
  void expect_rescue(Peer& peer, bool stream) {
    auto second = provider(1);
    second.send(loop, stream ? kStreamed : json_reply(kWhole));
    const std::string reply = answer(peer);
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 200 OK\r\n")) << reply;
    EXPECT_NE(reply.find("x-switchyard-provider: p1\r\n"), std::string::npos) << reply;
    EXPECT_NE(reply.find("x-switchyard-attempts: 2\r\n"), std::string::npos) << reply;
    EXPECT_NE(reply.find("x-switchyard-reason: fallback\r\n"), std::string::npos) << reply;
    const std::string whole = kRole + openai_text("hel") + openai_text("lo") + kStop + kDone;
    EXPECT_EQ(body_of(reply), stream ? whole : kWhole);
    second.close();
    loop.settle();
  }

  routing::SharedHealth& health(std::size_t target) {
    return *context->snapshot->find("a")->targets[target].health;
  }
};

const std::string kTheirError = R"({"error":{"message":"theirs","type":"server_error"}})";

TEST_F(FailoverTest, EveryFaultBeforeTheFirstContentIsRescued) {
  enum End { stay, close, time_passes };

  const struct {
    std::string bytes;
    End end;
    const char* reason;
    const char* why;
  } rows[] = {
      {"", close, "unreachable", "closed without an answer"},
      {"HTTP/1.1 20", close, "bad_reply", "half a head"},
      {"nonsense\r\n\r\n", stay, "bad_reply", "no HTTP"},
      {json_reply(kTheirError, "500 Oops"), stay, "provider_error", "500"},
      {json_reply("<html>", "502 Oops"), stay, "provider_error", "502 of a proxy"},
      {json_reply("", "302 Found", "location: http://127.0.0.1:1/\r\n"), stay, "bad_reply",
       "a redirect is not followed"},
      {json_reply("{}", "204 No"), stay, "bad_reply", "a status that is no answer"},
      {"", time_passes, "first_token_timeout", "silence"},
      {"HTTP/1.1 200 OK\r\n", time_passes, "first_token_timeout", "half a head, then silence"},
  };

  serve(kTwo);
  for (const bool stream : {false, true}) {
    for (const auto& row : rows) {
      SCOPED_TRACE(row.why + std::string(stream ? ", streamed" : ", whole"));
      auto peer = ask("a", stream);
      auto first = provider(0);
      first.send(loop, row.bytes);
      loop.settle();
      if (row.end == close) first.close();
      // A whole answer has half of the total time.
      if (row.end == time_passes) loop.pass(seconds(stream ? 11 : 31));
      expect_rescue(peer, stream);
      reset_health();
      EXPECT_TRUE(counted(R"(switchyard_failovers_total{model="a",from="p0",to="p1",reason=")" +
                          std::string(row.reason) + "\""))
          << metrics.scrape();
    }
  }
}

TEST_F(FailoverTest, EveryFaultOfAStreamBeforeItsFirstContentIsRescued) {
  enum End { stay, close, time_passes };

  const struct {
    std::string bytes;
    End end;
    const char* why;
  } rows[] = {
      {json_reply(kWhole), stay, "no stream"},
      {kStreamHead, close, "a head only"},
      {kStreamHead + kLastChunk, stay, "an empty stream"},
      {kStreamHead + chunk(kRole), close, "a role, then the end"},
      {kStreamHead + chunk(kRole), time_passes, "a role, then silence"},
      {kStreamHead + chunk(kRole) + kLastChunk, stay, "a role, then the body's end"},
      {kStreamHead + chunk(kRole + "data: nonsense\n\n"), stay, "no JSON"},
      {kStreamHead + chunk("data: " + kTheirError + "\n\n"), stay, "an error first of all"},
      {kStreamHead + chunk(kRole + openai_text("wrong") + "data: nonsense\n\n"), stay,
       "content and its break in one read"},
  };

  serve(kTwo);
  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    auto peer = ask("a", true);
    auto first = provider(0);
    first.send(loop, row.bytes);
    loop.settle();
    if (row.end == close) first.close();
    if (row.end == time_passes) loop.pass(seconds(11));
    expect_rescue(peer, true);
    reset_health();
  }
}

TEST_F(FailoverTest, EveryFaultOfAWholeReplyIsRescued) {
  const struct {
    std::string bytes;
    bool close;
    const char* why;
  } rows[] = {
      {json_reply("{\"half"), false, "JSON cut short"},
      {json_reply("[]"), false, "no reply"},
      {"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n" + kWhole, true, "a body cut short"},
      {"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nxx", false,
       "compressed unasked"},
  };

  serve(kTwo);
  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    auto peer = ask("a", false);
    auto first = provider(0);
    first.send(loop, row.bytes);
    loop.settle();
    if (row.close) first.close();
    expect_rescue(peer, false);
    reset_health();
  }
}

TEST_F(FailoverTest, WhatTheCallerGotWrongGoesBackToIt) {
  serve(kTwo);

  const struct {
    const char *status, *body, *answered;
    const char* why;
  } rows[] = {
      {"400 Bad", R"({"error":{"message":"a field is wrong","type":"invalid_request_error"}})",
       "HTTP/1.1 400", "a wrong field"},
      {"422 Bad", R"({"error":{"message":"a field is wrong","type":"invalid_request_error"}})", "HTTP/1.1 4",
       "another way to say so"},
      {"413 Large", R"({"error":{"message":"too large"}})", "HTTP/1.1 413", "too large"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    auto peer = ask("a", true);
    auto first = provider(0);
    first.send(loop, json_reply(row.body, row.status));
    const std::string reply = answer(peer);
    EXPECT_TRUE(reply.starts_with(row.answered)) << reply;
    EXPECT_NE(reply.find("x-switchyard-attempts: 1\r\n"), std::string::npos);
    EXPECT_TRUE(nobody_called(1));
    first.close();
    loop.settle();
  }
  EXPECT_EQ(state("a"), routing::State::serving);
}

TEST_F(FailoverTest, ACredentialThatIsRefusedIsTheGatewaysMatter) {
  serve(kTwo);
  auto peer = ask("a", false);
  provider(0).send(loop, json_reply(R"({"error":{"message":"bad key sk-of-p0"}})", "401 Unauthorized"));
  expect_rescue(peer, false);
  EXPECT_EQ(state("a"), routing::State::credential_out);
  auto next = ask("a", false);
  provider(1).send(loop, json_reply(kWhole));
  EXPECT_NE(answer(next).find("x-switchyard-attempts: 1\r\n"), std::string::npos);
  EXPECT_TRUE(nobody_called(0)) << "it is left out";
}

TEST_F(FailoverTest, ALimitedTargetCoolsAndOthersServe) {
  serve(kTwo);
  auto peer = ask("a", false);
  provider(0).send(loop, json_reply("{}", "429 Slow", "retry-after: 30\r\n"));
  expect_rescue(peer, false);
  EXPECT_EQ(state("a"), routing::State::cooling);
}

TEST_F(FailoverTest, WhenAllFailTheAnswerSaysSo) {
  serve(kTwo);
  auto peer = ask("a", true);
  provider(0).send(loop, json_reply(kTheirError, "500 Oops"));
  provider(1).close();
  const std::string reply = answer(peer);
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 502 Bad Gateway\r\n")) << reply;
  EXPECT_NE(reply.find("x-should-retry: false\r\n"), std::string::npos) << "the retrying has been done";
  EXPECT_NE(reply.find("x-switchyard-attempts: 2\r\n"), std::string::npos);
  EXPECT_TRUE(counted(R"(outcome="upstream_error"} 1)"));
}

TEST_F(FailoverTest, WhenAllAreLimitedTheAnswerSaysWhen) {
  serve(kTwo);
  auto peer = ask("a", false);
  provider(0).send(loop, json_reply("{}", "429 Slow", "retry-after: 30\r\n"));
  provider(1).send(loop, json_reply("{}", "429 Slow", "retry-after: 7\r\n"));
  const std::string reply = answer(peer);
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 429")) << reply;
  EXPECT_NE(reply.find("retry-after: 7\r\n"), std::string::npos) << reply;
  auto next = ask("a", false);
  const std::string unavailable = answer(next);
  EXPECT_TRUE(unavailable.starts_with("HTTP/1.1 503")) << unavailable;
  EXPECT_NE(unavailable.find("retry-after: "), std::string::npos);
  EXPECT_EQ(unavailable.find("x-should-retry"), std::string::npos) << "nothing was tried";
}

TEST_F(FailoverTest, ASilentTargetDoesNotStopTheHeartbeatNorTheRescue) {
  serve("  a: { targets: [ { provider: p0 }, { provider: p1 } ], timeouts: { first_token: 40s } }\n");
  for (const bool rescued : {true, false}) {
    SCOPED_TRACE(rescued);
    auto peer = ask("a", true);
    auto first = provider(0);
    loop.pass(seconds(16));
    ASSERT_TRUE(peer.wait_for(loop, ": waiting\n\n"));
    EXPECT_TRUE(peer.received.starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_EQ(peer.received.find("x-switchyard-provider"), std::string::npos)
        << "who answers is not known yet";
    first.close();
    auto second = provider(1);
    second.send(loop, rescued ? kStreamed : json_reply(kTheirError, "500 Oops"));
    const std::string body = body_of(answer(peer));
    EXPECT_EQ(body.find("[DONE]") != std::string::npos, rescued) << body;
    EXPECT_EQ(body.find(R"({"error":)") != std::string::npos, !rescued) << body;
    second.close();
    loop.settle();
    reset_health();
  }
}

TEST_F(FailoverTest, TheNumberOfAttemptsIsLimited) {
  serve(
      "  a: { targets: [ { provider: p0 }, { provider: p1 }, { provider: p2 } ], retry: { attempts: 2 } }\n");
  auto peer = ask("a", false);
  provider(0).close();
  provider(1).close();
  EXPECT_TRUE(answer(peer).starts_with("HTTP/1.1 502"));
  EXPECT_TRUE(nobody_called(2));
}

TEST_F(FailoverTest, RetriesStayWithinTheirBudget) {
  serve(kTwo);
  while (context->retry_budget.try_retry(Clock::now())) {
  }
  auto peer = ask("a", false);
  provider(0).close();
  const std::string reply = answer(peer);
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 502")) << reply;
  EXPECT_NE(reply.find("x-switchyard-attempts: 1\r\n"), std::string::npos);
  EXPECT_TRUE(nobody_called(1));
}

TEST_F(FailoverTest, ATargetThatKeepsFailingIsLeftOutAndAskedAsALastResort) {
  serve(kTwo);
  for (int i = 0; i < 5; ++i) health(0).on_failure(fail(ErrorKind::provider_error, ""), Clock::now());
  EXPECT_EQ(state("a"), routing::State::ejected);
  auto peer = ask("a", false);
  provider(1).send(loop, json_reply(kWhole));
  EXPECT_NE(answer(peer).find("x-switchyard-attempts: 1\r\n"), std::string::npos);
  EXPECT_TRUE(nobody_called(0));
  for (int i = 0; i < 5; ++i) health(1).on_failure(fail(ErrorKind::provider_error, ""), Clock::now());
  auto last = ask("a", false);
  provider(0).send(loop, json_reply(kWhole));
  EXPECT_NE(answer(last).find("x-switchyard-reason: last_resort\r\n"), std::string::npos);
  EXPECT_EQ(state("a"), routing::State::serving) << "a success in spite of the ejection ends it";
}

TEST_F(FailoverTest, ATrialThatAnotherRequestRunsIsNotRunTwice) {
  serve(kTwo);
  auto peer = ask("a", false);
  auto first = provider(0);
  // Meanwhile the second target was ejected, its time is over, and another request tries it.
  for (int i = 0; i < 5; ++i) {
    health(1).on_failure(fail(ErrorKind::provider_error, ""), Clock::now() - seconds(100));
  }
  ASSERT_TRUE(health(1).on_attempt(Clock::now()));
  first.close();
  EXPECT_TRUE(answer(peer).starts_with("HTTP/1.1 502"));
  EXPECT_TRUE(nobody_called(1));
  EXPECT_TRUE(health(1).snapshot(Clock::now()).trial_running) << "the other's trial is still its own";
}

TEST_F(FailoverTest, AClientThatLeavesGivesItsTrialBack) {
  serve("  a: { targets: [ { provider: p0 } ] }\n");
  for (int i = 0; i < 5; ++i) {
    health(0).on_failure(fail(ErrorKind::provider_error, ""), Clock::now() - seconds(100));
  }
  auto peer = ask("a", true);
  auto upstream = provider(0);
  EXPECT_TRUE(health(0).snapshot(Clock::now()).trial_running);
  peer.close();
  ASSERT_TRUE(upstream.wait_for_end(loop));
  EXPECT_TRUE(loop.until([&] { return !health(0).snapshot(Clock::now()).trial_running; }));
  EXPECT_EQ(state("a"), routing::State::probation);
}

TEST_F(FailoverTest, WhatOneTargetCannotExpressAnotherMay) {
  const std::string tools =
      R"(,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}])";
  serve(
      "  a: { targets: [ { provider: here, model: mini }, { provider: p1 } ] }\n"
      "  only: { targets: [ { provider: here, model: mini } ] }\n");
  auto peer = ask("a", false, tools);
  provider(1).send(loop, json_reply(kWhole));
  const std::string reply = answer(peer);
  EXPECT_NE(reply.find("x-switchyard-provider: p1\r\n"), std::string::npos) << reply;
  EXPECT_NE(reply.find("x-switchyard-attempts: 1\r\n"), std::string::npos) << "the first was never called";
  auto only = ask("only", false, tools);
  const std::string refused = answer(only);
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 400")) << refused;
  EXPECT_NE(refused.find(R"("param":"tools")"), std::string::npos) << refused;
}

TEST_F(FailoverTest, AStrictModelLosesNothing) {
  serve("  a: { targets: [ { provider: here, model: mini } ], strict: true }\n");
  auto peer = ask("a", false, R"(,"presence_penalty":1)");
  const std::string refused = answer(peer);
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 400")) << refused;
  EXPECT_NE(refused.find("presence_penalty"), std::string::npos) << refused;
}

}  // namespace
}  // namespace switchyard::relay
