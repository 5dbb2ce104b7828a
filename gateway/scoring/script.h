#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace switchyard::scoring {

// Writing systems, as far as one in the wrong place says that a model is broken. Latin letters are `common`
// because code and names bring them everywhere, Greek ones because formulas do.
enum class Script : std::uint8_t {
  common,  // Belongs everywhere: digits, punctuation, symbols, emoji, Latin, Greek.
  cyrillic,
  armenian,
  georgian,
  hebrew,
  arabic,
  indic,  // Devanagari to Sinhala.
  thai,
  lao,
  tibetan,
  myanmar,
  ethiopic,
  khmer,
  mongolian,
  kana,
  hangul,
  han,
  other
};
inline constexpr int kScripts = static_cast<int>(Script::other) + 1;

Script script_of(char32_t character);

inline constexpr std::uint32_t bit(Script script) {
  return std::uint32_t{1} << static_cast<int>(script);
}

// Adds the letters of UTF-8 text to `counts`, ASCII left out. Bytes that are no UTF-8 count for nothing.
void count_scripts(std::string_view text, std::array<std::uint32_t, kScripts>& counts);

// The scripts of a piece of a JSON body, as UTF-8 or as escapes (\u0e01); common is not among them.
std::uint32_t scripts_in_json(std::string_view text);

}  // namespace switchyard::scoring
