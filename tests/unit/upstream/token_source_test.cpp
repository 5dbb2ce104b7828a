#include "gateway/upstream/token_source.h"

#include "tests/unit/support/net.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <list>

namespace switchyard::upstream {
namespace {

using switchyard::test::Listening;
using switchyard::test::Loop;
using switchyard::test::Peer;

class TokenSourceTest : public testing::Test {
 protected:
  // A fetch that is on its way ends with the test.
  void TearDown() override {
    EXPECT_TRUE(loop.until([&] { return upstream.stop_tokens(); }));
  }

  // One who wants the token.
  struct Asking {
    std::optional<Result<std::string>> token;
    io::Signal interrupt;
  };

  TokenSourceTest() {
    auto made = std::make_shared<TokenRequest>();
    made->key = "k";
    made->origin.host = "127.0.0.1";
    made->origin.port = giver.port();
    made->origin.key = "giver";
    made->origin.host_field = "giver";
    made->path = "/token";
    made->make_form = [this](std::int64_t) { return Result<std::string>("n=" + std::to_string(++forms)); };
    request = std::move(made);
  }

  static io::Task<void> ask(TokenSource& source, Asking& asking) {
    asking.token = co_await source.get(asking.interrupt);
  }

  Asking& ask() {
    Asking& asking = asked.emplace_back();
    io::spawn(ask(*source(), asking));
    return asking;
  }

  std::shared_ptr<TokenSource> source() { return upstream.token_source(request); }

  Peer next_fetch() {
    Peer peer = giver.accept(loop);
    EXPECT_TRUE(peer.wait_for(loop, "POST /token HTTP/1.1\r\nhost: giver\r\n"));
    EXPECT_TRUE(peer.wait_for(loop, "content-type: application/x-www-form-urlencoded\r\n"));
    EXPECT_TRUE(peer.wait_for(loop, "\r\n\r\nn=" + std::to_string(forms)));
    return peer;
  }

  void answer(Peer& peer, const std::string& body, const std::string& status = "200 OK") {
    peer.send(loop, "HTTP/1.1 " + status + "\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" +
                        body);
  }

  bool finish(Asking& asking) {
    return loop.until([&] { return asking.token.has_value(); });
  }

  Loop loop;
  Upstream upstream{loop.context, loop.deadlines, loop.blocks};
  Listening giver;
  std::shared_ptr<const TokenRequest> request;
  std::list<Asking> asked;
  int forms = 0;
};

TEST_F(TokenSourceTest, OneFetchServesAllWhoWaitAndAllWhoComeLater) {
  Asking& first = ask();
  Asking& second = ask();
  Peer peer = next_fetch();
  EXPECT_FALSE(first.token || second.token);
  answer(peer, R"({"access_token":"abc","expires_in":3600})");
  ASSERT_TRUE(finish(first) && finish(second));
  EXPECT_EQ(**first.token, "abc");
  EXPECT_EQ(**second.token, "abc");
  Asking& third = ask();
  ASSERT_TRUE(third.token) << "at once";
  EXPECT_EQ(**third.token, "abc");
  EXPECT_EQ(forms, 1);
}

TEST_F(TokenSourceTest, AFailureIsThatOfAllWhoWaitAndNotAskedForAgainAtOnce) {
  Asking& first = ask();
  Asking& second = ask();
  Peer peer = next_fetch();
  answer(peer, R"({"error":"invalid_grant"})", "400 Bad Request");
  ASSERT_TRUE(finish(first) && finish(second));
  for (Asking* one : {&first, &second}) {
    ASSERT_FALSE(*one->token);
    EXPECT_EQ(one->token->error().kind, ErrorKind::credential);
  }
  Asking& third = ask();
  ASSERT_TRUE(third.token);
  EXPECT_FALSE(*third.token);
  EXPECT_EQ(forms, 1);
}

TEST_F(TokenSourceTest, AGiverThatIsNotThere) {
  auto gone = std::make_shared<TokenRequest>(*request);
  gone->origin.port = 1;
  gone->key = "gone";
  request = gone;
  Asking& asking = ask();
  ASSERT_TRUE(finish(asking));
  ASSERT_FALSE(*asking.token);
  EXPECT_EQ(asking.token->error().kind, ErrorKind::credential);
}

TEST_F(TokenSourceTest, AWaitThatIsInterruptedEndsAlone) {
  Asking& first = ask();
  Asking& second = ask();
  Peer peer = next_fetch();
  first.interrupt.set();
  ASSERT_TRUE(first.token);
  EXPECT_EQ(first.token->error().kind, ErrorKind::cancelled);
  EXPECT_FALSE(second.token);
  answer(peer, R"({"access_token":"abc","expires_in":3600})");
  ASSERT_TRUE(finish(second));
  EXPECT_EQ(**second.token, "abc");
}

TEST_F(TokenSourceTest, ARefusedTokenIsFetchedAnew) {
  Asking& first = ask();
  Peer peer = next_fetch();
  answer(peer, R"({"access_token":"abc","expires_in":3600})");
  ASSERT_TRUE(finish(first));
  source()->reject("another");
  EXPECT_TRUE(ask().token) << "that one was not refused";
  source()->reject("abc");
  Asking& second = ask();
  EXPECT_FALSE(second.token);
  ASSERT_TRUE(peer.wait_for(loop, "n=2")) << "on the connection of the first";
  answer(peer, R"({"access_token":"def","expires_in":3600})");
  ASSERT_TRUE(finish(second));
  EXPECT_EQ(**second.token, "def");
}

TEST_F(TokenSourceTest, AnAgedTokenServesWhileItsSuccessorIsFetched) {
  Asking& first = ask();
  Peer peer = next_fetch();
  // So short a life leaves a moment only: half of it is over at once or soon.
  answer(peer, R"({"access_token":"abc","expires_in":31})");
  ASSERT_TRUE(finish(first));
  ASSERT_TRUE(loop.until([&] { return forms == 2 || (ask(), false); }))
      << "somebody asked when half was over";
  for (const Asking& asking : asked) EXPECT_TRUE(asking.token && *asking.token) << "and nobody had to wait";
}

TEST_F(TokenSourceTest, StoppingEndsAFetch) {
  Asking& asking = ask();
  Peer peer = next_fetch();
  EXPECT_FALSE(upstream.stop_tokens()) << "it takes a turn of the loop";
  ASSERT_TRUE(loop.until([&] { return upstream.stop_tokens(); }));
  ASSERT_TRUE(asking.token);
  EXPECT_FALSE(*asking.token);
}

TEST_F(TokenSourceTest, ATokenOutOfAFileIsReadAgain) {
  const std::string path = testing::TempDir() + "switchyard_token_source_test";
  std::ofstream(path) << "from-a-file\n";
  auto file = std::make_shared<TokenRequest>();
  file->key = "file";
  file->file = path;
  request = file;
  Asking& first = ask();
  ASSERT_TRUE(first.token && *first.token);
  EXPECT_EQ(**first.token, "from-a-file");
  std::ofstream(path) << "renewed";
  source()->reject("from-a-file");
  Asking& second = ask();
  ASSERT_TRUE(second.token && *second.token);
  EXPECT_EQ(**second.token, "renewed");
  std::remove(path.c_str());
  source()->reject("renewed");
  Asking& third = ask();
  ASSERT_TRUE(third.token);
  EXPECT_EQ(third.token->error().kind, ErrorKind::credential);
}

}  // namespace
}  // namespace switchyard::upstream
