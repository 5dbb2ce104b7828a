#pragma once

#include "adapters/canonical/result.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>

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
  bool armed_ = false;
  Deadline* previous_ = nullptr;
  Deadline* next_ = nullptr;
};

// All deadlines of one event loop, looked at every kTick. A deadline is never early and at most one tick
// late, which is enough for limits of a second and more and far cheaper than a timer each.
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
  void link(Deadline& deadline);
  void unlink(Deadline& deadline);
  void schedule();

  boost::asio::steady_timer timer_;
  Deadline* first_ = nullptr;
  Deadline* cursor_ = nullptr;  // The next one to look at while expire() runs; unlink() moves it on.
  bool ticking_ = false;
  bool stopped_ = false;
};

}  // namespace switchyard::io
