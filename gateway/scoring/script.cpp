#include "gateway/scoring/script.h"

namespace switchyard::scoring {

namespace {

struct Range {
  std::uint16_t first, last;  // In blocks of 16 code points.
  Script script;
};

// Unicode 15.1, Blocks.txt and Scripts.txt, by the script that nearly all letters of a block have. What is
// between them is punctuation, symbols and Latin letters: common.
constexpr Range kRanges[] = {
    {0x040, 0x052, Script::cyrillic}, {0x053, 0x058, Script::armenian},  {0x059, 0x05F, Script::hebrew},
    {0x060, 0x06F, Script::arabic},   {0x070, 0x074, Script::other},     {0x075, 0x077, Script::arabic},
    {0x078, 0x089, Script::other},    {0x08A, 0x08F, Script::arabic},    {0x090, 0x0DF, Script::indic},
    {0x0E0, 0x0E7, Script::thai},     {0x0E8, 0x0EF, Script::lao},       {0x0F0, 0x0FF, Script::tibetan},
    {0x100, 0x109, Script::myanmar},  {0x10A, 0x10F, Script::georgian},  {0x110, 0x11F, Script::hangul},
    {0x120, 0x139, Script::ethiopic}, {0x13A, 0x16F, Script::other},     {0x170, 0x177, Script::other},
    {0x178, 0x17F, Script::khmer},    {0x180, 0x18A, Script::mongolian}, {0x190, 0x19D, Script::other},
    {0x19E, 0x19F, Script::khmer},    {0x1A0, 0x1C7, Script::other},     {0x1C8, 0x1C8, Script::cyrillic},
    {0x1C9, 0x1CB, Script::georgian}, {0x2D0, 0x2D2, Script::georgian},  {0x2D3, 0x2D7, Script::other},
    {0x2D8, 0x2DD, Script::ethiopic}, {0x2DE, 0x2DF, Script::cyrillic},  {0x2E8, 0x2FD, Script::han},
    {0x304, 0x30F, Script::kana},     {0x310, 0x312, Script::han},       {0x313, 0x318, Script::hangul},
    {0x319, 0x31E, Script::han},      {0x31F, 0x31F, Script::kana},      {0x340, 0x4DB, Script::han},
    {0x4E0, 0x9FF, Script::han},      {0xA00, 0xA4C, Script::other},     {0xA64, 0xA69, Script::cyrillic},
    {0xA8E, 0xA8F, Script::indic},    {0xA96, 0xA97, Script::hangul},    {0xAC0, 0xD7F, Script::hangul},
    {0xF90, 0xFAF, Script::han},      {0xFB5, 0xFDF, Script::arabic},    {0xFE7, 0xFEF, Script::arabic},
    {0xFF6, 0xFF9, Script::kana}};

using Table = std::array<Script, 4096>;

constexpr Table make_table() {
  Table table{};
  for (const Range& range : kRanges) {
    for (std::size_t block = range.first; block <= range.last; ++block) table[block] = range.script;
  }
  return table;
}

constexpr Table kTable = make_table();

bool is_digit_of(char c, unsigned& out) {
  if (c >= '0' && c <= '9') {
    out = static_cast<unsigned>(c - '0');
  } else if (c >= 'a' && c <= 'f') {
    out = static_cast<unsigned>(c - 'a' + 10);
  } else if (c >= 'A' && c <= 'F') {
    out = static_cast<unsigned>(c - 'A' + 10);
  } else {
    return false;
  }
  return true;
}

}  // namespace

Script script_of(char32_t character) {
  if (character < 0x10000) return kTable[character >> 4];
  return character >= 0x20000 && character < 0x40000 ? Script::han : Script::common;
}

void count_scripts(std::string_view text, std::array<std::uint32_t, kScripts>& counts) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const auto* const end = at + text.size();
  while (at < end) {
    const unsigned char lead = *at++;
    if (lead < 0xC0) continue;  // ASCII, or the middle of what was cut.
    char32_t character = 0;
    if (lead < 0xE0) {
      if (end - at < 1) return;
      character = (lead & 0x1Fu) << 6 | (at[0] & 0x3Fu);
      at += 1;
    } else if (lead < 0xF0) {
      if (end - at < 2) return;
      character = (lead & 0x0Fu) << 12 | (at[0] & 0x3Fu) << 6 | (at[1] & 0x3Fu);
      at += 2;
    } else {
      if (end - at < 3) return;
      character = (lead & 0x07u) << 18 | (at[0] & 0x3Fu) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
      at += 3;
    }
    ++counts[static_cast<std::size_t>(script_of(character))];
  }
}

std::uint32_t scripts_in_json(std::string_view text) {
  std::array<std::uint32_t, kScripts> counts{};
  count_scripts(text, counts);
  for (std::size_t at = text.find("\\u"); at != text.npos; at = text.find("\\u", at + 2)) {
    if (at + 6 > text.size()) break;
    char32_t character = 0;
    bool is_escape = true;
    for (std::size_t i = 2; i < 6 && is_escape; ++i) {
      unsigned digit = 0;
      is_escape = is_digit_of(text[at + i], digit);
      character = character << 4 | digit;
    }
    if (is_escape) ++counts[static_cast<std::size_t>(script_of(character))];
  }
  std::uint32_t scripts = 0;
  for (std::size_t i = 1; i < counts.size(); ++i) {
    if (counts[i] > 0) scripts |= bit(static_cast<Script>(i));
  }
  return scripts;
}

}  // namespace switchyard::scoring
