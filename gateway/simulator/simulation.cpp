#include "gateway/simulator/simulation.h"

#include "gateway/routing/retry.h"
#include "gateway/simulator/fleet.h"

#include <algorithm>
#include <queue>

namespace switchyard::simulator {

namespace {

using routing::Plan;
using routing::PlanInput;

constexpr double kTick_s = 0.1, kFastTick_s = 1;

Error error_of(scoring::Ending ending) {
  const bool is_limited = ending == scoring::Ending::limited;
  Error error(is_limited ? ErrorKind::rate_limited : ErrorKind::provider_error, "simulated");
  error.upstream_status = is_limited ? 429 : 500;
  return error;
}

// One request on its way through its plan.
struct Flight {
  SimRequest request;
  Plan plan;
  std::size_t next = 0;  // Of the plan's attempts.
  int tried = 0;
  std::size_t target = 0;
  SimReply reply;
  double began_s = 0, attempt_began_s = 0;
  routing::Reason reason = routing::Reason::priority;
  routing::Decision decision;  // When decisions are recorded.
};

struct Event {
  double at_s = 0;
  std::uint64_t number = 0;  // Of events at one time the first made is the first.
  std::size_t flight = 0;
  bool is_first_token = false;

  friend bool operator>(const Event& a, const Event& b) {
    return a.at_s != b.at_s ? a.at_s > b.at_s : a.number > b.number;
  }
};

class Simulation {
 public:
  Simulation(const config::Model& model, const World& world, Fleet& fleet, const Options& options)
      : model_(model), world_(world), fleet_(fleet), random_(world.traffic.seed), options_(options) {
    input_.strategy = model.strategy;
    input_.objectives = model.objectives;
    input_.candidates.resize(fleet.size());
  }

  void run() {
    const Traffic& traffic = world_.traffic;
    const double tick_s = traffic.fast ? kFastTick_s : kTick_s;
    double arrival_s = random_.exponential(1 / traffic.rate), next_tick_s = tick_s;
    while (fleet_.summary().requests < static_cast<std::uint64_t>(traffic.requests) || !events_.empty()) {
      const bool has_more = fleet_.summary().requests < static_cast<std::uint64_t>(traffic.requests);
      const double event_s = events_.empty() ? 1e300 : events_.top().at_s;
      const double request_s = has_more ? arrival_s : 1e300;
      if (next_tick_s <= event_s && next_tick_s <= request_s) {
        fleet_.tick(next_tick_s, tick_s);
        share_targets();
        next_tick_s += tick_s;
      } else if (event_s <= request_s) {
        const Event event = events_.top();
        events_.pop();
        on_event(event);
      } else {
        ++fleet_.summary().requests;
        if (traffic.fast) {
          serve_by_share(arrival_s);
        } else {
          depart(arrival_s);
        }
        arrival_s += random_.exponential(1 / traffic.rate);
      }
    }
    fleet_.finish(next_tick_s);
  }

 private:
  // Fast: where requests go until the next view, as running sums of shares.
  void share_targets() {
    if (!world_.traffic.fast) return;
    sums_.assign(fleet_.size(), 0);
    const std::vector<double>& shares = fleet_.shares();
    double sum = 0;
    for (std::size_t i = 0; i < shares.size(); ++i) sums_[i] = sum += shares[i];
  }

  void serve_by_share(double now_s) {
    if (sums_.empty()) {
      fleet_.look(now_s);
      share_targets();
    }
    const double draw = random_.uniform() * sums_.back();
    const auto target = static_cast<std::size_t>(std::ranges::upper_bound(sums_, draw) - sums_.begin());
    if (target >= fleet_.size()) {
      ++fleet_.summary().unserved;
      return;
    }
    const SimReply reply = fleet_.provider(target).reply(draw_request(world_.traffic, random_));
    fleet_.observe(target, reply, now_s);
    ++(reply.seen.ending == scoring::Ending::ok ? fleet_.summary().served : fleet_.summary().unserved);
  }

  void depart(double now_s) {
    std::size_t flight = flights_.size();
    if (free_.empty()) {
      flights_.emplace_back();
    } else {
      flight = free_.back();
      free_.pop_back();
    }
    Flight& fresh = flights_[flight];
    fresh.request = draw_request(world_.traffic, random_);
    fresh.next = 0;
    fresh.tried = 0;
    fresh.reply = {};
    const TimePoint now = time_of(now_s);
    budget_.on_request(now, model_.retry.budget);
    input_.facts = {fresh.request.input_tokens, 0, 0};
    input_.now = now;
    input_.seed = random_.bits();
    fleet_.fill(input_);
    fresh.plan = routing::make_plan(input_);
    fresh.began_s = now_s;
    if (options_.decision) begin_record(fresh);
    attempt(flight, now_s);
  }

