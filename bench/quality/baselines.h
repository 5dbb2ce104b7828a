#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace switchyard::evaluation {

// What others do, for comparison. Each takes one observation X (1: bad) at a time and says when to act.

// At least `threshold` bad ones among the last `size`.
class Window {
 public:
  Window(std::size_t size, double threshold) : bits_(size), threshold_(threshold) {}

  bool observe(bool bad);
  void reset();

 private:
  std::vector<std::uint8_t> bits_;
  double threshold_;
  std::size_t at_ = 0;
  int bad_ = 0;
};

// s <- (1 - rate) s + rate X, from the healthy mean; acts when s reaches the threshold (Roberts 1959).
class Ewma {
 public:
  Ewma(double rate, double healthy, double threshold)
      : rate_(rate), healthy_(healthy), threshold_(threshold), s_(healthy) {}

  bool observe(bool bad) {
    s_ += rate_ * ((bad ? 1.0 : 0.0) - s_);
    return s_ >= threshold_;
  }

  void reset() { s_ = healthy_; }

 private:
  double rate_, healthy_, threshold_, s_;
};

// After Kayenta's default judge, simplified: every hour the 60 minutes' failure rates are held against 60
// healthy ones. "High" when the Mann-Whitney test is significant at 98 % (two-sided, normal approximation
// with ties) and the shift of the means is more than a quarter of the healthy mean. Nothing bounds how often
// it is wrong.
class HourlyJudge {
 public:
  static constexpr int kMinutes = 60, kRequestsAMinute = 75;

  // `baseline`: the healthy minutes' rates.
  explicit HourlyJudge(std::vector<double> baseline);
  bool observe(bool bad);
  void reset();

 private:
  bool is_high() const;

  std::vector<double> baseline_, minutes_;
  double baseline_mean_ = 0;
  int requests_ = 0, bad_ = 0;
};

// After Envoy's success-rate outlier detection: every interval, a host whose success rate is below the mean
// of the hosts less 1.9 standard deviations, when there are five hosts with 100 requests each.
class SuccessRateOutlier {
 public:
  explicit SuccessRateOutlier(std::size_t hosts) : requests_(hosts), bad_(hosts) {}

  void observe(std::size_t host, bool bad) {
    ++requests_[host];
    bad_[host] += bad ? 1 : 0;
  }

  // The hosts to eject; counts start anew.
  std::vector<std::size_t> end_interval();

 private:
  std::vector<int> requests_, bad_;
};

}  // namespace switchyard::evaluation
