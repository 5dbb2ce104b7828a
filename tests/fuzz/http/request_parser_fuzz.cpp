// Property: the pieces in which a request arrives decide neither whether it is taken nor what it says; and
// what is taken has no byte that could begin another head line where it does not belong.
#include "tests/unit/http/outcome.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using switchyard::http::test::Outcome;
using switchyard::http::test::parse;

constexpr std::uint32_t kHeaderBytesMax = 512;
constexpr std::uint64_t kBodyBytesMax = 256;

void check(bool holds) {
  if (!holds) std::abort();
}

void check_taken(const Outcome& outcome) {
  for (const std::string* text : {&outcome.method, &outcome.path, &outcome.query}) {
    check(text->find_first_of(std::string_view("\r\n\0 ", 4)) == std::string::npos);
  }
  check(outcome.path.empty() || outcome.path.front() == '/' || outcome.path == "*");
  check(outcome.body.size() <= kBodyBytesMax);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = parse(bytes, size + 1, kHeaderBytesMax, kBodyBytesMax);
  check(!(whole.done && whole.status != 0));
  if (whole.done) check_taken(whole);
  for (const std::size_t piece : {1, 5}) {
    const Outcome other = parse(bytes, piece, kHeaderBytesMax, kBodyBytesMax);
    check(other.done == whole.done);
    // A refusal may come later, when the rest of the head has: but nothing is taken that is refused
    // elsewhere.
    if (whole.done) check(other == whole);
  }
  return 0;
}
