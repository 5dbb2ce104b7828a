#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace switchyard {

// Adds those members of one JSON object that `names` lists to another, as they are. Both are bodies that were
// read before; what is none stays as it is.
void copy_members(std::string_view from, const std::vector<std::string>& names, std::string& to);

}  // namespace switchyard
