#include "gateway/scoring/core.h"
#include "gateway/scoring/score.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace switchyard::scoring {

namespace {

constexpr std::size_t kEvidenceMax = 8;

std::uint8_t main_stratum(const Stream& stream) {
  double most = -1;
  std::uint8_t out = 0;
  for (std::uint8_t i = 0; i < kStrata; ++i) {
    const auto& at = stream.strata_[i];
    if (!at) continue;
    const double seen = at->baseline.next.seen() + at->block_seen;
    if (seen > most) most = seen, out = i;
  }
  return out;
}

Evidence evidence_of(const Stream& stream, double weight, double threshold) {
  const SignalTraits& traits = stream.rule_.traits;
  const Change change = stream.detector_.change();
  Evidence out;
  out.signal = stream.signal_;
  out.stratum = main_stratum(stream);
  out.baseline = stream.baseline_mean();
  out.baseline_version = stream.pool_.frozen.version;
  out.learning = stream.is_learning();
  out.odds = stream.detector_.odds();
  out.ejects = traits.role == Role::fires ? weight * stream.evidence() / threshold : 0;
  if (change.seen > 0) {
    out.seen = change.seen;
    out.bad = change.bad;
    out.mean = change.mean;
    out.allowed = change.allowed;
    out.since_ms = static_cast<std::int64_t>(change.since_s) * 1000;
  } else {
    const double seen = stream.recent_seen_ + stream.block_seen_;
    out.seen = static_cast<std::uint64_t>(std::llround(seen));
    out.bad = stream.recent_bad_ + stream.block_bad_;
    out.mean = seen > 0 ? out.bad / seen : 0;
    out.allowed = stream.allowed_mean();
  }
  out.severity = severity(out.mean, out.allowed, traits.scale);
  out.belief = belief(out.odds);
  if (traits.role == Role::fires && stream.acts() && !out.learning)
    out.factor = factor(traits.harm, out.severity, out.belief);
  return out;
}

}  // namespace

std::string percent(double rate) {
  char text[32];
  std::snprintf(text, sizeof text, rate < 0.0995 ? "%.2g %%" : "%.0f %%", 100 * rate);
  return text;
}

std::string describe(const Stream& stream) {
  const Change change = stream.detector_.change();
  std::string out(name_of(stream.signal_));
  if (change.seen == 0) return out;
  char counts[64];
  std::snprintf(counts, sizeof counts, " bad (%.0f of %u) where ", change.bad, change.seen);
  return out + " " + percent(change.mean) + counts + percent(change.allowed) + " is allowed";
}

TargetView Core::view_of(const Scored& target) const {
  const Standing& standing = target.standing;
  TargetView out;
  out.target = target.info.id;
  out.state = standing.state;
  out.state_since_ms = standing.since_ms;
  out.state_until_ms = standing.until_ms;
  out.quality = settings_.mode == config::QualityMode::act ? target.shown_quality : 1;
  out.measured = target.measured_quality;
  out.ramp = standing.ramp;
  out.identity_armed = target.armed_since_ms != 0;
  out.availability = target.availability;
  out.output_tokens_mean = target.output_tokens_mean;
  out.recent_requests = target.recent_requests;
  target.latency.fill(out);
  out.why = standing.why;
  out.alone = standing.alone;
  const std::array<double, kSignals> weights = weights_of(target);
  const double eject_at = threshold(target);
  out.evidence.reserve(kEvidenceMax);
  for (std::size_t i = 0; i < kSignals; ++i)
    if (const Stream* const stream = target.streams[i].get(); stream && !stream->is_off())
      out.evidence.push_back(evidence_of(*stream, weights[i], eject_at));
  // What lowers the quality first, then what is nearest to an ejection, then what is suspicious.
  std::ranges::stable_sort(out.evidence, [](const Evidence& a, const Evidence& b) {
    if (a.factor != b.factor) return a.factor < b.factor;
    if (a.ejects != b.ejects) return a.ejects > b.ejects;
    return a.odds > b.odds;
  });
  if (out.evidence.size() > kEvidenceMax) out.evidence.resize(kEvidenceMax);
  return out;
}

BoardViewPtr Core::view() {
  if (view_) return view_;
  auto out = std::make_shared<BoardView>();
  out->version = ticks_;
  out->at_ms = time_ms_;
  out->targets.resize(by_id_.size());
  for (std::size_t id = 0; id < by_id_.size(); ++id)
    if (by_id_[id]) out->targets[id] = view_of(*by_id_[id]);
  view_ = std::move(out);
  return view_;
}

}  // namespace switchyard::scoring
