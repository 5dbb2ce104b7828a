#include "gateway/io/socket.h"

#include "tests/unit/support/net.h"

#include <boost/asio/error.hpp>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace switchyard::io {
namespace {

namespace asio = boost::asio;
using test::Loop;
using test::Pair;

std::string pattern(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
  return text;
}

TEST(Socket, ReadsWhatIsThereAndThenTheEnd) {
  Loop loop;
  Pair pair(loop);
  std::string buffer(16, '\0');
  EXPECT_EQ(pair.socket.try_read(buffer).error, asio::error::would_block);
  pair.peer.send(loop, "hello");
  const auto first = loop.run(pair.socket.read_some(buffer));
  EXPECT_FALSE(first.error);
  EXPECT_EQ(buffer.substr(0, first.bytes), "hello");
  pair.peer.close();
  EXPECT_EQ(loop.run(pair.socket.read_some(buffer)).error, asio::error::eof);
}

TEST(Socket, AReadWaitsForBytesThatComeLater) {
  Loop loop;
  Pair pair(loop);
  std::string buffer(16, '\0');
  std::optional<Socket::Io> result;
  spawn(Loop::store(pair.socket.read_some(buffer), result));
  loop.settle();
  EXPECT_FALSE(result);
  pair.peer.send(loop, "x");
  ASSERT_TRUE(loop.until([&] { return result.has_value(); }));
  EXPECT_EQ(result->bytes, 1u);
}

TEST(Socket, CloseEndsAReadThatWaits) {
  Loop loop;
  Pair pair(loop);
  std::string buffer(16, '\0');
  std::optional<Socket::Io> result;
  spawn(Loop::store(pair.socket.read_some(buffer), result));
  pair.socket.close();
  EXPECT_FALSE(result) << "the waiter goes on from the event loop, not from inside close()";
  ASSERT_TRUE(loop.until([&] { return result.has_value(); }));
  EXPECT_EQ(result->error, asio::error::operation_aborted);
  EXPECT_EQ(loop.run(pair.socket.read_some(buffer)).error, asio::error::operation_aborted);
  EXPECT_EQ(loop.run(pair.socket.wait_readable()), asio::error::operation_aborted);
}

TEST(Socket, WritesEveryPieceInOrderWhateverTheKernelTakes) {
  const std::string big = pattern(3 << 20);

  const struct {
    std::vector<std::string_view> pieces;
    const char* why;
  } rows[] = {
      {{}, "nothing"},
      {{"", "", ""}, "nothing, in pieces"},
      {{"a", "", "b", ""}, "empty pieces between"},
      {std::vector<std::string_view>(40, "piece"), "more than one system call takes"},
      {{"head", big, "", "tail"}, "more than the kernel holds"},
      {{big, big}, "a cut at the end of a piece or inside it"},
      {std::vector<std::string_view>(100, std::string_view(big).substr(0, 50'001)), "many cuts"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    Loop loop;
    Pair pair(loop, 8 << 10);
    std::string expected;
    for (const auto piece : row.pieces) expected += piece;
    std::optional<error_code> result;
    spawn(Loop::store(pair.socket.write_all(row.pieces), result));
    ASSERT_TRUE(pair.peer.wait_for_bytes(loop, expected.size()));
    ASSERT_TRUE(loop.until([&] { return result.has_value(); }));
    EXPECT_FALSE(*result);
    EXPECT_TRUE(pair.peer.received == expected);
  }
}

TEST(Socket, CloseEndsAWriteThatWaits) {
  Loop loop;
  Pair pair(loop, 8 << 10);
  const std::string big = pattern(16 << 20);
  const std::vector<std::string_view> pieces{big};
  std::optional<error_code> result;
  spawn(Loop::store(pair.socket.write_all(pieces), result));
  loop.settle();
  ASSERT_FALSE(result);
  pair.socket.close();
  ASSERT_TRUE(loop.until([&] { return result.has_value(); }));
  EXPECT_EQ(*result, asio::error::operation_aborted);
}

TEST(Socket, AWriteToAPeerThatLeftFails) {
  Loop loop;
  Pair pair(loop, 8 << 10);
  const std::string big = pattern(16 << 20);
  const std::vector<std::string_view> pieces{big};
  std::optional<error_code> result;
  spawn(Loop::store(pair.socket.write_all(pieces), result));
  pair.peer.reset();
  ASSERT_TRUE(loop.until([&] { return result.has_value(); }));
  EXPECT_TRUE(*result);
}

TEST(Socket, PeekTellsSilenceSpeechAndTheEnd) {
  using Act = void (*)(Loop&, test::Peer&);

  const struct {
    Act act;
    Socket::Peer expected;
    const char* why;
  } rows[] = {
      {[](Loop&, test::Peer&) {}, Socket::Peer::silent, "nothing came"},
      {[](Loop& loop, test::Peer& peer) { peer.send(loop, "x"); }, Socket::Peer::speaking, "a byte"},
      {[](Loop& loop, test::Peer& peer) { peer.send(loop, "x"), peer.close(); }, Socket::Peer::speaking,
       "a byte before the end"},
      {[](Loop&, test::Peer& peer) { peer.close(); }, Socket::Peer::closed, "the end"},
      {[](Loop&, test::Peer& peer) { peer.reset(); }, Socket::Peer::closed, "a reset"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    Loop loop;
    Pair pair(loop);
    row.act(loop, pair.peer);
    EXPECT_EQ(pair.socket.peek(), row.expected);
    EXPECT_EQ(pair.socket.peek(), row.expected) << "looking changes nothing";
    pair.socket.close();
    EXPECT_EQ(pair.socket.peek(), Socket::Peer::closed);
  }
}

void count(void* calls) {
  ++*static_cast<int*>(calls);
}

TEST(Socket, AWatchRunsOnceAndLeavesTheBytes) {
  Loop loop;
  Pair pair(loop);
  int calls = 0;
  pair.socket.watch(count, &calls);
  loop.settle();
  EXPECT_EQ(calls, 0);
  pair.peer.send(loop, "x");
  ASSERT_TRUE(loop.until([&] { return calls > 0; }));
  loop.settle();
  EXPECT_EQ(calls, 1);
  std::string buffer(4, '\0');
  EXPECT_EQ(loop.run(pair.socket.read_some(buffer)).bytes, 1u);
}

TEST(Socket, AClearedWatchDoesNotRunAndTheNextReadWorks) {
  Loop loop;
  Pair pair(loop);
  int calls = 0;
  pair.socket.watch(count, &calls);
  pair.socket.clear_watch();
  std::optional<error_code> readable;
  spawn(Loop::store(pair.socket.wait_readable(), readable));
  pair.peer.send(loop, "x");
  ASSERT_TRUE(loop.until([&] { return readable.has_value(); }));
  EXPECT_FALSE(*readable);
  EXPECT_EQ(calls, 0);
}

TEST(Socket, AWatchMayDestroyTheSocket) {
  Loop loop;
  auto pair = std::make_unique<Pair>(loop);
  pair->socket.watch([](void* raw) { static_cast<std::unique_ptr<Pair>*>(raw)->reset(); }, &pair);
  pair->peer.send(loop, "x");
  EXPECT_TRUE(loop.until([&] { return pair == nullptr; }));
}

TEST(Socket, MayBeDestroyedWhileItIsWatched) {
  Loop loop;
  int calls = 0;
  {
    Pair pair(loop);
    pair.socket.watch(count, &calls);
  }
  loop.settle();
  EXPECT_EQ(calls, 0);
}

TEST(Socket, AfterItsOwnEndItStillReads) {
  Loop loop;
  Pair pair(loop);
  pair.socket.shutdown_send();
  ASSERT_TRUE(pair.peer.wait_for_end(loop));
  pair.peer.send(loop, "late");
  std::string buffer(8, '\0');
  EXPECT_EQ(loop.run(pair.socket.read_some(buffer)).bytes, 4u);
}

}  // namespace
}  // namespace switchyard::io
