#pragma once

// What ResponseParser makes of bytes that arrive in pieces, told as a value: for the unit test's table and
// for the fuzz target.

#include "gateway/upstream/response_parser.h"

#include <string>
#include <string_view>
#include <vector>

namespace switchyard::upstream::test {

struct Outcome {
  bool failed = false, done = false, reusable = false;
  int status = 0;  // 0: the head is not complete.
  bool is_event_stream = false, is_encoded = false;
  std::optional<std::chrono::milliseconds> retry_after;
  std::string request_id, body, rest;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// Feeds `bytes` in pieces of `piece` bytes, then the connection's end. What the parser leaves comes again
// with more behind it.
inline Outcome parse(std::string_view bytes, std::size_t piece) {
  ResponseParser parser;
  std::string held;
  Outcome outcome;
  bool stuck = false;
  while (!parser.has_failed() && !parser.is_done() && (!bytes.empty() || (!held.empty() && !stuck))) {
    const auto next = bytes.substr(0, piece);
    bytes.remove_prefix(next.size());
    held += next;
    std::vector<std::string_view> body;
    const std::size_t used = parser.feed(held, body);
    for (const auto part : body) outcome.body += part;
    held.erase(0, used);
    stuck = used == 0;
  }
  outcome.failed = parser.has_failed() || (!parser.is_done() && !parser.finish());
  if (parser.has_failed()) return outcome;
  outcome.done = parser.is_done();
  if (!parser.is_head_done()) return outcome;
  outcome.reusable = parser.is_reusable();
  outcome.status = parser.head().status;
  outcome.is_event_stream = parser.head().is_event_stream;
  outcome.is_encoded = parser.head().is_encoded;
  outcome.retry_after = parser.head().retry_after;
  outcome.request_id = parser.head().request_id;
  outcome.rest = held + std::string(bytes);
  return outcome;
}

}  // namespace switchyard::upstream::test
