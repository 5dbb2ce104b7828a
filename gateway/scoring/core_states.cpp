#include "gateway/scoring/core.h"
#include "gateway/scoring/score.h"

#include <algorithm>

namespace switchyard::scoring {

namespace {

// An ejection is the doing of each signal with at least this part of the evidence.
constexpr double kPartOfEvidence = 0.2;
constexpr double kDaysBetweenFalseEjects = 90;
// Targets that fail more than they answer are no reason to keep a worse one out, and come back at the second.
constexpr double kFailing = 0.5, kAnswering = 0.8;
// By so much must an ejected target have been better than those that are left.
constexpr double kMuchBetter = 0.1;

bool serves(const Scored& target) {
  return target.standing.state == State::serving || target.standing.state == State::reduced;
}

bool is_out(const Scored& target) {
  return target.standing.state == State::ejected || target.standing.state == State::probation;
}

}  // namespace

void Core::tell(Notice::Kind kind, const Scored& target, std::string text) {
  const State state = target.standing.state;
  notices_.push_back(
      {.kind = kind, .target = target.info.id, .from = state, .to = state, .text = std::move(text)});
}

void Core::change_state(Scored& target, State from) {
  view_ = nullptr;
  notices_.push_back({.kind = Notice::Kind::state_changed,
                      .target = target.info.id,
                      .from = from,
                      .to = target.standing.state,
                      .text = target.standing.why.empty() ? "as good as it was" : target.standing.why});
}

// A false eject once in so many observations, and no more than once in 90 days of traffic.
double Core::threshold(const Scored& target) const {
  const double asked = settings_.requests_between_false_ejects;
  if (target.standing.state == State::probation) return std::min(asked, kProbationAlarm);
  return std::max(asked, kDaysBetweenFalseEjects * target.requests_a_day);
}

void Core::restart_evidence(Scored& target, bool keep_recovery) {
  for (auto& stream : target.streams) {
    if (!stream) continue;
    stream->detector_.reset();
    stream->bad_in_row_ = 0;
    stream->suspicious_since_ms_ = 0;
    if (!keep_recovery) stream->end_recovery();
    stream->recovery_ = Recovery();
  }
  target.suspicious_since_ms = 0;
}

// Half of those that are not drained may be out, and one must stay that serves.
bool Core::may_eject(const Scored& target, const Group& group) const {
  std::size_t total = 0, out = 0, others = 0;
  for (const Scored* const member : group.members) {
    if (member->standing.state == State::drained) continue;
    ++total;
    if (member == &target) continue;
    if (is_out(*member)) ++out;
    if (serves(*member)) ++others;
  }
  return others > 0 && out + 1 <= total / 2;
}

void Core::try_eject(Scored& target, Group& group, const std::string& why, std::int64_t now_ms) {
  Standing& standing = target.standing;
  const State from = standing.state;
  if (!may_eject(target, group)) {
    if (standing.alone) return;
    standing.alone = true;
    if (from == State::serving) set_state(standing, State::reduced, "", now_ms);
    standing.why = why + "; nothing better is left";
    change_state(target, from);
    return;
  }
  const std::array<double, kSignals> weights = weights_of(target);
  double total = 0;
  for (std::size_t i = 0; i < kSignals; ++i)
    if (weights[i] > 0 && traits_of(static_cast<Signal>(i)).role == Role::fires)
      total += weights[i] * target.streams[i]->evidence();
  std::array<std::optional<Change>, kSignals> guilty;
  for (std::size_t i = 0; i < kSignals; ++i) {
    const Stream* const stream = target.streams[i].get();
    if (!stream || !stream->acts() || stream->rule_.traits.role != Role::fires) continue;
    const Change change = stream->detector_.change();
    const bool has_part = weights[i] * stream->evidence() >= kPartOfEvidence * total && change.seen > 0;
    const bool is_suspicious = stream->detector_.odds() >= kOddsSuspicious;
    if (has_part || is_suspicious ||
        (static_cast<Signal>(i) == Signal::contract && stream->bad_in_row_ >= kContractFailures))
      guilty[i] = change;
  }
  restart_evidence(target, false);
  for (std::size_t i = 0; i < kSignals; ++i)
    if (guilty[i]) target.streams[i]->begin_recovery(*guilty[i]);
  eject(standing, target.measured_quality, why, settings_, now_ms);
  change_state(target, from);
}

void Core::move(Group& group, std::int64_t elapsed_ms, std::int64_t now_ms) {
  for (Scored* const target : group.members) {
    const Weighed weighed = weigh(*target, group);
    arm(*target, weighed, now_ms);
    rate(*target, weighed, elapsed_ms);
    pass_time(target->standing, settings_, elapsed_ms, now_ms);
    if (settings_.mode == config::QualityMode::act) {
      move(*target, group, weighed, now_ms);
    } else if (is_out(*target) || target->standing.state == State::reduced) {
      restore(target->info.id, now_ms - shift_ms_);  // Of the time before it was to be watched only.
      target->standing.ramp = 1;
    }
  }
  if (settings_.mode == config::QualityMode::act) recall(group, now_ms);
}

void Core::move(Scored& target, Group& group, const Weighed& weighed, std::int64_t now_ms) {
  switch (target.standing.state) {
    case State::serving:
    case State::reduced:
      return move_serving(target, group, weighed, now_ms);
    case State::ejected:
      return move_ejected(target, weighed, now_ms);
    case State::probation:
      return move_probation(target, group, weighed, now_ms);
    case State::drained:
      return;
  }
}

namespace {

bool contract_broken(const Scored& target) {
  const auto& contract = target.streams[static_cast<std::size_t>(Signal::contract)];
  return contract && contract->acts() && contract->bad_in_row_ >= kContractFailures;
}

// Why a target is worse: its worst signal in words.
std::string reason(const Scored& target, Signal worst) {
  if (contract_broken(target)) return "contract probes failed three times in a row";
  const auto& stream = target.streams[static_cast<std::size_t>(worst)];
  return stream ? describe(*stream) : std::string();
}

}  // namespace

void Core::move_serving(Scored& target, Group& group, const Weighed& weighed, std::int64_t now_ms) {
  Standing& standing = target.standing;
  const State from = standing.state;
  if (weighed.harm >= threshold(target) || contract_broken(target))
    return try_eject(target, group, reason(target, weighed.worst), now_ms);
  if (standing.alone && !standing.recalled && weighed.odds_max < kOddsSuspicious) standing.alone = false;
  const bool is_reduced = target.measured_quality < kReducedBelow;
  if (from == State::serving && is_reduced) {
    std::string why =
        weighed.quality < kReducedBelow ? reason(target, weighed.lowers) : "its identity changed";
    set_state(standing, State::reduced, std::move(why), now_ms);
    change_state(target, from);
  } else if (from == State::reduced && !is_reduced && !standing.alone &&
             target.shown_quality >= kReducedBelow && now_ms - standing.since_ms >= settings_.dwell.count()) {
    set_state(standing, State::serving, "", now_ms);
    change_state(target, from);
  }
}

// After its dwell: what probes showed must be good on probes again; what traffic showed only traffic can
// clear, a little of it, as long as probes do not say that it is bad.
void Core::move_ejected(Scored& target, const Weighed& weighed, std::int64_t now_ms) {
  Standing& standing = target.standing;
  if (now_ms < standing.until_ms || weighed.odds_probes >= kReturnOddsMax || contract_broken(target)) return;
  for (const auto& stream : target.streams)
    if (stream && stream->is_recovering() && stream->rule_.traits.origin == Origin::probe &&
        stream->recovery_.evidence() < kReturnEvidence)
      return;
  begin_probation(standing, now_ms);
  target.shown_quality = 1;
  restart_evidence(target, true);
  change_state(target, State::ejected);
}

void Core::move_probation(Scored& target, Group& group, const Weighed& weighed, std::int64_t now_ms) {
  Standing& standing = target.standing;
  if (weighed.harm >= threshold(target) || contract_broken(target))
    return try_eject(target, group, reason(target, weighed.worst), now_ms);
  if (standing.ramp < kProbationSteps[standing.step] || weighed.odds_max >= kOddsSuspicious) return;
  bool by_traffic = false;
  for (const auto& stream : target.streams) {
    if (!stream || !stream->is_recovering() || stream->rule_.traits.origin != Origin::traffic) continue;
    by_traffic = true;
    if (stream->recovery_.evidence() < kStepEvidence) return;
  }
  // What probes showed they have cleared already; traffic must only not have found anything else.
  if (!by_traffic && standing.step_replies < kStepReplies) return;
  step_up(standing, now_ms);
  for (auto& stream : target.streams)
    if (stream) stream->recovery_ = Recovery();
  if (standing.state == State::probation) return;
  restart_evidence(target, false);
  change_state(target, State::probation);
}

// When those that serve fail, or are worse than one that is out, the best of those that are out serves again,
// until the others do.
void Core::recall(Group& group, std::int64_t now_ms) {
  Scored* best = nullptr;
  Scored* recalled = nullptr;
  bool any_serves = false, any_answers = false, all_are_worse = true;
  for (Scored* const member : group.members) {
    const Standing& standing = member->standing;
    if (standing.recalled) recalled = member;
    if (standing.state == State::ejected &&
        (!best || standing.quality_ejected > best->standing.quality_ejected))
      best = member;
  }
  const Scored* const out = recalled ? recalled : best;
  for (Scored* const member : group.members) {
    if (!serves(*member) || member == recalled) continue;
    any_serves = true;
    any_answers |= member->availability >= (recalled ? kAnswering : kFailing);
    all_are_worse &= member->standing.alone && out &&
                     member->measured_quality + kMuchBetter <= out->standing.quality_ejected;
  }
  if (recalled) {
    const bool is_needed = !any_serves || !any_answers || all_are_worse;
    if (is_needed || now_ms - recalled->standing.since_ms < settings_.rise.count()) return;
    Standing& standing = recalled->standing;
    const State from = standing.state;
    const std::string why = "others serve again";
    --standing.ejections;  // No new offence.
    eject(standing, standing.quality_ejected, why, settings_, now_ms);
    change_state(*recalled, from);
    return;
  }
  if (!best || (any_serves && any_answers && !all_are_worse)) return;
  Standing& standing = best->standing;
  set_state(standing, State::reduced, any_answers ? "those left are worse" : "those left fail", now_ms);
  standing.alone = standing.recalled = true;
  change_state(*best, State::ejected);
}

void Core::drain(std::uint32_t id, std::int64_t now_ms) {
  Scored* const target = find(id);
  if (!target || target->standing.state == State::drained) return;
  const State from = target->standing.state;
  set_state(target->standing, State::drained, "by hand", board_time(now_ms));
  target->standing.alone = false;
  change_state(*target, from);
}

void Core::restore(std::uint32_t id, std::int64_t now_ms) {
  Scored* const target = find(id);
  if (!target) return;
  const State from = target->standing.state;
  if (from == State::serving) return;
  scoring::restore(target->standing, board_time(now_ms));
  restart_evidence(*target, false);
  target->shown_quality = 1;
  change_state(*target, from);
}

}  // namespace switchyard::scoring
