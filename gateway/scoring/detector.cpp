#include "gateway/scoring/detector.h"

#include <algorithm>
#include <bit>

namespace switchyard::scoring {

namespace {

// 1.5 (32 / 1.5)^(k / 7).
constexpr std::array<double, kBets> kOddsFactors = {
    1.5, 2.322505709876, 3.596021848271, 5.567854183631, 8.620915422159, 13.34808352821, 20.66733347345, 32};

// Far above any threshold, far below what a double holds: a stream that is bad for days neither overflows nor
// needs as long to be believed again.
constexpr float kShiryaevRobertsMax = 1e18F, kCusumMax = 1e12F;

// From here on the sums of a change are halved, so that floats keep adding to them.
constexpr int kSeenBits = 16;

float at_most(float value, float bound) {
  return value < bound ? value : bound;
}

// In pairs: a third of the time of one by one.
double sum(const std::array<float, kBets>& values) {
  static_assert(kBets == 8);
  std::array<float, 4> halves;
  for (std::size_t k = 0; k < 4; ++k) halves[k] = values[k] + values[k + 4];
  return static_cast<double>(halves[0] + halves[2]) + static_cast<double>(halves[1] + halves[3]);
}

float masked(float value, std::uint32_t mask) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & mask);
}

}  // namespace

Bets::Bets(double m0) : allowed(static_cast<float>(std::clamp(m0, kAllowedMin, kAllowedMax))) {
  for (std::size_t k = 0; k < kBets; ++k)
    slopes[k] = static_cast<float>((kOddsFactors[k] - 1) / (1 + (kOddsFactors[k] - 1) * allowed));
}

void Detector::observe(double x, const Bets& bets, std::uint32_t at_s) {
  const auto bad = static_cast<float>(x);
  const float excess = bad - bets.allowed, allowed = bets.allowed;
  const std::array<float, kBets> slopes = bets.slopes;  // A copy, so that the loops are vectors.
  for (std::size_t k = 0; k < kBets; ++k)
    shiryaev_roberts_[k] =
        at_most((1 + excess * slopes[k]) * (1 + shiryaev_roberts_[k]), kShiryaevRobertsMax);
  std::array<std::uint32_t, kBets> goes_on;  // All bits or none: this is the whole cost of a quiet stream.
  for (std::size_t k = 0; k < kBets; ++k) {
    const float before = cusum_[k] > 1 ? cusum_[k] : 1;
    cusum_[k] = at_most((1 + excess * slopes[k]) * before, kCusumMax);
    goes_on[k] = cusum_[k] > 1 ? ~0u : 0u;
  }
  std::uint32_t any_seen = 0;
  for (std::size_t k = 0; k < kBets; ++k) {
    seen_[k] = (seen_[k] + 1) & goes_on[k];
    since_s_[k] = (since_s_[k] & goes_on[k]) | (at_s & ~goes_on[k]);
    any_seen |= seen_[k];
  }
  for (std::size_t k = 0; k < kBets; ++k) {
    bad_[k] = masked(bad_[k] + bad, goes_on[k]);
    allowed_[k] = masked(allowed_[k] + allowed, goes_on[k]);
  }
  if (any_seen >> kSeenBits) [[unlikely]]
    halve_long_changes();
}

void Detector::halve_long_changes() {
  for (std::size_t k = 0; k < kBets; ++k) {
    if (!(seen_[k] >> kSeenBits)) continue;
    seen_[k] /= 2;
    bad_[k] /= 2;
    allowed_[k] /= 2;
  }
}

double Detector::evidence() const {
  return sum(shiryaev_roberts_) / kBets;
}

double Detector::odds() const {
  std::array<float, kBets> at_least_one;
  for (std::size_t k = 0; k < kBets; ++k) at_least_one[k] = cusum_[k] > 1 ? cusum_[k] : 1;
  return sum(at_least_one) / kBets;
}

Change Detector::change() const {
  const auto k = static_cast<std::size_t>(std::max_element(cusum_.begin(), cusum_.end()) - cusum_.begin());
  if (seen_[k] == 0) return {};
  return {.seen = seen_[k],
          .bad = bad_[k],
          .mean = static_cast<double>(bad_[k]) / seen_[k],
          .allowed = static_cast<double>(allowed_[k]) / seen_[k],
          .since_s = since_s_[k]};
}

std::array<double, Detector::kNumbers> Detector::numbers() const {
  std::array<double, kNumbers> out{};
  std::size_t at = 0;
  for (const float value : shiryaev_roberts_) out[at++] = value;
  for (const float value : cusum_) out[at++] = value;
  for (const float value : bad_) out[at++] = value;
  for (const float value : allowed_) out[at++] = value;
  for (const std::uint32_t value : seen_) out[at++] = value;
  for (const std::uint32_t value : since_s_) out[at++] = value;
  return out;
}

Detector Detector::from_numbers(const std::array<double, kNumbers>& numbers) {
  Detector out;
  std::size_t at = 0;
  for (float& value : out.shiryaev_roberts_) value = static_cast<float>(numbers[at++]);
  for (float& value : out.cusum_) value = static_cast<float>(numbers[at++]);
  for (float& value : out.bad_) value = static_cast<float>(numbers[at++]);
  for (float& value : out.allowed_) value = static_cast<float>(numbers[at++]);
  for (std::uint32_t& value : out.seen_) value = static_cast<std::uint32_t>(numbers[at++]);
  for (std::uint32_t& value : out.since_s_) value = static_cast<std::uint32_t>(numbers[at++]);
  return out;
}

void Recovery::observe(double x, double bad_mean, double good_mean) {
  if (!(good_mean > 0 && good_mean < bad_mean && bad_mean < 1)) return;
  // The detector's bet with good and bad exchanged: Y = 1 - X, E[Y] <= 1 - bad_mean.
  const double allowed = 1 - bad_mean, expected = 1 - good_mean;
  const double factor = 1 + (1 - x - allowed) * (expected - allowed) / (allowed * (1 - allowed));
  stake_ = std::min(stake_ * factor, static_cast<double>(kCusumMax));
  if (stake_ >= 1) return;
  stake_ = 1;
  ++beginnings_;
}

double with_odds(double p, double factor) {
  return factor * p / (1 - p + factor * p);
}

}  // namespace switchyard::scoring
