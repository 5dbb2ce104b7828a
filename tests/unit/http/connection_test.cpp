#include "gateway/http/connection.h"

#include "gateway/http/listener.h"
#include "gateway/io/signal.h"
#include "tests/unit/support/net.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace switchyard::http {
namespace {

using switchyard::test::Loop;
using switchyard::test::Peer;

// Answers by path, and notes what it saw.
class Echo final : public Handler {
 public:
  io::Task<void> handle(Exchange& exchange) override {
    const Request& request = exchange.request();
    seen.push_back(std::string(request.method()) + " " + std::string(request.path()) + " " +
                   std::string(request.body()));
    if (request.path() == "/stream") co_return co_await stream(exchange);
    if (request.path() == "/throw") throw std::runtime_error("a bug");
    if (request.path() == "/nothing") co_return;
    if (request.path() == "/wait") {
      exchange.on_gone([](void* self) { ++static_cast<Echo*>(self)->gone; }, this);
      co_await go_on;
      exchange.clear_on_gone();
    }
    const std::string body =
        request.path() == "/big" ? std::string(8 << 20, 'b') : "<" + std::string(request.body()) + ">";
    last_sent = co_await exchange.reply(200, "text/plain", "x-test: 1\r\n", body);
  }

  io::Task<void> stream(Exchange& exchange) {
    exchange.begin_stream("x-test: 1\r\n");
    exchange.start_heartbeat();
    const std::array<std::string_view, 2> first{"data: 1\n", "\n"}, second{"data: 2\n\n", ""};
    if (!co_await exchange.write(first)) co_return;
    co_await go_on;
    last_sent = co_await exchange.write(second);
    if (break_off) co_return exchange.break_stream();
    last_sent = co_await exchange.end_stream();
  }

  std::string refusal_body(int status, std::string_view, std::string_view message) const override {
    return std::to_string(status) + " " + std::string(message);
  }

  std::vector<std::string> seen;
  io::Signal go_on;
  int gone = 0;
  bool last_sent = true, break_off = false;
};

class ConnectionTest : public testing::Test {
 protected:
  void SetUp() override {
    server.on_bug = [this](const char* what) { bugs.emplace_back(what); };
    listener = std::make_unique<Listener>(
        loop.context, server, io::Tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0), false);
    listener->start();
  }

  void TearDown() override {
    listener->drain();
    handler.go_on.set();
    EXPECT_TRUE(loop.until([&] {
      loop.pass(std::chrono::hours(1));
      return server.connections == 0;
    })) << "a connection is left";
    EXPECT_EQ(connections.load(), 0);
  }

  Peer connect(int receive_buffer = 0) { return Peer::connect(listener->endpoint().port(), receive_buffer); }

  // Sends, and returns all that came until the server closed.
  std::string until_closed(std::string_view bytes) {
    Peer peer = connect();
    peer.send(loop, bytes);
    EXPECT_TRUE(peer.wait_for_end(loop)) << peer.received;
    return peer.received;
  }

