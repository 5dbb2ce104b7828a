#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::config {

// Texts of provider types with {names} in them, which fields of a provider fill.

struct Filled {
  std::string text;
  std::string missing;  // The first name that has no value, without braces; empty: all were filled.
};

// Replaces each {name} by what `value_of(name)` gives, a std::optional<std::string>.
template <class ValueOf>
Filled fill_placeholders(std::string_view text, const ValueOf& value_of) {
  Filled filled;
  while (!text.empty()) {
    const auto open = text.find('{');
    const auto close = open == std::string_view::npos ? open : text.find('}', open);
    if (close == std::string_view::npos) break;
    filled.text += text.substr(0, open);
    const std::string_view name = text.substr(open + 1, close - open - 1);
    if (const std::optional<std::string> value = value_of(name)) {
      filled.text += *value;
    } else if (filled.missing.empty()) {
      filled.missing = name.empty() ? std::string("{}") : std::string(name);
    }
    text.remove_prefix(close + 1);
  }
  filled.text += text;
  return filled;
}

// The names that a base URL may hold.
inline constexpr std::string_view kAddressPlaceholders[] = {"region", "resource", "project", "location"};

inline bool is_address_placeholder(std::string_view name) {
  return std::find(std::begin(kAddressPlaceholders), std::end(kAddressPlaceholders), name) !=
         std::end(kAddressPlaceholders);
}

}  // namespace switchyard::config
