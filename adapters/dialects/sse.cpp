#include "adapters/dialects/sse.h"

#include "adapters/dialects/dialect.h"

#include <cstring>

namespace switchyard {

bool FrameSplitter::end_line() {
  const bool was_empty = line_is_empty_;
  line_is_empty_ = true;
  return was_empty;
}

bool FrameSplitter::cut(std::string_view& bytes, std::size_t size, std::string_view& frame) {
  joined_ = !partial_.empty();
  if (joined_) {
    partial_.append(bytes.substr(0, size));
    frame_ = std::move(partial_);
    partial_.clear();
    frame = frame_;
  } else {
    frame = bytes.substr(0, size);
  }
  bytes.remove_prefix(size);
  return true;
}

bool FrameSplitter::next(std::string_view& bytes, std::string_view& frame) {
  const char* const begin = bytes.data();
  const char* const end = begin + bytes.size();
  const char* line_feed = nullptr;  // The next one at or behind `at`; `end` for none.
  for (const char* at = begin; at < end;) {
    if (pending_cr_) {
      pending_cr_ = false;
      if (*at == '\n') ++at;
      if (end_line()) return cut(bytes, static_cast<std::size_t>(at - begin), frame);
      continue;
    }
    if (!line_feed || line_feed < at) {
      const void* found = std::memchr(at, '\n', static_cast<std::size_t>(end - at));
      line_feed = found ? static_cast<const char*>(found) : end;
    }
    const void* found = std::memchr(at, '\r', static_cast<std::size_t>(line_feed - at));
    const char* stop = found ? static_cast<const char*>(found) : line_feed;
    if (stop != at) line_is_empty_ = false;
    if (stop == end) break;
    at = stop + 1;
    if (found) {
      pending_cr_ = true;
    } else if (end_line()) {
      return cut(bytes, static_cast<std::size_t>(at - begin), frame);
    }
  }
  if (partial_.size() + bytes.size() > kEventBytesMax) {
    too_large_ = true;
  } else {
    partial_.append(bytes);
  }
  bytes = {};
  return false;
}

bool FrameSplitter::finish(std::string_view& frame) {
  frame = {};
  std::string_view nothing;
  if (pending_cr_ && (pending_cr_ = false, end_line())) {
    cut(nothing, 0, frame);
    return false;
  }
  return !partial_.empty();
}

SseRecord parse_frame(std::string_view frame, std::string& scratch) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  SseRecord record;
  int data_lines = 0;
  if (frame.starts_with(kByteOrderMark)) frame.remove_prefix(kByteOrderMark.size());
  while (!frame.empty()) {
    const std::size_t end = std::min(frame.find_first_of("\r\n"), frame.size());
    const std::string_view line = frame.substr(0, end);
    frame.remove_prefix(std::min(end + 1, frame.size()));
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (name == "event") {
      record.event = value;
    } else if (name == "data") {
      if (data_lines == 0) {
        record.data = value;
      } else {
        if (data_lines == 1) scratch = record.data;
        scratch += '\n';
        scratch += value;
        record.data = scratch;
      }
      ++data_lines;
    }
  }
  record.has_data = !record.data.empty();
  return record;
}

}  // namespace switchyard
