#pragma once

#include <cstdint>
#include <vector>

namespace switchyard::scoring {

// Counts in bins whose bounds grow by a constant factor, so that every quantile is known within 1 % of its
// value (DDSketch: Masson, Rim, Lee, VLDB 2019, section 2.1, gamma = 1.0202): value v falls into bin
// ceil(ln v / ln gamma), and 2 gamma^i / (gamma + 1) stands for all of bin i. From 1 to 120,000, usually
// milliseconds; what is outside falls into the first or the last of 586 bins. Adding two gives the histogram
// of both, in any order. Only the bins between the least and the greatest value take memory.
class LogHistogram {
 public:
  static constexpr double kGamma = 1.0202;
  static constexpr int kBins = 586;

  void add(double value);
  void add(const LogHistogram& other);
  // Takes away what was added before.
  void subtract(const LogHistogram& other);
  void clear();

  std::uint64_t count() const { return count_; }

  // The value that a share q of the values is at or below; 0 when there are none.
  double quantile(double q) const;

 private:
  std::uint32_t& bin(int index);

  std::uint64_t count_ = 0;
  int first_ = 0;  // The bin of counts_[0].
  std::vector<std::uint32_t> counts_;
};

// The values of the last `slots` x `slot_ms`, forgotten a slot at a time.
class WindowedHistogram {
 public:
  WindowedHistogram(int slots, std::int64_t slot_ms)
      : slot_ms_(slot_ms), slots_(static_cast<std::size_t>(slots)) {}

  // Before add() and total(), with a time that does not go back.
  void advance(std::int64_t now_ms);
  void add(double value);

  const LogHistogram& total() const { return total_; }

 private:
  std::int64_t slot_ms_;
  std::int64_t number_ = 0;  // Of the current slot.
  std::vector<LogHistogram> slots_;
  LogHistogram total_;
};

}  // namespace switchyard::scoring
