#include "gateway/scoring/score.h"

#include <algorithm>
#include <cmath>

namespace switchyard::scoring {

namespace {

constexpr double kRise = 1.5, kSharePower = 6;

double risen(double shown, double wanted, double elapsed_ms, double rise_ms, double power) {
  if (wanted <= shown) return wanted;
  const double growth = std::pow(kRise, elapsed_ms / rise_ms / power);
  return std::min(wanted, std::max(shown, 1e-3) * growth);
}

}  // namespace

double severity(double mean, double allowed, double scale) {
  return std::clamp((mean - allowed) / scale, 0.0, 1.0);
}

double belief(double odds) {
  return std::clamp((std::log10(odds) - 2) / 2, 0.0, 1.0);
}

double factor(double harm, double severity, double belief) {
  return 1 - harm * severity * belief;
}

double risen_quality(double shown, double measured, double elapsed_ms, double rise_ms) {
  return risen(shown, measured, elapsed_ms, rise_ms, kSharePower);
}

double risen_ramp(double shown, double wanted, double elapsed_ms, double rise_ms) {
  return risen(shown, wanted, elapsed_ms, rise_ms, 1);
}

}  // namespace switchyard::scoring
