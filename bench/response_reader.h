#pragma once

#include "bench/net.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace switchyard::bench {

// Reads one HTTP/1.1 response, piece by piece, and counts the events in its body.
class ResponseReader {
 public:
  // Returns how many bytes belonged to the response.
  std::size_t feed(std::string_view bytes) {
    std::size_t taken = 0;
    while (taken < bytes.size() && !is_done() && !broken_) taken += step(bytes.substr(taken));
    return taken;
  }

  bool is_done() const { return state_ == State::done; }

  bool is_broken() const { return broken_; }

  int status() const { return status_; }

  // Events seen so far, the terminator included.
  int events() const { return events_; }

  // A stream ends with the terminator of its dialect; one that does not was cut short.
  bool ended_well() const { return !is_stream_ || tail_ == "data: [DONE]\n\n"; }

  bool is_stream() const { return is_stream_; }

  void reset() { *this = {}; }

 private:
  enum class State { head, sized, chunk_size, chunk, chunk_end, trailer, done };

  std::size_t step(std::string_view bytes) {
    switch (state_) {
      case State::head:
        return take_head(bytes);
      case State::sized:
      case State::chunk: {
        const std::size_t n = std::min(left_, bytes.size());
        take_body(bytes.substr(0, n));
        left_ -= n;
        if (left_ == 0) state_ = state_ == State::sized ? State::done : State::chunk_end;
        return n;
      }
      default:
        return take_line(bytes);
    }
  }

  std::size_t take_head(std::string_view bytes) {
    const std::size_t before = line_.size();
    line_.append(bytes);
    const std::size_t end = line_.find("\r\n\r\n");
    if (end == std::string::npos) return bytes.size();
    const std::string_view head(line_.data(), end + 2);
    status_ = std::atoi(line_.c_str() + std::min<std::size_t>(9, line_.size()));
    const std::string_view length = header_value(head, "content-length");
    const bool chunked = header_value(head, "transfer-encoding").starts_with("chunked");
    is_stream_ = header_value(head, "content-type").starts_with("text/event-stream");
    left_ = length.empty() ? 0 : std::strtoull(length.data(), nullptr, 10);
    state_ = chunked ? State::chunk_size : left_ > 0 ? State::sized : State::done;
    broken_ = !chunked && length.empty();
    const std::size_t taken = end + 4 - before;
    line_.clear();
    return taken;
  }

  // The lines between chunks.
  std::size_t take_line(std::string_view bytes) {
    const std::size_t end = bytes.find('\n');
    line_.append(bytes.substr(0, end));
    if (end == std::string_view::npos) return bytes.size();
    if (state_ == State::chunk_size) {
      left_ = std::strtoull(line_.c_str(), nullptr, 16);
      state_ = left_ > 0 ? State::chunk : State::trailer;
    } else if (state_ == State::chunk_end) {
      state_ = State::chunk_size;
    } else if (line_ == "\r" || line_.empty()) {
      state_ = State::done;
    }
    line_.clear();
    return end + 1;
  }

  void take_body(std::string_view body) {
    if (!is_stream_ || body.empty()) return;
    if (after_newline_ && body.front() == '\n') ++events_;
    for (std::size_t at = body.find("\n\n"); at != std::string_view::npos; at = body.find("\n\n", at + 2))
      ++events_;
    after_newline_ = body.back() == '\n' && !body.ends_with("\n\n");
    tail_.append(body.substr(body.size() - std::min(kTail, body.size())));
    if (tail_.size() > kTail) tail_.erase(0, tail_.size() - kTail);
  }

  static constexpr std::size_t kTail = std::string_view("data: [DONE]\n\n").size();

  State state_ = State::head;
  std::string line_, tail_;
  std::size_t left_ = 0;
  int status_ = 0, events_ = 0;
  bool is_stream_ = false, broken_ = false, after_newline_ = false;
};

}  // namespace switchyard::bench
