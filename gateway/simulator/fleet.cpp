#include "gateway/simulator/fleet.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace switchyard::simulator {

namespace {

using scoring::State;

constexpr std::int64_t kWallBegin_ms = 1'767'225'600'000;  // 2026-01-01: a day to show to people.
constexpr std::size_t kTransitionsMax = 1000;
constexpr double kBurst = 20;          // Times as many probes where something is suspected.
constexpr double kFullQuality = 0.95;  // Below it a target is reduced.

std::int64_t ms_of(double now_s) {
  return static_cast<std::int64_t>(std::llround((kBegin_s + now_s) * 1e3));
}

}  // namespace

Fleet::Fleet(const config::Config& config, const config::Model& model, const World& world,
             const Options& options)
    : config_(config), model_(model), world_(world), options_(options), random_(world.traffic.seed, 7) {}

Result<std::unique_ptr<Fleet>> Fleet::make(const config::Config& config, const Lookup& lookup,
                                           const config::Model& model, const World& world,
                                           const Options& options) {
  std::unique_ptr<Fleet> fleet(new Fleet(config, model, world, options));
  fleet->targets_ = targets_of(config, lookup, model, 0);
  if (fleet->targets_.size() != world.targets.size()) {
    return fail(ErrorKind::invalid_request, "`" + model.name + "` has " +
                                                std::to_string(fleet->targets_.size()) + " targets, and " +
                                                std::to_string(world.targets.size()) + " are described");
  }
  std::vector<scoring::TargetInfo> infos;
  for (std::size_t i = 0; i < world.targets.size(); ++i) {
    const config::Target& configured = *fleet->targets_[i].config;
    const TargetWorld& described = world.targets[i];
    if (described.provider != configured.provider || described.model != configured.model) {
      return fail(ErrorKind::invalid_request, "target " + std::to_string(i + 1) + " of `" + model.name +
                                                  "` is " + configured.provider + " " + configured.model +
                                                  ": describe the targets in the configuration's order");
    }
    fleet->members_.push_back(std::make_unique<Member>(world.traffic, described.usual, i));
    fleet->summary_.targets.push_back({configured.provider, configured.model});
    infos.push_back({static_cast<std::uint32_t>(i),
                     model.name + "|" + configured.provider + "|" + configured.model, model.name,
                     configured.provider, configured.model, static_cast<std::uint32_t>(configured.tier)});
  }
  fleet->board_.configure(config.quality, std::move(infos), ms_of(0));
  fleet->look(0);
  return fleet;
}

std::int64_t Fleet::wall_ms(double virtual_s) {
  return kWallBegin_ms + ms_of(virtual_s);
}

void Fleet::fill(routing::PlanInput& input) const {
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    const Member& member = *members_[i];
    routing::Candidate& candidate = input.candidates[i];
    candidate = candidate_of(targets_[i], view_->of(static_cast<std::uint32_t>(i)), config_.quality.mode,
                             input.facts);
    candidate.health = member.health.snapshot(input.now);
    const auto load = member.load.snapshot(input.now, targets_[i].config->concurrent);
    candidate.in_flight = load.in_flight;
    candidate.in_flight_max = load.in_flight_max;
    candidate.latency_ratio = load.latency_ratio;
    candidate.quota = load.quota;
  }
}

bool Fleet::start(std::size_t target, const SimRequest& request, TimePoint now) {
  Member& member = *members_[target];
  const auto load = member.load.snapshot(now, targets_[target].config->concurrent);
  if (!member.load.on_start(now, request.input_tokens, request.output_tokens, load.in_flight_max))
    return false;
  if (member.health.on_attempt(now)) return true;
  member.load.on_end(now, nullptr);
  return false;
}

void Fleet::first_token(std::size_t target, const SimReply& reply, TimePoint now) {
  const auto& view = view_->of(static_cast<std::uint32_t>(target));
  const auto bucket = static_cast<std::size_t>(scoring::size_bucket(reply.seen.input_tokens));
  members_[target]->load.on_first_token(now, reply.ttft_ms,
                                        static_cast<double>(view.latency[bucket].ttft_ms_p50));
}

void Fleet::end(std::size_t target, const Error* error, TimePoint now) {
  Member& member = *members_[target];
  member.load.on_end(now, error);
  if (error) {
    member.health.on_failure(*error, now);
  } else {
    member.health.on_success(now);
  }
}

void Fleet::observe(std::size_t target, const SimReply& reply, double now_s) {
  scoring::Observation seen = reply.seen;
  seen.target = static_cast<std::uint32_t>(target);
  seen.at_ms = ms_of(now_s);
  board_.observe(seen);
  TargetSummary& account = summary_.targets[target];
  ++account.attempts;
  if (seen.ending == scoring::Ending::fault) ++account.failures;
  if (reply.is_bad) ++account.bad;
  if (view_->of(static_cast<std::uint32_t>(target)).quality < kFullQuality) ++account.reduced_attempts;
}

void Fleet::tick(double now_s, double elapsed_s) {
  const auto day = static_cast<std::int64_t>(now_s / world_.traffic.day_seconds);
  if (day != day_) {
    day_ = day;
    for (auto& member : members_) member->provider.begin_day(day);
  }
  apply_changes(now_s);
  send_probes(now_s, elapsed_s);
  board_.tick(ms_of(now_s), wall_ms(now_s));
  look(now_s);
  if (options_.every_s > 0 && now_s >= next_point_s_) tell_point(now_s);
}

