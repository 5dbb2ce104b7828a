#include "config/pattern.h"

#include "adapters/providers/provider.h"

#include <algorithm>
#include <vector>

namespace switchyard::config {

bool is_pattern(std::string_view text) {
  return text.find('*') != std::string_view::npos;
}

bool matches(std::string_view pattern, std::string_view name) {
  return matches_model(pattern, name);
}

// possible[i][j]: the first i characters of a and the first j of b can stand for the same text. Row by row; a
// '*' stands for nothing, or for one character more of the other's.
bool overlap(std::string_view a, std::string_view b) {
  if (!is_pattern(a)) return matches(b, a);
  if (!is_pattern(b)) return matches(a, b);
  std::vector<char> previous, current(b.size() + 1);
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      bool possible = i == 0 && j == 0;
      if (i > 0 && (a[i - 1] == '*' || (j > 0 && b[j - 1] == '*'))) possible |= previous[j] != 0;
      if (j > 0 && (b[j - 1] == '*' || (i > 0 && a[i - 1] == '*'))) possible |= current[j - 1] != 0;
      if (i > 0 && j > 0 && a[i - 1] == b[j - 1]) possible |= previous[j - 1] != 0;
      current[j] = possible;
    }
    previous = current;
  }
  return previous[b.size()] != 0;
}

int literal_length(std::string_view pattern) {
  return static_cast<int>(pattern.size() -
                          static_cast<std::size_t>(std::count(pattern.begin(), pattern.end(), '*')));
}

}  // namespace switchyard::config
