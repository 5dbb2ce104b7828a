#pragma once

#include <string_view>

namespace switchyard::config {

// Patterns of model names: '*' stands for any run of characters, everything else for itself.
bool is_pattern(std::string_view text);
bool matches(std::string_view pattern, std::string_view name);

// True when some name matches both (either may be a plain name). Takes |a| * |b| steps.
bool overlap(std::string_view a, std::string_view b);

// How many characters of the pattern are not '*': of two patterns that match, the one with more is the more
// specific.
int literal_length(std::string_view pattern);

}  // namespace switchyard::config
