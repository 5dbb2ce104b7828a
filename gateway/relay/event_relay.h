#pragma once

#include "adapters/dialects/dialect.h"
#include "gateway/relay/seam.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::relay {

// What of an answer the caller has been given, as far as it decides whether another target can go on with it.
struct Given {
  static constexpr std::size_t kTextBytesMax = 1u << 20;

  std::string text;
  bool is_plain = true;      // Nothing but text and unsigned thinking, and not too much text to be kept.
  bool is_finished = false;  // The target said that its answer ends here.
};

// The caller's side of a reply that exists as events. Where a stream may be continued it outlives the reply
// that it was made for: the next target's events go to the same writer, behind what the caller has.
class EventRelay {
 public:
  // `keeps_text`: given() is wanted.
  EventRelay(const Dialect& caller, ReplyContext context, bool keeps_text = false);

  // Appends the events' frames to out(). Fails when the target reported an error in its stream, or when its
  // text cannot be joined to what the caller has (see Seam).
  Result<> write(const std::vector<Event>& events);

  void end() { writer_->end(out_); }

  // Folds a complete reply.
  Result<std::string> fold(const std::vector<Event>& events);

  std::string& out() { return out_; }

  // Of the reply under way.
  bool has_content() const { return has_content_; }

  // As Reply::set_tap().
  void set_tap(ReplyTap* tap) { tap_ = tap; }

  // What the target under way counted itself.
  const std::optional<Usage>& usage() const { return usage_; }

  const Given& given() const { return given_; }

  bool is_json_array() const { return context_.json_array; }

  // From here on the events are another reply's, which goes on where the one before broke: its start and its
  // thinking are not written, its usage is added to what came before. `mark`: goes out in front of its first
  // content.
  void go_on(Seam seam, std::string mark);

  // How many tokens the text has with which the reply under way was begun: the target counted them as input.
  void count_given(std::int64_t tokens) { given_tokens_ = tokens; }

  // What the caller is told in the end, of all replies.
  Usage total_usage() const;

 private:
  void note(const Event& event);
  Result<> write_continued(const Event& event);
  void write_text(TextDelta delta);

  const Dialect& caller_;
  ReplyContext context_;
  std::unique_ptr<EventWriter> writer_;
  std::string out_;
  ReplyTap* tap_ = nullptr;
  std::optional<Usage> usage_;
  bool keeps_text_ = false, has_content_ = false;
  Given given_;
  std::optional<Seam> seam_;
  std::string mark_;
  Usage before_;  // Of the replies that broke.
  std::int64_t given_tokens_ = 0;
};

}  // namespace switchyard::relay
