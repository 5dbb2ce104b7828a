#include "gateway/scoring/latency.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace switchyard::scoring {

namespace {

constexpr std::uint32_t kBlockRequestsMin = 30;
constexpr std::uint32_t kLearnBlockMin = 10, kLearnHourMin = 30;  // Times, for their mean to say something.
constexpr std::uint32_t kBlocksRemembered = 2'016, kWeeksRemembered = 8;  // A week of blocks.
constexpr std::size_t kMeansMin = 200, kMeansMax = 2'016, kMeansBetweenLimits = 20;
constexpr double kAboveUsual = 0.05;
constexpr double kM0Min = 0.065, kM0Max = 0.6;
constexpr double kAlarmAt = 90 * 24 * 12;  // Blocks between false alarms: 90 days.
constexpr double kSuspicious = 1'000;      // Odds from which on nothing is learnt.
constexpr int kQuietBlocks = 12;           // In a row, until an alarm ends.
// A change that has lasted so long is the new usual.
constexpr std::int64_t kNewUsualMs = 7 * 24 * std::int64_t{3'600'000};
constexpr double kRatioUnit = 1'000, kGapUnit = 100;
constexpr std::uint64_t kSamplesMin = 5;

std::size_t hour_of_week(std::int64_t wall_ms) {
  return static_cast<std::size_t>(wall_ms / 3'600'000 % 168);
}

void learn(float& mean, std::uint32_t& seen, double value, std::uint32_t remembered) {
  seen = std::min(seen + 1, remembered);
  mean += static_cast<float>((value - mean) / seen);
}

std::string words(const char* pattern, double a, double b) {
  std::array<char, 200> text{};
  const int size = std::snprintf(text.data(), text.size(), pattern, a, b);
  return {text.data(), static_cast<std::size_t>(std::clamp(size, 0, 199))};
}

}  // namespace

double LatencyBaseline::median_ms(int size_bucket, std::int64_t wall_ms) const {
  const auto bucket = static_cast<std::size_t>(size_bucket);
  const Cell& all = all_[bucket];
  if (all.seen == 0) return 0;
  const Cell& hour = hours_[hour_of_week(wall_ms)][bucket];
  const double weeks = hour.seen;
  return std::exp((weeks * hour.mean + all.mean) / (weeks + 1));
}

void LatencyBaseline::learn_block(int size_bucket, double mean) {
  Cell& cell = all_[static_cast<std::size_t>(size_bucket)];
  learn(cell.mean, cell.seen, mean, kBlocksRemembered);
}

void LatencyBaseline::learn_hour(int size_bucket, std::int64_t wall_ms, double mean) {
  Cell& cell = hours_[hour_of_week(wall_ms)][static_cast<std::size_t>(size_bucket)];
  learn(cell.mean, cell.seen, mean, kWeeksRemembered);
}

void LatencyStore::observe(const Observation& observation, std::int64_t now_ms) {
  if (observation.ending != Ending::ok || observation.source == Source::feedback) return;
  now_ms_ = std::max(now_ms_, now_ms);
  if (observation.inter_token_ms > 0) {
    gaps_.advance(now_ms_);
    gaps_.add(observation.inter_token_ms * kGapUnit);
  }
  if (!(observation.ttft_ms > 0)) return;
  const std::uint32_t cached = std::min(observation.cached_tokens, observation.input_tokens);
  const int bucket = size_bucket(observation.input_tokens - cached);
  const auto place = static_cast<std::size_t>(bucket);
  times_[place].advance(now_ms_);
  times_[place].add(observation.ttft_ms);
  const double ln_ms = std::log(static_cast<double>(observation.ttft_ms));
  block_times_[place].add(ln_ms);
  hour_times_[place].add(ln_ms);
  const double usual_ms = baseline_.median_ms(bucket, now_ms_);
  if (usual_ms <= 0) return;
  ratios_.advance(now_ms_);
  ratios_.add(observation.ttft_ms / usual_ms * kRatioUnit);
  if (block_.count == 0) block_began_ms_ = now_ms_;
  block_.add(ln_ms - std::log(usual_ms));
}

std::optional<LatencyNotice> LatencyStore::tick(std::int64_t now_ms) {
  now_ms_ = std::max(now_ms_, now_ms);
  for (WindowedHistogram& times : times_) times.advance(now_ms_);
  ratios_.advance(now_ms_);
  gaps_.advance(now_ms_);
  std::optional<LatencyNotice> notice;
  if (block_.count >= kBlockRequestsMin && now_ms_ - block_began_ms_ >= kBlockMs) {
    notice = judge(std::exchange(block_, Sum()).mean(), now_ms_);
  }
  learn_times(now_ms_);
  return notice;
}

// What is usual is learnt from whole blocks and hours, and not while something may be wrong.
void LatencyStore::learn_times(std::int64_t now_ms) {
  const std::int64_t block = now_ms / kBlockMs, hour = now_ms / kHourMs;
  for (int bucket = 0; bucket < kSizeBuckets; ++bucket) {
    Sum& block_times = block_times_[static_cast<std::size_t>(bucket)];
    Sum& hour_times = hour_times_[static_cast<std::size_t>(bucket)];
    if (block != time_block_) {
      if (may_learn() && block_times.count >= kLearnBlockMin) {
        baseline_.learn_block(bucket, block_times.mean());
      }
      block_times = Sum();
    }
    if (hour != hour_) {
      if (may_learn() && hour_times.count >= kLearnHourMin) {
        baseline_.learn_hour(bucket, hour_ * kHourMs, hour_times.mean());
      }
      hour_times = Sum();
    }
  }
  time_block_ = block;
  hour_ = hour;
}

