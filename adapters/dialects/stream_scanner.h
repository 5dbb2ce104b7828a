#pragma once

#include "adapters/dialects/dialect.h"
#include "adapters/dialects/sse.h"

#include <deque>
#include <string>

namespace switchyard {

// What the scanners of all dialects over server-sent events do alike: frames, limits, what is handed on.
class FrameScanner : public StreamScanner {
 public:
  Result<> feed(std::span<const std::string_view> pieces, std::vector<std::string_view>& forward) final;
  Result<> finish(std::vector<std::string_view>& forward) final;

  bool has_content() const final { return has_content_; }

  bool is_complete() const final { return complete_; }

  const std::optional<Error>& error() const final { return error_; }

  const std::optional<Usage>& usage() const final { return usage_; }

 protected:
  enum class Verdict { forward, drop };

  // Looks at one record that has data; sets the members below. Fails with bad_reply for a malformed one.
  virtual Result<Verdict> inspect(const SseRecord& record) = 0;
  // The frame that ends a stream whose provider left it out although its answer is complete; empty: it is
  // not.
  virtual std::string_view missing_terminator() const = 0;

  // Looks at a frame without data: a comment, or what is no event at all. It is not handed on.
  virtual void note_bare(std::string_view) {}

  // True when the body may end here without a terminator: in a dialect whose streams end by closing.
  virtual bool may_end() const { return false; }

  // Appends what the client gets of a frame: the frame itself, unless the client reads another framing.
  virtual void hand_on(std::string_view frame, const SseRecord& record,
                       std::vector<std::string_view>& forward);

  // Appends what ends a complete stream in the client's framing.
  virtual void hand_on_end(std::vector<std::string_view>&) {}

  // A record's data, for hand_on(): in the frame, or kept until the next call.
  std::string_view keep(std::string_view frame, std::string_view data);

  bool has_content_ = false, complete_ = false;
  std::optional<Error> error_;
  std::optional<Usage> usage_;

 private:
  // `readable`: bytes behind the frame that may be read.
  Result<> take(std::string_view frame, std::size_t readable, std::vector<std::string_view>& forward);
  Result<> take_joined(std::vector<std::string_view>& forward);
  void note_rest();  // The body ended inside a frame.

  FrameSplitter splitter_;
  std::deque<std::string> joined_;  // Frames of more than one piece; deque elements stay where they are.
  std::string scratch_;
};

}  // namespace switchyard
