// Anything as a Responses stream, reply, error, and request: never a crash; the pieces in which bytes arrive
// change nothing; what is written is JSON; and so is what is kept of them.
#include "adapters/dialects/openai_responses.h"
#include "adapters/dialects/openai_responses_state.h"
#include "tests/fuzz/dialects/properties.h"

#include <cstdlib>

namespace {

using namespace switchyard;

// What is read for a store, of a request that the dialect takes, and of anything as a reply.
void check_state(std::string_view bytes) {
  responses::read_state(bytes, bytes.size()).has_value();
  const std::string items = responses::input_items(bytes, bytes.size());
  if (!items.empty() && responses::parse_request(bytes, "[]"))
    fuzz::require(nlohmann::json::parse(items, nullptr, false).is_array());
  responses::referenced_responses(bytes, bytes.size());
  responses::resolve_references(bytes, {items});
  responses::read_finished(bytes);
  responses::finished_in(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  switchyard::fuzz::check_dialect(switchyard::openai_responses(),
                                  {reinterpret_cast<const char*>(data), size});
  check_state({reinterpret_cast<const char*>(data), size});
  return 0;
}
