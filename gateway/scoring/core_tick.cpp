#include "gateway/scoring/core.h"
#include "gateway/scoring/peer_guard.h"
#include "gateway/scoring/score.h"

#include <algorithm>
#include <cmath>

namespace switchyard::scoring {

namespace {

// An alarm of identity comes after so many healthy observations on average, or later.
constexpr double kIdentityAlarm = 1e4;
// Availability that nobody asks for any more says less and less: half of what is missing is forgiven in this.
constexpr double kForgiveHalfMs = 60'000;
// Suspicion makes probes run at burst rate for so long, and an ejection around the end of its dwell.
constexpr std::int64_t kBurstMs = 900'000;
// A suspicion is over when the odds fall below this.
constexpr double kOddsCalm = 10;

bool may_learn(const Scored& target) {
  return target.standing.state == State::serving || target.standing.state == State::reduced;
}

}  // namespace

std::array<double, kSignals> weights_of(const Scored& target) {
  std::array<double, kSignals> weights{};
  std::array<double, 2> totals{};
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const auto& stream = target.streams[i];
    if (!stream || !stream->acts()) continue;
    weights[i] = stream->rule_.traits.omega;
    totals[static_cast<std::size_t>(stream->rule_.traits.role)] += weights[i];
  }
  for (std::size_t i = 0; i < weights.size(); ++i)
    if (weights[i] > 0) weights[i] /= totals[static_cast<std::size_t>(target.streams[i]->rule_.traits.role)];
  return weights;
}

void Core::tick(std::int64_t now_ms, std::int64_t wall_ms) {
  if (!started_) {
    // What was saved is never in the future, whatever the wall clock says now.
    shift_ms_ = std::max(wall_ms, time_ms_) - now_ms;
    started_ = true;
    for (auto& [key, scored] : all_) {
      if (scored->standing.since_ms == 0) scored->standing.since_ms = board_time(now_ms);
      if (scored->standing.healthy_since_ms == 0) scored->standing.healthy_since_ms = board_time(now_ms);
    }
    if (time_ms_ == 0) {
      time_ms_ = board_time(now_ms);
      block_ = time_ms_ / settings_.block.count();
    }
  }
  const std::int64_t time = std::max(board_time(now_ms), time_ms_), elapsed = time - time_ms_;
  time_ms_ = time;
  ++ticks_;
  view_ = nullptr;
  if (settings_.mode == config::QualityMode::off) return;
  sessions_.begin_sweep();
  for (Sessions::Observed observed; sessions_.sweep(time, observed);) feed(observed, time);
  if (const std::int64_t block = time / settings_.block.count(); block != block_) {
    block_ = block;
    end_block(time);
  }
  for (Scored* const target : by_id_) {
    if (!target) continue;
    if (auto notice = target->latency.tick(time))
      tell(Notice::Kind::latency_alarm, *target, std::move(notice->text));
  }
  for (auto& [number, group] : groups_) {
    for (Scored* const target : group.members) mark_suspicions(*target, time);
    guard(group, time);
    move(group, elapsed, time);
  }
}

void Core::end_block(std::int64_t now_ms) {
  for (Scored* const target : by_id_)
    if (target) end_block(*target, now_ms);
}

void Core::end_block(Scored& target, std::int64_t now_ms) {
  const bool serves = may_learn(target);
  for (auto& profile : target.profiles)
    if (profile) profile->end_block(settings_, now_ms);
  for (auto& stream : target.streams) {
    if (!stream || stream->rule_.traits.baseline == Baseline::verdict) continue;
    // What is learnt for the first time is whatever is there; later only what is above suspicion counts.
    const bool healthy = serves && (!stream->pool_.is_learnt() || stream->detector_.odds() < kOddsSuspicious);
    const double before = stream->baseline_mean();
    switch (stream->end_block(healthy, settings_, now_ms)) {
      case Lesson::learnt: {
        std::string text = std::string(name_of(stream->signal_)) + ": baseline learnt, ";
        tell(Notice::Kind::baseline_learnt, target,
             text + percent(stream->baseline_mean()) + " bad, " + percent(stream->allowed_mean()) +
                 " allowed");
        break;
      }
      case Lesson::day_sd_measured:
        tell(Notice::Kind::baseline_learnt, target,
             std::string(name_of(stream->signal_)) + ": its days differ, " + percent(stream->allowed_mean()) +
                 " allowed" + (stream->is_erratic() ? "; only shown" : ""));
        break;
      case Lesson::better_proposed:
        tell(Notice::Kind::baseline_proposed, target,
             std::string(name_of(stream->signal_)) + ": better than its baseline of " + percent(before) +
                 "; taken as the new one after seven such days");
        break;
      case Lesson::better_adopted:
        tell(Notice::Kind::baseline_learnt, target,
             std::string(name_of(stream->signal_)) + ": new baseline, " + percent(stream->baseline_mean()) +
                 " in place of " + percent(before));
        break;
      case Lesson::none:
        break;
    }
  }
}

void Core::mark_suspicions(Scored& target, std::int64_t now_ms) {
  bool suspicious = false;
  for (auto& stream : target.streams) {
    if (!stream) continue;
    const double odds = stream->detector_.odds();
    const bool was = stream->suspicious_since_ms_ != 0;
    if (!was && odds >= kOddsSuspicious) stream->suspicious_since_ms_ = now_ms;
    if (was && odds < kOddsCalm) stream->suspicious_since_ms_ = 0;
    suspicious |= stream->suspicious_since_ms_ != 0 && stream->acts();
  }
  if (!suspicious) target.suspicious_since_ms = 0;
  if (suspicious && target.suspicious_since_ms == 0) target.suspicious_since_ms = now_ms;
}

