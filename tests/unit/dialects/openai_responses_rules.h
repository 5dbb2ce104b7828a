#pragma once

#include <string>
#include <string_view>

namespace switchyard {

// Reads a stream of the Responses dialect as the helper of the official SDK does (openai 7.57), and as
// strictly: the first rule that it breaks, or an empty string. What the pieces add up to must be what the
// last event says.
std::string broken_rule(std::string_view stream);

}  // namespace switchyard
