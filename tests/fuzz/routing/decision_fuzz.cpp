// Properties: a line is refused with words, or read; what is read writes a line that reads back the same, and
// its plan is made the same again; and its explanation ends.
#include "gateway/routing/decision.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace switchyard::routing;
  const auto read = recorded_from_json({reinterpret_cast<const char*>(data), size});
  if (!read) {
    check(!read.error().message.empty());
    return 0;
  }
  const std::string line = to_json(read->decision);
  const auto again = recorded_from_json(line);
  check(again.has_value());
  check(to_json(again->decision) == line);
  check(difference(again->plan, make_plan(read->decision.input)).empty());
  check(!to_text(read->decision, nullptr).empty());
  return 0;
}
