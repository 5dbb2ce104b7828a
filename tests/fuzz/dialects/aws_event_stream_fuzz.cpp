// Properties of the reader of Amazon's event streams: for any bytes in any pieces the messages are the same,
// and so is how they end; a message around any headers and payload, with its lengths and sums right, gives
// back its payload or fails.
#include "adapters/dialects/aws_event_stream.h"
#include "tests/unit/dialects/aws_frames.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using switchyard::AwsMessage;
using switchyard::AwsMessageReader;

struct Cut {
  std::vector<std::string> payloads;
  bool is_inside = false, failed = false;

  friend bool operator==(const Cut&, const Cut&) = default;
};

Cut cut(std::string_view stream, std::size_t piece_size) {
  Cut out;
  AwsMessageReader reader;
  AwsMessage message;
  while (!stream.empty()) {
    std::string_view piece = stream.substr(0, piece_size);
    stream.remove_prefix(piece.size());
    while (true) {
      const auto found = reader.next(piece, message);
      if (!found) {
        out.failed = true;
        return out;
      }
      if (!*found) break;
      out.payloads.push_back(std::string(message.event_type) + '|' + std::string(message.payload));
    }
    if (!piece.empty()) std::abort();
  }
  out.is_inside = reader.is_inside();
  return out;
}

void check_pieces(std::string_view stream) {
  const Cut whole = cut(stream, stream.size() + 1);
  for (const std::size_t piece_size : {std::size_t{1}, std::size_t{5}, std::size_t{13}}) {
    if (!(cut(stream, piece_size) == whole)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_pieces(bytes);
  check_pieces(switchyard::encode_aws_frames(bytes));
  if (bytes.empty()) return 0;
  // The first byte says how much of the rest is headers.
  const std::string_view rest = bytes.substr(1);
  const std::string_view headers = rest.substr(0, static_cast<unsigned char>(bytes[0]));
  const std::string message = switchyard::encode_aws_message(headers, rest.substr(headers.size()));
  check_pieces(message + message);
  std::string_view left = message;
  AwsMessageReader reader;
  AwsMessage read;
  const auto found = reader.next(left, read);
  if (found && (!*found || read.payload != rest.substr(headers.size()) || !left.empty())) std::abort();
  return 0;
}
