#pragma once

#include <coroutine>
#include <utility>

namespace switchyard::io {

// One waiter, woken by set(). A set() before the wait is kept. Not thread-safe: both sides run on one thread.
class Signal {
 public:
  void set() {
    is_set_ = true;
    if (waiter_) std::exchange(waiter_, nullptr).resume();
  }

  bool await_ready() const noexcept { return is_set_; }

  void await_suspend(std::coroutine_handle<> waiter) noexcept { waiter_ = waiter; }

  void await_resume() noexcept { is_set_ = false; }

 private:
  bool is_set_ = false;
  std::coroutine_handle<> waiter_;
};

}  // namespace switchyard::io
