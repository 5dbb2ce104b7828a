#include "config/pattern.h"

#include <algorithm>

namespace switchyard::config {

bool is_pattern(std::string_view text) { return text.find('*') != std::string_view::npos; }

// Greedy with one point to return to: linear in practice, |pattern| * |name| at worst.
bool matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p, ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

int literal_length(std::string_view pattern) {
  return static_cast<int>(pattern.size() - static_cast<std::size_t>(std::count(pattern.begin(), pattern.end(), '*')));
}

}  // namespace switchyard::config
