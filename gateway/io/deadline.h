#pragma once

#include "adapters/canonical/result.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace switchyard::io {

class Deadlines;

// One deadline of one connection or request: when it passes, `on_expired(context)` runs on the event loop.
// Arming and disarming are two pointer writes; no timer is touched. Owned by what it guards.
class Deadline {
 public:
  using Callback = void (*)(void* context);

  Deadline(Deadlines& owner, Callback on_expired, void* context)
      : owner_(owner), on_expired_(on_expired), context_(context) {}

  ~Deadline() { disarm(); }

  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void arm(TimePoint when);

  void arm_in(Duration delay) { arm(Clock::now() + delay); }

  void disarm();

  bool is_armed() const { return armed_; }

 private:
  friend class Deadlines;
  Deadlines& owner_;
  Callback on_expired_;
  void* context_;
  TimePoint when_{};
  std::uint16_t slot_ = 0;
  bool armed_ = false;
  Deadline* previous_ = nullptr;
  Deadline* next_ = nullptr;
};

// All deadlines of one event loop, looked at every kTick. A deadline is never early and at most one tick
// late, which is enough for limits of a second and more and far cheaper than a timer each.
//
// They lie in a wheel of slots, one a tick, so that a tick looks at those due about now and not at those of
// ten thousand idle connections. One that is further away than a turn of the wheel is passed over once a
// turn.
class Deadlines {
 public:
  static constexpr std::chrono::milliseconds kTick{50};

  explicit Deadlines(boost::asio::io_context& context) : timer_(context) {}

  Deadlines(const Deadlines&) = delete;
  Deadlines& operator=(const Deadlines&) = delete;

  // Runs every callback whose time has come. The loop's timer calls it; tests do with a time of their own.
  void expire(TimePoint now);
  // Stops the timer, so that the event loop can run out of work.
  void stop();

 private:
  friend class Deadline;

  static constexpr std::size_t kSlots = 512;
  static constexpr std::size_t kDue = kSlots;  // Behind the wheel: those that expire() is about to run.

  void link(Deadline& deadline);
  void unlink(Deadline& deadline);
  void link_to(std::size_t slot, Deadline& deadline);
  std::size_t slot_for(TimePoint when) const;
  void schedule();

  boost::asio::steady_timer timer_;
  std::array<Deadline*, kSlots + 1> slots_{};
  std::size_t armed_ = 0;
  std::int64_t tick_ = 0;  // Of the last expire(): every slot before it has been visited.
  bool ticking_ = false;
  bool stopped_ = false;
};

}  // namespace switchyard::io
