#include "gateway/routing/plan.h"

#include "gateway/routing/shares.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace switchyard::routing {

namespace {

using config::Strategy;

constexpr double kNever = -std::numeric_limits<double>::infinity();
// Salts of draws that must not go along with the order's.
constexpr std::uint64_t kGateSalt = 0x67617465, kCanarySalt = 0x63616e61, kExploreSalt = 0x6578706c;
// Of requests by latency that do not take the sooner of the two drawn: what is never asked is never seen to
// have become quicker.
constexpr double kExplored = 0.01;
// How much more than its fair part a sticky target may have in flight (Mirrokni, Thorup, Zadimoghaddam:
// "Consistent hashing with bounded loads", 2018).
constexpr double kBoundedLoad = 1.25;
// So many of a tier stand in their order: more are never tried. The rest follows as it happens to lie.
constexpr std::size_t kSorted = 16;

std::optional<Exclusion> exclusion_of(const Candidate& candidate) {
  if (!candidate.capable) return Exclusion::incapable;
  if (!candidate.is_meant) return Exclusion::not_meant;
  if (!candidate.has_room) return Exclusion::no_room;
  if (candidate.state == scoring::State::drained) return Exclusion::drained;
  switch (candidate.health.state) {
    case State::serving:
      break;
    case State::probation:
      if (candidate.health.trial_running) return Exclusion::trial_running;
      break;
    case State::ejected:
      return Exclusion::ejected;
    case State::cooling:
      return Exclusion::cooling;
    case State::credential_out:
      return Exclusion::credential_out;
  }
  if (candidate.in_flight_max > 0 && candidate.in_flight >= candidate.in_flight_max) return Exclusion::full;
  if (candidate.state == scoring::State::ejected) return Exclusion::degraded;
  return std::nullopt;
}

struct Placed {
  int target = 0, tier = 0;
  int rank = 0;  // Within the tier: 0 in the strategy's order, 1 passed over, 2 a canary that was not drawn.
  double key = 0;   // Within the rank: the highest first.
  double draw = 0;  // Within equal keys.
};

// Draws follow the affinity where one is given, so that what belongs together goes together.
std::uint64_t draw_seed(const PlanInput& input) {
  return input.facts.affinity != 0 ? input.facts.affinity : input.seed;
}

// Priority and cost name a best one, which all that belongs together goes to anyway.
bool is_sticky(const PlanInput& input) {
  return input.facts.affinity != 0 && input.strategy != Strategy::priority &&
         input.strategy != Strategy::cost;
}

bool takes_two(const PlanInput& input) {
  return !is_sticky(input) && (input.strategy == Strategy::latency || input.strategy == Strategy::least_busy);
}

class Planner {
 public:
  Planner(const PlanInput& input, Plan& plan) : input_(input), plan_(plan), seed_(draw_seed(input)) {}

  void run() {
    plan_.terms.resize(input_.candidates.size());
    members_.reserve(input_.candidates.size());
    choose();
    for (std::size_t begin = 0; begin < placed_.size();) {
      std::size_t end = begin;
      while (end < placed_.size() && placed_[end].tier == placed_[begin].tier) ++end;
      order(std::span(placed_).subspan(begin, end - begin), begin == 0);
      begin = end;
    }
    write();
    if (plan_.attempts.empty()) resort_to_last();
  }

 private:
  const Candidate& at(int target) const { return input_.candidates[static_cast<std::size_t>(target)]; }

  double draw(int target, std::uint64_t salt = 0) const { return uniform(seed_, at(target).id, salt); }

  // Who may be tried, by tier; the rest with the reason.
  void choose() {
    placed_.reserve(input_.candidates.size());
    bool is_sorted = true;
    for (int i = 0; i < static_cast<int>(input_.candidates.size()); ++i) {
      const auto reason = exclusion_of(at(i));
      if (reason == Exclusion::degraded) {
        degraded_.push_back(i);
      } else if (reason) {
        plan_.excluded.push_back({i, *reason});
      } else {
        is_sorted = is_sorted && (placed_.empty() || placed_.back().tier <= at(i).tier);
        placed_.push_back({i, at(i).tier});
      }
    }
    if (!degraded_.empty()) {
      recall_degraded();
      is_sorted = false;
    }
    if (is_sorted) return;
    std::stable_sort(placed_.begin(), placed_.end(),
                     [](const Placed& a, const Placed& b) { return a.tier < b.tier; });
  }

