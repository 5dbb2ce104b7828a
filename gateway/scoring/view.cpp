#include "gateway/scoring/view.h"

namespace switchyard::scoring {

std::string_view name_of(State state) {
  switch (state) {
    case State::serving:
      return "serving";
    case State::reduced:
      return "reduced";
    case State::ejected:
      return "ejected";
    case State::probation:
      return "probation";
    case State::drained:
      return "drained";
  }
  return "";
}

int size_bucket(std::uint32_t uncached_input_tokens) {
  int bucket = 0;
  for (std::uint32_t end = 256; bucket < kSizeBuckets - 1 && uncached_input_tokens > end; ++bucket)
    end = bucket == 0 ? 1024 : end * 4;
  return bucket;
}

}  // namespace switchyard::scoring
