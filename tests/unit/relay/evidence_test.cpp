// What routing on evidence does to a request: a second attempt, another model, load that is shed, and what
// each attempt tells the scores and the decision.
#include "tests/unit/relay/rig.h"

#include <gtest/gtest.h>

namespace switchyard::relay {
namespace {

using namespace test;
using std::chrono::milliseconds;
using std::chrono::seconds;

class EvidenceTest : public Rig {
 protected:
  static constexpr const char* kHedged =
      "  a: { targets: [ { provider: p0 }, { provider: p1 } ], hedge: { after: 200ms, budget: 100% }, "
      "timeouts: { first_token: 10s, total: 60s } }\n";

  void serve_watched(const std::string& models, const std::string& rest = {}) {
    serve(models, rest);
    context->observations = &observations;
  }

  std::vector<scoring::Observation> observed() {
    std::vector<scoring::Observation> all;
    scoring::Observation one;
    while (observations.pop(one)) all.push_back(one);
    return all;
  }

  routing::Decision decision() {
    const auto found = context->decisions->find({}, {}, 1);
    if (found.empty()) throw std::runtime_error("no decision");
    return found.front();
  }

  static bool has(const std::string& reply, const std::string& field) {
    return reply.find(field + "\r\n") != std::string::npos;
  }

  int in_flight(const char* model, std::size_t target) {
    return context->snapshot->find(model)->targets[target].load->snapshot(Clock::now(), 0).in_flight;
  }