  // A tier of which nothing else is left gets back the best that its score has put out.
  void recall_degraded() {
    std::stable_sort(degraded_.begin(), degraded_.end(), [&](int a, int b) {
      return at(a).tier != at(b).tier ? at(a).tier < at(b).tier : at(a).quality > at(b).quality;
    });
    std::vector<int> kept;
    for (const int target : degraded_) {
      const int tier = at(target).tier;
      if (std::ranges::any_of(placed_, [&](const Placed& placed) { return placed.tier == tier; })) {
        kept.push_back(target);
      } else {
        placed_.push_back({target, tier});
      }
    }
    degraded_ = std::move(kept);
  }

  // Orders one tier.
  void order(std::span<Placed> tier, bool leads) {
    members_.clear();
    for (const Placed& placed : tier) members_.push_back(placed.target);
    fill_terms(input_, members_, plan_.terms);
    if (tier.size() == 1) return;
    bool has_canary = false, is_ordered = input_.strategy == Strategy::priority;
    for (Placed& placed : tier) {
      place(placed);
      has_canary = has_canary || placed.rank == 2;
      is_ordered = is_ordered && placed.rank == 0;
      if (std::isnan(placed.key)) placed.key = kNever;  // A recorded input may hold any numbers.
    }
    if (is_ordered) return;
    if (is_sticky(input_)) bound_load(tier);
    const auto sorted = std::min(tier.size(), kSorted);
    std::partial_sort(tier.begin(), tier.begin() + sorted, tier.end(), [](const Placed& a, const Placed& b) {
      if (a.rank != b.rank) return a.rank < b.rank;
      if (a.key != b.key) return a.key > b.key;
      return a.draw != b.draw ? a.draw > b.draw : a.target < b.target;
    });
    if (takes_two(input_)) take_better_of_two(tier);
    if (has_canary && leads) draw_canary(tier);
  }

  void place(Placed& placed) const {
    const Candidate& candidate = at(placed.target);
    const double share = plan_.terms[static_cast<std::size_t>(placed.target)].share;
    if (candidate.canary) placed.rank = 2;
    switch (input_.strategy) {
      case Strategy::priority:
        break;
      case Strategy::cost:
        placed.key = candidate.usd < 0 ? kNever : -candidate.usd;
        placed.draw = draw(placed.target);
        break;
      case Strategy::weighted:
      case Strategy::score:
        // An order without replacement, each place proportional to the share among those left: the keys
        // ln(u)/share of independent uniform u, descending (Efraimidis and Spirakis, "Weighted random
        // sampling with a reservoir", 2006). With an affinity for a seed this is weighted rendezvous hashing.
        placed.key = std::log(draw(placed.target)) / share;
        return;
      case Strategy::latency:
      case Strategy::least_busy:
        placed.key = is_sticky(input_) ? std::log(draw(placed.target)) / std::max(candidate.weight, 1e-18)
                                       : draw(placed.target);
        break;
    }
    // These give no shares that a rise or a short quota could make smaller: so many requests pass it over.
    const double part = candidate.ramp * candidate.quota;
    if (placed.rank == 0 && part < 1 && draw(placed.target, kGateSalt) > part) placed.rank = 1;
  }

  // Passes over what has more than kBoundedLoad times its fair part of what is in flight.
  void bound_load(std::span<Placed> tier) {
    double weights = 0, in_flight = 1;
    for (const Placed& placed : tier) {
      weights += sticky_weight(placed);
      in_flight += at(placed.target).in_flight;
    }
    for (Placed& placed : tier) {
      const double fair = in_flight * sticky_weight(placed) / weights;
      if (placed.rank == 0 && at(placed.target).in_flight + 1 > std::ceil(kBoundedLoad * fair))
        placed.rank = 1;
    }
  }

  double sticky_weight(const Placed& placed) const {
    const bool has_share = input_.strategy == Strategy::weighted || input_.strategy == Strategy::score;
    return has_share ? plan_.terms[static_cast<std::size_t>(placed.target)].share
                     : std::max(at(placed.target).weight, 1e-18);
  }

  // Power of two choices (Mitzenmacher 2001): of two drawn the one with less load leads. Always leading with
  // the least of all would send every concurrent request to one target, which then is it no longer.
  void take_better_of_two(std::span<Placed> tier) {
    if (tier.size() < 2 || tier[1].rank != 0) return;
    const bool by_time = input_.strategy == Strategy::latency;
    if (by_time && uniform(seed_, 0, kExploreSalt) <= kExplored) return;
    const Known known = by_time ? known_of(input_, members_) : Known();
    if (load(tier[1].target, known) < load(tier[0].target, known)) std::swap(tier[0], tier[1]);
  }

  // Peak-EWMA's load: the time it takes, times the requests there including this one; by weight as in brpc.
  double load(int target, const Known& known) const {
    const Candidate& candidate = at(target);
    double cost = 1;
    if (input_.strategy == Strategy::latency) {
      cost = predicted_ms(candidate, input_.facts, candidate.ttft_ms_p50, known.inter_token_ms);
      if (cost == 0) cost = known.soonest_ms > 0 ? known.soonest_ms : 1;
    }
    return cost * (candidate.in_flight + 1) / std::max(candidate.weight, 1e-18);
  }

