#pragma once

// What RequestParser makes of bytes that arrive in pieces, told as a value: for the unit test's table and for
// the fuzz target.

#include "gateway/http/request_parser.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace switchyard::http::test {

struct Outcome {
  int status = 0;  // Of the refusal; 0: none.
  bool done = false;
  std::string method, path, query, body;
  std::string rest;  // What belongs to the next request.
  bool keep_alive = false, expects_continue = false;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// Feeds `bytes` in pieces of `piece` bytes, as a connection does: what the parser leaves comes again with
// more behind it, and a counted body goes past the parser.
inline Outcome parse(std::string_view bytes, std::size_t piece, std::uint32_t header_bytes_max = 64 << 10,
                     std::uint64_t body_bytes_max = 1 << 20) {
  Request request;
  RequestParser parser(request, header_bytes_max, body_bytes_max);
  std::string held;
  Outcome outcome;
  while (!bytes.empty() && !parser.refused() && !parser.is_done()) {
    const auto next = bytes.substr(0, piece);
    bytes.remove_prefix(next.size());
    held += next;
    held.erase(0, parser.feed(held));
    if (!parser.refused() && parser.is_head_done() && parser.has_content_length()) {
      const auto mine = std::min<std::uint64_t>(held.size(), parser.body_bytes_left());
      request.body_buffer().append(std::string_view(held).substr(0, mine));
      held.erase(0, mine);
    }
  }
  if (parser.refused()) {
    outcome.status = parser.refused()->status;
    return outcome;
  }
  outcome.done = parser.is_done();
  if (!outcome.done) return outcome;
  outcome.method = request.method();
  outcome.path = request.path();
  outcome.query = request.query();
  outcome.body = request.body();
  outcome.rest = held + std::string(bytes);
  outcome.keep_alive = request.keep_alive();
  outcome.expects_continue = parser.expects_continue();
  return outcome;
}

}  // namespace switchyard::http::test
