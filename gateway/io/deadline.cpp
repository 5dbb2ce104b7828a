#include "gateway/io/deadline.h"

#include <algorithm>

namespace switchyard::io {

namespace {

std::int64_t floor_tick(TimePoint time) {
  return time.time_since_epoch() / Deadlines::kTick;
}

}  // namespace

void Deadline::arm(TimePoint when) {
  // Put off: it stays where it lies, and moves on when its old time comes.
  const bool moves = !armed_ || when < when_;
  if (!moves) {
    when_ = when;
    return;
  }
  disarm();
  when_ = when;
  armed_ = true;
  owner_.link(*this);
}

void Deadline::disarm() {
  if (!armed_) return;
  armed_ = false;
  owner_.unlink(*this);
}

// The slot of the first tick at which `when` has passed, or of the next one to be visited.
std::size_t Deadlines::slot_for(TimePoint when) const {
  return static_cast<std::size_t>(std::max(floor_tick(when) + 1, tick_)) % kSlots;
}

void Deadlines::link(Deadline& deadline) {
  link_to(slot_for(deadline.when_), deadline);
  schedule();
}

void Deadlines::link_to(std::size_t slot, Deadline& deadline) {
  Deadline*& first = slots_[slot];
  deadline.slot_ = static_cast<std::uint16_t>(slot);
  deadline.previous_ = nullptr;
  deadline.next_ = first;
  if (first) first->previous_ = &deadline;
  first = &deadline;
  ++armed_;
}

void Deadlines::unlink(Deadline& deadline) {
  if (deadline.previous_) deadline.previous_->next_ = deadline.next_;
  if (deadline.next_) deadline.next_->previous_ = deadline.previous_;
  if (slots_[deadline.slot_] == &deadline) slots_[deadline.slot_] = deadline.next_;
  --armed_;
}

void Deadlines::expire(TimePoint now) {
  // One slot more than the time says: a deadline of the tick that is just passing may be due too.
  const std::int64_t end = floor_tick(now) + 2;
  const std::int64_t turn_ago = end - static_cast<std::int64_t>(kSlots);
  // An earlier `now` than last time, as in tests, looks at all.
  const std::int64_t begin = tick_ < end ? std::max(tick_, turn_ago) : turn_ago;
  tick_ = end - 1;
  for (std::int64_t tick = begin; tick < end; ++tick) {
    const std::size_t slot = static_cast<std::size_t>(tick) % kSlots;
    for (Deadline* next = slots_[slot]; next;) {
      Deadline& deadline = *next;
      next = deadline.next_;
      const std::size_t due = deadline.when_ <= now ? kDue : slot_for(deadline.when_);
      if (due == slot) continue;
      unlink(deadline);
      link_to(due, deadline);
    }
  }
  // A callback may destroy any deadline, and arm and disarm others: what it makes due runs at the next look.
  while (Deadline* deadline = slots_[kDue]) {
    deadline->disarm();
    deadline->on_expired_(deadline->context_);
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
    if (armed_ > 0) schedule();
  });
}

void Deadlines::stop() {
  stopped_ = true;
  timer_.cancel();
}

}  // namespace switchyard::io
