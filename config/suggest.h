#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace switchyard::config {

// The number of insertions, deletions, replacements and swaps of neighbours that make one text of the other.
int edit_distance(std::string_view a, std::string_view b);

// `; did you mean "x"?` for the nearest of the names, or nothing when none is near.
std::string did_you_mean(std::string_view given, const std::vector<std::string_view>& names);

}  // namespace switchyard::config
