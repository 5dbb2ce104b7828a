#include "gateway/relay/seam.h"

#include <algorithm>
#include <utility>

namespace switchyard::relay {

namespace {

constexpr std::string_view kBlanks = " \t\r\n\f\v";

// Whether the text is made of one part twice or more, cut off anywhere.
bool is_periodic(std::string_view text) {
  for (std::size_t period = 1; period <= text.size() / 2; ++period) {
    if (text.substr(period) == text.substr(0, text.size() - period)) return true;
  }
  return false;
}

// Whether what follows begins a sentence, a line or an item, which may well be one that was there before.
bool ends_a_sentence(std::string_view text) {
  return text.empty() || std::string_view(".!?:;,)]}\"'`*>|\n").find(text.back()) != std::string_view::npos;
}

}  // namespace

std::string_view Seam::prefill_of(std::string_view given) {
  const std::size_t end = given.find_last_not_of(kBlanks);
  return given.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

Seam Seam::prefilled(std::string_view given) {
  Seam seam;
  seam.base_ = prefill_of(given);
  seam.blanks_ = given.substr(seam.base_.size());
  seam.is_open_ = !given.empty();
  return seam;
}

// The white space that the caller has, as far as the text begins with the same.
void Seam::drop_blanks(std::string_view& text) {
  std::size_t same = 0;
  while (same < text.size() && same < blanks_.size() && text[same] == blanks_[same]) ++same;
  text.remove_prefix(same);
  blanks_.erase(0, text.empty() ? same : blanks_.size());
}

// Takes the next byte into what is held and keeps the places where it may still be a repetition; false when
// there is none.
bool Seam::match(char next) {
  const std::size_t at = held_.size() - lead_;
  held_ += next;
  if (at == 0) {
    if (kBlanks.find(next) != std::string_view::npos) {
      ++lead_;
      return true;
    }
    for (std::size_t place = 0; place < base_.size(); ++place) {
      if (base_[place] == next) places_.push_back(place);
    }
  } else {
    std::erase_if(places_, [&](std::size_t place) { return base_[place + at] != next; });
  }
  std::erase_if(places_, [&](std::size_t place) {
    const bool is_end = place + at + 1 == base_.size();
    if (is_end) repeated_ = at + 1;
    return is_end;
  });
  return !places_.empty();
}

Result<std::string> Seam::decide() {
  is_open_ = false;
  std::string held = std::exchange(held_, {});
  const std::string base = std::exchange(base_, {});
  places_ = {};
  if (repeated_ < kRepeatedMin) return held;
  const std::string_view repeated = std::string_view(held).substr(lead_, repeated_);
  if (is_periodic(repeated)) return held;  // It says the same again and again, and goes on with it.
  const bool is_only_there = base.find(repeated) == base.size() - repeated_;
  if (repeated_ < kCertainMin || !is_only_there || ends_a_sentence(base)) {
    return fail(ErrorKind::bad_reply, "what goes on with the answer repeats the end of it");
  }
  return held.substr(lead_ + repeated_);
}

Result<std::string> Seam::feed(std::string_view text) {
  if (!blanks_.empty()) drop_blanks(text);
  while (is_open_ && !text.empty()) {
    const char next = text.front();
    text.remove_prefix(1);
    if (match(next)) continue;
    auto decided = decide();
    if (!decided) return decided;
    return *decided += text;
  }
  return std::string(text);
}

Result<std::string> Seam::finish() {
  if (!is_open_) return std::string();
  return decide();
}

}  // namespace switchyard::relay