  ObservationRing observations;
};

TEST_F(EvidenceTest, TheSecondOfTwoServesWhenTheFirstIsSilent) {
  serve(kHedged);
  for (const bool stream : {false, true}) {
    SCOPED_TRACE(stream);
    auto peer = ask("a", stream);
    auto first = provider(0);
    EXPECT_TRUE(nobody_called(1));
    loop.pass(milliseconds(300));
    auto second = provider(1);
    EXPECT_EQ(in_flight("a", 0), 1);
    EXPECT_EQ(in_flight("a", 1), 1);
    second.send(loop, stream ? kStreamed : json_reply(kWhole));
    const std::string reply = answer(peer);
    EXPECT_TRUE(has(reply, "x-switchyard-provider: p1")) << reply;
    EXPECT_TRUE(has(reply, "x-switchyard-reason: hedge")) << reply;
    EXPECT_TRUE(has(reply, "x-switchyard-attempts: 2")) << reply;
    const std::string whole = kRole + openai_text("hel") + openai_text("lo") + kStop + kDone;
    EXPECT_EQ(body_of(reply), stream ? whole : kWhole);
    EXPECT_TRUE(loop.until([&] {
      first.poll();
      return first.ended;
    })) << "the first is still open";
    loop.settle();
    EXPECT_EQ(in_flight("a", 0), 0);
    EXPECT_EQ(in_flight("a", 1), 0);
    EXPECT_EQ(state("a", 0), routing::State::serving);
    const auto attempts = decision().attempts;
    ASSERT_EQ(attempts.size(), 2u);
    EXPECT_EQ(attempts[0].error, ErrorKind::cancelled);
    EXPECT_TRUE(attempts[1].ok);
    EXPECT_EQ(attempts[1].reason, routing::Reason::hedge);
    second.close();
  }
  EXPECT_TRUE(counted(R"(switchyard_attempts_total{provider="p0",result="hedge_lost"} 2)"))
      << metrics.scrape();
}

TEST_F(EvidenceTest, TheFirstOfTwoMayStillWin) {
  serve(kHedged);
  auto peer = ask("a", true);
  auto first = provider(0);
  first.send(loop, kStreamHead + chunk(kRole));
  loop.settle();
  loop.pass(milliseconds(300));
  auto second = provider(1);
  first.send(loop, chunk(openai_text("hel")) + chunk(openai_text("lo")) + chunk(kStop + kUsage + kDone) +
                       kLastChunk);
  const std::string reply = answer(peer);
  EXPECT_TRUE(has(reply, "x-switchyard-provider: p0")) << reply;
  EXPECT_TRUE(has(reply, "x-switchyard-reason: priority")) << reply;
  EXPECT_EQ(body_of(reply), kRole + openai_text("hel") + openai_text("lo") + kStop + kDone);
  EXPECT_TRUE(loop.until([&] {
    second.poll();
    return second.ended;
  }));
  EXPECT_EQ(in_flight("a", 1), 0);
}

TEST_F(EvidenceTest, OneOfTwoThatFailsLeavesTheOtherAlone) {
  for (const bool first_fails : {true, false}) {
    SCOPED_TRACE(first_fails);
    if (!listener) serve(kHedged);
    auto peer = ask("a", true);
    auto first = provider(0);
    loop.pass(milliseconds(300));
    auto second = provider(1);
    Peer& sick = first_fails ? first : second;
    Peer& well = first_fails ? second : first;
    sick.send(loop, json_reply(R"({"error":{"message":"theirs","type":"server_error"}})", "500 Oops"));
    loop.settle();
    well.send(loop, kStreamed);
    const std::string reply = answer(peer);
    EXPECT_TRUE(has(reply, std::string("x-switchyard-provider: ") + (first_fails ? "p1" : "p0"))) << reply;
    well.close();
    loop.settle();
    EXPECT_EQ(in_flight("a", 0), 0);
    EXPECT_EQ(in_flight("a", 1), 0);
    reset_health();
  }
  EXPECT_TRUE(counted(R"(switchyard_attempts_total{provider="p0",result="provider_error"} 1)"));
  EXPECT_TRUE(counted(R"(switchyard_attempts_total{provider="p1",result="provider_error"} 1)"));
}

TEST_F(EvidenceTest, WhenBothFailBothAreCounted) {
  serve(kHedged);
  auto peer = ask("a", false);
  auto first = provider(0);
  loop.pass(milliseconds(300));
  auto second = provider(1);
  second.send(loop, json_reply(R"({"error":{"message":"second","type":"server_error"}})", "500 Oops"));
  loop.settle();
  first.send(loop, json_reply(R"({"error":{"message":"first","type":"server_error"}})", "500 Oops"));
  const std::string reply = answer(peer);
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 502 ")) << reply;
  for (const char* provider : {"p0", "p1"}) {
    EXPECT_TRUE(counted(std::string("switchyard_attempts_total{provider=\"") + provider +
                        R"(",result="provider_error"} 1)"));
  }
  EXPECT_EQ(in_flight("a", 0), 0);
  EXPECT_EQ(in_flight("a", 1), 0);
}

TEST_F(EvidenceTest, AClientThatLeavesEndsBoth) {
  serve(kHedged);
  auto peer = ask("a", true);
  auto first = provider(0);
  loop.pass(milliseconds(300));
  auto second = provider(1);
  peer.close();
  EXPECT_TRUE(loop.until([&] {
    first.poll();
    second.poll();
    return first.ended && second.ended;
  }));
  EXPECT_EQ(in_flight("a", 0), 0);
  EXPECT_EQ(in_flight("a", 1), 0);
}

TEST_F(EvidenceTest, ASecondAttemptKeepsToItsBudget) {
  serve("  a: { targets: [ { provider: p0 }, { provider: p1 } ], hedge: { after: 200ms, budget: 1% } }\n");
  for (int i = 0; i < 3; ++i) {
    auto peer = ask("a", true);
    auto first = provider(0);
    loop.pass(milliseconds(300));
    if (i == 0) {
      provider(1).send(loop, kStreamed);  // One is saved from the beginning.
    } else {
      EXPECT_TRUE(nobody_called(1)) << i;
      first.send(loop, kStreamed);
    }
    answer(peer);
  }
}

const char* const kFilteredWhole =
    R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"content_filter"}],"usage":{"prompt_tokens":3,"completion_tokens":0,"total_tokens":3}})";

