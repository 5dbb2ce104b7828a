// Properties of the frame splitter, for any bytes in any pieces: the frames are the same; one after the
// other they are the beginning of the stream; each ends with an empty line, and holds no other.
#include "adapters/dialects/sse.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using switchyard::FrameSplitter;

struct Cut {
  std::vector<std::string> frames;
  bool is_inside = false;  // The stream ended inside a frame.
};

Cut cut(std::string_view stream, std::size_t piece_size) {
  Cut out;
  FrameSplitter splitter;
  std::string_view frame;
  while (!stream.empty()) {
    std::string_view piece = stream.substr(0, piece_size);
    stream.remove_prefix(piece.size());
    while (splitter.next(piece, frame)) out.frames.emplace_back(frame);
    if (!piece.empty()) std::abort();
  }
  out.is_inside = splitter.finish(frame);
  if (!frame.empty()) out.frames.emplace_back(frame);
  return out;
}

void check(bool holds) {
  if (!holds) std::abort();
}

// The number of empty lines, read the slow way: every line end normalized first.
std::size_t empty_lines(std::string_view frame) {
  std::string lines;
  for (std::size_t i = 0; i < frame.size(); ++i) {
    if (frame[i] == '\r' && i + 1 < frame.size() && frame[i + 1] == '\n') continue;
    lines += frame[i] == '\r' ? '\n' : frame[i];
  }
  std::size_t count = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i] == '\n' && (i == 0 || lines[i - 1] == '\n')) ++count;
  }
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  const Cut whole = cut(stream, size + 1);
  for (const std::size_t piece_size : {std::size_t{1}, std::size_t{2}, std::size_t{7}}) {
    const Cut pieces = cut(stream, piece_size);
    check(pieces.frames == whole.frames && pieces.is_inside == whole.is_inside);
  }
  std::string joined, scratch;
  for (const std::string& frame : whole.frames) {
    joined += frame;
    check(empty_lines(frame) == 1);
    const switchyard::SseRecord record = switchyard::parse_frame(frame, scratch);
    check(record.has_data || record.data.empty());
  }
  check(stream.starts_with(joined) && (whole.is_inside || joined == stream));
  return 0;
}
