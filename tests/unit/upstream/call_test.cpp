#include "gateway/upstream/call.h"

#include "tests/unit/support/net.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace switchyard::upstream {
namespace {

using std::chrono::seconds;
using switchyard::test::Listening;
using switchyard::test::Loop;
using switchyard::test::Peer;

constexpr std::string_view kRequest = "POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}";

// One call and what came of it, while the test plays the provider.
struct Running {
  Running(Upstream& upstream, const Origin& origin, std::string request = std::string(kRequest))
      : call(upstream, origin), request(std::move(request)), pieces{this->request} {
    io::spawn(run());
  }

  io::Task<void> run() {
    started = co_await call.start(pieces, seconds(2));
    if (!*started) co_return;
    body = co_await call.read_all(bytes_max);
  }

  bool is_over() const { return body || (started && !*started); }

  // The failure of whichever step failed; no value: it has not ended, or not badly.
  std::optional<ErrorKind> failure() const {
    if (started && !*started) return started->error().kind;
    if (body && !*body) return body->error().kind;
    return std::nullopt;
  }

  std::string text() const { return body && *body ? std::string((*body)->view()) : ""; }

  HttpCall call;
  std::string request;
  std::vector<std::string_view> pieces;
  std::size_t bytes_max = 1 << 20;
  std::optional<Result<>> started;
  std::optional<Result<io::ByteBuffer>> body;
};

class CallTest : public testing::Test {
 protected:
  CallTest() {
    origin.host = "127.0.0.1";
    origin.port = provider.port();
    origin.key = "provider";
    origin.host_field = "provider";
  }

  std::unique_ptr<Running> begin() { return std::make_unique<Running>(upstream, origin); }

  // The provider's side of the next connection, with the request read.
  Peer next_connection() {
    Peer peer = provider.accept(loop);
    EXPECT_TRUE(peer.wait_for(loop, kRequest));
    peer.take();
    return peer;
  }

  bool finish(Running& running) {
    return loop.until([&] { return running.is_over(); });
  }

  // A whole exchange; the connection's other end stays open.
  Peer exchange(const std::string& reply) {
    auto running = begin();
    Peer peer = next_connection();
    peer.send(loop, reply);
    EXPECT_TRUE(finish(*running));
    EXPECT_FALSE(running->failure());
    return peer;
  }

  Pool& pool() { return upstream.pool(origin); }

  Loop loop;
  Upstream upstream{loop.context, loop.deadlines, loop.blocks};
  Listening provider;
  Origin origin;
};

const std::string kReply = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
const std::string kHead = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

TEST_F(CallTest, ReadsAReplyAndKeepsTheConnection) {
  auto first = begin();
  Peer peer = next_connection();
  EXPECT_EQ(pool().in_use, 1);
  peer.send(loop, kReply);
  ASSERT_TRUE(finish(*first));
  EXPECT_EQ(first->call.head().status, 200);
  EXPECT_EQ(first->text(), "hello");
  first.reset();
  EXPECT_EQ(pool().in_use, 0);
  EXPECT_EQ(pool().idle(), 1u);
  auto second = begin();
  ASSERT_TRUE(peer.wait_for(loop, kRequest)) << "on the same connection";
  EXPECT_EQ(pool().idle(), 0u);
  peer.send(loop, kReply);
  ASSERT_TRUE(finish(*second));
  EXPECT_EQ(second->text(), "hello");
}

TEST_F(CallTest, TheSameReplyByteByByte) {
  for (const std::string& reply : {kReply, kHead + "5\r\nhello\r\n0\r\n\r\n"}) {
    auto running = begin();
    Peer peer = next_connection();
    for (const char byte : reply) {
      peer.send(loop, std::string_view(&byte, 1));
      loop.settle();
    }
    ASSERT_TRUE(finish(*running));
    EXPECT_EQ(running->text(), "hello");
    running.reset();
    EXPECT_EQ(pool().idle(), 1u);
    peer.close();
    ASSERT_TRUE(loop.until([&] { return pool().idle() == 0; }));
  }
}

// What a provider does, and what the caller hears of it.
TEST_F(CallTest, EveryWayToBreakOffHasItsError) {
  enum End { stay, close, reset };

  std::string flood;
  for (int i = 0; i < 17; ++i) flood += "HTTP/1.1 100 Continue\r\n\r\n";
  std::string huge = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 2000; ++i) huge += "x: " + std::string(100, 'x') + "\r\n";
  const auto unreachable = ErrorKind::unreachable, bad_reply = ErrorKind::bad_reply;

