#include "adapters/dialects/stream_scanner.h"

namespace switchyard {

Result<> FrameScanner::take(std::string_view frame, std::size_t readable,
                            std::vector<std::string_view>& forward) {
  SseRecord record = parse_frame(frame, scratch_);
  if (!record.has_data) {
    note_bare(frame);
    return {};
  }
  const char* const end = record.data.data() + record.data.size();
  const bool is_in_frame = end >= frame.data() && end <= frame.data() + frame.size();
  if (is_in_frame) record.readable = static_cast<std::size_t>(frame.data() + frame.size() - end) + readable;
  const auto verdict = inspect(record);
  if (!verdict) return verdict.error();
  if (error_ || *verdict == Verdict::drop) return {};
  hand_on(frame, record, forward);
  return {};
}

void FrameScanner::hand_on(std::string_view frame, const SseRecord&, std::vector<std::string_view>& forward) {
  const bool follows = !forward.empty() && forward.back().data() + forward.back().size() == frame.data();
  if (follows) {
    forward.back() = {forward.back().data(), forward.back().size() + frame.size()};
  } else {
    forward.push_back(frame);
  }
}

std::string_view FrameScanner::keep(std::string_view frame, std::string_view data) {
  const bool is_in_frame =
      data.data() >= frame.data() && data.data() + data.size() <= frame.data() + frame.size();
  return is_in_frame ? data : joined_.emplace_back(data);
}

Result<> FrameScanner::take_joined(std::vector<std::string_view>& forward) {
  const std::string& frame = joined_.emplace_back(splitter_.take_joined());
  return take(frame, frame.capacity() - frame.size(), forward);
}

Result<> FrameScanner::feed(std::span<const std::string_view> pieces,
                            std::vector<std::string_view>& forward) {
  joined_.clear();
  for (std::string_view bytes : pieces) {
    std::string_view frame;
    while (!complete_ && !error_ && splitter_.next(bytes, frame)) {
      const auto taken = splitter_.is_joined() ? take_joined(forward) : take(frame, bytes.size(), forward);
      if (!taken) return taken;
    }
    if (splitter_.is_too_large())
      return fail(ErrorKind::bad_reply, "the provider's stream has an event too large");
  }
  return {};
}

void FrameScanner::note_rest() {
  std::string_view end = "\n\n", rest;
  if (splitter_.next(end, rest) && !parse_frame(rest, scratch_).has_data) note_bare(rest);
}

Result<> FrameScanner::finish(std::vector<std::string_view>& forward) {
  joined_.clear();
  std::string_view frame;
  const bool in_frame = splitter_.finish(frame);
  if (!complete_ && !frame.empty()) {
    if (const auto taken = take_joined(forward); !taken) return taken;
  }
  if (in_frame && !complete_) note_rest();
  if (complete_ || error_) return {};
  const std::string_view terminator = missing_terminator();
  if (in_frame || (terminator.empty() && !may_end()))
    return fail(ErrorKind::bad_reply, "the provider's stream ended before its end");
  complete_ = true;
  if (!terminator.empty()) forward.push_back(terminator);
  hand_on_end(forward);
  return {};
}

}  // namespace switchyard
