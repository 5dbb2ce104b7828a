#include "bench/quality/baselines.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

namespace switchyard::evaluation {

bool Window::observe(bool bad) {
  bad_ += (bad ? 1 : 0) - bits_[at_];
  bits_[at_] = bad ? 1 : 0;
  at_ = at_ + 1 == bits_.size() ? 0 : at_ + 1;
  return bad_ >= threshold_;
}

void Window::reset() {
  std::fill(bits_.begin(), bits_.end(), std::uint8_t{0});
  at_ = 0;
  bad_ = 0;
}

HourlyJudge::HourlyJudge(std::vector<double> baseline) : baseline_(std::move(baseline)) {
  baseline_mean_ =
      std::accumulate(baseline_.begin(), baseline_.end(), 0.0) / static_cast<double>(baseline_.size());
}

bool HourlyJudge::observe(bool bad) {
  bad_ += bad ? 1 : 0;
  if (++requests_ < kRequestsAMinute) return false;
  minutes_.push_back(static_cast<double>(bad_) / kRequestsAMinute);
  requests_ = bad_ = 0;
  if (minutes_.size() < kMinutes) return false;
  const bool high = is_high();
  minutes_.clear();
  return high;
}

void HourlyJudge::reset() {
  minutes_.clear();
  requests_ = bad_ = 0;
}

bool HourlyJudge::is_high() const {
  constexpr double kZ = 2.326;
  const auto n = static_cast<double>(minutes_.size()), m = static_cast<double>(baseline_.size());
  double mean = 0;
  std::map<double, std::pair<double, double>> values;  // How often now, and before.
  for (const double x : minutes_) ++values[x].first, mean += x / n;
  for (const double x : baseline_) ++values[x].second;
  double u = 0, before = 0, ties = 0;
  for (const auto& [value, counts] : values) {
    u += counts.first * (before + counts.second / 2);
    before += counts.second;
    const double t = counts.first + counts.second;
    ties += t * t * t - t;
  }
  const double all = n + m;
  const double variance = n * m / 12 * (all + 1 - ties / (all * (all - 1)));
  if (variance <= 0) return false;
  return (u - n * m / 2 - 0.5) / std::sqrt(variance) > kZ && mean - baseline_mean_ > 0.25 * baseline_mean_;
}

std::vector<std::size_t> SuccessRateOutlier::end_interval() {
  constexpr std::size_t kHostsMin = 5;
  constexpr int kRequestsMin = 100;
  constexpr double kDeviations = 1.9;
  std::vector<std::pair<std::size_t, double>> rates;
  for (std::size_t i = 0; i < requests_.size(); ++i)
    if (requests_[i] >= kRequestsMin) rates.emplace_back(i, 1 - static_cast<double>(bad_[i]) / requests_[i]);
  std::fill(requests_.begin(), requests_.end(), 0);
  std::fill(bad_.begin(), bad_.end(), 0);
  std::vector<std::size_t> out;
  if (rates.size() < kHostsMin) return out;
  const auto n = static_cast<double>(rates.size());
  double mean = 0, squares = 0;
  for (const auto& [host, rate] : rates) mean += rate / n;
  for (const auto& [host, rate] : rates) squares += (rate - mean) * (rate - mean) / n;
  for (const auto& [host, rate] : rates)
    if (rate < mean - kDeviations * std::sqrt(squares)) out.push_back(host);
  return out;
}

}  // namespace switchyard::evaluation
