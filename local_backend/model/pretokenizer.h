#pragma once

#include "local_backend/result.h"

#include <memory>
#include <string_view>
#include <vector>

namespace switchyard::local {

// Splits text into the pieces that merges do not cross. Which split is a matter of the model:
// tokenizer.ggml.pre names it.
class PreTokenizer {
 public:
  // "gpt-2" or "smollm"; another name is an error that lists these.
  static Result<std::unique_ptr<PreTokenizer>> make(std::string_view name);
  ~PreTokenizer();

  // The pieces of valid UTF-8, in order and together the whole text; views into it.
  std::vector<std::string_view> split(std::string_view text) const;

 private:
  struct Pattern;
  PreTokenizer();
  std::vector<Pattern> patterns_;  // Each splits the pieces that the one before left.
};

}  // namespace switchyard::local
