#pragma once

#include <cstdint>
#include <span>

namespace switchyard::scoring {

// What all targets of a group see at once is the requests' doing, not one target's.

inline constexpr double kGuardMax = 3;

// By what a target's m0 is multiplied: how much worse its peers are now than their own baselines, from 1 to
// kGuardMax, in steps of 1/20 so that it does not move with every observation. `bad` and `expected`: what the
// peers had lately, and what their baselines make of as many observations. With few expected the ratio is
// drawn toward 1 as if kGuardPrior more had been, all of them usual.
inline constexpr double kGuardPrior = 10;
double guard_ratio(double bad, double expected);

// One target of a group, for one signal.
struct PeerSuspicion {
  std::uint32_t provider = 0;            // A number that only this provider has.
  std::int64_t suspicious_since_ms = 0;  // Its Q has been at 100 or more since then; 0: it is not.
};

// True when the requests changed: at least half of the group's targets, two at least and of two providers at
// least, became suspicious within ten minutes of each other.
inline constexpr std::int64_t kWorkloadMs = 600'000;
bool is_workload_shift(std::span<const PeerSuspicion> group);

}  // namespace switchyard::scoring
