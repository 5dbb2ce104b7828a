#include "tests/unit/dialects/aws_frames.h"

#include "adapters/dialects/aws_event_stream.h"

#include <algorithm>
#include <cstdint>

namespace switchyard {

namespace {

std::string big_endian(std::size_t value, int bytes) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>((value >> shift) & 0xFF);
  return out;
}

// Takes a word off the front of a line.
std::string_view take_word(std::string_view& line) {
  const auto space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  line = space == line.npos ? std::string_view() : line.substr(space + 1);
  return word;
}

}  // namespace

std::string encode_aws_header(std::string_view name, std::string_view value) {
  name = name.substr(0, 0xFF);
  value = value.substr(0, 0xFFFF);
  return big_endian(name.size(), 1) + std::string(name) + '\x07' + big_endian(value.size(), 2) +
         std::string(value);
}

std::string encode_aws_message(std::string_view headers, std::string_view payload) {
  std::string out = big_endian(headers.size() + payload.size() + 16, 4) + big_endian(headers.size(), 4);
  out += big_endian(crc32(out), 4);
  out += headers;
  out += payload;
  return out + big_endian(crc32(out), 4);
}

std::string encode_aws_frames(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view whole = text.substr(0, end);
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
    std::string_view rest = whole;
    const std::string_view kind = take_word(rest);
    const std::string type = encode_aws_header(":message-type", kind);
    if (kind == "event" || kind == "exception") {
      const std::string name = ":" + std::string(kind) + "-type";
      const std::string_view value = take_word(rest);
      out += encode_aws_message(
          encode_aws_header(name, value) + encode_aws_header(":content-type", "application/json") + type,
          rest);
    } else if (kind == "error") {
      const std::string_view code = take_word(rest);
      out += encode_aws_message(
          encode_aws_header(":error-code", code) + encode_aws_header(":error-message", rest) + type, {});
    } else if (kind == "cut") {
      out.resize(out.size() - std::min<std::size_t>(out.size(), 5));
      break;
    } else if (kind == "garble") {
      if (out.size() > 6) out[out.size() - 6] = static_cast<char>(out[out.size() - 6] ^ 1);
    } else {
      out += whole;
    }
  }
  return out;
}

}  // namespace switchyard
