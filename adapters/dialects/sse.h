#pragma once

#include <string>
#include <string_view>

namespace switchyard {

// Cuts a server-sent event stream (WHATWG HTML 9.2.5) into frames: everything up to and with an empty line.
// Lines may end in LF, CR LF or CR; the bytes may arrive in any pieces, which changes nothing but where a
// view points.
class FrameSplitter {
 public:
  // Takes bytes off the front of `bytes`. True: `frame` is the next whole frame, a view into `bytes` as given
  // or into this object (then is_joined()), valid until the next call. False: `bytes` is used up, or the
  // frame has grown over kEventBytesMax (then is_too_large(); call it no more).
  bool next(std::string_view& bytes, std::string_view& frame);
  // The body has ended: true when it did so inside a frame. A CR at the very end may have completed one:
  // `frame`.
  bool finish(std::string_view& frame);

  bool is_joined() const { return joined_; }

  // The memory of the joined frame, which stays where it is.
  std::string take_joined() { return std::move(frame_); }

  bool is_too_large() const { return too_large_; }

 private:
  bool end_line();
  bool cut(std::string_view& bytes, std::size_t size, std::string_view& frame);

  std::string partial_, frame_;
  bool line_is_empty_ = true, pending_cr_ = false, joined_ = false, too_large_ = false;
};

struct SseRecord {
  std::string_view event;    // Empty when the frame names none.
  std::string_view data;     // The data lines, joined by LF.
  std::size_t readable = 0;  // How many bytes behind the data may be read: a parser wants some.
  bool has_data = false;     // False for a comment and an event without data, which no client should see.
};

// Reads one frame. `scratch` holds the data when it comes in several lines; the views live as long as both.
SseRecord parse_frame(std::string_view frame, std::string& scratch);

}  // namespace switchyard