TEST_F(EvidenceTest, AnotherModelStepsIn) {
  serve(
      "  a: { targets: [ { provider: p0 } ], fallbacks: { refusal: b, context_too_long: b, failure: b } }\n"
      "  b: { targets: [ { provider: p1, model: other } ], fallbacks: { failure: c } }\n"
      "  c: { targets: [ { provider: p2 } ] }\n");
  const std::string filtered =
      kStreamHead + chunk(kRole + openai_frame("{}", R"("content_filter")") + kDone) + kLastChunk;
  const std::string too_long = json_reply(
      R"({"error":{"message":"too long","type":"invalid_request_error","code":"context_length_exceeded"}})",
      "400 Bad Request");
  const std::string broken = json_reply("{}", "500 Oops");
  for (const bool stream : {false, true}) {
    for (const std::string& first_reply :
         {stream ? filtered : json_reply(kFilteredWhole), too_long, broken}) {
      SCOPED_TRACE(first_reply);
      auto peer = ask("a", stream);
      auto first = provider(0);
      first.send(loop, first_reply);
      loop.settle();
      auto second = provider(1);
      EXPECT_NE(last_request.find(R"("model":"other")"), std::string::npos) << last_request;
      second.send(loop, stream ? kStreamed : json_reply(kWhole));
      const std::string reply = answer(peer);
      EXPECT_TRUE(has(reply, "x-switchyard-provider: p1")) << reply;
      EXPECT_TRUE(has(reply, "x-switchyard-reason: fallback")) << reply;
      EXPECT_EQ(decision().model, "b");
      EXPECT_EQ(decision().fallback_from, "a");
      EXPECT_EQ(context->decisions->find({}, "a", 1).front().fallback_from, "");
      second.close();
      first.close();
      loop.settle();
      reset_health();
    }
  }
  // Once only: b's own fallback is not followed.
  auto peer = ask("a", false);
  provider(0).send(loop, broken);
  provider(1).send(loop, broken);
  EXPECT_TRUE(answer(peer).starts_with("HTTP/1.1 502 "));
  EXPECT_TRUE(nobody_called(2));
}

TEST_F(EvidenceTest, AFullTargetTakesNoMore) {
  serve("  a: { targets: [ { provider: p0, concurrent: 2 } ] }\n");
  auto one = ask("a", true), two = ask("a", true);
  auto at_one = provider(0), at_two = provider(0);
  auto three = ask("a", true);
  const std::string shed = answer(three);
  EXPECT_TRUE(shed.starts_with("HTTP/1.1 503 ")) << shed;
  EXPECT_TRUE(has(shed, "retry-after: 1")) << shed;
  EXPECT_TRUE(nobody_called(0));
  at_one.send(loop, kStreamed);
  answer(one);
  at_one.close();
  loop.settle();
  auto four = ask("a", true);
  auto at_four = provider(0);
  at_four.send(loop, kStreamed);
  EXPECT_TRUE(answer(four).starts_with("HTTP/1.1 200 "));
  at_two.send(loop, kStreamed);
  answer(two);
}

TEST_F(EvidenceTest, EachAttemptTellsTheScoresOnce) {
  serve_watched("  a: { targets: [ { provider: p0 }, { provider: p1 } ] }\n");
  auto peer = ask("a", true, R"(,"user":"u","max_tokens":50)");
  provider(0).send(loop, json_reply("{}", "500 Oops"));
  auto second = provider(1);
  second.send(loop, kStreamed);
  answer(peer);
  loop.settle();
  const auto all = observed();
  ASSERT_EQ(all.size(), 2u);
  const auto& targets = context->snapshot->find("a")->targets;
  EXPECT_EQ(all[0].target, targets[0].score_id);
  EXPECT_EQ(all[0].ending, scoring::Ending::fault);
  EXPECT_EQ(all[0].seen, 0u);
  EXPECT_EQ(all[1].target, targets[1].score_id);
  EXPECT_EQ(all[1].ending, scoring::Ending::ok);
  EXPECT_TRUE(all[1].streamed);
  EXPECT_EQ(all[1].input_tokens, 3u);
  EXPECT_EQ(all[1].output_tokens, 2u);
  EXPECT_EQ(all[1].asked_tokens, 50u);
  EXPECT_NE(all[1].session, 0u);
  EXPECT_GT(all[1].ttft_ms, 0);
  EXPECT_NE(all[1].seen & scoring::bit(scoring::Signal::refusal), 0u);
  EXPECT_EQ(all[1].bad, 0u);
}