  static std::string post(const std::string& path, const std::string& body, const std::string& fields = {}) {
    return "POST " + path + " HTTP/1.1\r\nHost: a\r\n" + fields +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  static int count(const std::string& text, std::string_view what) {
    int found = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
    return found;
  }

  Loop loop;
  Echo handler;
  std::atomic<int> connections{0};
  Server server{loop.deadlines, loop.blocks, handler, connections};
  std::vector<std::string> bugs;
  std::unique_ptr<Listener> listener;
};

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";

TEST_F(ConnectionTest, ServesOneRequestAfterAnother) {
  Peer peer = connect();
  for (int i = 0; i < 3; ++i) {
    peer.send(loop, post("/a", "body" + std::to_string(i)));
    ASSERT_TRUE(peer.wait_for(loop, "<body" + std::to_string(i) + ">"));
    const std::string reply = peer.take();
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 200 OK\r\ndate: ")) << reply;
    EXPECT_NE(reply.find("\r\nx-test: 1\r\n"), std::string::npos);
    EXPECT_NE(reply.find("\r\ncontent-length: 7\r\n"), std::string::npos);
    EXPECT_EQ(reply.find("connection:"), std::string::npos);
  }
  EXPECT_EQ(connections.load(), 1);
}

TEST_F(ConnectionTest, AnswersPipelinedRequestsInTheirOrder) {
  std::string requests;
  for (int i = 0; i < 5; ++i) {
    requests += post("/a", std::to_string(i));
    requests += "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nc" +
                std::to_string(i) + "\r\n0\r\n\r\n";
  }
  for (const std::size_t piece : {requests.size(), std::size_t{1}, std::size_t{13}}) {
    Peer peer = connect();
    handler.seen.clear();
    for (std::size_t at = 0; at < requests.size(); at += piece) {
      peer.send(loop, std::string_view(requests).substr(at, piece));
      loop.settle();
    }
    ASSERT_TRUE(peer.wait_for(loop, "<c4>"));
    const std::vector<std::string> expected{"POST /a 0", "POST /a c0", "POST /a 1", "POST /a c1",
                                            "POST /a 2", "POST /a c2", "POST /a 3", "POST /a c3",
                                            "POST /a 4", "POST /a c4"};
    EXPECT_EQ(handler.seen, expected) << "in pieces of " << piece;
    EXPECT_EQ(count(peer.received, "HTTP/1.1 200 OK"), 10);
  }
}

TEST_F(ConnectionTest, ALargeBodyArrivesWhole) {
  std::string body(3 << 20, 'x');
  for (std::size_t i = 0; i < body.size(); i += 777) body[i] = static_cast<char>('a' + i % 26);
  Peer peer = connect();
  peer.send(loop, post("/a", body));
  ASSERT_TRUE(peer.wait_for_bytes(loop, body.size() + 100));
  ASSERT_EQ(handler.seen.size(), 1u);
  EXPECT_TRUE(handler.seen[0] == "POST /a " + body);
}

TEST_F(ConnectionTest, InvitesABodyThatWaitsToBeInvited) {
  const struct {
    std::string length, body;
    const char* why;
  } rows[] = {{"Content-Length: 5\r\n", "hello", "counted"},
              {"Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n", "in chunks"}};

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    Peer peer = connect();
    peer.send(loop, "POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" + row.length + "\r\n");
    ASSERT_TRUE(peer.wait_for(loop, "HTTP/1.1 100 Continue\r\n\r\n"));
    EXPECT_EQ(peer.take(), "HTTP/1.1 100 Continue\r\n\r\n");
    peer.send(loop, row.body);
    ASSERT_TRUE(peer.wait_for(loop, "<hello>"));
    EXPECT_EQ(count(peer.received, "100 Continue"), 0);
  }
  Peer peer = connect();
  peer.send(loop, post("/a", "hello", "Expect: 100-continue\r\n"));
  ASSERT_TRUE(peer.wait_for(loop, "<hello>"));
  EXPECT_EQ(count(peer.received, "100 Continue"), 0) << "nobody waits: the body came along";
}