  // A canary is drawn by itself, before the rest: a change of the others moves none of its requests. The
  // second of two gets its part of what the first leaves.
  void draw_canary(std::span<Placed> tier) {
    double left = 1;
    for (const int target : members_) {
      if (!at(target).canary) continue;
      const double part = canary_part(at(target));
      if (left > 0 && part > 0 && draw(target, kCanarySalt) <= part / left) {
        const auto found =
            std::ranges::find_if(tier, [&](const Placed& placed) { return placed.target == target; });
        std::rotate(tier.begin(), found, found + 1);
        is_canary_drawn_ = true;
        return;
      }
      left -= part;
    }
  }

  void write() {
    plan_.attempts.reserve(placed_.size() + degraded_.size());
    for (const Placed& placed : placed_) plan_.attempts.push_back({placed.target, reason_of(placed)});
    if (!plan_.attempts.empty()) {
      plan_.degraded = at(plan_.attempts.front().target).state == scoring::State::ejected;
    }
    // Behind all others: a worse answer is better than none.
    std::ranges::stable_sort(degraded_, std::greater<>(), [&](int target) { return at(target).quality; });
    for (const int target : degraded_) plan_.attempts.push_back({target, Reason::last_resort});
  }

  Reason reason_of(const Placed& placed) const {
    const Candidate& candidate = at(placed.target);
    if (candidate.state == scoring::State::ejected) return Reason::last_resort;
    if (candidate.health.state == State::probation) return Reason::probation;
    if (input_.candidates.size() == 1) return Reason::only_target;
    if (!plan_.attempts.empty()) return Reason::fallback;
    if (is_canary_drawn_) return Reason::canary;
    const bool is_lowest_tier = std::ranges::all_of(
        input_.candidates, [&](const Candidate& other) { return other.tier >= placed.tier; });
    if (!is_lowest_tier) return Reason::higher_tier;
    return is_sticky(input_) && is_first_choice(placed) ? Reason::sticky : reason_of_strategy();
  }

  // Where the affinity alone would have sent it: nothing of its tier was passed over for it.
  bool is_first_choice(const Placed& first) const {
    return first.rank == 0 && std::ranges::none_of(placed_, [&](const Placed& other) {
             return other.tier == first.tier && other.rank == 1 && other.key > first.key;
           });
  }

  Reason reason_of_strategy() const {
    switch (input_.strategy) {
      case Strategy::priority:
        return Reason::priority;
      case Strategy::weighted:
        return Reason::weighted;
      case Strategy::latency:
        return Reason::latency;
      case Strategy::cost:
        return Reason::cost;
      case Strategy::least_busy:
        return Reason::least_busy;
      case Strategy::score:
        return Reason::score;
    }
    return Reason::priority;
  }

  // Nothing is left to try in the ordinary way: shed when something is only full, else the ejected target
  // whose turn comes first, or the end of the shortest pause.
  void resort_to_last() {
    using std::chrono::milliseconds;
    auto chosen = plan_.excluded.end();
    TimePoint chosen_until = TimePoint::max(), pause_until = TimePoint::max();
    for (auto it = plan_.excluded.begin(); it != plan_.excluded.end(); ++it) {
      const TimePoint until = at(it->target).health.until;
      if (it->reason == Exclusion::full) {
        plan_.is_full = true;
      } else if (it->reason == Exclusion::ejected || it->reason == Exclusion::trial_running) {
        if (until < chosen_until) chosen = it, chosen_until = until;
      } else if (it->reason == Exclusion::cooling || it->reason == Exclusion::credential_out) {
        pause_until = std::min(pause_until, until);
      }
    }
    if (plan_.is_full) {
      plan_.retry_after = milliseconds(1'000);
    } else if (chosen != plan_.excluded.end()) {
      plan_.attempts.push_back({chosen->target, Reason::last_resort});
      plan_.excluded.erase(chosen);
    } else if (pause_until != TimePoint::max()) {
      const auto left = std::chrono::ceil<milliseconds>(pause_until - input_.now);
      plan_.retry_after = std::clamp(left, milliseconds(1'000), milliseconds(60'000));
    }
  }

  const PlanInput& input_;
  Plan& plan_;
  std::uint64_t seed_;
  std::vector<Placed> placed_;
  std::vector<int> degraded_;  // Out by their scores alone.
  std::vector<int> members_;   // Of the tier that is being ordered.
  bool is_canary_drawn_ = false;
};

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
  Planner(input, plan).run();
  return plan;
}

}  // namespace switchyard::routing
