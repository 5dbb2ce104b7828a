// Incidents and benign days in a closed loop of the gateway's scoring and routing. bench/quality/run.sh
// drives it.
//
//   quality_incidents [--quick] > incidents.json
#include "bench/quality/explain_cells.h"
#include "bench/quality/json.h"
#include "bench/quality/loop.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace switchyard;
using namespace switchyard::evaluation;
using scoring::State;

constexpr std::int64_t kMinute = 60'000, kHour = 60 * kMinute, kDay = 24 * kHour;

// What a learnt baseline allows beyond the healthy mean.
enum class Margin { none, shipped };

struct Incident {
  const char* name;
  double healthy, degraded;
  double canary = .30;  // While degraded, of .05.
  Margin margin = Margin::none;
  bool knows_probes = false;                     // The provider answers probes well all the same.
  std::int64_t repaired_after_ms = 5 * kMinute;  // From the ejection.
};

LoopOptions options_of(const Incident& incident, std::uint64_t seed) {
  LoopOptions options{.seed = seed};
  options.probes = incident.margin == Margin::shipped;
  if (incident.margin == Margin::none)
    for (const char* signal : {"tool_call_invalid", "canary"})
      options.settings.signals.push_back({.signal = signal, .mode = {}, .tolerance = 0, .rate = {}});
  return options;
}

