// Anything as a Cohere stream, reply and error, and any caller's request written for it: never a crash; the
// pieces in which bytes arrive change nothing; and what is written is JSON.
#include "tests/fuzz/dialects/properties.h"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  switchyard::fuzz::check_dialect(switchyard::cohere_chat(), bytes);
  switchyard::fuzz::check_written(switchyard::cohere_chat(), bytes);
  return 0;
}
