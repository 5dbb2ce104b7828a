// Anything as a Bedrock stream, as bytes and as lines that are framed first (a checksum is not guessed), as a
// reply and as an error, and any caller's request written for it: never a crash; the pieces in which bytes
// arrive change nothing; and what is written is JSON.
#include "tests/fuzz/dialects/properties.h"
#include "tests/unit/dialects/aws_frames.h"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace switchyard;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  fuzz::check_dialect(bedrock_converse(), bytes);
  fuzz::check_dialect(bedrock_converse(), encode_aws_frames(bytes));
  fuzz::check_written(bedrock_converse(), bytes);
  return 0;
}
