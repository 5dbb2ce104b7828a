#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace switchyard::scorer {

// A queue between one writing and one reading thread, without a lock and without an allocation after its own.
// The writer never waits: what does not fit is left out, and counted. Lamport, "Specifying Concurrent Program
// Modules", 1983; each side keeps what it last saw of the other, so that a push touches one shared line only.
template <class T, std::size_t kSlots>
class Ring {
  static_assert(std::is_trivially_copyable_v<T>);
  static_assert(kSlots > 0 && (kSlots & (kSlots - 1)) == 0, "a power of two");

 public:
  // Writer. False when it is full: the value is counted in dropped().
  bool push(const T& value) {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (head - tail_seen_ == kSlots) {
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (head - tail_seen_ == kSlots) {
        dropped_.store(dropped_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        return false;
      }
    }
    (*slots_)[head % kSlots] = value;
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

  // Reader. False when it is empty.
  bool pop(T& value) {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail == head_seen_) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail == head_seen_) return false;
    }
    value = (*slots_)[tail % kSlots];
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // Any thread.
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  // Not set to anything: a page is had when it is first written.
  std::unique_ptr<std::array<T, kSlots>> slots_ = std::make_unique_for_overwrite<std::array<T, kSlots>>();
  alignas(64) std::atomic<std::uint64_t> head_{0};
  std::uint64_t tail_seen_ = 0;  // The writer's.
  std::atomic<std::uint64_t> dropped_{0};
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  std::uint64_t head_seen_ = 0;  // The reader's.
};

}  // namespace switchyard::scorer
