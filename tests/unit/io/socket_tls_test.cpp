#include "gateway/http/server_tls.h"
#include "gateway/io/socket.h"
#include "gateway/upstream/pool.h"
#include "tests/unit/support/certificate.h"
#include "tests/unit/support/net.h"

#include <boost/asio/error.hpp>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

namespace switchyard::io {
namespace {

using test::Certificate;
using test::Loop;

// Both ends of a connection, each a Socket, before their handshake.
struct Ends {
  explicit Ends(Loop& loop)
      : client(
            Tcp::socket(loop.context, Tcp::v4(), ::dup(test::Peer::connect(listening.port()).descriptor()))),
        server(test::Pair::adopt(loop, listening)) {}

  test::Listening listening;
  Socket client, server;
};

class SocketTls : public testing::Test {
 protected:
  // Shakes hands; returns the client's error and the server's.
  std::pair<error_code, error_code> shake_hands(Ends& ends, const std::string& ca_file,
                                                const std::string& host) {
    const auto client_tls = upstream::make_client_tls(ca_file);
    EXPECT_TRUE(client_tls);
    const auto server_tls = http::make_server_tls({certificate.certificate_file(), certificate.key_file()});
    EXPECT_TRUE(server_tls) << (server_tls ? "" : server_tls.error().message);
    std::optional<error_code> client, server;
    spawn(Loop::store(ends.client.handshake_client(**client_tls, host), client));
    spawn(Loop::store(ends.server.handshake_server(**server_tls), server));
    EXPECT_TRUE(loop.until([&] { return client.has_value(); }));
    if (*client) ends.client.close();
    EXPECT_TRUE(loop.until([&] { return server.has_value(); }));
    return {*client, *server};
  }

  Certificate certificate;
  Loop loop;
};

TEST_F(SocketTls, TheClientChecksWhoAnswers) {
  const struct {
    bool trusted;
    std::string host;
    bool accepted;
    const char* why;
  } rows[] = {
      {true, "localhost", true, "a name in the certificate"},
      {true, "127.0.0.1", true, "an address in the certificate"},
      {true, "example.org", false, "another name"},
      {true, "127.0.0.2", false, "another address"},
      {false, "localhost", false, "an authority that nobody named"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    Ends ends(loop);
    const auto [client, server] =
        shake_hands(ends, row.trusted ? certificate.certificate_file() : "", row.host);
    EXPECT_EQ(!client, row.accepted) << client.message();
  }
}

TEST_F(SocketTls, CarriesMoreThanTheKernelHoldsBothWays) {
  Ends ends(loop);
  ASSERT_FALSE(shake_hands(ends, certificate.certificate_file(), "localhost").first);
  std::string sent(4 << 20, 'x');
  for (std::size_t i = 0; i < sent.size(); i += 1000) sent[i] = static_cast<char>('a' + i % 26);
  for (auto [from, to] : {std::pair(&ends.client, &ends.server), std::pair(&ends.server, &ends.client)}) {
    const std::vector<std::string_view> pieces{std::string_view(sent).substr(0, 10),
                                               std::string_view(sent).substr(10)};
    std::optional<error_code> written;
    spawn(Loop::store(from->write_all(pieces), written));
    std::string got, buffer(1 << 16, '\0');
    while (got.size() < sent.size()) {
      const auto io = loop.run(to->read_some(buffer));
      ASSERT_FALSE(io.error) << io.error.message();
      got.append(buffer, 0, io.bytes);
    }
    EXPECT_TRUE(loop.until([&] { return written.has_value(); }));
    EXPECT_TRUE(got == sent);
  }
}

TEST_F(SocketTls, AnEndWithoutGoodbyeIsNoProperEnd) {
  for (const bool in_order : {true, false}) {
    SCOPED_TRACE(in_order);
    Ends ends(loop);
    ASSERT_FALSE(shake_hands(ends, certificate.certificate_file(), "localhost").first);
    in_order ? ends.server.shutdown_send() : ends.server.close();
    std::string buffer(16, '\0');
    const auto io = loop.run(ends.client.read_some(buffer));
    EXPECT_EQ(io.error == boost::asio::error::eof, in_order) << "else a cut would look like a whole reply";
    EXPECT_EQ(ends.client.peek(), Socket::Peer::closed);
  }
}

TEST_F(SocketTls, APeerThatDoesNotSpeakTlsEndsTheHandshake) {
  test::Pair pair(loop);
  const auto tls = http::make_server_tls({certificate.certificate_file(), certificate.key_file()});
  ASSERT_TRUE(tls);
  std::optional<error_code> result;
  spawn(Loop::store(pair.socket.handshake_server(**tls), result));
  pair.peer.send(loop, "GET / HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(loop.until([&] { return result.has_value(); }));
  EXPECT_TRUE(*result);
}

TEST_F(SocketTls, FilesThatDoNotServeAreRefusedByName) {
  const Certificate other;
  const std::string empty = certificate.certificate_file() + ".empty";
  std::ofstream(empty).close();

  const struct {
    config::Tls tls;
    const char* says;
    const char* why;
  } rows[] = {
      {{"/nonexistent.pem", certificate.key_file()}, "/nonexistent.pem", "no certificate"},
      {{empty, certificate.key_file()}, ".empty", "an empty certificate"},
      {{certificate.certificate_file(), "/nonexistent.key"}, "/nonexistent.key", "no key"},
      {{certificate.certificate_file(), other.key_file()}, "private key", "the key of another"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const auto made = http::make_server_tls(row.tls);
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().message.find(row.says), std::string::npos) << made.error().message;
  }
  EXPECT_FALSE(upstream::make_client_tls("/nonexistent.pem"));
}

}  // namespace
}  // namespace switchyard::io
