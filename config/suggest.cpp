#include "config/suggest.h"

#include <algorithm>

namespace switchyard::config {

// Optimal string alignment: three rows of the usual table.
int edit_distance(std::string_view a, std::string_view b) {
  std::vector<int> before, previous(b.size() + 1), current(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) previous[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    current[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int replaced = previous[j - 1] + (a[i - 1] != b[j - 1]);
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = std::min(current[j], before[j - 2] + 1);
      }
    }
    before = previous;
    std::swap(previous, current);
  }
  return previous[b.size()];
}

std::string did_you_mean(std::string_view given, const std::vector<std::string_view>& names) {
  constexpr std::size_t kLengthMax = 64;
  if (given.empty() || given.size() > kLengthMax) return {};
  std::string_view nearest;
  int nearest_distance = std::max(1, static_cast<int>(given.size()) / 3) + 1;
  for (const std::string_view name : names) {
    if (name.size() > kLengthMax) continue;
    const int distance = edit_distance(given, name);
    if (distance < nearest_distance) nearest = name, nearest_distance = distance;
  }
  return nearest.empty() ? std::string() : "; did you mean \"" + std::string(nearest) + "\"?";
}

}  // namespace switchyard::config
