#include "gateway/scoring/stream.h"

#include <algorithm>

namespace switchyard::scoring {

namespace {

// A level to come back from that is nearly everything would make one good reply proof of health.
constexpr double kBadMeanMax = 0.9;

}  // namespace

Stream::Stream(Signal signal, const SignalRule& rule) : signal_(signal), rule_(rule) {}

void Stream::configure(const SignalRule& rule) {
  rule_ = rule;
  update_all();
}

void Stream::update_all() {
  for (auto& at : strata_)
    if (at) update(*at);
}

Stream::Stratum& Stream::stratum(std::uint8_t index) {
  auto& place = strata_[index % kStrata];
  if (!place) {
    place = std::make_unique<Stratum>();
    update(*place);
  }
  return *place;
}

void Stream::observe(double x, std::uint8_t index, std::uint32_t at_s) {
  Stratum& at = stratum(index);
  ++seen_;
  at.block_seen += 1;
  at.block_bad += x;
  bad_in_row_ = x > 0.5 ? bad_in_row_ + 1 : 0;
  if (at.allowed < 0) return;
  block_seen_ += 1;
  block_bad_ += x;
  block_expected_ += at.mean;
  detector_.observe(x, at.bets, at_s);
  if (recovery_odds_ > 0) {
    const double good = at.bets.allowed;
    recovery_.observe(x, std::min(with_odds(good, recovery_odds_), kBadMeanMax), good);
  }
}

bool Stream::is_learning() const {
  const bool learns = how() == Baseline::learnt || how() == Baseline::learnt_silently;
  return !rule_.rate && learns && (!pool_.is_learnt() || pool_.relearns);
}

void Stream::update(Stratum& at) {
  const SignalTraits& traits = rule_.traits;
  const auto take = [&](const Frozen& frozen) {
    at.mean = frozen.mean;
    at.allowed = allowed_rate(frozen.mean, frozen.independent, frozen.day_sd, traits.tolerance);
  };
  if (rule_.rate) {
    take({.mean = *rule_.rate});
  } else if (pool_.relearns) {
    at.allowed = -1;
    return;
  } else if (how() == Baseline::known) {
    at.mean = traits.prior;
    at.allowed = traits.prior + traits.tolerance;
  } else if (at.baseline.is_learnt() && !at.baseline.relearns) {
    take(at.baseline.frozen);
  } else if (how() == Baseline::learnt) {
    at.mean = traits.prior;
    at.allowed = prior_allowed(traits.prior);
    if (pool_.is_learnt()) {
      const double prior = at.allowed;
      take(pool_.frozen);
      at.allowed = std::max(at.allowed, prior);
    }
  } else {
    at.allowed = -1;
    return;
  }
  at.bets = Bets(at.allowed * guard_);
}

Lesson Stream::end_block(bool healthy, const config::Quality& settings, std::int64_t now_ms) {
  recent_bad_ = recent_bad_ / 2 + block_bad_;
  recent_expected_ = recent_expected_ / 2 + block_expected_;
  recent_seen_ = recent_seen_ / 2 + block_seen_;
  block_seen_ = block_bad_ = block_expected_ = 0;
  Lesson most = Lesson::none;
  double seen = 0, bad = 0;
  bool changed = false;
  for (auto& at : strata_) {
    if (!at || at->block_seen <= 0) continue;
    seen += at->block_seen;
    bad += at->block_bad;
    const Lesson lesson = learn(at->baseline, at->block_seen, at->block_bad, healthy, settings, now_ms);
    changed |= lesson != Lesson::none;
    // A better rate is everybody's affair, whichever stratum shows it.
    if (lesson == Lesson::better_proposed || lesson == Lesson::better_adopted) most = std::max(most, lesson);
    at->block_seen = at->block_bad = 0;
  }
  if (seen > 0) {
    const Lesson lesson = learn(pool_, seen, bad, healthy, settings, now_ms);
    changed |= lesson != Lesson::none;
    most = std::max(most, lesson);
    // What was counted against the prior is no evidence against what is known now.
    if (lesson == Lesson::learnt) detector_.reset();
  }
  if (changed) update_all();
  return most;
}

void Stream::set_guard(double ratio) {
  if (ratio == guard_) return;
  guard_ = ratio;
  for (auto& at : strata_)
    if (at && at->allowed >= 0) at->bets = Bets(at->allowed * guard_);
}

void Stream::relearn() {
  const auto forget = [](BaselineState& baseline) {
    baseline.next = Learner();
    baseline.days = Moments();
    baseline.day_seen = baseline.day_bad = 0;
    baseline.better_since_ms = 0;
    baseline.relearns = true;
  };
  forget(pool_);
  for (auto& at : strata_)
    if (at) forget(at->baseline);
  learns_known_ |= rule_.traits.baseline == Baseline::known;
  detector_.reset();
  update_all();
}

void Stream::begin_recovery(const Change& change) {
  const double allowed = std::clamp(change.allowed, kAllowedMin, kAllowedMax);
  const double mean = std::clamp(change.mean, allowed, kBadMeanMax);
  const double odds = mean / (1 - mean) * (1 - allowed) / allowed;
  recovery_odds_ = std::max(1.5, odds);
  recovery_ = Recovery();
}

double Stream::baseline_mean() const {
  double mean = 0, weight = 0;
  for (const auto& at : strata_) {
    if (!at || at->allowed < 0) continue;
    const double seen = at->baseline.next.seen() + at->baseline.frozen.independent + at->block_seen;
    mean += seen * at->mean;
    weight += seen;
  }
  return weight > 0 ? mean / weight : rule_.rate.value_or(rule_.traits.prior);
}

double Stream::allowed_mean() const {
  double mean = 0, weight = 0;
  for (const auto& at : strata_) {
    if (!at || at->allowed < 0) continue;
    const double seen = at->baseline.next.seen() + at->baseline.frozen.independent + at->block_seen;
    mean += seen * at->bets.allowed;
    weight += seen;
  }
  return weight > 0 ? mean / weight : 0;
}

}  // namespace switchyard::scoring
