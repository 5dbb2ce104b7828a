#pragma once

#include "adapters/canonical/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::relay {

// Joins the text of a target that goes on with another's answer to the text that the caller has of it.
//
// The model in this process goes on exactly. A provider is given the text as the beginning of its answer,
// without the white space at its end (which Anthropic refuses), and may say that white space again; one that
// starts over instead repeats what the caller has. Whether text that is repeated was meant to be is for no
// gateway to know: it is taken out only where nothing else can be meant, and else the answer cannot go on.
class Seam {
 public:
  // Of that length and more, text that comes twice is no accident...
  static constexpr std::size_t kRepeatedMin = 12;
  // ... and of that one, in the middle of a sentence, no figure of speech either.
  static constexpr std::size_t kCertainMin = 32;

  // Behind this text the model in this process goes on.
  static Seam exact() { return {}; }

  // Behind this text a provider goes on, who was given prefill_of() it.
  static Seam prefilled(std::string_view given);

  // What a provider is given of the text: all of it but white space at its end.
  static std::string_view prefill_of(std::string_view given);

  // What of the next text is new to the caller; nothing while it may turn out to be a repetition. Fails with
  // bad_reply when it repeats the end of what was given, and that may or may not be meant.
  Result<std::string> feed(std::string_view text);
  // The text has ended: what was held back.
  Result<std::string> finish();

 private:
  Seam() = default;

  void drop_blanks(std::string_view& text);
  bool match(char next);
  Result<std::string> decide();

  bool is_open_ = false;  // It may still be a repetition.
  std::string base_;      // What the provider was given.
  std::string blanks_;    // What was cut off its end, as far as it has not been said again.
  std::string held_;
  std::size_t lead_ = 0;             // White space in front of what is held.
  std::vector<std::size_t> places_;  // In base_, where the rest of what is held stands.
  std::size_t repeated_ = 0;         // How much of that rest is base_'s end, at most.
};

}  // namespace switchyard::relay