// Eighteen healthy days, so that every baseline is learnt and the days' spread is measured.
std::string learn(const Incident& incident, double days) {
  LoopOptions options = options_of(incident, 7'000);
  options.per_second = .25;  // So few that 90 days of it are A.
  options.canaries_per_hour = 60;
  options.tick_ms = 4'000;
  Loop loop(options);
  loop.run(static_cast<std::int64_t>(days * kDay),
           [&](int, std::int64_t) { return TargetRates{.traffic = incident.healthy}; });
  return loop.save();
}

struct Outcome {
  std::optional<double> own_to_half, own_to_eject, total_to_eject, share, seconds_to_eject;
  double minutes_to_full = 0;  // From the repair.
  bool recovered = false;
  int state_changes = 0, last_target_out = 0;
  double share_while_out = 0;     // Of requests, between the ejection and the repair.
  bool served_while_bad = false;  // Was back in full before the repair.
  std::vector<double> dwells_minutes;
  int healthy_changes = 0;  // Of the other target.
};

struct Sample {
  double minute = 0, share = 0, quality = 0;
};

Outcome run_incident(const Incident& incident, const std::string& saved, std::uint64_t seed,
                     std::vector<Sample>* course) {
  constexpr std::int64_t kLearnt = 2 * kHour, kGiveUp = 6 * kHour;
  LoopOptions options = options_of(incident, seed);
  options.tick_ms = 100;
  Loop loop(options, saved);
  std::int64_t from = kLearnt, to = kLearnt + kGiveUp;
  const auto rates = [&](int target, std::int64_t now) {
    const bool is_bad = target == 0 && now >= from && now < to;
    return TargetRates{.traffic = is_bad ? incident.degraded : incident.healthy,
                       .canary = is_bad && !incident.knows_probes ? incident.canary : .05};
  };
  Outcome out;
  std::int64_t next_sample = from - 10 * kMinute;
  const auto sample = [&] {
    if (!course || loop.now_ms() < next_sample) return;
    course->push_back(
        {static_cast<double>(loop.now_ms() - from) / kMinute, loop.share(0), loop.view(0).quality});
    next_sample += 10'000;
  };
  loop.run(from, rates, [&] { return sample(), false; });
  loop.take_events();
  const double own = loop.requests_of(0), all = loop.requests();
  loop.run(from + kGiveUp, rates, [&] {
    sample();
    if (!out.own_to_half && loop.share(0) <= 1.0 / 3 + 1e-9) out.own_to_half = loop.requests_of(0) - own;
    return loop.view(0).state == State::ejected;
  });
  if (loop.view(0).state == State::ejected) {
    out.own_to_eject = loop.requests_of(0) - own;
    out.total_to_eject = loop.requests() - all;
    out.share = *out.own_to_eject / *out.total_to_eject;
    out.seconds_to_eject = static_cast<double>(loop.now_ms() - from) / 1000;
  }
  to = loop.now_ms() + incident.repaired_after_ms;
  const double own_out = loop.requests_of(0), all_out = loop.requests();
  State before = State::serving;
  const auto watch = [&] {
    sample();
    const auto& view = loop.view(0);
    if (view.state == State::ejected && before != State::ejected)
      out.dwells_minutes.push_back(static_cast<double>(view.state_until_ms - view.state_since_ms) / kMinute);
    before = view.state;
    return false;
  };
  loop.run(to, rates, [&] {
    out.served_while_bad |= loop.view(0).state == State::serving;
    return watch();
  });
  out.share_while_out = (loop.requests_of(0) - own_out) / std::max(loop.requests() - all_out, 1.0);
  const auto is_full = [&] { return loop.view(0).state == State::serving && loop.share(0) > .49; };
  loop.run(to + kGiveUp, rates, [&] { return watch(), is_full(); });
  out.recovered = is_full();
  out.minutes_to_full = static_cast<double>(loop.now_ms() - to) / kMinute;
  if (course) loop.run(loop.now_ms() + 10 * kMinute, rates, [&] { return sample(), false; });
  for (const auto& event : loop.events()) {
    if (event.target == 0)
      ++out.state_changes;
    else
      ++out.healthy_changes;
  }
  out.last_target_out = loop.last_target_out;
  return out;
}

nlohmann::json of(const std::vector<Outcome>& outcomes, std::optional<double> Outcome::*field) {
  std::vector<double> values;
  for (const Outcome& o : outcomes)
    if (o.*field) values.push_back(*(o.*field));
  return to_json(summarize(values, outcomes.size() - values.size()));
}

nlohmann::json incidents(bool quick) {
  static constexpr Incident kIncidents[] = {
      {.name = "1 -> 5 %", .healthy = .01, .degraded = .05},
      {.name = "1 -> 10 %", .healthy = .01, .degraded = .10},
      {.name = "0.1 -> 13 % (K2-like)", .healthy = .001, .degraded = .13},
      {.name = "1 -> 30 %", .healthy = .01, .degraded = .30},
      {.name = "1 -> 5 %, as shipped",
       .healthy = .01,
       .degraded = .05,
       .canary = .10,
       .margin = Margin::shipped},
      {.name = "1 -> 10 %, as shipped",
       .healthy = .01,
       .degraded = .10,
       .canary = .15,
       .margin = Margin::shipped},
      {.name = "1 -> 30 %, as shipped", .healthy = .01, .degraded = .30, .margin = Margin::shipped},
      {.name = "1 -> 10 %, as shipped, two hours",
       .healthy = .01,
       .degraded = .10,
       .canary = .15,
       .margin = Margin::shipped,
       .repaired_after_ms = 2 * kHour},
      {.name = "1 -> 10 %, as shipped, two hours, knows probes",
       .healthy = .01,
       .degraded = .10,
       .margin = Margin::shipped,
       .knows_probes = true,
       .repaired_after_ms = 2 * kHour}};
  const int runs = quick ? 4 : 20;
  nlohmann::json out = nlohmann::json::array();
  for (const Incident& incident : kIncidents) {
    const std::string saved = learn(incident, 18);
    std::vector<Outcome> outcomes;
    std::vector<double> to_full;
    std::vector<Sample> course;
    int changes_max = 0, recovered = 0, last_out = 0;
    double others = 0, while_out = 0;
    int served = 0;
    for (int run = 0; run < runs; ++run) {
      outcomes.push_back(run_incident(incident, saved, 7'100 + static_cast<std::uint64_t>(run),
                                      run == 0 ? &course : nullptr));
      const Outcome& o = outcomes.back();
      changes_max = std::max(changes_max, o.state_changes);
      recovered += o.recovered ? 1 : 0;
      last_out += o.last_target_out;
      others += o.healthy_changes;
      while_out += o.share_while_out;
      served += o.served_while_bad ? 1 : 0;
      if (o.recovered) to_full.push_back(o.minutes_to_full);
    }
    nlohmann::json row = {{"name", incident.name},
                          {"own_to_half", of(outcomes, &Outcome::own_to_half)},
                          {"own_to_eject", of(outcomes, &Outcome::own_to_eject)},
                          {"total_to_eject", of(outcomes, &Outcome::total_to_eject)},
                          {"share", of(outcomes, &Outcome::share)},
                          {"seconds_to_eject", of(outcomes, &Outcome::seconds_to_eject)},
                          {"minutes_to_full", to_json(summarize(to_full, outcomes.size() - to_full.size()))},
                          {"recovered", recovered},
                          {"runs", runs},
                          {"state_changes_max", changes_max},
                          {"share_while_out", while_out / runs},
                          {"served_while_bad", served},
                          {"dwells", outcomes.front().dwells_minutes},
                          {"other_changes", others},
                          {"last_target_out", last_out}};
    for (const Sample& s : course) row["course"].push_back({s.minute, s.share, s.quality});
    out.push_back(row);
    std::cerr << incident.name << '\n';
  }
  return out;
}

// --- Days on which nothing is wrong with any target -------------------------------------------------------

struct Benign {
  const char* name;
  Loop::Rates rates;
  double viral = 0;
  int sessions = 0;
};

std::vector<Benign> benign_arms(std::vector<std::vector<double>>& days) {
  const auto hour = [](std::int64_t now) { return static_cast<int>(now / kHour % 24); };
  // Days of a target differ by log-normal factors, drawn beforehand.
  const auto day_of = [&days](int target, std::int64_t now) {
    const auto& mine = days[static_cast<std::size_t>(target)];
    return mine[static_cast<std::size_t>(now / kDay) % mine.size()];
  };
  return {{"always the same", [](int, std::int64_t) { return TargetRates{}; }},
          {"days differ (log sd .3)",
           [=](int target, std::int64_t now) { return TargetRates{.traffic = .01 * day_of(target, now)}; }},
          {"two honest builds by turns (A13)",
           [=](int target, std::int64_t now) {
             return TargetRates{.traffic = (hour(now) + target) % 2 == 0 ? .009 : .011};
           }},
          {"requests three times as hard for 6 h a week (A13)",
           [](int, std::int64_t now) {
             const bool hard = now % (7 * kDay) > 6 * kDay && now % kDay < 6 * kHour;
             return TargetRates{.traffic = hard ? .03 : .01};
           }},
          {"a viral prompt that fails everywhere, one session, 5 % (A13)",
           [](int, std::int64_t) { return TargetRates{}; }, .05, 2'000},
          {"toss-up canaries for a day a week (A14)", [=](int target, std::int64_t now) {
             return TargetRates{.canary = now / kDay % 7 == 2 + target ? .09 : .05};
           }}};
}

// What is usual is learnt for 18 days in which the arm's oddities are part of life; what counts is after.
nlohmann::json benign(bool quick) {
  Random random(8'000);
  std::vector<std::vector<double>> days(2);
  for (auto& mine : days)
    for (int day = 0; day < 400; ++day) mine.push_back(std::exp(.3 * random.normal() - .045));
  nlohmann::json out = nlohmann::json::array();
  for (const Benign& arm : benign_arms(days)) {
    LoopOptions options{
        .targets = 2, .per_second = 2, .tick_ms = 5'000, .sessions = arm.sessions, .seed = 8'001};
    Loop loop(options);
    loop.run(18 * kDay, arm.rates);
    loop.take_events();
    loop.ticks = loop.ticks_below = 0;
    loop.set_viral(arm.viral);
    const double before = loop.requests();
    loop.run((18 + (quick ? 12 : 60)) * kDay, arm.rates);
    int ejects = 0, changes = 0;
    for (const auto& event : loop.events()) {
      ++changes;
      ejects += event.to == State::ejected ? 1 : 0;
    }
    out.push_back({{"name", arm.name},
                   {"requests", loop.requests() - before},
                   {"ejects", ejects},
                   {"state_changes", changes},
                   {"below_full", loop.ticks_below / (loop.ticks * options.targets)},
                   {"last_target_out", loop.last_target_out}});
    std::cerr << arm.name << '\n';
  }
  return out;
}

// All targets become bad, one after the other: somebody must serve.
nlohmann::json all_bad(bool quick) {
  int last_out = 0, ejected_max = 0;
  double unserved = 0, total = 0;
  const Incident incident{.name = "all", .healthy = .01, .degraded = .30};
  LoopOptions options = options_of(incident, 0);
  for (const int targets : {2, 3, 4})
    for (int run = 0; run < (quick ? 1 : 2); ++run) {
      options.targets = targets;
      options.seed = 9'000 + static_cast<std::uint64_t>(run);
      Loop loop(options);
      const std::int64_t learnt = 5 * kDay;
      const auto rates = [&](int target, std::int64_t now) {
        return TargetRates{.traffic = now >= learnt + target * 30 * kMinute ? .30 : .01, .canary = .05};
      };
      loop.run(learnt, rates);
      double before = loop.requests();
      loop.run(learnt + 12 * kHour, rates, [&] {
        int out = 0;
        for (int i = 0; i < targets; ++i) out += loop.view(i).state == State::ejected ? 1 : 0;
        ejected_max = std::max(ejected_max, out * 100 / targets);
        return false;
      });
      last_out += loop.last_target_out;
      total += 12 * 3'600 * options.per_second;
      unserved += 12 * 3'600 * options.per_second - (loop.requests() - before);
    }
  return {{"last_target_out", last_out},
          {"ejected_max_percent", ejected_max},
          {"unserved", unserved},
          {"requests", total}};
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::string(argv[1]) == "--quick";
  nlohmann::json out;

  const struct {
    const char* name;
    nlohmann::json (*run)(bool);
  } parts[] = {{"incidents", incidents},
               {"benign", benign},
               {"all_bad", all_bad},
               {"explain", explain_cells},
               {"costs", cost_cells}};

  for (const auto& [name, run] : parts) {
    const auto start = std::chrono::steady_clock::now();
    out[name] = run(quick);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::cerr << name << ": " << seconds.count() << " s\n";
  }
  std::cout << out.dump(1) << '\n';
}
