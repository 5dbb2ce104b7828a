#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace switchyard::relay {

// Appends "name: value" with its CRLF.
inline void append_field(std::string& fields, std::string_view name, std::string_view value) {
  fields += name;
  fields += ": ";
  fields += value;
  fields += "\r\n";
}

// Configured names may hold any character; a header line, or a comment in a stream, may not.
inline std::string printable(std::string_view text) {
  std::string safe(text.substr(0, 256));
  std::ranges::replace_if(
      safe, [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '_');
  return safe;
}

}  // namespace switchyard::relay