// What few of the usual blocks are above: an estimate of a quantile, on the safe side by 1.28 of its standard
// deviations.
void LatencyStore::set_limit() {
  const auto n = static_cast<double>(usual_means_.size());
  const double above = kAboveUsual - 1.28 * std::sqrt(kAboveUsual * (1 - kAboveUsual) / n);
  std::vector<float> sorted = usual_means_;
  const auto rank = sorted.begin() + static_cast<std::ptrdiff_t>((1 - above) * (n - 1));
  std::nth_element(sorted.begin(), rank, sorted.end());
  limit_ = static_cast<double>(*rank);
  set_allowed();
}

// How often a block is above behind one that is: the bound that the detector needs is one given the past.
void LatencyStore::set_allowed() {
  const std::size_t size = usual_means_.size(), begin = size == kMeansMax ? next_mean_ % kMeansMax : 0;
  double above = 0, both = 0;
  bool was_above = false;
  for (std::size_t i = 0; i < size; ++i) {
    const bool is_above = usual_means_[(begin + i) % size] > limit_;
    above += was_above;
    both += was_above && is_above;
    was_above = is_above;
  }
  // Wilson's one-sided bound at 95 %.
  constexpr double z = 1.645;
  const double n = std::max(above, 1.0), p = both / n;
  const double bound =
      (p + z * z / (2 * n) + z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n);
  allowed_ = std::clamp(bound, kM0Min, kM0Max);
}

void LatencyStore::learn_mean(double mean) {
  if (usual_means_.size() < kMeansMax) {
    usual_means_.push_back(static_cast<float>(mean));
  } else {
    usual_means_[next_mean_ % kMeansMax] = static_cast<float>(mean);
  }
  next_mean_ += 1;
  if (usual_means_.size() >= kMeansMin && next_mean_ % kMeansBetweenLimits == 0) set_limit();
}

std::optional<LatencyNotice> LatencyStore::judge(double mean, std::int64_t now_ms) {
  const bool is_above = usual_means_.size() >= kMeansMin && mean > limit_;
  if (is_slow()) return judge_slow(is_above, now_ms);
  if (usual_means_.size() >= kMeansMin) {
    detector_.observe(is_above ? 1 : 0, Bets(allowed_), static_cast<std::uint32_t>(now_ms / 1'000));
    if (detector_.evidence() >= kAlarmAt) {
      slow_since_ms_ = static_cast<std::int64_t>(detector_.change().since_s) * 1'000;
      detector_.reset();
      quiet_blocks_ = 0;
      const double minutes = static_cast<double>(now_ms - slow_since_ms_) / 60'000;
      return LatencyNotice{true, words("first tokens take %.2f times as long as usual, for the last %.0f min",
                                       std::exp(mean), minutes)};
    }
  }
  if (may_learn()) learn_mean(mean);
  return std::nullopt;
}

std::optional<LatencyNotice> LatencyStore::judge_slow(bool is_above, std::int64_t now_ms) {
  quiet_blocks_ = is_above ? 0 : quiet_blocks_ + 1;
  const bool is_new_usual = now_ms - slow_since_ms_ >= kNewUsualMs;
  if (quiet_blocks_ < kQuietBlocks && !is_new_usual) return std::nullopt;
  slow_since_ms_ = 0;
  if (!is_new_usual) return LatencyNotice{false, "first tokens are as quick as usual again"};
  baseline_ = LatencyBaseline();
  usual_means_.clear();
  next_mean_ = 0;
  return LatencyNotice{false, "first tokens have been slower for a week: that is the new usual"};
}

bool LatencyStore::may_learn() const {
  return !is_slow() && detector_.odds() < kSuspicious;
}

void LatencyStore::fill(TargetView& view) const {
  for (int bucket = 0; bucket < kSizeBuckets; ++bucket) {
    const LogHistogram& times = times_[static_cast<std::size_t>(bucket)].total();
    LatencyView& out = view.latency[static_cast<std::size_t>(bucket)];
    out = LatencyView();
    out.samples = static_cast<std::uint32_t>(times.count());
    if (times.count() == 0) {
      out.ttft_ms_p50 = static_cast<float>(baseline_.median_ms(bucket, now_ms_));
      continue;
    }
    out.ttft_ms_p50 = static_cast<float>(times.quantile(0.5));
    out.ttft_ms_p95 = static_cast<float>(times.quantile(0.95));
    out.ttft_ms_p99 = static_cast<float>(times.quantile(0.99));
  }
  const LogHistogram& ratios = ratios_.total();
  view.latency_ratio = ratios.count() >= kSamplesMin ? ratios.quantile(0.5) / kRatioUnit : 1;
  view.inter_token_ms = gaps_.total().quantile(0.5) / kGapUnit;
  view.slow = is_slow();
}

}  // namespace switchyard::scoring
