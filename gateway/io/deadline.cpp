#include "gateway/io/deadline.h"

namespace switchyard::io {

void Deadline::arm(TimePoint when) {
  when_ = when;
  if (armed_) return;
  armed_ = true;
  owner_.link(*this);
}

void Deadline::disarm() {
  if (!armed_) return;
  armed_ = false;
  owner_.unlink(*this);
}

void Deadlines::link(Deadline& deadline) {
  deadline.previous_ = nullptr;
  deadline.next_ = first_;
  if (first_) first_->previous_ = &deadline;
  first_ = &deadline;
  schedule();
}

void Deadlines::unlink(Deadline& deadline) {
  if (cursor_ == &deadline) cursor_ = deadline.next_;
  if (deadline.previous_) deadline.previous_->next_ = deadline.next_;
  if (deadline.next_) deadline.next_->previous_ = deadline.previous_;
  if (first_ == &deadline) first_ = deadline.next_;
}

void Deadlines::expire(TimePoint now) {
  for (cursor_ = first_; cursor_;) {
    Deadline& deadline = *cursor_;
    cursor_ = deadline.next_;
    if (deadline.when_ > now) continue;
    deadline.disarm();
    deadline.on_expired_(deadline.context_);  // May destroy `deadline`, and arm or disarm others.
  }
}

void Deadlines::schedule() {
  if (ticking_ || stopped_) return;
  ticking_ = true;
  timer_.expires_after(kTick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    ticking_ = false;
    if (error || stopped_) return;
    expire(Clock::now());
    if (first_) schedule();
  });
}

void Deadlines::stop() {
  stopped_ = true;
  timer_.cancel();
}

}  // namespace switchyard::io
