#include "gateway/scoring/core.h"

#include <algorithm>
#include <bit>

namespace switchyard::scoring {

namespace {

constexpr std::int64_t kDayMs = 86'400'000;

// Of recent attempts: the newest one counts a twentieth.
constexpr double kAvailabilityWeight = 0.05, kOutputWeight = 0.02;

template <class Is>
std::uint32_t bits_of(Is is) {
  std::uint32_t bits = 0;
  for (int i = 0; i < kSignals; ++i)
    if (is(traits_of(static_cast<Signal>(i)))) bits |= std::uint32_t{1} << i;
  return bits;
}

const std::uint32_t kTrafficBits = bits_of([](const SignalTraits& t) { return t.origin == Origin::traffic; });
const std::uint32_t kProbeBits =
    bits_of([](const SignalTraits& t) { return t.origin == Origin::probe || t.role == Role::arms; });
const std::uint32_t kHarmfulBits = bits_of([](const SignalTraits& t) { return t.harm >= 0.5; });

}  // namespace

void Core::configure(const config::Quality& settings, std::vector<TargetInfo> targets, std::int64_t now_ms) {
  settings_ = settings;
  rules_ = rules_of(settings);
  groups_.clear();
  by_id_.clear();
  for (auto& [key, scored] : all_) scored->configured = false;
  std::map<std::string, std::uint32_t> providers;
  for (TargetInfo& info : targets) {
    auto& place = all_[info.key];
    if (!place) {
      place = std::make_unique<Scored>();
      place->standing.since_ms = started_ ? board_time(now_ms) : 0;
    }
    Scored& scored = *place;
    scored.provider_number = providers.emplace(info.provider, providers.size()).first->second;
    scored.info = std::move(info);
    scored.configured = true;
    if (by_id_.size() <= scored.info.id) by_id_.resize(scored.info.id + 1);
    by_id_[scored.info.id] = &scored;
    groups_[scored.info.group].members.push_back(&scored);
    for (int i = 0; i < kSignals; ++i)
      if (auto& known = scored.streams[static_cast<std::size_t>(i)])
        known->configure(rules_[static_cast<std::size_t>(i)]);
  }
  for (auto& [number, group] : groups_)
    std::ranges::sort(group.members, {}, [](const Scored* member) { return member->info.id; });
  view_ = nullptr;
}

Stream& Core::stream(Scored& target, Signal signal) {
  const auto i = static_cast<std::size_t>(signal);
  if (!target.streams[i]) target.streams[i] = std::make_unique<Stream>(signal, rules_[i]);
  return *target.streams[i];
}

void Core::feed(Scored& target, Signal signal, double x, std::uint8_t stratum, std::int64_t now_ms) {
  Stream& to = stream(target, signal);
  if (to.is_off()) return;
  to.observe(x, stratum, static_cast<std::uint32_t>(now_ms / 1000));
  // While it is out, what was bad before the way back began does not count against it.
  if (target.standing.state == State::ejected && to.is_recovering() && to.recovery_.is_at_start())
    to.detector_.reset();
  if (to.rule_.traits.role == Role::fires) {
    ++target.seen_since_armed;
  } else if (to.rule_.traits.baseline == Baseline::verdict && to.bad_in_row_ == 1) {
    target.armed_by_verdict = true;  // Once: the test goes on saying so until it has learnt anew.
  }
}

void Core::feed(const Sessions::Observed& observed, std::int64_t now_ms) {
  Scored* const target = find(observed.target);
  if (!target) return;
  for (std::uint32_t left = observed.seen; left != 0; left &= left - 1) {
    const int i = std::countr_zero(left);
    feed(*target, static_cast<Signal>(i), observed.x[static_cast<std::size_t>(i)], observed.stratum, now_ms);
  }
  if (observed.clustered)
    feed(*target, Signal::session_cluster, *observed.clustered, observed.cluster_stratum, now_ms);
}

// What says nothing of quality: whether it answers, how much, how often.
void Core::count_attempt(Scored& target, const Observation& o) {
  if (o.ending == Ending::ok || o.ending == Ending::fault)
    target.availability += kAvailabilityWeight * ((o.ending == Ending::ok) - target.availability);
  target.latency.observe(o, board_time(o.at_ms));
  if (o.source != Source::traffic) return;
  const std::int64_t day = board_time(o.at_ms) / kDayMs;
  if (day != target.day) {
    // A day that was cut short says nothing, and a quiet one does not take back what a busy one asked for.
    if (target.day != 0 && started_)
      target.requests_a_day = std::max(target.requests_a_day, target.requests_today);
    target.day = day;
    target.requests_today = 0;
  }
  target.requests_today += 1;
  if (o.ending != Ending::ok) return;
  if (target.standing.state == State::probation) ++target.standing.step_replies;
  if (o.output_tokens > 0) {
    const double weight = target.output_tokens_mean > 0 ? kOutputWeight : 1;
    target.output_tokens_mean += weight * (o.output_tokens - target.output_tokens_mean);
  }
}

void Core::observe_traffic(Scored& target, const Observation& o) {
  const std::int64_t now_ms = board_time(o.at_ms);
  std::uint32_t seen = o.seen & kTrafficBits, bad = o.bad & seen;
  if (o.ending == Ending::ok) {
    auto& profile = target.profiles[o.stratum % kStrata];
    if (!profile) profile = std::make_unique<Profile>();
    profile->judge(o, seen, bad);
    profile->add(o);
  }
  if (o.request != 0 && (bad & kHarmfulBits) != 0) {
    std::shift_right(target.recent_requests.begin(), target.recent_requests.end(), 1);
    target.recent_requests[0] = o.request;
  }
  if (o.session == 0) {
    for (std::uint32_t left = seen; left != 0; left &= left - 1) {
      const int i = std::countr_zero(left);
      feed(target, static_cast<Signal>(i), bad >> i & 1, o.stratum, now_ms);
    }
    return;
  }
  Sessions::Observed observed, evicted;
  const Sessions::Outcome outcome = sessions_.add({.session = o.session,
                                                   .target = target.info.id,
                                                   .seen = seen,
                                                   .bad = bad,
                                                   .harmful = kHarmfulBits,
                                                   .stratum = o.stratum,
                                                   .at_ms = now_ms},
                                                  observed, evicted);
  if (outcome.evicted) feed(evicted, now_ms);
  if (outcome.observed) feed(observed, now_ms);
}

void Core::observe(const Observation& o) {
  if (settings_.mode == config::QualityMode::off || !started_) return;
  Scored* const target = find(o.target);
  if (!target) return;
  const std::int64_t now_ms = board_time(o.at_ms);
  count_attempt(*target, o);
  if (o.graded) {
    feed(*target, o.graded_signal, std::clamp(static_cast<double>(o.x), 0.0, 1.0), o.stratum, now_ms);
    return;
  }
  if (o.source == Source::traffic) {
    observe_traffic(*target, o);
    return;
  }
  // What probes show of harm in live traffic is not taken: a provider that knows probes would look good.
  const std::uint32_t seen = o.seen & (o.source == Source::probe ? kProbeBits : ~kTrafficBits);
  for (std::uint32_t left = seen; left != 0; left &= left - 1) {
    const int i = std::countr_zero(left);
    feed(*target, static_cast<Signal>(i), o.bad >> i & 1, o.stratum, now_ms);
  }
}

}  // namespace switchyard::scoring
