#include "adapters/dialects/aws_event_stream.h"

#include "adapters/dialects/dialect.h"

#include <algorithm>
#include <array>
#include <utility>

namespace switchyard {

namespace {

constexpr std::size_t kPrelude = 12;         // Two lengths and their sum.
constexpr std::size_t kAround = 16;          // What a message has besides its headers and its payload.
constexpr std::size_t kHeadersMax = 131072;  // The format's own limit.

constexpr std::array<std::uint32_t, 256> kCrcOfByte = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0u);
    table[byte] = crc;
  }
  return table;
}();

std::uint32_t read_u32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = (value << 8) | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

Error malformed(const char* what) {
  return fail(ErrorKind::bad_reply, std::string("the provider's stream has a message ") + what);
}

// The message's length, from its first 12 bytes.
Result<std::size_t> read_prelude(std::string_view bytes) {
  if (crc32(bytes.substr(0, 8)) != read_u32(bytes, 8)) return malformed("with a wrong checksum");
  const std::size_t total = read_u32(bytes, 0), headers = read_u32(bytes, 4);
  if (total > kEventBytesMax || headers > kHeadersMax) return malformed("that is too large");
  if (total < kAround || headers > total - kAround) return malformed("with wrong lengths");
  return total;
}

// Takes values off the front of a message's headers; what goes over their end is marked as broken.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view bytes) : bytes_(bytes) {}

  std::string_view take(std::size_t size) {
    if (size > bytes_.size()) {
      broken_ = true;
      size = bytes_.size();
    }
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }

  std::size_t number(std::size_t size) {
    std::size_t value = 0;
    for (const char c : take(size)) value = (value << 8) | static_cast<unsigned char>(c);
    return value;
  }

  // The value of a header; of interest is a string's only.
  std::string_view value() {
    // By type: true, false, byte, 16, 32 and 64 bits, bytes, string, timestamp, UUID.
    constexpr std::array<std::size_t, 10> kSizes{0, 0, 1, 2, 4, 8, 0, 0, 8, 16};
    constexpr std::size_t kBytes = 6, kString = 7;
    const std::size_t type = number(1);
    if (type >= kSizes.size()) {
      broken_ = true;
      return {};
    }
    const bool has_length = type == kBytes || type == kString;
    const std::string_view taken = take(has_length ? number(2) : kSizes[type]);
    return type == kString ? taken : std::string_view();
  }

  bool has_more() const { return !bytes_.empty() && !broken_; }

  bool is_broken() const { return broken_; }

 private:
  std::string_view bytes_;
  bool broken_ = false;
};

Result<bool> read_message(std::string_view bytes, AwsMessage& message) {
  const std::size_t end = bytes.size() - 4, headers_size = read_u32(bytes, 4);
  if (crc32(bytes.substr(0, end)) != read_u32(bytes, end)) return malformed("with a wrong checksum");
  message = {};
  message.payload = bytes.substr(kPrelude + headers_size, end - kPrelude - headers_size);
  HeaderReader headers(bytes.substr(kPrelude, headers_size));
  while (headers.has_more()) {
    const std::string_view name = headers.take(headers.number(1));
    const std::string_view value = headers.value();
    if (name == ":message-type") message.message_type = value;
    if (name == ":event-type") message.event_type = value;
    if (name == ":exception-type") message.exception_type = value;
    if (name == ":error-code") message.error_code = value;
    if (name == ":error-message") message.error_message = value;
  }
  if (headers.is_broken()) return malformed("with malformed headers");
  return true;
}

}  // namespace

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const char c : bytes) crc = (crc >> 8) ^ kCrcOfByte[(crc ^ static_cast<unsigned char>(c)) & 0xFFu];
  return ~crc;
}

// Moves bytes over until partial_ has `wanted` of them: false when there are not enough. What a length claims
// is not reserved: it may never come.
bool AwsMessageReader::fill(std::string_view& bytes, std::size_t wanted) {
  if (partial_.size() < wanted) {
    const std::string_view taken = bytes.substr(0, wanted - partial_.size());
    partial_ += taken;
    bytes.remove_prefix(taken.size());
  }
  return partial_.size() >= wanted;
}

Result<bool> AwsMessageReader::next(std::string_view& bytes, AwsMessage& message) {
  if (partial_.empty() && bytes.size() >= kPrelude) {
    const auto total = read_prelude(bytes);
    if (!total) return total.error();
    if (bytes.size() >= *total) {
      const std::string_view whole = bytes.substr(0, *total);
      bytes.remove_prefix(*total);
      return read_message(whole, message);
    }
  }
  if (total_ == 0) {
    if (!fill(bytes, kPrelude)) return false;
    const auto total = read_prelude(partial_);
    if (!total) return total.error();
    total_ = *total;
  }
  if (!fill(bytes, total_)) return false;
  joined_ = std::exchange(partial_, {});
  total_ = 0;
  return read_message(joined_, message);
}

}  // namespace switchyard
