#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace switchyard::local {

// What stands at the start of some bytes.
struct Utf8Step {
  enum class Kind { sequence, invalid, incomplete } kind = Kind::sequence;
  std::size_t bytes = 0;    // Of the sequence, or of the part that U+FFFD replaces.
  char32_t code_point = 0;  // Of a sequence.
};

// `bytes` is not empty. `incomplete` means that what is there may become a sequence with more bytes. An
// invalid part is the longest prefix of a sequence ("maximal subpart", Unicode 15, section 3.9).
Utf8Step utf8_step(std::string_view bytes);

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// The text with every invalid part replaced by U+FFFD.
std::string valid_utf8(std::string_view text);

// Joins the bytes of a token stream into text: a sequence that a token boundary cuts is held until it is
// whole.
class Utf8Stream {
 public:
  std::string feed(std::string_view bytes);
  // The stream ended: a sequence that never became whole is U+FFFD.
  std::string finish();

  // The start of a sequence that waits for its end.
  std::string_view held() const { return held_; }

 private:
  std::string held_;  // At most 3 bytes, the start of a sequence.
};

}  // namespace switchyard::local
