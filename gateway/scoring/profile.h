#pragma once

#include "config/config.h"
#include "gateway/scoring/observation.h"

#include <array>
#include <cstdint>

namespace switchyard::scoring {

// What is usual of the sizes that a target's replies have in one stratum, as quantiles of its own traffic,
// learnt once and then frozen. Out of them come the signals that only the board can judge.

// Counts of values by size, eight classes for each doubling, from 1/16 on.
class SizeHistogram {
 public:
  static constexpr int kClasses = 176;  // Up to 2^18.
  static int class_of(float value);

  void add(float value) { ++counts_[static_cast<std::size_t>(class_of(value))]; }

  std::uint64_t total() const;
  // The first class that has `share` or more of the values in it or below.
  int quantile(double share) const;

  std::array<std::uint32_t, kClasses> counts_{};
};

class Profile {
 public:
  // What an observation of traffic says beyond its own bits: adds to `seen` and `bad`. Nothing before the
  // profile is learnt, but for tools and absent reasoning, which need none.
  void judge(const Observation& observation, std::uint32_t& seen, std::uint32_t& bad) const;
  void add(const Observation& observation);
  // A block has ended. True when the profile has just become complete: it takes half of what a baseline
  // takes, whose learning of the rates begins then.
  bool end_block(const config::Quality& settings, std::int64_t now_ms);

  bool is_learnt() const { return learnt_; }

  // What follows is for storage too.
  SizeHistogram length_, reasoning_, chunk_, gap_;
  int length_low_ = 0, length_high_ = 0, reasoning_low_ = 0, chunk_high_ = 0, gap_high_ = 0;  // Classes.
  bool learnt_ = false, knows_reasoning_ = false, knows_chunks_ = false;
  int blocks_ = 0;
  bool block_has_any_ = false;
  std::int64_t since_ms_ = 0;
};

}  // namespace switchyard::scoring
