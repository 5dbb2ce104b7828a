#include "gateway/scoring/baseline.h"

#include <algorithm>
#include <cmath>

namespace switchyard::scoring {

namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kCleanMs = 7 * kDayMs;
constexpr double kZ99 = 2.326;
constexpr double kDayZ = 2.33;

double wilson(double mean, double seen, double z) {
  if (seen <= 0) return z > 0 ? 1 : 0;
  const double zz = z * z / seen;
  const double root = std::sqrt(mean * (1 - mean) / seen + zz / (4 * seen));
  return (mean + zz / 2 + z * root) / (1 + zz);
}

// sum over groups of (s - n p)^2.
double squares(const Moments& m, double p) {
  return m.ss - 2 * p * m.sn + p * p * m.nn;
}

}  // namespace

void Moments::add(double seen, double bad) {
  groups += 1;
  n += seen;
  s += bad;
  ss += bad * bad;
  sn += bad * seen;
  nn += seen * seen;
}

double Moments::design_effect() const {
  if (groups < 2 || s <= 0 || s >= n) return 1;
  const double p = s / n;
  const double expected = n * p * (1 - p) * (groups - 1) / groups;
  return std::clamp(squares(*this, p) / expected, 1.0, 50.0);
}

std::optional<double> Moments::log_sd() const {
  if (groups < 2 || s <= 0) return std::nullopt;
  const double p = s / n;
  const double between = squares(*this, p) * groups / (groups - 1) - n * p * (1 - p);
  const double relative = between / (p * p * nn);
  return relative > 0 ? std::sqrt(std::log1p(relative)) : 0;
}

double wilson_upper(double mean, double seen) {
  return wilson(mean, seen, kZ99);
}

double wilson_lower(double mean, double seen) {
  return wilson(mean, seen, -kZ99);
}

double allowed_rate(double mean, double independent, double day_sd, double tolerance) {
  const double bound = independent > 0 ? wilson_upper(mean, independent) : mean;
  const double allowed = std::max({bound, mean * std::exp(kDayZ * day_sd), mean + tolerance});
  return std::clamp(allowed, kAllowedMin, kAllowedMax);
}

void Learner::add_block(double seen, double bad, std::int64_t at_ms) {
  if (since_ms_ == 0) since_ms_ = at_ms;
  const std::int64_t weekday = (at_ms / kDayMs + 4) % 7;  // 1970-01-01 was a Thursday; 0: Sunday.
  if (weekday == 0 || weekday == 6) saw_weekend_ = true;
  blocks_.add(seen, bad);
}

bool Learner::is_complete(const config::Quality& settings, std::int64_t now_ms) const {
  return blocks_.n >= settings.learn_observations && blocks_.groups >= settings.learn_blocks &&
         now_ms - since_ms_ >= settings.learn_for.count() &&
         (saw_weekend_ || settings.learn_for.count() < 3 * kDayMs);
}

namespace {

// True when a day's end completed the measurement of day_sd.
bool count_day(BaselineState& baseline, double seen, double bad, std::int64_t now_ms) {
  const std::int64_t day = now_ms / kDayMs;
  bool measured = false;
  if (day != baseline.day && baseline.day_seen > 0) {
    baseline.days.add(baseline.day_seen, baseline.day_bad);
    baseline.day_seen = baseline.day_bad = 0;
    if (baseline.days.groups >= kDaysToMeasure) {
      if (const auto sd = baseline.days.log_sd()) {
        baseline.frozen.day_sd = *sd;
        measured = true;
      }
    }
  }
  baseline.day = day;
  baseline.day_seen += seen;
  baseline.day_bad += bad;
  return measured;
}

Lesson compare(BaselineState& baseline, std::int64_t now_ms) {
  const Learner next = std::exchange(baseline.next, Learner());
  // Better by more than chance, and by enough to matter.
  if (wilson_upper(next.mean(), next.independent()) >= 0.9 * baseline.frozen.mean) {
    baseline.better_since_ms = 0;
    return Lesson::none;
  }
  const bool is_new = baseline.better_since_ms == 0;
  if (is_new) baseline.better_since_ms = next.since_ms_;
  if (now_ms - baseline.better_since_ms < kCleanMs) return is_new ? Lesson::better_proposed : Lesson::none;
  baseline.frozen.mean = next.mean();
  baseline.frozen.independent = next.independent();
  ++baseline.frozen.version;
  baseline.better_since_ms = 0;
  return Lesson::better_adopted;
}

}  // namespace

Lesson learn(BaselineState& baseline, double seen, double bad, bool healthy, const config::Quality& settings,
             std::int64_t now_ms) {
  if (seen <= 0 || !healthy) return Lesson::none;
  const bool measures_days = baseline.days.groups < kDaysToMeasure;
  const bool measured = measures_days && count_day(baseline, seen, bad, now_ms);
  baseline.next.add_block(seen, bad, now_ms);
  if (measured && baseline.is_learnt()) {
    ++baseline.frozen.version;
    return Lesson::day_sd_measured;
  }
  if (!baseline.next.is_complete(settings, now_ms)) return Lesson::none;
  if (baseline.is_learnt() && !baseline.relearns) return compare(baseline, now_ms);
  baseline.frozen.mean = baseline.next.mean();
  baseline.frozen.independent = baseline.next.independent();
  ++baseline.frozen.version;
  baseline.relearns = false;
  baseline.next = Learner();
  return Lesson::learnt;
}

}  // namespace switchyard::scoring