  void begin_record(Flight& flight) {
    routing::Decision& decision = flight.decision = {};
    decision.request_id = "sim-" + std::to_string(fleet_.summary().requests);
    decision.model = model_.name;
    decision.at_ms = Fleet::wall_ms(flight.began_s);
    decision.input = input_;
    decision.scores_version = fleet_.scores_version();
    for (const config::Target& target : model_.targets) {
      decision.providers.push_back(target.provider);
      decision.target_models.push_back(target.model);
    }
  }

  void record_attempt(Flight& flight, const Error* error, double now_s) {
    routing::AttemptRecord& attempt = flight.decision.attempts.emplace_back();
    attempt.target = static_cast<int>(flight.target);
    attempt.reason = flight.reason;
    attempt.ok = !error;
    if (error) {
      attempt.error = error->kind;
      attempt.upstream_status = static_cast<std::uint32_t>(error->upstream_status);
    }
    const auto ms = [&](double at_s) { return static_cast<float>((at_s - flight.began_s) * 1e3); };
    attempt.began_ms = ms(flight.attempt_began_s);
    if (flight.reply.ttft_ms > 0)
      attempt.first_token_ms = ms(flight.attempt_began_s + flight.reply.ttft_ms / 1e3);
    attempt.ended_ms = ms(now_s);
    if (!error) flight.decision.served = attempt.target;
  }

  void finish(std::size_t index) {
    Flight& flight = flights_[index];
    ++(flight.reply.seen.ending == scoring::Ending::ok && flight.tried > 0 ? fleet_.summary().served
                                                                           : fleet_.summary().unserved);
    free_.push_back(index);
    if (!options_.decision) return;
    flight.decision.outcome = flight.decision.served >= 0 ? "ok" : "exhausted";
    flight.decision.input_tokens = flight.request.input_tokens;
    flight.decision.output_tokens = flight.reply.seen.output_tokens;
    options_.decision(flight.decision);
  }

  // Goes on to the next target that takes it.
  void attempt(std::size_t index, double now_s) {
    Flight& flight = flights_[index];
    const TimePoint now = time_of(now_s);
    while (flight.next < flight.plan.attempts.size() && flight.tried < model_.retry.attempts) {
      if (flight.tried > 0 && !budget_.try_retry(now)) break;
      const routing::PlannedAttempt planned = flight.plan.attempts[flight.next++];
      const auto target = static_cast<std::size_t>(planned.target);
      if (!fleet_.start(target, flight.request, now)) continue;
      ++flight.tried;
      flight.target = target;
      flight.reason = planned.reason;
      flight.attempt_began_s = now_s;
      flight.reply = fleet_.provider(target).reply(flight.request);
      if (flight.reply.ttft_ms > 0) push(now_s + flight.reply.ttft_ms / 1e3, index, true);
      push(now_s + flight.reply.duration_ms / 1e3, index, false);
      return;
    }
    finish(index);
  }

  void push(double at_s, std::size_t flight, bool is_first_token) {
    events_.push({at_s, ++events_made_, flight, is_first_token});
  }

  void on_event(const Event& event) {
    Flight& flight = flights_[event.flight];
    const TimePoint now = time_of(event.at_s);
    if (event.is_first_token) return fleet_.first_token(flight.target, flight.reply, now);
    const scoring::Ending ending = flight.reply.seen.ending;
    fleet_.observe(flight.target, flight.reply, event.at_s);
    if (ending == scoring::Ending::ok) {
      fleet_.end(flight.target, nullptr, now);
      if (options_.decision) record_attempt(flight, nullptr, event.at_s);
      return finish(event.flight);
    }
    const Error error = error_of(ending);
    fleet_.end(flight.target, &error, now);
    if (options_.decision) record_attempt(flight, &error, event.at_s);
    attempt(event.flight, event.at_s);
  }

  const config::Model& model_;
  const World& world_;
  Fleet& fleet_;
  Random random_;
  PlanInput input_;
  routing::RetryBudget budget_;
  std::vector<Flight> flights_;
  std::vector<std::size_t> free_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t events_made_ = 0;
  std::vector<double> sums_;
  const Options& options_;
};

}  // namespace

Result<Summary> simulate(const config::Config& config, const Lookup& lookup, const World& world,
                         const Options& options) {
  const config::Model* model = nullptr;
  for (const config::Model& one : config.models) {
    if (one.name == world.traffic.model || (world.traffic.model.empty() && config.models.size() == 1))
      model = &one;
  }
  if (!model) {
    return fail(ErrorKind::invalid_request, world.traffic.model.empty()
                                                ? "several models are configured: the traffic must name one"
                                                : "no model is called `" + world.traffic.model + "`");
  }
  auto fleet = Fleet::make(config, lookup, *model, world, options);
  if (!fleet) return fleet.error();
  Simulation(*model, world, **fleet, options).run();
  return std::move((*fleet)->summary());
}

}  // namespace switchyard::simulator