void Fleet::apply_changes(double now_s) {
  for (; next_change_ < world_.changes.size() && world_.changes[next_change_].at_s <= now_s; ++next_change_) {
    const Change& change = world_.changes[next_change_];
    Member& member = *members_[change.target];
    member.provider.behave(change.behaviour.value_or(member.usual));
    member.is_changed = change.behaviour.has_value();
    if (change.behaviour) {
      begin_incident(change.target, now_s);
    } else if (member.incident >= 0) {
      summary_.incidents[static_cast<std::size_t>(member.incident)].restored_s = now_s;
    }
  }
}

void Fleet::begin_incident(std::size_t target, double now_s) {
  Member& member = *members_[target];
  member.incident = static_cast<int>(summary_.incidents.size());
  member.own_then = summary_.targets[target].attempts;
  member.all_then = summary_.requests;
  member.share_then = shares_[target];
  Incident& incident = summary_.incidents.emplace_back();
  incident.at_s = now_s;
  incident.target = target;
}

void Fleet::send_probes(double now_s, double elapsed_s) {
  if (world_.traffic.probes_per_hour <= 0) return;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const auto id = static_cast<std::uint32_t>(i);
    const double burst = board_.wants_burst(id) ? kBurst : 1;
    if (!random_.chance(world_.traffic.probes_per_hour / 3600 * elapsed_s * burst)) continue;
    scoring::Observation seen = members_[i]->provider.probe();
    seen.target = id;
    seen.at_ms = ms_of(now_s);
    board_.observe(seen);
  }
}

// The new view, and the shares that follow from it for an average request.
void Fleet::look(double now_s) {
  view_ = board_.view();
  routing::PlanInput input;
  input.strategy = model_.strategy;
  input.objectives = model_.objectives;
  input.facts.input_tokens = static_cast<std::uint32_t>(world_.traffic.input_tokens);
  input.now = time_of(now_s);
  input.candidates.resize(targets_.size());
  fill(input);
  const routing::Plan plan = routing::make_plan(input);
  shares_.assign(targets_.size(), 0);
  if (!plan.attempts.empty()) {
    const int tier = targets_[static_cast<std::size_t>(plan.attempts.front().target)].config->tier;
    double sum = 0;
    for (std::size_t i = 0; i < targets_.size(); ++i) {
      if (targets_[i].config->tier == tier) sum += shares_[i] = plan.terms[i].share;
    }
    // Strategies without shares: the first.
    if (sum <= 0) shares_[static_cast<std::size_t>(plan.attempts.front().target)] = 1;
  }
  watch(now_s);
}

void Fleet::watch(double now_s) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const scoring::TargetView& seen = view_->of(static_cast<std::uint32_t>(i));
    Member& member = *members_[i];
    if (seen.state != member.state) note_state(i, seen.state, seen.why, now_s);
    if (member.incident < 0) continue;
    Incident& incident = summary_.incidents[static_cast<std::size_t>(member.incident)];
    const auto own = static_cast<std::int64_t>(summary_.targets[i].attempts - member.own_then);
    if (incident.own_until_half < 0 && shares_[i] <= member.share_then / 2) incident.own_until_half = own;
    const bool is_back = seen.state == State::serving && seen.quality >= kFullQuality && seen.ramp >= 1;
    if (incident.restored_s < 0 || !is_back) continue;
    incident.seconds_until_back = now_s - incident.restored_s;
    member.incident = -1;  // It is over.
  }
  check_last(*view_);
}

void Fleet::note_state(std::size_t target, State state, const std::string& why, double now_s) {
  Member& member = *members_[target];
  ++summary_.transition_count;
  const bool is_reduction =
      (state == State::serving && member.state == State::reduced) || state == State::reduced;
  if (!is_reduction || summary_.transitions.size() < kTransitionsMax)
    summary_.transitions.push_back({now_s, target, member.state, state, why});
  Incident* incident =
      member.incident < 0 ? nullptr : &summary_.incidents[static_cast<std::size_t>(member.incident)];
  if (incident) ++incident->state_changes;
  if (state == State::ejected) {
    TargetSummary& account = summary_.targets[target];
    ++account.ejections;
    if (!incident) ++account.false_ejections;
    if (incident && incident->own_until_ejected < 0) {
      incident->own_until_ejected = static_cast<std::int64_t>(account.attempts - member.own_then);
      incident->all_until_ejected = static_cast<std::int64_t>(summary_.requests - member.all_then);
      incident->seconds_until_ejected = now_s - incident->at_s;
    }
  }
  member.state = state;
}

// No tier may have all its targets out: then the best of them serves.
void Fleet::check_last(const scoring::BoardView& view) {
  std::map<int, std::pair<int, int>> tiers;  // Targets, and those that are out.
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    auto& [all, out] = tiers[targets_[i].config->tier];
    ++all;
    if (view.of(static_cast<std::uint32_t>(i)).state == State::ejected) ++out;
  }
  for (const auto& [tier, counts] : tiers) {
    if (counts.first == counts.second) ++summary_.last_target_ejections;
  }
}

void Fleet::tell_point(double now_s) {
  Point point;
  point.at_s = now_s;
  double all = 0;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const auto sent = static_cast<double>(summary_.targets[i].attempts - members_[i]->sent_at_point);
    members_[i]->sent_at_point = summary_.targets[i].attempts;
    all += sent;
    point.parts.push_back(sent);
    point.qualities.push_back(view_->of(static_cast<std::uint32_t>(i)).quality);
    point.states.push_back(view_->of(static_cast<std::uint32_t>(i)).state);
  }
  for (double& part : point.parts) part = all > 0 ? part / all : 0;
  point.shares = shares_;
  if (options_.point) options_.point(point);
  next_point_s_ = now_s + options_.every_s - 1e-9;
}

void Fleet::finish(double now_s) {
  summary_.seconds = now_s;
}

}  // namespace switchyard::simulator