TEST_F(ConnectionTest, SpeaksHttp10) {
  const std::string closed = until_closed("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_NE(closed.find("connection: close\r\n"), std::string::npos);
  Peer kept = connect();
  kept.send(loop, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  ASSERT_TRUE(kept.wait_for(loop, "<>"));
  EXPECT_NE(kept.take().find("connection: keep-alive\r\n"), std::string::npos);
  kept.send(loop, "GET /a HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(kept.wait_for_end(loop));
  handler.go_on.set();
  const std::string stream = until_closed("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_TRUE(stream.ends_with("\r\n\r\ndata: 1\n\ndata: 2\n\n")) << "no chunks; the end is the connection's";
  EXPECT_EQ(stream.find("transfer-encoding"), std::string::npos);
}

TEST_F(ConnectionTest, AHeadGetsNoBody) {
  Peer peer = connect();
  peer.send(loop, "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n" + std::string(kGet));
  ASSERT_TRUE(peer.wait_for(loop, "<>"));
  EXPECT_EQ(count(peer.received, "content-length: 2\r\n"), 2);
  EXPECT_EQ(count(peer.received, "<>"), 1);
}

TEST_F(ConnectionTest, ClosesWhenAsked) {
  const std::string reply = until_closed("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_NE(reply.find("connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(reply.ends_with("<>"));
}

TEST_F(ConnectionTest, RefusesAndCloses) {
  server.limits.body_bytes = 1000;
  server.limits.header_bytes = 2000;

  const struct {
    std::string bytes;
    const char* begins;
    const char* why;
  } rows[] = {
      {"nonsense\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n", "no HTTP"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", "HTTP/1.1 413 Content Too Large\r\n",
       "a body beyond the limit is refused before it comes"},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(3000, 'x') + "\r\n\r\n",
       "HTTP/1.1 431 Request Header Fields Too Large\r\n", "a head beyond the limit"},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(100'000, 'x'),
       "HTTP/1.1 431 Request Header Fields Too Large\r\n", "a line without an end"},
      {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported\r\n", "a version"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const std::string reply = until_closed(row.bytes);
    EXPECT_TRUE(reply.starts_with(row.begins)) << reply;
    EXPECT_NE(reply.find("connection: close\r\n"), std::string::npos);
    EXPECT_EQ(count(reply, "\r\ndate: "), 1) << "nothing of it is the next request";
  }
  EXPECT_TRUE(handler.seen.empty());
}

TEST_F(ConnectionTest, ARefusalReachesAClientThatStillSends) {
  server.limits.body_bytes = 1000;
  Peer peer = connect();
  peer.send(loop, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n");
  peer.send(loop, std::string(5'000'000, 'x'));
  ASSERT_TRUE(peer.wait_for(loop, "413 the request body is too large"));
}

TEST_F(ConnectionTest, CutsOffWhoIsTooSlow) {
  const struct {
    const char* bytes;
    bool answered;
    const char* why;
  } rows[] = {
      {"", false, "nothing at all: the idle limit"},
      {"GET / HT", true, "half a head"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf", true, "half a body"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal", true, "half a chunk"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    Peer peer = connect();
    ASSERT_TRUE(loop.until([&] { return server.connections == 1; }));
    peer.send(loop, row.bytes);
    loop.settle();
    loop.pass(server.limits.request_read - std::chrono::seconds(1));
    loop.settle();
    peer.poll();
    EXPECT_FALSE(peer.ended);
    loop.pass(server.limits.idle + std::chrono::seconds(1));
    ASSERT_TRUE(peer.wait_for_end(loop));
    EXPECT_EQ(peer.received.starts_with("HTTP/1.1 408 Request Timeout\r\n"), row.answered) << peer.received;
    EXPECT_TRUE(loop.until([&] { return server.connections == 0; }));
  }
}

TEST_F(ConnectionTest, ADripDoesNotMoveTheLimit) {
  Peer peer = connect();
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy";
  for (const char c : request) {
    peer.send(loop, std::string_view(&c, 1));
    loop.settle();
  }
  loop.pass(server.limits.request_read + std::chrono::seconds(1));
  EXPECT_TRUE(peer.wait_for_end(loop));
}

TEST_F(ConnectionTest, AReplyThatNobodyReadsIsGivenUp) {
  Peer peer = connect(8 << 10);
  peer.send(loop, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(loop.until([&] { return handler.seen.size() == 1; }));
  loop.settle();
  loop.pass(Exchange::kReplyTaken + std::chrono::seconds(1));
  ASSERT_TRUE(loop.until([&] { return server.connections == 0; }));
  EXPECT_FALSE(handler.last_sent);
}

TEST_F(ConnectionTest, TellsTheHandlerWhenTheClientLeaves) {
  for (const bool reset : {false, true}) {
    Peer peer = connect();
    handler.gone = 0;
    peer.send(loop, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    loop.settle();
    EXPECT_EQ(handler.gone, 0);
    reset ? peer.reset() : peer.close();
    ASSERT_TRUE(loop.until([&] { return handler.gone == 1; }));
    handler.go_on.set();
    EXPECT_TRUE(loop.until([&] { return server.connections == 0; }));
    EXPECT_FALSE(handler.last_sent);
  }
}

TEST_F(ConnectionTest, APipelinedRequestIsNoClientThatLeft) {
  Peer peer = connect();
  peer.send(loop, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  loop.settle();
  peer.send(loop, kGet);
  loop.settle();
  EXPECT_EQ(handler.gone, 0);
  handler.go_on.set();
  ASSERT_TRUE(loop.until([&] { return peer.poll(), count(peer.received, "<>") == 2; }));
}

TEST_F(ConnectionTest, StreamsFramesInChunks) {
  Peer peer = connect();
  peer.send(loop, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(peer.wait_for(loop, "data: 1"));
  const std::string begin = peer.take();
  EXPECT_NE(begin.find("\r\ncontent-type: text/event-stream; charset=utf-8\r\n"), std::string::npos);
  EXPECT_TRUE(begin.ends_with("transfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n")) << begin;
  handler.go_on.set();
  ASSERT_TRUE(peer.wait_for(loop, "0\r\n\r\n"));
  EXPECT_EQ(peer.take(), "9\r\ndata: 2\n\n\r\n0\r\n\r\n");
  peer.send(loop, kGet);
  EXPECT_TRUE(peer.wait_for(loop, "<>")) << "the connection serves again";
}

TEST_F(ConnectionTest, FillsSilenceWithComments) {
  Peer peer = connect();
  peer.send(loop, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(peer.wait_for(loop, "data: 1"));
  peer.take();
  loop.pass(Exchange::kHeartbeat - std::chrono::seconds(1));
  loop.settle();
  peer.poll();
  EXPECT_EQ(peer.received, "");
  for (int i = 0; i < 2; ++i) {
    loop.pass(Exchange::kHeartbeat + std::chrono::seconds(1));
    ASSERT_TRUE(peer.wait_for(loop, "waiting"));
    EXPECT_EQ(peer.take(), "b\r\n: waiting\n\n\r\n");
  }
  handler.go_on.set();
  ASSERT_TRUE(peer.wait_for(loop, "0\r\n\r\n"));
}

TEST_F(ConnectionTest, AStreamThatBreaksHasNoEnd) {
  handler.break_off = true;
  handler.go_on.set();
  const std::string stream = until_closed("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(stream.ends_with("9\r\ndata: 2\n\n\r\n")) << stream;
}

TEST_F(ConnectionTest, ABugIsA500AndIsTold) {
  const std::string thrown = until_closed("GET /throw HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(thrown.starts_with("HTTP/1.1 500 Internal Server Error\r\n")) << thrown;
  EXPECT_EQ(bugs, std::vector<std::string>{"a bug"});
  Peer peer = connect();
  peer.send(loop, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(peer.wait_for(loop, "500 internal error")) << "a handler that does not answer";
}

TEST_F(ConnectionTest, OneConnectionTooManyIsTurnedAway) {
  server.limits.connections = 2;
  Peer first = connect(), second = connect();
  ASSERT_TRUE(loop.until([&] { return connections.load() == 2; }));
  Peer third = connect();
  ASSERT_TRUE(third.wait_for_end(loop));
  EXPECT_TRUE(third.received.starts_with("HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\n"));
  first.close();
  ASSERT_TRUE(loop.until([&] { return connections.load() == 1; }));
  Peer fourth = connect();
  fourth.send(loop, kGet);
  EXPECT_TRUE(fourth.wait_for(loop, "<>"));
}

TEST_F(ConnectionTest, TheLimitOfConnectionsIsThatOfAllEventLoops) {
  server.limits.connections = 2;
  connections = 2;  // On another worker.
  Peer peer = connect();
  ASSERT_TRUE(peer.wait_for_end(loop));
  EXPECT_TRUE(peer.received.starts_with("HTTP/1.1 503"));
  connections = 0;
}

TEST_F(ConnectionTest, ADrainServesWhatIsThereAndClosesWhatIsIdle) {
  Peer idle = connect(), busy = connect();
  idle.send(loop, kGet);
  ASSERT_TRUE(idle.wait_for(loop, "<>"));
  busy.send(loop, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(loop.until([&] { return handler.seen.size() == 2; }));
  Peer queued = connect();  // In the kernel's queue still.
  queued.send(loop, kGet);
  listener->drain();
  server.drain();
  ASSERT_TRUE(queued.wait_for(loop, "<>"));
  EXPECT_NE(queued.received.find("connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(queued.wait_for_end(loop));
  EXPECT_THROW(connect(), std::runtime_error) << "nobody listens any more";
  loop.pass(Server::kDrainIdle + std::chrono::seconds(1));
  EXPECT_TRUE(idle.wait_for_end(loop));
  busy.poll();
  EXPECT_FALSE(busy.ended);
  handler.go_on.set();
  EXPECT_TRUE(busy.wait_for(loop, "<>")) << "an open request goes on to its end";
  loop.pass(Server::kDrainIdle + std::chrono::seconds(1));
  EXPECT_TRUE(busy.wait_for_end(loop));
  EXPECT_EQ(server.connections, 0);
}

TEST_F(ConnectionTest, StoppingEndsEveryConnectionAtOnce) {
  Peer idle = connect(), reading = connect(), streaming = connect();
  idle.send(loop, kGet);
  reading.send(loop, "GET /a HT");
  streaming.send(loop, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(idle.wait_for(loop, "<>"));
  ASSERT_TRUE(streaming.wait_for(loop, "data: 1"));
  ASSERT_TRUE(loop.until([&] { return server.connections == 3; }));
  handler.go_on.set();
  server.stop();
  EXPECT_TRUE(loop.until([&] { return server.connections == 0; }));
}

TEST_F(ConnectionTest, ARequestInTheLastMomentOfADrainIsServed) {
  Peer peer = connect();
  peer.send(loop, kGet);
  ASSERT_TRUE(peer.wait_for(loop, "<>"));
  peer.take();
  server.drain();
  peer.send(loop, kGet);  // Not seen by the loop when the time is over.
  loop.pass(Server::kDrainIdle + std::chrono::seconds(1));
  EXPECT_TRUE(peer.wait_for(loop, "<>"));
}

}  // namespace
}  // namespace switchyard::http