void Core::guard(Group& group, std::int64_t now_ms) {
  if (group.members.size() < 2) return;
  std::vector<PeerSuspicion> suspicions(group.members.size());
  for (std::size_t i = 0; i < kSignals; ++i) {
    double bad = 0, expected = 0;
    for (std::size_t member = 0; member < group.members.size(); ++member) {
      const Stream* const stream = group.members[member]->streams[i].get();
      suspicions[member] = {.provider = group.members[member]->provider_number};
      if (!stream) continue;
      bad += stream->block_bad_ + stream->recent_bad_;
      expected += stream->block_expected_ + stream->recent_expected_;
      suspicions[member].suspicious_since_ms = stream->suspicious_since_ms_;
    }
    for (Scored* const target : group.members) {
      Stream* const stream = target->streams[i].get();
      if (!stream || stream->rule_.traits.role == Role::arms) continue;
      stream->set_guard(guard_ratio(bad - stream->block_bad_ - stream->recent_bad_,
                                    expected - stream->block_expected_ - stream->recent_expected_));
    }
    if (traits_of(static_cast<Signal>(i)).role != Role::fires || !is_workload_shift(suspicions)) continue;
    if (group.workload_until_ms[i] < now_ms) {
      const Scored& first = *group.members.front();
      tell(Notice::Kind::workload_shift, first,
           std::string(name_of(static_cast<Signal>(i))) + " became worse for most targets of " +
               first.info.model + " at once: the requests changed, so nothing is ejected for it");
    }
    group.workload_until_ms[i] = now_ms + kWorkloadMs;
  }
}

Weighed Core::weigh(const Scored& target, const Group& group) const {
  Weighed out;
  const std::array<double, kSignals> weights = weights_of(target);
  double most = -1, least = 1;
  for (std::size_t i = 0; i < kSignals; ++i) {
    const Stream* const stream = target.streams[i].get();
    if (!stream || !stream->acts()) continue;
    const SignalTraits& traits = stream->rule_.traits;
    const double evidence = weights[i] * stream->evidence();
    if (traits.role == Role::arms) {
      out.identity += evidence;
      continue;
    }
    const double odds = stream->detector_.odds();
    out.odds_max = std::max(out.odds_max, odds);
    if (traits.origin == Origin::probe) out.odds_probes = std::max(out.odds_probes, odds);
    if (odds > kOddsSuspicious && !stream->is_learning()) {
      const Change change = stream->detector_.change();
      const double left =
          factor(traits.harm, severity(change.mean, change.allowed, traits.scale), belief(odds));
      out.quality *= left;
      if (left < least) least = left, out.lowers = static_cast<Signal>(i);
    }
    if (group.workload_until_ms[i] >= time_ms_) continue;
    out.harm += evidence;
    if (evidence > most) most = evidence, out.worst = static_cast<Signal>(i);
  }
  return out;
}

// Identity arms when its evidence is an alarm, or a test says so. It is cleared when as much of harm was seen
// as a baseline takes, and none of it is suspicious: then what is there now is the new identity.
void Core::arm(Scored& target, const Weighed& weighed, std::int64_t now_ms) {
  if (target.armed_since_ms == 0) {
    if (weighed.identity < kIdentityAlarm && !target.armed_by_verdict) return;
    target.armed_since_ms = now_ms;
    target.seen_since_armed = 0;
    tell(Notice::Kind::identity_armed, target, "answers as another model or build would; looking for harm");
    return;
  }
  const auto enough = static_cast<std::uint32_t>(settings_.learn_observations);
  if (target.seen_since_armed < enough || weighed.odds_max >= kOddsCalm) return;
  target.armed_since_ms = 0;
  target.armed_by_verdict = false;
  for (auto& stream : target.streams)
    if (stream && stream->rule_.traits.role == Role::arms) stream->relearn();
  tell(Notice::Kind::identity_armed, target,
       "answers as another model or build would, and no harm was seen in " + std::to_string(enough) +
           " observations: taken as it is now");
}

// The quality, measured and shown.
void Core::rate(Scored& target, const Weighed& weighed, std::int64_t elapsed_ms) {
  // What made it leave was forgotten then; it holds until a trial says otherwise.
  target.measured_quality = target.standing.state == State::ejected
                                ? target.standing.quality_ejected
                                : weighed.quality * (target.armed_since_ms != 0 ? kIdentityFactor : 1);
  target.shown_quality =
      risen_quality(target.shown_quality, target.measured_quality, static_cast<double>(elapsed_ms),
                    static_cast<double>(settings_.rise.count()));
  target.availability =
      1 - (1 - target.availability) * std::exp2(-static_cast<double>(elapsed_ms) / kForgiveHalfMs);
}

bool Core::wants_burst(std::uint32_t id) const {
  const Scored* const target = find(id);
  if (!target || settings_.mode == config::QualityMode::off) return false;
  const Standing& standing = target->standing;
  switch (standing.state) {
    case State::drained:
      return false;
    case State::probation:
      return true;
    case State::ejected:
      return std::abs(time_ms_ - standing.until_ms) <= kBurstMs;
    case State::serving:
    case State::reduced:
      break;
  }
  const auto lately = [&](std::int64_t since) { return since != 0 && time_ms_ - since <= kBurstMs; };
  return lately(target->suspicious_since_ms) || lately(target->armed_since_ms);
}

}  // namespace switchyard::scoring
