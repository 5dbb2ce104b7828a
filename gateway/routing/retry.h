#pragma once

#include "adapters/canonical/result.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace switchyard::routing {

// True when another target may serve what failed this way. False for the caller's own faults, which every
// target would refuse, and when no time or no client is left.
bool may_try_another(ErrorKind kind);

// What the caller sees when the targets that were tried all failed: rate_limited, overloaded or a timeout
// when every one failed so, context_too_long likewise, and exhausted otherwise. retry_after, where it
// applies, is the shortest that a target asked for, from 1 to 60 s.
Error final_error(std::span<const Error> errors);

// Keeps retries a share of traffic, so that an outage is not multiplied by the rescue: each request deposits
// its model's budget (0.2: one retry for five requests), each retry takes 1, deposits and takings count for
// 10 s, and a reserve of 10 a second lets a quiet gateway retry. Who is asked although it is ejected, there
// being no other, is asked out of the same budget: what is down is not held down by its callers. This is
// Finagle's RetryBudget with its defaults:
// https://twitter.github.io/finagle/docs/com/twitter/finagle/service/RetryBudget$.html
//
// Pure and not thread-safe: one a worker.
class RetryBudget {
 public:
  // `reserve`: of all 10 s. One of several workers has its part only: reserve_of().
  RetryBudget() = default;

  explicit RetryBudget(double reserve) : reserve_(reserve) {}

  // The reserve is the process's. A worker has a few retries of its own all the same: a caller's requests
  // come over one connection, so that they all meet one worker.
  static double reserve_of(int workers) { return std::max(kReserveMin, kReserve / workers); }

  void on_request(TimePoint now, double budget);
  // Takes one retry; false when the budget is spent.
  bool try_retry(TimePoint now);
  double balance(TimePoint now);

 private:
  static constexpr int kSeconds = 10;
  static constexpr double kReserve = 10.0 * kSeconds, kReserveMin = 10;

  double& slot(TimePoint now);

  double reserve_ = kReserve;
  std::array<double, kSeconds> slots_{};
  std::int64_t second_ = 0;  // Of the newest slot.
};

}  // namespace switchyard::routing
