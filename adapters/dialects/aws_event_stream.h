#pragma once

#include "adapters/canonical/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard {

// One message of application/vnd.amazon.eventstream (https://smithy.io/2.0/aws/amazon-eventstream.html):
//
//   u32 total length | u32 headers length | u32 CRC of these 8 bytes | headers | payload | u32 CRC of all
//   before
//
// big-endian, with the CRC-32 of zlib. Of the headers, those that say what the payload is.
struct AwsMessage {
  std::string_view message_type;                // event, exception, error.
  std::string_view event_type, exception_type;  // "contentBlockDelta"; "throttlingException".
  std::string_view error_code, error_message;   // Of the message type `error`.
  std::string_view payload;
};

// Cuts a body into its messages; the bytes may arrive in any pieces, which changes nothing but where a view
// points.
class AwsMessageReader {
 public:
  // Takes bytes off the front of `bytes`. True: `message` is the next whole one, views into `bytes` as given
  // or into this object, valid until the next call. False: `bytes` is used up. Fails with bad_reply for what
  // is no message: a length over kEventBytesMax, a sum that does not match; call it no more then.
  Result<bool> next(std::string_view& bytes, AwsMessage& message);

  // The body, if it ends here, ends inside a message.
  bool is_inside() const { return !partial_.empty(); }

 private:
  bool fill(std::string_view& bytes, std::size_t wanted);

  std::string partial_, joined_;
  std::size_t total_ = 0;  // Of the message that partial_ begins; 0 before its first 12 bytes are there.
};

// The CRC-32 of zlib, PNG and Ethernet.
std::uint32_t crc32(std::string_view bytes);

}  // namespace switchyard
