#pragma once

#include <string>
#include <string_view>

namespace switchyard {

// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD, so that what is
// written is always valid JSON whatever came in.
void append_json_string(std::string_view text, std::string& out);

}  // namespace switchyard
