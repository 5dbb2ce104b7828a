#pragma once

#include <cstddef>
#include <string_view>

namespace switchyard::scoring {

// Signs of a broken answer that its text alone shows.

// True when the text, the beginning of an answer, has one of some 60 phrases with which models decline, at
// the beginning of a sentence in its first 200 characters.
bool begins_with_refusal(std::string_view text);
inline constexpr std::size_t kRefusalBytes = 640;  // No more of it is read.

// True when the same eight words in a row, or sixteen characters of a script without spaces, stand in the
// text at least four times. Code between fences, tables and what begins like JSON does not count: there
// repetition is usual. `in_fence`: the text ends inside a fence.
bool repeats_itself(std::string_view text, bool in_fence);

// Follows the code fences of Markdown (CommonMark 0.31, 4.5) through text that comes in whole lines.
class Fences {
 public:
  void feed(std::string_view lines);

  bool is_open() const { return ticks_ > 0; }

  int count() const { return count_; }  // Fences that were opened.

 private:
  void take(std::string_view line_from_ticks);

  std::size_t ticks_ = 0;  // Of the fence that is open.
  int count_ = 0;
};

}  // namespace switchyard::scoring
