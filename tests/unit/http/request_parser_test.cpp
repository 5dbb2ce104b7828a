#include "gateway/http/request_parser.h"

#include "tests/unit/http/outcome.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace switchyard::http {
namespace {

using test::Outcome;
using test::parse;

// The same bytes in any pieces are the same request, or none: Beast may look for a head's end before it looks
// at what is wrong in it, so a refusal may come later, but it comes.
Outcome parse_each_way(const std::string& bytes) {
  const Outcome whole = parse(bytes, bytes.size() + 1);
  for (const std::size_t piece : {1, 2, 3, 7}) {
    SCOPED_TRACE("in pieces of " + std::to_string(piece));
    const Outcome other = parse(bytes, piece);
    EXPECT_EQ(other.done, whole.done);
    if (whole.status != 0 && other.status == 0) {
      EXPECT_EQ(parse(bytes + "\r\n\r\n", piece).status, whole.status);
    } else {
      EXPECT_EQ(other.status, whole.status);
      EXPECT_TRUE(other == whole);
    }
  }
  return whole;
}

const std::string kHost = "Host: a\r\n";

TEST(RequestParser, TakesWhatIsLegal) {
  const struct {
    std::string bytes;
    const char *method, *path, *query, *body, *rest;
    bool keep_alive;
    const char* why;
  } rows[] = {
      {"GET / HTTP/1.1\r\n" + kHost + "\r\n", "GET", "/", "", "", "", true, "the least"},
      {"GET /v1/models?a=b&c HTTP/1.1\r\n" + kHost + "\r\n", "GET", "/v1/models", "a=b&c", "", "", true,
       "a query"},
      {"GET /a?b?c HTTP/1.1\r\n" + kHost + "\r\n", "GET", "/a", "b?c", "", "", true, "a query with a ?"},
      {"GET http://h:1/p?q HTTP/1.1\r\n" + kHost + "\r\n", "GET", "/p", "q", "", "", true, "absolute form"},
      {"GET https://h HTTP/1.1\r\n" + kHost + "\r\n", "GET", "/", "", "", "", true, "absolute, no path"},
      {"GET http://h?q HTTP/1.1\r\n" + kHost + "\r\n", "GET", "", "q", "", "", true, "absolute, query only"},
      {"OPTIONS * HTTP/1.1\r\n" + kHost + "\r\n", "OPTIONS", "*", "", "", "", true, "asterisk form"},
      {"\r\nGET / HTTP/1.1\r\n" + kHost + "\r\n", "GET", "/", "", "", "", true, "an empty line before it"},
      {"POST / HTTP/1.1\r\n" + kHost + "Content-Length: 5\r\n\r\nhello", "POST", "/", "", "hello", "", true,
       "a counted body"},
      {"POST / HTTP/1.1\r\n" + kHost + "Content-Length: 0\r\n\r\n", "POST", "/", "", "", "", true,
       "an empty body"},
      {"POST / HTTP/1.1\r\n" + kHost + "content-length:\t5 \r\n\r\nhelloGET", "POST", "/", "", "hello", "GET",
       true, "the next request behind it"},
      {"POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\nX",
       "POST", "/", "", "hello!", "X", true, "chunks"},
      {"POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: CHUNKED\r\n\r\n0005\r\nhello\r\n000\r\n\r\n",
       "POST", "/", "", "hello", "", true, "leading zeros, capitals"},
      {"GET / HTTP/1.1\r\n" + kHost + "Connection: close\r\n\r\n", "GET", "/", "", "", "", false, "close"},
      {"GET / HTTP/1.0\r\n\r\n", "GET", "/", "", "", "", false, "HTTP/1.0 needs no Host and closes"},
      {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET", "/", "", "", "", true, "1.0, kept alive"},
      {"BREW / HTTP/1.1\r\n" + kHost + "\r\n", "BREW", "/", "", "", "", true, "a method of their own"},
      {"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "GET", "/", "", "", "", true, "an IPv6 host"},
      {"GET / HTTP/1.1\r\nHost: a.b-c_d:65535\r\n\r\n", "GET", "/", "", "", "", true, "a host with a port"},
      {"GET / HTTP/1.1\r\n" + kHost + "Empty:\r\nX: \x80\xff\r\n\r\n", "GET", "/", "", "", "", true,
       "an empty field, and bytes beyond ASCII"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const Outcome outcome = parse_each_way(row.bytes);
    EXPECT_EQ(outcome.status, 0);
    EXPECT_TRUE(outcome.done);
    EXPECT_EQ(outcome.method, row.method);
    EXPECT_EQ(outcome.path, row.path);
    EXPECT_EQ(outcome.query, row.query);
    EXPECT_EQ(outcome.body, row.body);
    EXPECT_EQ(outcome.rest, row.rest);
    EXPECT_EQ(outcome.keep_alive, row.keep_alive);
  }
}

std::string with(const std::string& fields, const std::string& body = {}) {
  return "POST / HTTP/1.1\r\n" + kHost + fields + "\r\n" + body;
}

std::string chunked(const std::string& body) {
  return with("Transfer-Encoding: chunked\r\n", body);
}

TEST(RequestParser, RefusesWhatIsNot) {
  const std::string long_line(70'000, 'a');
  std::string many_fields;
  for (int i = 0; i < 300; ++i) many_fields += "x: y\r\n";

  const struct {
    std::string bytes;
    int status;
    const char* why;
  } rows[] = {
      {"\r\n\r\nGET / HTTP/1.1\r\n" + kHost + "\r\n", 400, "two empty lines before it"},
      {"GET /\r\n" + kHost + "\r\n", 400, "HTTP/0.9"},
      {"GET / HTTP/2.0\r\n" + kHost + "\r\n", 505, "HTTP/2"},
      {"GET / HTTP/1.2\r\n" + kHost + "\r\n", 505, "HTTP/1.2"},
      {"GET / http/1.1\r\n" + kHost + "\r\n", 400, "the version in small letters"},
      {"GET  / HTTP/1.1\r\n" + kHost + "\r\n", 400, "two spaces"},
      {"GET /a b HTTP/1.1\r\n" + kHost + "\r\n", 400, "a space in the target"},
      {"GET / HTTP/1.1 \r\n" + kHost + "\r\n", 400, "a space behind the version"},
      {" GET / HTTP/1.1\r\n" + kHost + "\r\n", 400, "a space before the method"},
      {"G@T / HTTP/1.1\r\n" + kHost + "\r\n", 400, "a method that is no token"},
      {"GET /\x01 HTTP/1.1\r\n" + kHost + "\r\n", 400, "a control character in the target"},
      {"GET /a#b HTTP/1.1\r\n" + kHost + "\r\n", 400, "a fragment"},
      {"GET a HTTP/1.1\r\n" + kHost + "\r\n", 400, "a target without a slash"},
      {"GET ftp://a/ HTTP/1.1\r\n" + kHost + "\r\n", 400, "another scheme"},
      {"GET http:///a HTTP/1.1\r\n" + kHost + "\r\n", 400, "absolute form without an authority"},
      {"CONNECT a:443 HTTP/1.1\r\n" + kHost + "\r\n", 400, "authority form: this is no forward proxy"},
      {"GET / HTTP/1.1\n" + kHost + "\r\n", 400, "a bare line feed behind the request line"},
      {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "a bare line feed behind a field"},
      {"GET / HTTP/1.1\r\n\r\n", 400, "no Host"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "Host twice"},
      {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "an empty Host"},
      {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "a Host with a path"},
      {"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400, "a Host with a user"},
      {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "a list of hosts"},
      {"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400, "a port that is no number"},
      {"GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", 400, "two ports"},
      {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, "an open bracket"},
      {"GET / HTTP/1.1\r\nHost: [zz]\r\n\r\n", 400, "no address between brackets"},
      {with("A : b\r\n"), 400, "a space before the colon"},
      {with(": b\r\n"), 400, "an empty field name"},
      {with("no-colon\r\n"), 400, "a field without a colon"},
      {with("a\x00b: c\r\n"), 400, "a field name cut by a NUL"},
      {with(std::string("a: b\0c\r\n", 8)), 400, "NUL in a value"},
      {with("a: b\rc\r\n"), 400, "a bare carriage return in a value"},
      {with("a: b\r\n folded\r\n"), 400, "an obsolete fold"},
      {with("a: b\r\n\tfolded\r\n"), 400, "an obsolete fold with a tab"},
      {with("a:\r\n folded\r\n"), 400, "a fold behind an empty value"},
      {with("a:\r\n \r\n"), 400, "a fold of nothing"},
      {with("a: b\r\n \r\n"), 400, "a fold that adds nothing"},
      {with(" a: b\r\n"), 400, "a space before the first field"},
      {with("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"), 400, "two lengths"},
      {with("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400, "the same length twice"},
      {with("Content-Length: 5, 5\r\n", "hello"), 400, "a list of lengths"},
      {with("Content-Length: +5\r\n", "hello"), 400, "a sign"},
      {with("Content-Length: -5\r\n", "hello"), 400, "a negative length"},
      {with("Content-Length: 0x5\r\n", "hello"), 400, "a hexadecimal length"},
      {with("Content-Length: 5 5\r\n", "hello"), 400, "two words"},
      {with("Content-Length:\r\n", "hello"), 400, "an empty length"},
      {with("Content-Length: 99999999999999999999999\r\n"), 400, "a length beyond 64 bits"},
      {with("Content-Length: 1048577\r\n"), 413, "a length beyond the limit"},
      {with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, "both, length first"},
      {with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400, "both, chunks first"},
      {with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400,
       "chunked twice"},
      {with("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501, "another coding too"},
      {with("Transfer-Encoding: identity\r\n"), 501, "identity"},
      {with("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 501, "nearly chunked"},
      {with("Transfer-Encoding: chunked,\r\n", "0\r\n\r\n"), 501, "a list with an empty member"},
      {with("Transfer-Encoding:\r\n"), 501, "an empty coding"},
      {"POST / HTTP/1.0\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
       "chunks in HTTP/1.0"},
      {chunked("5;a=b\r\nhello\r\n0\r\n\r\n"), 400, "a chunk extension"},
      {chunked("0;a\r\n\r\n"), 400, "an extension of the last chunk"},
      {chunked("0\r\nA: b\r\n\r\n"), 400, "a trailer"},
      {chunked("g\r\n"), 400, "a size that is no number"},
      {chunked("-1\r\n"), 400, "a negative size"},
      {chunked("0x5\r\nhello\r\n0\r\n\r\n"), 400, "a size with a prefix"},
      {chunked("\r\nhello\r\n0\r\n\r\n"), 400, "no size"},
      {chunked("5\nhello\r\n0\r\n\r\n"), 400, "a bare line feed behind the size"},
      {chunked("5\r\nhelloX\r\n0\r\n\r\n"), 400, "a chunk longer than its size"},
      {chunked("5\r\nhello\n0\r\n\r\n"), 400, "a bare line feed behind the chunk"},
      {chunked("fffffffffffffffff\r\n"), 400, "a size beyond 64 bits"},
      {chunked("100001\r\n"), 413, "a chunk beyond the limit"},
      {chunked("7fffffffffffffff\r\n"), 413, "a chunk far beyond the limit"},
      {with("Expect: 200-maybe\r\n"), 417, "an unknown expectation"},
      {"GET /" + long_line + " HTTP/1.1\r\n" + kHost + "\r\n", 431, "a request line beyond the limit"},
      {with("a: " + long_line + "\r\n"), 431, "a field beyond the limit"},
      {with(many_fields), 431, "too many fields"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    EXPECT_EQ(parse_each_way(row.bytes).status, row.status);
  }
}

TEST(RequestParser, WaitsForWhatIsCutShort) {
  const std::string whole[] = {
      "GET /a?b HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
  };
  for (const std::string& bytes : whole) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const Outcome outcome = parse_each_way(bytes.substr(0, size));
      EXPECT_EQ(outcome.status, 0) << bytes.substr(0, size);
      EXPECT_FALSE(outcome.done) << bytes.substr(0, size);
    }
    EXPECT_TRUE(parse_each_way(bytes).done);
  }
}

TEST(RequestParser, AHeadThatDripsInCountsAsAWhole) {
  std::string fields;
  for (int i = 0; i < 200; ++i) fields += "field: " + std::string(100, 'v') + "\r\n";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{64}, fields.size()}) {
    EXPECT_EQ(parse(with(fields), piece, 8 << 10).status, 431) << piece;
    EXPECT_EQ(parse(with(fields), piece, 64 << 10).status, 0) << piece;
  }
}

TEST(RequestParser, ChunksCountTogether) {
  std::string body;
  for (int i = 0; i < 11; ++i) body += "64\r\n" + std::string(100, 'x') + "\r\n";
  body += "0\r\n\r\n";
  for (const std::size_t piece : {std::size_t{1}, body.size() + 200}) {
    EXPECT_EQ(parse(chunked(body), piece, 8 << 10, 1099).status, 413) << piece;
    EXPECT_EQ(parse(chunked(body), piece, 8 << 10, 1100).body.size(), 1100u) << piece;
  }
}

TEST(RequestParser, ExpectCountsInHttp11Only) {
  EXPECT_TRUE(parse(with("Expect: 100-Continue\r\nContent-Length: 0\r\n"), 1).expects_continue);
  EXPECT_FALSE(parse("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", 1).expects_continue);
}

TEST(Request, FindsFieldsByLowerCaseName) {
  Request request;
  RequestParser parser(request, 1024, 1024);
  parser.feed("GET / HTTP/1.1\r\nHost: a\r\nX-Two: first\r\nx-two: second\r\nEmpty:\r\n\r\n");
  ASSERT_TRUE(parser.is_done());
  EXPECT_EQ(request.header("x-two"), "first");
  EXPECT_EQ(request.header("empty"), "");
  EXPECT_TRUE(request.has_header("empty"));
  EXPECT_FALSE(request.has_header("absent"));
}

}  // namespace
}  // namespace switchyard::http
