#include "gateway/relay/relay.h"

#include "tests/unit/relay/rig.h"

#include <gtest/gtest.h>

namespace switchyard::relay {
namespace {

using namespace test;
using std::chrono::seconds;

class RelayTest : public Rig {};

TEST_F(RelayTest, PassesAReplyThroughByteForByte) {
  serve("  a: { targets: [ { provider: p0, model: theirs } ] }\n");
  auto peer = connect();
  send(peer, "/v1/chat/completions", question("a", false, R"(,"unknown_field":[1,2])"),
       "authorization: Bearer of-the-caller\r\ncookie: x\r\nx-forwarded-for: 1.2.3.4\r\n");
  auto upstream = provider(0);
  const std::string head = last_request.substr(0, last_request.find("\r\n\r\n"));
  EXPECT_TRUE(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n")) << head;
  EXPECT_NE(head.find("\r\nauthorization: Bearer sk-of-p0"), std::string::npos) << head;
  for (const char* private_text : {"of-the-caller", "cookie", "forwarded"}) {
    EXPECT_EQ(last_request.find(private_text), std::string::npos) << private_text;
  }
  EXPECT_TRUE(last_request.ends_with(
      R"({"model":"theirs","messages":[{"role":"user","content":"hi"}],"unknown_field":[1,2]})"))
      << last_request;
  upstream.send(loop, json_reply(kWhole));
  const std::string reply = answer(peer);
  EXPECT_EQ(body_of(reply), kWhole);
  for (const char* field :
       {"x-switchyard-provider: p0", "x-switchyard-model: theirs", "x-switchyard-attempts: 1",
        "x-switchyard-reason: only_target", "x-switchyard-config: "}) {
    EXPECT_NE(reply.find("\r\n" + std::string(field)), std::string::npos) << field;
  }
  EXPECT_TRUE(counted(R"(switchyard_tokens_total{model="a",provider="p0",direction="output"} 2)"));
  EXPECT_TRUE(counted(R"(switchyard_attempts_total{provider="p0",result="ok"} 1)"));
}

TEST_F(RelayTest, PassesAStreamThroughFrameByFrame) {
  serve("  a: { targets: [ { provider: p0 } ] }\n");
  auto peer = ask("a", true);
  auto upstream = provider(0);
  EXPECT_NE(last_request.find(R"("stream_options":{"include_usage":true})"), std::string::npos)
      << "usage is wanted for the accounts";
  upstream.send(loop, kStreamHead + chunk(kRole));
  loop.settle();
  peer.poll();
  EXPECT_EQ(peer.received, "") << "nothing goes out before the first content";
  upstream.send(loop, chunk(openai_text("hel")));
  ASSERT_TRUE(peer.wait_for(loop, "hel"));
  const std::string cut = openai_text("lo");
  upstream.send(loop, chunk(cut.substr(0, 20)));
  loop.settle();
  peer.poll();
  EXPECT_EQ(peer.received.find("data: {", peer.received.find("hel")), std::string::npos)
      << "half a frame waits";
  upstream.send(
      loop, chunk(cut.substr(20) + ": a comment of theirs\n\n") + chunk(kStop + kUsage + kDone) + kLastChunk);
  EXPECT_EQ(body_of(answer(peer)), kRole + openai_text("hel") + openai_text("lo") + kStop + kDone)
      << "without the usage that the caller did not ask for";
  EXPECT_TRUE(counted(R"(switchyard_tokens_total{model="a",provider="p0",direction="input"} 3)"));
  ASSERT_TRUE(loop.until([&] { return this->upstream.pool(context->snapshot->origins[0]).idle() == 1; }))
      << "the connection serves again";
}

TEST_F(RelayTest, UsageThatTheCallerAskedForStays) {
  serve("  a: { targets: [ { provider: p0 } ] }\n");
  auto peer = ask("a", true, R"(,"stream_options":{"include_usage":true})");
  provider(0).send(loop, kStreamed);
  EXPECT_NE(body_of(answer(peer)).find(kUsage), std::string::npos);
}

TEST_F(RelayTest, CompletionsAreAccountedForToo) {
  serve("  a: { targets: [ { provider: p0 } ] }\n");
  const std::string text =
      R"(data: {"id":"c","object":"text_completion","created":1,"model":"m","choices":[{"index":0,"text":"hello","finish_reason":"stop"}]})"
      "\n\n";
  const std::string usage =
      R"(data: {"id":"c","object":"text_completion","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})"
      "\n\n";
  for (const bool asked : {false, true}) {
    auto peer = connect();
    const std::string more = asked ? R"(,"stream_options":{"include_usage":true})" : "";
    send(peer, "/v1/completions", R"({"model":"a","prompt":"hi","stream":true)" + more + "}");
    auto upstream = provider(0);
    const std::string_view option = R"("stream_options":{"include_usage":true})";
    const auto first = last_request.find(option);
    ASSERT_NE(first, std::string::npos);
    EXPECT_EQ(last_request.find(option, first + 1), std::string::npos);
    upstream.send(loop, kStreamHead + chunk(text + usage + kDone) + kLastChunk);
    EXPECT_EQ(body_of(answer(peer)), asked ? text + usage + kDone : text + kDone);
  }
  EXPECT_TRUE(counted(R"(switchyard_tokens_total{model="a",provider="p0",direction="input"} 6)"));
}

TEST_F(RelayTest, TranslatesForACallerOfAnotherDialect) {
  serve("  a: { targets: [ { provider: p0, model: theirs } ] }\n");
  for (const bool stream : {false, true}) {
    auto peer = connect();
    send(peer, "/v1/messages", question("a", stream, R"(,"max_tokens":9)"));
    auto upstream = provider(0);
    EXPECT_TRUE(last_request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"));
    EXPECT_NE(last_request.find(R"("model":"theirs")"), std::string::npos) << last_request;
    upstream.send(loop, stream ? kStreamed : json_reply(kWhole));
    const std::string reply = answer(peer);
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 200")) << reply;
    EXPECT_NE(reply.find("\r\nrequest-id: "), std::string::npos);
    if (stream) {
      EXPECT_NE(reply.find("event: message_start"), std::string::npos) << reply;
      EXPECT_NE(reply.find("event: message_stop"), std::string::npos) << reply;
    } else {
      EXPECT_NE(reply.find(R"("text":"hello")"), std::string::npos) << reply;
    }
    upstream.close();
    loop.settle();
  }
}

TEST_F(RelayTest, TheModelInThisProcessAnswersBothWays) {
  serve("  a: { targets: [ { provider: here, model: mini } ] }\n");
  for (const bool stream : {false, true}) {
    auto peer = ask("a", stream, R"(,"max_tokens":4,"presence_penalty":1)");
    const std::string reply = answer(peer);
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 200")) << reply;
    EXPECT_NE(reply.find("x-switchyard-dropped: presence_penalty\r\n"), std::string::npos) << reply;
    EXPECT_EQ(reply.find("[DONE]") != std::string::npos, stream);
  }
}

TEST_F(RelayTest, AStreamThatBreaksEndsWithAnErrorAndNeverCleanly) {
  serve("  a: { targets: [ { provider: p0 }, { provider: p1 } ] }\n");
  const std::string begun = kStreamHead + chunk(kRole + openai_text("hel"));

  const struct {
    std::string last;
    bool close;
    const char* keeps;
    const char* why;
  } rows[] = {
      {"", true, "hel", "the connection ends"},
      {kLastChunk, false, "hel", "the body ends without its terminator"},
      {chunk(openai_text("lo") + "data: {\"half"), true, "lo", "the connection ends inside a frame"},
      {chunk(openai_text("lo") + "data: nonsense\n\n"), false, "lo",
       "no JSON behind a frame in the same read"},
      {chunk(openai_text("lo") + "data: {\"error\":{\"message\":\"theirs\",\"type\":\"server_error\"}}\n\n"),
       false, "lo", "an error frame behind a frame in the same read"},
      {"zz\r\n", false, "hel", "no chunk"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    auto peer = ask("a", true);
    auto upstream = provider(0);
    upstream.send(loop, begun);
    ASSERT_TRUE(peer.wait_for(loop, "hel"));
    upstream.send(loop, row.last);
    if (row.close) upstream.close();
    const std::string body = body_of(answer(peer));
    EXPECT_NE(body.find(row.keeps), std::string::npos) << body;
    EXPECT_NE(body.find(R"(data: {"error":)"), std::string::npos) << body;
    EXPECT_EQ(body.find("[DONE]"), std::string::npos) << body;
    EXPECT_EQ(body.find("data: nonsense"), std::string::npos) << body;
    reset_health();
    upstream.close();
    loop.settle();
  }
  EXPECT_TRUE(nobody_called(1)) << "what the caller has seen is not begun again";
  EXPECT_TRUE(counted(R"(outcome="broken_stream"} 6)"));
}

TEST_F(RelayTest, SilenceInAStreamEndsIt) {
  serve("  a: { targets: [ { provider: p0 } ], timeouts: { between_tokens: 5s } }\n");
  auto peer = ask("a", true);
  auto upstream = provider(0);
  upstream.send(loop, kStreamHead + chunk(openai_text("hel")));
  ASSERT_TRUE(peer.wait_for(loop, "hel"));
  loop.settle();
  loop.pass(seconds(4));
  loop.settle();
  peer.poll();
  EXPECT_EQ(peer.received.find("error"), std::string::npos);
  loop.pass(seconds(6));
  EXPECT_NE(answer(peer).find("in the middle of its answer"), std::string::npos);
  EXPECT_TRUE(upstream.wait_for_end(loop));
}

TEST_F(RelayTest, AClientThatLeavesReleasesItsProvider) {
  serve("  a: { targets: [ { provider: p0 } ] }\n");

  const struct {
    bool stream;
    std::string sent;
    const char* why;
  } rows[] = {{false, "", "before the answer"},
              {true, "", "before the stream"},
              {true, kStreamHead + chunk(kRole), "before the first content"},
              {true, kStreamHead + chunk(openai_text("hel")), "in the stream"}};

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    auto peer = ask("a", row.stream);
    auto upstream = provider(0);
    upstream.send(loop, row.sent);
    loop.settle();
    peer.close();
    EXPECT_TRUE(upstream.wait_for_end(loop));
    EXPECT_TRUE(loop.until([&] { return server->connections == 0; }));
  }
  EXPECT_TRUE(counted(R"(outcome="cancelled"} 4)"));
  EXPECT_EQ(state("a"), routing::State::serving) << "no fault of the provider";
}

TEST_F(RelayTest, AClientThatLeavesWhileANameIsLookedUp) {
  serve("  a: { targets: [ { provider: p0 } ] }\n");
  auto& snapshot = const_cast<Snapshot&>(*context->snapshot);
  for (auto& origin : snapshot.origins) origin.host = "localhost";
  auto peer = ask("a", true);
  ASSERT_TRUE(loop.until([&] { return !context->open.empty(); }));
  peer.close();
  EXPECT_TRUE(loop.until([&] { return server->connections == 0; }));
  EXPECT_TRUE(counted(R"(outcome="cancelled"} 1)"));
}

TEST_F(RelayTest, ASlowReaderHoldsItsProviderBack) {
  serve("  a: { targets: [ { provider: p0 } ] }\n");
  auto peer = connect(8 << 10);
  send(peer, "/v1/chat/completions", question("a", true));
  auto upstream = provider(0);
  upstream.send(loop, kStreamHead);
  const std::string frame = chunk(openai_text(std::string(8000, 'x')));
  std::size_t sent = 0;
  // Stops when neither end takes anything more.
  for (int idle = 0; idle < 50 && sent < (256u << 20); ++idle) {
    loop.settle();
    std::string_view rest = std::string_view(frame).substr(sent % frame.size());
    while (const std::size_t took = upstream.try_send(rest)) {
      sent += took;
      rest = std::string_view(frame).substr(sent % frame.size());
      idle = 0;
    }
  }
  EXPECT_LT(sent, 32u << 20) << "the kernel's buffers, and nothing of ours";
  const std::string last = frame.substr(sent % frame.size()) + chunk(kStop + kDone) + kLastChunk;
  std::string_view rest = last;
  ASSERT_TRUE(loop.until([&] {
    peer.poll();
    rest.remove_prefix(upstream.try_send(rest));
    return rest.empty() && peer.received.ends_with("0\r\n\r\n");
  }));
  EXPECT_GT(peer.received.size(), sent / 2);
}

TEST_F(RelayTest, TheTotalTimeEndsEverything) {
  serve("  a: { targets: [ { provider: p0 }, { provider: p1 } ], timeouts: { total: 60s } }\n");

  const struct {
    bool stream;
    std::string sent;
    const char* says;
    const char* why;
  } rows[] = {{true, kStreamHead + chunk(openai_text("hel")), "the request's time is over", "in a stream"},
              {true, kStreamHead, "HTTP/1.1 504", "before the first content"}};

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    auto peer = ask("a", row.stream);
    auto upstream = provider(0);
    upstream.send(loop, row.sent);
    loop.settle();
    for (Relay* relay : std::list(context->open)) relay->end(ErrorKind::total_timeout);
    EXPECT_NE(answer(peer).find(row.says), std::string::npos);
    EXPECT_TRUE(upstream.wait_for_end(loop));
  }
  EXPECT_TRUE(nobody_called(1)) << "no time is left for another target";
}

TEST_F(RelayTest, AStoppingGatewayEndsWhatIsOpenWithAnError) {
  serve("  a: { targets: [ { provider: p0 } ] }\n");
  for (const bool begun : {false, true}) {
    auto peer = ask("a", true);
    auto upstream = provider(0);
    if (begun) upstream.send(loop, kStreamHead + chunk(openai_text("hel")));
    if (begun) ASSERT_TRUE(peer.wait_for(loop, "hel"));
    for (Relay* relay : std::list(context->open)) relay->end(ErrorKind::unavailable);
    const std::string reply = answer(peer);
    EXPECT_TRUE(reply.starts_with(begun ? "HTTP/1.1 200" : "HTTP/1.1 503")) << reply;
    EXPECT_NE(reply.find("the gateway is stopping"), std::string::npos) << reply;
    EXPECT_EQ(reply.find("retry-after: 1\r\n") == std::string::npos, begun) << reply;
    EXPECT_EQ(reply.find("[DONE]"), std::string::npos);
  }
}

TEST_F(RelayTest, AReaderThatStallsDoesNotHoldUpTheEnd) {
  serve("  a: { targets: [ { provider: p0 } ] }\n");
  auto peer = connect(8 << 10);
  send(peer, "/v1/chat/completions", question("a", true));
  auto upstream = provider(0);
  upstream.send(loop, kStreamHead);
  const std::string frame = chunk(openai_text(std::string(60'000, 'x')));
  for (int idle = 0; idle < 50; ++idle) {
    loop.settle();
    while (upstream.try_send(frame)) idle = 0;  // Whole or not: nobody reads it.
  }
  for (Relay* relay : std::list(context->open)) relay->end(ErrorKind::unavailable);
  loop.settle();
  EXPECT_EQ(server->connections, 1) << "a moment for the error";
  loop.pass(seconds(2));
  EXPECT_TRUE(loop.until([&] { return server->connections == 0; }));
}

TEST_F(RelayTest, ARequestEndsUnderTheConfigurationItBeganWith) {
  serve("  a: { targets: [ { provider: p0 } ] }\n");
  auto peer = ask("a", false);
  auto upstream = provider(0);
  const std::weak_ptr<const Snapshot> old = context->snapshot;
  auto read = config::load_text(
      "version: 1\nproviders:\n  here: { type: local, models: { mini: bundled } }\n"
      "models:\n  b: { targets: [ { provider: here, model: mini } ] }\n",
      "next.yaml", config::system_environment());
  context->snapshot = *compile(std::move(*read.config), context->snapshot.get(), metrics);
  EXPECT_FALSE(old.expired());
  upstream.send(loop, json_reply(kWhole));
  EXPECT_EQ(body_of(answer(peer)), kWhole);
  EXPECT_TRUE(loop.until([&] { return old.expired(); })) << "and then it is freed";
  auto next = ask("a", false);
  EXPECT_TRUE(answer(next).starts_with("HTTP/1.1 404"));
}

}  // namespace
}  // namespace switchyard::relay
