#include "gateway/upstream/response_parser.h"

#include "tests/unit/upstream/outcome.h"

#include <gtest/gtest.h>

#include <string>

namespace switchyard::upstream {
namespace {

using std::chrono::milliseconds;
using test::Outcome;
using test::parse;

Outcome parse_each_way(const std::string& bytes) {
  const Outcome whole = parse(bytes, bytes.size() + 1);
  for (const std::size_t piece : {1, 2, 3, 7}) {
    SCOPED_TRACE("in pieces of " + std::to_string(piece));
    const Outcome other = parse(bytes, piece);
    EXPECT_EQ(other.failed, whole.failed);
    if (!whole.failed) EXPECT_TRUE(other == whole);
  }
  return whole;
}

TEST(ResponseParser, ReadsWhatIsLegal) {
  const struct {
    std::string bytes;
    int status;
    const char *body, *rest;
    bool reusable;
    const char* why;
  } rows[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "{}", "", true, "a counted body"},
      {"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", 200, "", "", true, "no reason phrase, no body"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", 200, "{}", "",
       true, "chunks"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nT: v\r\n\r\n", 200, "{}", "",
       true, "an extension and a trailer say nothing here"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", 200, "{}", "", false, "close"},
      {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, "{}", "", false, "HTTP/1.0"},
      {"HTTP/1.1 200 OK\r\n\r\nto the end", 200, "to the end", "", false, "a body up to the end"},
      {"HTTP/1.1 204 No Content\r\n\r\n", 204, "", "", true, "no body at all"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP", 200, "{}", "HTTP", true, "bytes behind the end"},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", 100, "", "HTTP/1.1 200 OK\r\n", true,
       "an interim answer ends with its head"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const Outcome outcome = parse_each_way(row.bytes);
    EXPECT_FALSE(outcome.failed);
    EXPECT_TRUE(outcome.done);
    EXPECT_EQ(outcome.status, row.status);
    EXPECT_EQ(outcome.body, row.body);
    EXPECT_EQ(outcome.rest, row.rest);
    EXPECT_EQ(outcome.reusable, row.reusable);
  }
}

TEST(ResponseParser, RefusesWhatCouldBeReadInTwoWays) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";

  const struct {
    std::string bytes;
    const char* why;
  } rows[] = {
      {"", "nothing"},
      {"SSH-2.0-OpenSSH\r\n", "another protocol"},
      {"HTTP/2 200\r\n\r\n", "another version"},
      {"HTTP/1.1 20 OK\r\n\r\n", "a status of two digits"},
      {"HTTP/1.1 2000 OK\r\n\r\n", "a status of four digits"},
      {ok + "Content-Length: 2\r\n", "a head cut short"},
      {ok + "Content-Length: 3\r\n\r\n{}", "a body cut short"},
      {ok + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", "chunks cut short"},
      {ok + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", "the last empty line missing"},
      {ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "a size that is no number"},
      {ok + "Transfer-Encoding: gzip\r\n\r\n", "another coding"},
      {ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "another coding too"},
      {ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "chunked twice"},
      {ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "a length beside chunks"},
      {ok + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", "chunks beside a length"},
      {ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "two lengths"},
      {ok + "Content-Length: -1\r\n\r\n", "a negative length"},
      {ok + "no-colon\r\n\r\n", "a field without a colon"},
      {ok + "a: b\nContent-Length: 0\r\n\r\n", "a bare line feed"},
      {ok + "X: " + std::string(70'000, 'x') + "\r\n\r\n", "a field beyond the limit"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    EXPECT_TRUE(parse_each_way(row.bytes).failed);
  }
}

TEST(ResponseParser, AHeadThatDripsInCountsAsAWhole) {
  std::string head = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 700; ++i) head += "field: " + std::string(100, 'v') + "\r\n";
  EXPECT_TRUE(parse_each_way(head + "Content-Length: 0\r\n\r\n").failed);
}

TEST(ResponseParser, ChunkExtensionsAndTrailersCount) {
  std::string chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", trailers = chunks + "0\r\n";
  for (int i = 0; i < 700; ++i) {
    chunks += "1;" + std::string(100, 'e') + "\r\nx\r\n";
    trailers += "field: " + std::string(100, 'v') + "\r\n";
  }
  EXPECT_TRUE(parse_each_way(chunks + "0\r\n\r\n").failed);
  EXPECT_TRUE(parse_each_way(trailers + "\r\n").failed);
}

TEST(ResponseParser, ReadsWhatMattersOfTheHead) {
  const struct {
    const char* field;
    bool stream, encoded;
    std::optional<milliseconds> retry_after;
    const char* request_id;
    const char* why;
  } rows[] = {
      {"Content-Type: text/event-stream", true, false, {}, "", "a stream"},
      {"content-type: Text/Event-Stream; charset=utf-8", true, false, {}, "", "a stream with a parameter"},
      {"Content-Type: application/json", false, false, {}, "", "JSON"},
      {"Content-Encoding: gzip", false, true, {}, "", "compressed unasked"},
      {"Content-Encoding: identity", false, false, {}, "", "not compressed"},
      {"Retry-After: 2", false, false, milliseconds(2000), "", "seconds"},
      {"Retry-After: 0.25", false, false, milliseconds(250), "", "a fraction, as some providers send"},
      {"Retry-After: 1e99", false, false, milliseconds(86'400'000), "", "at most a day"},
      {"Retry-After: -1", false, false, {}, "", "a negative time"},
      {"Retry-After: nan", false, false, {}, "", "no number"},
      {"Retry-After: soon", false, false, {}, "", "a word"},
      {"Retry-After: Fri, 31 Dec 1999 23:59:59 GMT", false, false, milliseconds(0), "", "a date gone by"},
      {"Retry-After: 2\r\nretry-after-ms: 1500", false, false, milliseconds(1500), "",
       "the finer one counts"},
      {"retry-after-ms: 1500\r\nRetry-After: 2", false, false, milliseconds(1500), "", "in any order"},
      {"X-Request-Id: abc-1", false, false, {}, "abc-1", "an id"},
      {"request-id: a\"b\\c d\xe9", false, false, {}, "abcd", "an id with bytes that are not for a log"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const Outcome outcome =
        parse_each_way(std::string("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n") + row.field + "\r\n\r\n");
    EXPECT_EQ(outcome.is_event_stream, row.stream);
    EXPECT_EQ(outcome.is_encoded, row.encoded);
    EXPECT_EQ(outcome.retry_after, row.retry_after);
    EXPECT_EQ(outcome.request_id, row.request_id);
  }
}

}  // namespace
}  // namespace switchyard::upstream
