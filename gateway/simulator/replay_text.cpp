#include "gateway/simulator/print.h"
#include "gateway/simulator/replay.h"

namespace switchyard::simulator {

namespace {

const char* shown(const std::string& target) {
  return target.empty() ? "no target" : target.c_str();
}

double mean(double sum, std::uint64_t count) {
  return count > 0 ? sum / static_cast<double>(count) : 0;
}

// Of all, as a part.
double part(const Expectation& expectation, const std::string& target) {
  double all = 0;
  for (const auto& [name, count] : expectation.load) all += static_cast<double>(count);
  const auto found = expectation.load.find(target);
  return found == expectation.load.end() || all == 0 ? 0 : static_cast<double>(found->second) / all;
}

void print_expectations(const Expectation& before, const Expectation& after, std::string& out) {
  if (before.latency_known > 0 || after.latency_known > 0) {
    print(out, "expected latency: %.0f ms -> %.0f ms\n", mean(before.latency_ms, before.latency_known),
          mean(after.latency_ms, after.latency_known));
  }
  if (before.usd_known > 0 || after.usd_known > 0) {
    print(out, "expected cost: $%.6f -> $%.6f a request\n", mean(before.usd, before.usd_known),
          mean(after.usd, after.usd_known));
  }
  print(out, "expected quality: %.4f -> %.4f\n", mean(before.quality, before.quality_known),
        mean(after.quality, after.quality_known));
  std::map<std::string, bool> names;
  for (const auto& [name, count] : before.load) names[name] = true;
  for (const auto& [name, count] : after.load) names[name] = true;
  for (const auto& [name, unused] : names) {
    print(out, "load of %s: %.2f %% -> %.2f %%\n", shown(name), 100 * part(before, name),
          100 * part(after, name));
  }
}

}  // namespace

std::string to_text(const ReplaySummary& summary, bool compares) {
  std::string out;
  print(out, "%llu decisions made again: %llu identical, %llu not\n", static_cast<Count>(summary.decisions),
        static_cast<Count>(summary.identical), static_cast<Count>(summary.decisions - summary.identical));
  for (const auto& [id, what] : summary.differences)
    print(out, "  %s: %s\n", id.substr(0, 100).c_str(), what.substr(0, 300).c_str());
  if (!compares) return out;
  print(out, "%llu of %llu requests move\n", static_cast<Count>(summary.moved),
        static_cast<Count>(summary.decisions - summary.unknown_models));
  for (const auto& [ends, count] : summary.moves)
    print(out, "  %s -> %s: %llu\n", shown(ends.first), shown(ends.second), static_cast<Count>(count));
  print_expectations(summary.before, summary.after, out);
  if (summary.unknown_models > 0) {
    print(out, "%llu decisions are of models that the other configuration has not\n",
          static_cast<Count>(summary.unknown_models));
  }
  if (summary.conditions_taken_over > 0) {
    print(out, "%llu verdicts on conditions are as recorded: a record does not hold what they ask for\n",
          static_cast<Count>(summary.conditions_taken_over));
  }
  return out;
}

}  // namespace switchyard::simulator
