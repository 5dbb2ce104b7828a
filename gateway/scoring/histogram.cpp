#include "gateway/scoring/histogram.h"

#include <algorithm>
#include <cmath>

namespace switchyard::scoring {

namespace {

const double kLnGamma = std::log(LogHistogram::kGamma);

int bin_of(double value) {
  if (!(value > 1)) return 0;
  return std::min(static_cast<int>(std::ceil(std::log(value) / kLnGamma)), LogHistogram::kBins - 1);
}

double value_of(int bin) {
  return 2 * std::exp(bin * kLnGamma) / (LogHistogram::kGamma + 1);
}

}  // namespace

std::uint32_t& LogHistogram::bin(int index) {
  if (counts_.empty()) first_ = index;
  if (index < first_) {
    counts_.insert(counts_.begin(), static_cast<std::size_t>(first_ - index), 0);
    first_ = index;
  }
  const auto place = static_cast<std::size_t>(index - first_);
  if (place >= counts_.size()) counts_.resize(place + 1);
  return counts_[place];
}

void LogHistogram::add(double value) {
  bin(bin_of(value)) += 1;
  count_ += 1;
}

void LogHistogram::add(const LogHistogram& other) {
  for (std::size_t i = 0; i < other.counts_.size(); ++i) {
    if (other.counts_[i] > 0) bin(other.first_ + static_cast<int>(i)) += other.counts_[i];
  }
  count_ += other.count_;
}

void LogHistogram::subtract(const LogHistogram& other) {
  for (std::size_t i = 0; i < other.counts_.size(); ++i) {
    if (other.counts_[i] > 0) bin(other.first_ + static_cast<int>(i)) -= other.counts_[i];
  }
  count_ -= other.count_;
  if (count_ == 0) clear();
}

void LogHistogram::clear() {
  counts_.clear();
  count_ = 0;
}

double LogHistogram::quantile(double q) const {
  if (count_ == 0) return 0;
  const auto rank =
      static_cast<std::uint64_t>(std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= std::max<std::uint64_t>(rank, 1)) return value_of(first_ + static_cast<int>(i));
  }
  return 0;
}

void WindowedHistogram::advance(std::int64_t now_ms) {
  const std::int64_t number = now_ms / slot_ms_;
  const auto slots = static_cast<std::int64_t>(slots_.size());
  if (number <= number_) return;
  for (std::int64_t i = std::max(number_ + 1, number - slots + 1); i <= number; ++i) {
    LogHistogram& slot = slots_[static_cast<std::size_t>(i % slots)];
    total_.subtract(slot);
    slot.clear();
  }
  number_ = number;
}

void WindowedHistogram::add(double value) {
  slots_[static_cast<std::size_t>(number_ % static_cast<std::int64_t>(slots_.size()))].add(value);
  total_.add(value);
}

}  // namespace switchyard::scoring
