#pragma once

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

}  // namespace switchyard::relay
