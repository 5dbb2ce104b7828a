#include "gateway/routing/plan.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace switchyard::routing {

namespace {

std::optional<Exclusion> exclusion_of(const Candidate& candidate) {
  if (!candidate.capable) return Exclusion::incapable;
  switch (candidate.health.state) {
    case State::serving:
      return std::nullopt;
    case State::probation:
      if (candidate.health.trial_running) return Exclusion::trial_running;
      return std::nullopt;
    case State::ejected:
      return Exclusion::ejected;
    case State::cooling:
      return Exclusion::cooling;
    case State::credential_out:
      return Exclusion::credential_out;
  }
  return std::nullopt;
}

// A bijection whose output looks random: the finisher of SplitMix64 (Steele, Lea, Flood: "Fast splittable
// pseudorandom number generators", 2014).
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// An order without replacement, each place proportional to weight among those left: sort by the keys ln(u)/w
// of independent uniform u, descending (Efraimidis and Spirakis, "Weighted random sampling with a reservoir",
// 2006; logarithms of their u^(1/w)).
double draw_key(double weight, std::uint64_t seed, std::uint64_t id) {
  const double u = (static_cast<double>(mixed(seed ^ mixed(id)) >> 11) + 1) * 0x1p-53;  // (0, 1]
  return weight > 0 ? std::log(u) / weight : -std::numeric_limits<double>::infinity();
}

struct Placed {
  int target = 0;
  int tier = 0;
  double key = 0;
};

std::vector<Placed> in_order(const PlanInput& input, std::vector<Excluded>& excluded) {
  std::vector<Placed> placed;
  for (int i = 0; i < static_cast<int>(input.candidates.size()); ++i) {
    const Candidate& candidate = input.candidates[static_cast<std::size_t>(i)];
    if (const auto reason = exclusion_of(candidate)) {
      excluded.push_back({i, *reason});
      continue;
    }
    const double key = input.strategy == config::Strategy::weighted ? draw_key(candidate.weight, input.seed, candidate.id) : 0;
    placed.push_back({i, candidate.tier, key});
  }
  std::stable_sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
    return a.tier != b.tier ? a.tier < b.tier : a.key > b.key;
  });
  return placed;
}

Reason reason_of(const PlanInput& input, const Placed& placed, bool first) {
  if (input.candidates[static_cast<std::size_t>(placed.target)].health.state == State::probation) {
    return Reason::probation;
  }
  if (input.candidates.size() == 1) return Reason::only_target;
  if (!first) return Reason::fallback;
  const bool is_lowest_tier = std::all_of(input.candidates.begin(), input.candidates.end(),
                                          [&](const Candidate& other) { return other.tier >= placed.tier; });
  if (!is_lowest_tier) return Reason::higher_tier;
  return input.strategy == config::Strategy::weighted ? Reason::weighted : Reason::priority;
}

// Nothing is left to try in the ordinary way: the ejected target whose turn comes first, or the end of the
// shortest pause.
void resort_to_last(const PlanInput& input, Plan& plan) {
  using std::chrono::milliseconds;
  auto chosen = plan.excluded.end();
  TimePoint chosen_until = TimePoint::max(), pause_until = TimePoint::max();
  for (auto it = plan.excluded.begin(); it != plan.excluded.end(); ++it) {
    const TimePoint until = input.candidates[static_cast<std::size_t>(it->target)].health.until;
    if (it->reason == Exclusion::ejected || it->reason == Exclusion::trial_running) {
      if (until < chosen_until) chosen = it, chosen_until = until;
    } else if (it->reason != Exclusion::incapable) {
      pause_until = std::min(pause_until, until);
    }
  }
  if (chosen != plan.excluded.end()) {
    plan.attempts.push_back({chosen->target, Reason::last_resort});
    plan.excluded.erase(chosen);
  } else if (pause_until != TimePoint::max()) {
    const auto left = std::chrono::ceil<milliseconds>(pause_until - input.now);
    plan.retry_after = std::clamp(left, milliseconds(1'000), milliseconds(60'000));
  }
}

}  // namespace

std::string_view name_of(Reason reason) {
  switch (reason) {
    case Reason::only_target:
      return "only_target";
    case Reason::priority:
      return "priority";
    case Reason::weighted:
      return "weighted";
    case Reason::latency:
      return "latency";
    case Reason::cost:
      return "cost";
    case Reason::least_busy:
      return "least_busy";
    case Reason::score:
      return "score";
    case Reason::sticky:
      return "sticky";
    case Reason::canary:
      return "canary";
    case Reason::higher_tier:
      return "higher_tier";
    case Reason::fallback:
      return "fallback";
    case Reason::probation:
      return "probation";
    case Reason::last_resort:
      return "last_resort";
    case Reason::hedge:
      return "hedge";
    case Reason::continuation:
      return "continuation";
  }
  return "unknown";
}

std::string_view name_of(Exclusion exclusion) {
  switch (exclusion) {
    case Exclusion::incapable:
      return "incapable";
    case Exclusion::not_meant:
      return "not_meant";
    case Exclusion::no_room:
      return "no_room";
    case Exclusion::cooling:
      return "cooling";
    case Exclusion::credential_out:
      return "credential_out";
    case Exclusion::ejected:
      return "ejected";
    case Exclusion::trial_running:
      return "trial_running";
    case Exclusion::degraded:
      return "degraded";
    case Exclusion::drained:
      return "drained";
    case Exclusion::full:
      return "full";
  }
  return "unknown";
}

Plan make_plan(const PlanInput& input) {
  Plan plan;
  for (const Placed& placed : in_order(input, plan.excluded)) {
    plan.attempts.push_back({placed.target, reason_of(input, placed, plan.attempts.empty())});
  }
  if (plan.attempts.empty()) resort_to_last(input, plan);
  return plan;
}

}  // namespace switchyard::routing
