#include "local_backend/model/utf8.h"

namespace switchyard::local {
namespace {

// The range of the second byte depends on the first (Unicode 15, table 3-7); later bytes are 80..BF.
struct Lead {
  std::size_t length = 0;  // 0: no sequence starts so.
  unsigned char second_min = 0x80, second_max = 0xBF;
};

Lead lead_of(unsigned char byte) {
  if (byte < 0x80) return {1};
  if (byte < 0xC2) return {};
  if (byte < 0xE0) return {2};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  if (byte < 0xF4) return {4};
  return {};
}

}  // namespace

Utf8Step utf8_step(std::string_view bytes) {
  using Kind = Utf8Step::Kind;
  const auto first = static_cast<unsigned char>(bytes[0]);
  const Lead lead = lead_of(first);
  if (lead.length == 0) return {Kind::invalid, 1, 0};
  if (lead.length == 1) return {Kind::sequence, 1, first};
  char32_t code_point = first & (0x7FU >> lead.length);
  for (std::size_t i = 1; i < lead.length; ++i) {
    if (i == bytes.size()) return {Kind::incomplete, i, 0};
    const auto byte = static_cast<unsigned char>(bytes[i]);
    if (byte < (i == 1 ? lead.second_min : 0x80) || byte > (i == 1 ? lead.second_max : 0xBF))
      return {Kind::invalid, i, 0};
    code_point = code_point << 6 | (byte & 0x3FU);
  }
  return {Kind::sequence, lead.length, code_point};
}

std::string valid_utf8(std::string_view text) {
  Utf8Stream stream;
  std::string out = stream.feed(text);
  return out += stream.finish();
}

std::string Utf8Stream::feed(std::string_view bytes) {
  held_ += bytes;
  std::string out;
  std::string_view rest = held_;
  while (!rest.empty()) {
    const Utf8Step step = utf8_step(rest);
    if (step.kind == Utf8Step::Kind::incomplete) break;
    out += step.kind == Utf8Step::Kind::sequence ? rest.substr(0, step.bytes) : kReplacement;
    rest.remove_prefix(step.bytes);
  }
  held_ = std::string(rest);
  return out;
}

std::string Utf8Stream::finish() {
  const bool cut = !held_.empty();
  held_.clear();
  return cut ? std::string(kReplacement) : std::string();
}

}  // namespace switchyard::local