  const struct {
    std::string bytes;
    End end;
    ErrorKind expected;
    const char* why;
  } rows[] = {
      {"", close, unreachable, "closed without an answer"},
      {"", reset, unreachable, "reset without an answer"},
      {"H", close, bad_reply, "one byte"},
      {"HTTP/1.1 200 OK\r\ncontent-le", close, bad_reply, "half a head"},
      {"HTTP/1.1 200 OK\r\ncontent-le", reset, bad_reply, "half a head, reset"},
      {"nonsense\r\n\r\n", stay, bad_reply, "no HTTP"},
      {"HTTP/1.1 101 Switching\r\n\r\n", stay, bad_reply, "another protocol"},
      {flood, stay, bad_reply, "interim answers without end"},
      {"HTTP/1.1 100 Continue\r\n\r\n", close, bad_reply, "an interim answer only"},
      {huge, stay, bad_reply, "a head without end"},
      {"HTTP/1.1 200 OK\r\nx: " + std::string(70'000, 'x'), stay, bad_reply, "a line without end"},
      {"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx", stay, bad_reply,
       "compressed"},
      {"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello", close, bad_reply, "a body cut short"},
      {kHead + "5\r\nhello\r\n", close, bad_reply, "chunks cut short"},
      {kHead + "5\r\nhello\r\n", reset, bad_reply, "chunks cut short, reset"},
      {kHead + "zz\r\n", stay, bad_reply, "a size that is no number"},
      {"HTTP/1.1 200 OK\r\n\r\nhello", reset, bad_reply, "a body up to the end, which was a reset"},
      {"HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n" + std::string(1'100'000, 'x'), stay, bad_reply,
       "a body beyond the limit"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    auto running = begin();
    Peer peer = next_connection();
    std::string_view bytes = row.bytes;
    loop.until([&] {
      bytes.remove_prefix(peer.try_send(bytes));
      return bytes.empty() || running->is_over();
    });
    if (row.end != stay) loop.settle();  // What was sent arrives first.
    if (row.end == close) peer.close();
    if (row.end == reset) peer.reset();
    ASSERT_TRUE(finish(*running));
    EXPECT_EQ(running->failure(), row.expected);
    EXPECT_TRUE(running->text().empty());
    running.reset();
    EXPECT_EQ(pool().in_use, 0);
    EXPECT_EQ(pool().idle(), 0u) << "a connection in doubt is not used again";
  }
}

TEST_F(CallTest, SomeInterimAnswersArePassedOver) {
  std::string reply;
  for (int i = 0; i < 16; ++i) reply += "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
  auto running = begin();
  Peer peer = next_connection();
  peer.send(loop, reply + kReply);
  ASSERT_TRUE(finish(*running));
  EXPECT_EQ(running->text(), "hello");
}

TEST_F(CallTest, OnlyAConnectionWithoutDoubtIsKept) {
  const struct {
    std::string reply;
    bool close;
    std::size_t idle;
    const char* why;
  } rows[] = {
      {kReply, false, 1, "a counted body"},
      {kHead + "5\r\nhello\r\n0\r\n\r\n", false, 1, "chunks to their end"},
      {kReply + "more", false, 0, "bytes behind the reply"},
      {"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello", false, 0, "told to close"},
      {"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", false, 0, "HTTP/1.0"},
      {"HTTP/1.1 200 OK\r\n\r\nhello", true, 0, "a body up to the end"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    auto running = begin();
    Peer peer = next_connection();
    peer.send(loop, row.reply);
    if (row.close) peer.close();
    ASSERT_TRUE(finish(*running));
    EXPECT_EQ(running->text(), "hello");
    running.reset();
    EXPECT_EQ(pool().idle(), row.idle);
    peer.close();
    ASSERT_TRUE(loop.until([&] { return pool().idle() == 0; })) << "one that the provider closes is dropped";
  }
}

TEST_F(CallTest, AnIdleConnectionThatSpeaksIsDropped) {
  Peer peer = exchange(kReply);
  EXPECT_EQ(pool().idle(), 1u);
  peer.send(loop, "HTTP/1.1 408 Request Timeout\r\n\r\n");
  EXPECT_TRUE(loop.until([&] { return pool().idle() == 0; }));
}

TEST_F(CallTest, AKeptConnectionThatEndsIsReplacedOnce) {
  Peer first = exchange(kReply);
  auto running = begin();
  ASSERT_TRUE(first.wait_for(loop, kRequest));
  first.close();  // The request was on its way already.
  Peer second = next_connection();
  second.send(loop, kReply);
  ASSERT_TRUE(finish(*running));
  EXPECT_EQ(running->text(), "hello");
}

TEST_F(CallTest, ButNotOnceAByteOfAnAnswerCame) {
  for (const char* bytes : {"H", "HTTP/1.1 100 Continue\r\n\r\n"}) {
    Peer first = exchange(kReply);
    auto running = begin();
    ASSERT_TRUE(first.wait_for(loop, kRequest));
    first.send(loop, bytes);
    loop.settle();
    first.close();
    ASSERT_TRUE(finish(*running));
    EXPECT_EQ(running->failure(), ErrorKind::bad_reply);
    EXPECT_FALSE(provider.try_accept());
  }
}

TEST_F(CallTest, TheReplacementEndsInTheOrdinaryWay) {
  Peer first = exchange(kReply);
  auto running = begin();
  ASSERT_TRUE(first.wait_for(loop, kRequest));
  first.close();
  next_connection().close();
  ASSERT_TRUE(finish(*running));
  EXPECT_EQ(running->failure(), ErrorKind::unreachable);
}

TEST_F(CallTest, NobodyListens) {
  provider.close();
  auto running = begin();
  ASSERT_TRUE(finish(*running));
  EXPECT_EQ(running->failure(), ErrorKind::unreachable);
}

TEST_F(CallTest, OneConnectionTooManyIsOverloaded) {
  origin.connections_max = 1;
  auto first = begin();
  auto second = begin();
  ASSERT_TRUE(second->is_over());
  EXPECT_EQ(second->failure(), ErrorKind::overloaded);
  second.reset();
  Peer peer = next_connection();
  peer.send(loop, kReply);
  ASSERT_TRUE(finish(*first));
  EXPECT_EQ(pool().in_use, 1);
  first.reset();
  EXPECT_EQ(pool().in_use, 0);
}

TEST_F(CallTest, ADeadlineEndsEachWaitWithItsOwnError) {
  const struct {
    const char* bytes;
    ErrorKind kind;
    const char* why;
  } rows[] = {
      {"", ErrorKind::first_token_timeout, "no answer"},
      {"HTTP/1.1 200 OK\r\n", ErrorKind::first_token_timeout, "half a head"},
      {"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello", ErrorKind::between_tokens_timeout, "half a body"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    auto running = begin();
    running->call.set_deadline(row.kind, seconds(10));
    Peer peer = next_connection();
    peer.send(loop, row.bytes);
    loop.settle();
    loop.pass(seconds(9));
    loop.settle();
    EXPECT_FALSE(running->is_over());
    loop.pass(seconds(11));
    ASSERT_TRUE(finish(*running));
    EXPECT_EQ(running->failure(), row.kind);
    running.reset();
    EXPECT_TRUE(peer.wait_for_end(loop)) << "the provider sees that nobody waits any more";
  }
}

TEST_F(CallTest, AProviderThatDoesNotReadIsGivenUp) {
  const std::string request = "POST / HTTP/1.1\r\n\r\n" + std::string(16 << 20, 'x');
  auto running = std::make_unique<Running>(upstream, origin, request);
  running->call.set_deadline(ErrorKind::first_token_timeout, seconds(10));
  Peer peer = provider.accept(loop);
  loop.settle();
  EXPECT_FALSE(running->is_over());
  loop.pass(seconds(11));
  ASSERT_TRUE(finish(*running));
  EXPECT_EQ(running->failure(), ErrorKind::first_token_timeout);
}

TEST_F(CallTest, AnEarlyAnswerCountsThoughTheRequestIsCutOff) {
  auto running =
      std::make_unique<Running>(upstream, origin, std::string(kRequest) + std::string(1 << 20, 'x'));
  Peer peer = provider.accept(loop);
  peer.send(loop, "HTTP/1.1 413 Too Large\r\ncontent-length: 5\r\n\r\nhello");
  peer.finish_sending();
  ASSERT_TRUE(loop.until([&] { return peer.poll(), running->is_over(); }));
  EXPECT_FALSE(running->failure());
  EXPECT_EQ(running->call.head().status, 413);
}

TEST_F(CallTest, AbortEndsTheCallWhereverItWaits) {
  const struct {
    const char* bytes;
    const char* why;
  } rows[] = {{nullptr, "while it connects"},
              {"", "while it waits for the head"},
              {"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello", "while it reads"}};

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    auto running = begin();
    Peer peer;
    if (row.bytes) {
      peer = next_connection();
      peer.send(loop, row.bytes);
      loop.settle();
    }
    running->call.abort(ErrorKind::cancelled);
    running->call.abort(ErrorKind::internal);
    ASSERT_TRUE(finish(*running));
    EXPECT_EQ(running->failure(), ErrorKind::cancelled) << "the first reason counts";
    running.reset();
    EXPECT_EQ(pool().in_use, 0);
    while (provider.try_accept()) {
    }
  }
}

TEST_F(CallTest, AbortEndsAWaitForAName) {
  origin.host = "localhost";
  auto running = begin();
  EXPECT_FALSE(running->is_over());
  running->call.abort(ErrorKind::cancelled);
  EXPECT_TRUE(running->is_over()) << "at once: the look-up goes on without it";
  EXPECT_EQ(running->failure(), ErrorKind::cancelled);
  running.reset();
  loop.settle();
  auto next = begin();
  Peer peer = next_connection();
  peer.send(loop, kReply);
  ASSERT_TRUE(finish(*next));
  EXPECT_EQ(next->text(), "hello");
}

TEST_F(CallTest, TheConnectTimeoutCoversTheNameToo) {
  origin.host = "localhost";
  auto running = begin();
  loop.pass(seconds(3));
  ASSERT_TRUE(finish(*running));
  EXPECT_EQ(running->failure(), ErrorKind::connect_timeout);
}

TEST_F(CallTest, OneLookUpServesAllWhoWait) {
  origin.host = "localhost";
  std::vector<std::unique_ptr<Running>> all;
  for (int i = 0; i < 4; ++i) all.push_back(begin());
  std::vector<Peer> peers;
  for (int i = 0; i < 4; ++i) {
    peers.push_back(next_connection());
    peers.back().send(loop, kReply);
  }
  for (const auto& running : all) {
    ASSERT_TRUE(finish(*running));
    EXPECT_EQ(running->text(), "hello");
  }
}

TEST_F(CallTest, AbortedBeforeItsStartItDoesNotStart) {
  HttpCall call(upstream, origin);
  call.abort(ErrorKind::total_timeout);
  const std::vector<std::string_view> pieces{kRequest};
  const auto started = loop.run(call.start(pieces, seconds(1)));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::total_timeout);
  EXPECT_FALSE(provider.try_accept());
}

}  // namespace
}  // namespace switchyard::upstream