TEST_F(EvidenceTest, NothingIsWatchedWhenItIsOff) {
  serve_watched("  a: { targets: [ { provider: p0 } ] }\n", "quality: { mode: 'off' }\n");
  auto peer = ask("a", false);
  provider(0).send(loop, json_reply(kWhole));
  answer(peer);
  loop.settle();
  EXPECT_TRUE(observed().empty());
}

class EvidenceMode : public EvidenceTest, public testing::WithParamInterface<const char*> {};

TEST_P(EvidenceMode, ScoresMoveTrafficOnlyWhenTheyMay) {
  const std::string mode = GetParam();
  const bool acts = mode == "act";
  serve("  a: { targets: [ { provider: p0 }, { provider: p1 } ] }\n", "quality: { mode: " + mode + " }\n");
  auto view = std::make_shared<scoring::BoardView>();
  view->version = 7;
  view->targets.resize(2);
  view->targets[context->snapshot->find("a")->targets[0].score_id].state = scoring::State::ejected;
  context->scores = view;
  auto peer = ask("a", false);
  provider(acts ? 1 : 0).send(loop, json_reply(kWhole));
  EXPECT_TRUE(has(answer(peer), std::string("x-switchyard-provider: ") + (acts ? "p1" : "p0")));
  loop.settle();
  EXPECT_EQ(decision().scores_version, 7u);
  EXPECT_EQ(decision().input.candidates[0].state, acts ? scoring::State::ejected : scoring::State::serving);
}

INSTANTIATE_TEST_SUITE_P(Modes, EvidenceMode, testing::Values("act", "watch"));

TEST_F(EvidenceTest, ATargetThatIsDrainedIsOutInEveryMode) {
  serve("  a: { targets: [ { provider: p0 }, { provider: p1 } ] }\n", "quality: { mode: 'off' }\n");
  auto view = std::make_shared<scoring::BoardView>();
  view->targets.resize(2);
  view->targets[context->snapshot->find("a")->targets[0].score_id].state = scoring::State::drained;
  context->scores = view;
  auto peer = ask("a", false);
  provider(1).send(loop, json_reply(kWhole));
  EXPECT_TRUE(has(answer(peer), "x-switchyard-provider: p1"));
}

TEST_F(EvidenceTest, WhoIsServedByWhatIsKnownToBeWorseIsTold) {
  serve("  a: { targets: [ { provider: p0 } ] }\n");
  auto view = std::make_shared<scoring::BoardView>();
  view->targets.resize(1);
  view->targets[0].state = scoring::State::ejected;
  view->targets[0].quality = 0.3;
  context->scores = view;
  auto peer = ask("a", false);
  provider(0).send(loop, json_reply(kWhole));
  const std::string reply = answer(peer);
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 200 ")) << reply;
  EXPECT_TRUE(has(reply, "x-switchyard-degraded: 1")) << reply;
}

TEST_F(EvidenceTest, ALastResortComesOutOfTheBudgetOfRetries) {
  serve("  a: { targets: [ { provider: p0 } ] }\n");
  context->retry_budget = routing::RetryBudget(2);
  const auto refused = [&] {
    auto peer = ask("a", false);
    loop.settle();
    if (auto called = providers[0].try_accept()) {
      last_request = read_request(*called);
      called->send(loop, json_reply("{}", "500 Oops"));
    }
    return answer(peer).substr(9, 3);
  };
  for (int i = 0; i < 5; ++i) EXPECT_EQ(refused(), "502");
  EXPECT_EQ(state("a"), routing::State::ejected);
  // Five requests have brought one, two are there from the beginning.
  int asked = 0;
  for (int i = 0; i < 20; ++i) asked += refused() == "502" ? 1 : 0;
  EXPECT_GE(asked, 3);
  EXPECT_LE(asked, 8);
}

}  // namespace
}  // namespace switchyard::relay
