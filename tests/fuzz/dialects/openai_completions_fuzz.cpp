// Anything as a legacy completions stream, reply, error, and request: never a crash; the pieces in which
// bytes arrive change nothing; and what is written is JSON.
#include "tests/fuzz/dialects/properties.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  switchyard::fuzz::check_dialect(switchyard::openai_completions(),
                                  {reinterpret_cast<const char*>(data), size});
  return 0;
}
