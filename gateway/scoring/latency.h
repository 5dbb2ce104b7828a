#pragma once

#include "gateway/scoring/detector.h"
#include "gateway/scoring/histogram.h"
#include "gateway/scoring/observation.h"
#include "gateway/scoring/view.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::scoring {

// What is usual for one target's time to first token: a median for each size class and hour of the week
// (UTC), learnt as the mean of ln(ms). An hour weighs as much as it has been seen (up to eight weeks) against
// the mean of all hours, which counts as one week.
class LatencyBaseline {
 public:
  // Milliseconds; 0: nothing is known of the size class.
  double median_ms(int size_bucket, std::int64_t wall_ms) const;
  // The mean of ln(ms) over a block of five minutes, and over an hour.
  void learn_block(int size_bucket, double mean);
  void learn_hour(int size_bucket, std::int64_t wall_ms, double mean);

 private:
  friend class LatencyStore;

  struct Cell {
    float mean = 0;
    std::uint32_t seen = 0;  // Blocks or weeks.
  };

  std::array<Cell, kSizeBuckets> all_{};
  std::array<std::array<Cell, kSizeBuckets>, 168> hours_{};
};

// A latency alarm came or went.
struct LatencyNotice {
  bool raised = false;
  std::string text;  // In plain words.
};

// One target's times. Routing goes by estimates: medians of the last hour (twelve windows of five minutes)
// for each size class. People hear of a lasting change by blocks, never by single requests, whose times
// follow each other: of each block (five minutes, and 30 requests at least) X is whether its mean of ln(time
// / usual) is above what 95 % of the week's blocks were below, with m0 = 0.065, in the same Detector as
// everything else; a false alarm comes once in 90 days of blocks at most. An alarm moves no traffic: the
// estimates have done that already. It ends after an hour of blocks that are not above; while it is on, or
// its odds are 10:1, nothing is learnt. What has been slow for a week is the new usual.
//
// Pure. Times are the board's, milliseconds that do not go back and can be read as a wall clock.
class LatencyStore {
 public:
  // Counts an attempt that went well; others say nothing here.
  void observe(const Observation& observation, std::int64_t now_ms);
  // Time passes: windows move on, blocks end. At least once a second.
  std::optional<LatencyNotice> tick(std::int64_t now_ms);
  // Sets latency, latency_ratio, inter_token_ms, slow. A size class with no times of its own in the last hour
  // has its usual median, and no samples.
  void fill(TargetView& view) const;

  // The alarm is on.
  bool is_slow() const { return slow_since_ms_ != 0; }

  // What must survive a restart, as JSON: baselines and the alarm's evidence, not the windows. What cannot be
  // read is refused whole, and the store stays as it was.
  std::string save() const;
  Result<> load(std::string_view text);

 private:
  static constexpr std::int64_t kBlockMs = 5 * 60'000, kHourMs = 3'600'000;

  struct Sum {
    double sum = 0;
    std::uint32_t count = 0;

    void add(double value) { sum += value, count += 1; }

    double mean() const { return count > 0 ? sum / count : 0; }
  };

  std::optional<LatencyNotice> judge(double mean, std::int64_t now_ms);
  std::optional<LatencyNotice> judge_slow(bool is_above, std::int64_t now_ms);
  bool may_learn() const;
  void learn_mean(double mean);
  void set_limit();
  void set_allowed();
  void learn_times(std::int64_t now_ms);

  std::array<WindowedHistogram, kSizeBuckets> times_{
      WindowedHistogram(12, kBlockMs), WindowedHistogram(12, kBlockMs), WindowedHistogram(12, kBlockMs),
      WindowedHistogram(12, kBlockMs), WindowedHistogram(12, kBlockMs), WindowedHistogram(12, kBlockMs)};
  WindowedHistogram ratios_{6, 10'000};   // Of time to usual time, in thousandths.
  WindowedHistogram gaps_{12, kBlockMs};  // Inter-token, in hundredths of a millisecond.
  LatencyBaseline baseline_;
  std::int64_t now_ms_ = 0;
  std::int64_t time_block_ = 0, hour_ = 0;  // Numbers of those under way.
  std::array<Sum, kSizeBuckets> block_times_{}, hour_times_{};

  Sum block_;  // ln(time / usual) of the alarm's block under way.
  std::int64_t block_began_ms_ = 0;
  std::vector<float> usual_means_;  // Of a week's blocks, in a ring.
  std::size_t next_mean_ = 0;
  double limit_ = 0;        // What few of them are above.
  double allowed_ = 0.065;  // m0.
  Detector detector_;
  std::int64_t slow_since_ms_ = 0;  // 0: no alarm.
  int quiet_blocks_ = 0;            // Of an alarm: the latest ones in a row that were not above.
};

}  // namespace switchyard::scoring
