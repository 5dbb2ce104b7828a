// Property: the pieces in which a provider's reply arrives change nothing of what is read; and what goes on
// into a log has no byte that does not belong there.
#include "tests/unit/upstream/outcome.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using switchyard::upstream::test::Outcome;
using switchyard::upstream::test::parse;

void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = parse(bytes, size + 1);
  check(whole.request_id.size() <= 128);
  check(std::ranges::all_of(whole.request_id, [](char c) { return c > ' ' && c < 127 && c != '"'; }));
  if (whole.retry_after) check(whole.retry_after->count() >= 0 && whole.retry_after->count() <= 86'400'000);
  for (const std::size_t piece : {1, 5}) {
    const Outcome other = parse(bytes, piece);
    check(other.failed == whole.failed);
    if (!whole.failed) check(other == whole);
  }
  return 0;
}
