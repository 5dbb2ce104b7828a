#pragma once

#include "config/config.h"
#include "gateway/routing/decision.h"
#include "gateway/scoring/board.h"
#include "gateway/simulator/plan_input.h"
#include "gateway/simulator/world.h"

#include <functional>
#include <string>
#include <vector>

namespace switchyard::simulator {

// What happened to one target.
struct TargetSummary {
  std::string provider, model;
  std::uint64_t attempts = 0, failures = 0, bad = 0;
  std::uint64_t ejections = 0;         // By its scores.
  std::uint64_t false_ejections = 0;   // Of those, while it behaved as usual, and nothing had changed before.
  std::uint64_t reduced_attempts = 0;  // While its quality was below 0.95.
};

// A target's score moved it from one state to another.
struct Transition {
  double at_s = 0;
  std::size_t target = 0;
  scoring::State from = scoring::State::serving, to = scoring::State::serving;
  std::string why;
};

// From a change of a target's behaviour until it was restored and has its share back.
struct Incident {
  double at_s = 0, restored_s = -1;  // Negative: it was not.
  std::size_t target = 0;
  std::uint64_t state_changes = 0;
  // The target's own requests, and those of all, from the change until its share was half of what it was and
  // until it was ejected; negative: neither happened.
  std::int64_t own_until_half = -1, own_until_ejected = -1, all_until_ejected = -1;
  double seconds_until_ejected = -1, seconds_until_back = -1;  // The second after it was restored.
};

struct Summary {
  std::uint64_t requests = 0, served = 0, unserved = 0;
  double seconds = 0;  // Virtual.
  std::vector<TargetSummary> targets;
  std::vector<Incident> incidents;
  std::vector<Transition> transitions;  // Of mere reductions the first 1,000.
  std::uint64_t transition_count = 0;
  // Ticks at which every target of a tier was ejected: must be none.
  std::uint64_t last_target_ejections = 0;
};

// One point of time, for plots.
struct Point {
  double at_s = 0;
  // By target: the share that its terms give it, of the requests since the last point, the quality.
  std::vector<double> shares, parts, qualities;
  std::vector<scoring::State> states;
};

struct Options {
  double every_s = 0;  // Points are told so often; 0: never.
  std::function<void(const Point&)> point;
  // Called with each request at its end, as the gateway would record it; not with Traffic::fast. May be
  // empty.
  std::function<void(const routing::Decision&)> decision;
};

// The gateway's own routing and scoring under a virtual clock: make_plan() for each request, SharedHealth and
// SharedLoad for each target, a Board that is ticked ten times a second. Seeded: the same world gives the
// same summary. Fails with invalid_request when the world and the configuration do not fit: no such model, a
// target that one has and the other has not.
Result<Summary> simulate(const config::Config& config, const Lookup& lookup, const World& world,
                         const Options& options);

// For people.
std::string to_text(const Summary& summary);

}  // namespace switchyard::simulator
