#include "gateway/simulator/print.h"
#include "gateway/simulator/simulation.h"

namespace switchyard::simulator {

namespace {

constexpr std::size_t kTransitionsShown = 30;

std::string name_of(const TargetSummary& target) {
  return target.model.empty() ? target.provider : target.provider + "/" + target.model;
}

void print_target(const TargetSummary& target, std::string& out) {
  const double million = target.attempts > 0 ? 1e6 / static_cast<double>(target.attempts) : 0;
  print(out, "  %-24s %11llu requests, %llu failed, %llu bad; ejected %llu times", name_of(target).c_str(),
        static_cast<Count>(target.attempts), static_cast<Count>(target.failures),
        static_cast<Count>(target.bad), static_cast<Count>(target.ejections));
  print(out, " (%llu false: %.3f a million requests); reduced for %.3f %% of its requests\n",
        static_cast<Count>(target.false_ejections), static_cast<double>(target.false_ejections) * million,
        static_cast<double>(target.reduced_attempts) * million / 1e4);
}

void print_incident(const Incident& incident, const Summary& summary, std::string& out) {
  print(out, "  %s changed at %.1f s: ", name_of(summary.targets[incident.target]).c_str(), incident.at_s);
  if (incident.own_until_half >= 0)
    print(out, "half its share after %lld of its requests, ",
          static_cast<long long>(incident.own_until_half));
  if (incident.own_until_ejected >= 0) {
    print(out, "ejected after %lld of its requests, %lld of all, %.1f s",
          static_cast<long long>(incident.own_until_ejected),
          static_cast<long long>(incident.all_until_ejected), incident.seconds_until_ejected);
  } else {
    out += "not ejected";
  }
  if (incident.restored_s >= 0) {
    print(out, "; repaired at %.1f s, ", incident.restored_s);
    if (incident.seconds_until_back >= 0) {
      print(out, "back in full after %.1f s", incident.seconds_until_back);
    } else {
      out += "not back in full";
    }
  }
  print(out, "; %llu state changes\n", static_cast<Count>(incident.state_changes));
}

// Reductions come and go, also where nothing is wrong: they are counted only.
void print_transitions(const Summary& summary, std::string& out) {
  using scoring::State;
  std::size_t left = kTransitionsShown;
  for (const Transition& transition : summary.transitions) {
    const bool is_reduction = transition.from != State::ejected && transition.from != State::probation &&
                              (transition.to == State::reduced || transition.to == State::serving);
    if (is_reduction || left == 0) continue;
    --left;
    print(out, "  %12.1f s  %s: %s -> %s%s%s\n", transition.at_s,
          name_of(summary.targets[transition.target]).c_str(),
          std::string(scoring::name_of(transition.from)).c_str(),
          std::string(scoring::name_of(transition.to)).c_str(), transition.why.empty() ? "" : ": ",
          transition.why.substr(0, 200).c_str());
  }
  print(out, "%llu state changes in all, small reductions included\n",
        static_cast<Count>(summary.transition_count));
}

}  // namespace

std::string to_text(const Summary& summary) {
  std::string out;
  print(out, "%llu requests in %.0f s of virtual time: %llu served, %llu not\n",
        static_cast<Count>(summary.requests), summary.seconds, static_cast<Count>(summary.served),
        static_cast<Count>(summary.unserved));
  std::uint64_t attempts = 0, false_ejections = 0;
  for (const TargetSummary& target : summary.targets) {
    print_target(target, out);
    attempts += target.attempts;
    false_ejections += target.false_ejections;
  }
  print(out,
        "false ejections: %llu, %.3f a million requests; ticks with every target of a tier ejected: %llu\n",
        static_cast<Count>(false_ejections),
        attempts > 0 ? static_cast<double>(false_ejections) * 1e6 / static_cast<double>(attempts) : 0,
        static_cast<Count>(summary.last_target_ejections));
  for (const Incident& incident : summary.incidents) print_incident(incident, summary, out);
  print_transitions(summary, out);
  return out;
}

}  // namespace switchyard::simulator
