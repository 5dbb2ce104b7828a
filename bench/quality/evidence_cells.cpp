#include "bench/quality/cells.h"
#include "bench/quality/json.h"
#include "bench/quality/random.h"
#include "gateway/probing/identity.h"
#include "gateway/scoring/baseline.h"
#include "gateway/scoring/detector.h"
#include "gateway/scoring/sessions.h"
#include "gateway/scoring/signals.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <vector>

namespace switchyard::evaluation {
namespace {

using namespace switchyard::scoring;

// --- Sessions ---------------------------------------------------------------------------------------------

constexpr std::size_t kLengths = 3;  // Classes of sessions by their number of turns.

struct SessionResult {
  std::array<double, kLengths> seen{}, clustered{};
};

// Sessions of 3 to 12 turns, one after the other: what Sessions says of each when it is over.
class SessionStream {
 public:
  SessionStream(double good, double bad, std::uint64_t seed) : good_(good), bad_(bad), random_(seed) {}

  // One session of a server that is bad with probability `stuck`: every turn's X, and whether it clustered.
  Sessions::Observed next(double stuck, std::vector<bool>& turns) {
    const double rate = random_.chance(stuck) ? bad_ : good_;
    const int count = 3 + random_.below(10);
    Sessions::Observed observed, evicted, out;
    turns.clear();
    ++session_;
    for (int i = 0; i < count; ++i) {
      const bool is_bad = random_.chance(rate);
      turns.push_back(is_bad);
      const auto mask = bit(Signal::tool_call_invalid);
      sessions_.add({.session = session_ * 0x9e3779b97f4a7c15U,
                     .target = 0,
                     .seen = mask,
                     .bad = is_bad ? mask : 0,
                     .harmful = mask,
                     .at_ms = now_ms_ + i * 1'000},
                    observed, evicted);
    }
    // A turn after the stretch has ended brings what it was; nothing waits for a sweep.
    now_ms_ += 2 * Sessions::kEveryMs;
    sessions_.add({.session = session_ * 0x9e3779b97f4a7c15U, .target = 0, .at_ms = now_ms_}, out, evicted);
    return out;
  }

 private:
  double good_, bad_;
  Random random_;
  Sessions sessions_;
  std::uint64_t session_ = 0;
  std::int64_t now_ms_ = Sessions::kEveryMs;
};

struct SessionCell {
  double good, bad, stuck;
};

// m0 of each class, from healthy sessions.
std::vector<Bets> learn_classes(const SessionCell& cell, int sessions, std::uint64_t seed) {
  SessionResult healthy;
  SessionStream stream(cell.good, cell.bad, seed);
  std::vector<bool> turns;
  for (int i = 0; i < sessions; ++i) {
    const auto seen = stream.next(0, turns);
    if (!seen.clustered) continue;
    ++healthy.seen[seen.cluster_stratum];
    healthy.clustered[seen.cluster_stratum] += *seen.clustered ? 1 : 0;
  }
  std::vector<Bets> out;
  for (std::size_t i = 0; i < kLengths; ++i)
    out.emplace_back(
        allowed_rate(healthy.clustered[i] / std::max(healthy.seen[i], 1.0), healthy.seen[i], 0, .005));
  return out;
}

struct SessionDelays {
  std::vector<double> clustering, turns;  // Sessions until each way of looking has seen it.
};

void follow_sessions(const SessionCell& cell, const std::vector<Bets>& classes, std::uint64_t seed,
                     SessionDelays& out) {
  constexpr int kSessionsMax = 20'000;
  SessionStream stream(cell.good, cell.bad, seed);
  const Bets turn_bets(allowed_rate(cell.good, 5'000, 0, .005));
  Detector clustering, single;
  std::vector<bool> turns;
  std::optional<int> by_clustering, by_turns;
  for (int i = 1; i <= kSessionsMax && !(by_clustering && by_turns); ++i) {
    const auto seen = stream.next(cell.stuck, turns);
    if (seen.clustered) clustering.observe(*seen.clustered ? 1 : 0, classes[seen.cluster_stratum]);
    const double bad = static_cast<double>(std::count(turns.begin(), turns.end(), true));
    single.observe(bad / static_cast<double>(turns.size()), turn_bets);
    if (!by_clustering && clustering.evidence() >= kFalseEjectEvery) by_clustering = i;
    if (!by_turns && single.evidence() >= kFalseEjectEvery) by_turns = i;
  }
  out.clustering.push_back(by_clustering.value_or(kSessionsMax));
  out.turns.push_back(by_turns.value_or(kSessionsMax));
}

// --- Border inputs ----------------------------------------------------------------------------------------

constexpr std::size_t kPrompts = 26;
constexpr int kReferenceRounds = 100, kReferenceDays = 5, kHealthyDays = 22;
constexpr int kHealthyProbes = 3'900;

// Prompts whose two likeliest tokens are nearly tied, with two rarer ones at 3 % each: then 10, 30 and 100
// references leave 4.4, 2.4 and .3 % of healthy tokens unseen; the recorded samples have 4.1, 2.0 and .18 %.
// A day moves the tie: its total variation from the usual is .03 to .08, and .15 on one bad day.
class BorderProvider {
 public:
  explicit BorderProvider(std::uint64_t seed) : random_(seed) {
    for (double& share : tie_) share = .47 + .1 * random_.uniform();
    begin_day(false);
  }

  void begin_day(bool is_bad) {
    for (std::size_t i = 0; i < kPrompts; ++i) {
      const double variation = is_bad ? .15 : .03 + .05 * random_.uniform();
      today_[i] = tie_[i] - .03 + (random_.chance(.5) ? variation : -variation);
    }
  }

  std::uint64_t token(std::size_t prompt) {
    const double at = random_.uniform();
    const std::uint64_t base = 10 * (prompt + 1);
    if (at < .03) return base + 3;
    if (at < .06) return base + 4;
    return base + (at < .06 + today_[prompt] ? 1 : 2);
  }

  // Of the other model: three in twenty of its tokens are among the old ones.
  std::uint64_t swapped_token(std::size_t prompt) {
    return random_.chance(.15) ? token(prompt) : 10'000 + prompt;
  }

  double total_variation(std::size_t prompt) const { return std::abs(today_[prompt] - (tie_[prompt] - .03)); }

 private:
  Random random_;
  std::array<double, kPrompts> tie_{}, today_{};
};

// The published rule: the day's mean total variation from the reference over all prompts is more than 4
// deviations of the last 14 days above their mean and by .2 or more, three days in a row. In probes.
int published_rule_delay() {
  constexpr int kDays = 3, kPromptsADay = 20, kSamplesADay = 10;
  return kDays * kPromptsADay * kSamplesADay;
}

struct BorderRun {
  bool false_alarm = false;
  double evidence_max = 0;
  int delay = 0;
};

BorderRun run_border(std::uint64_t seed) {
  BorderRun out;
  BorderProvider provider(seed);
  probing::ReplyTest test(kPrompts, kReferenceRounds);
  for (int round = 0; test.is_learning(); ++round) {
    if (round % (kReferenceRounds / kReferenceDays) == 0) provider.begin_day(false);
    for (std::size_t i = 0; i < kPrompts && test.is_learning(); ++i) test.add(i, provider.token(i));
  }
  for (int probe = 0; probe < kHealthyProbes; ++probe) {
    if (probe % (kHealthyProbes / kHealthyDays) == 0)
      provider.begin_day(probe / (kHealthyProbes / kHealthyDays) == kHealthyDays / 2);
    const auto i = static_cast<std::size_t>(probe) % kPrompts;
    const auto verdict = test.add(i, provider.token(i));
    out.evidence_max = std::max(out.evidence_max, verdict.evidence);
    if (verdict.alarm) {
      out.false_alarm = true;
      return out;
    }
  }
  for (bool alarm = false; !alarm && out.delay < 1'000; ++out.delay) {
    const auto i = static_cast<std::size_t>(out.delay) % kPrompts;
    alarm = test.add(i, provider.swapped_token(i)).alarm;
  }
  return out;
}

}  // namespace

nlohmann::json session_cells(const CellOptions& options) {
  static constexpr SessionCell kCells[] = {{.05, .30, .1}, {.05, .30, .3}, {.01, .30, .1},
                                           {.01, .50, .1}, {.05, .60, .1}, {.05, .30, .008}};
  const int runs = options.quick ? 20 : 100;
  nlohmann::json out = nlohmann::json::array();
  for (const SessionCell& cell : kCells) {
    SessionDelays found;
    const auto classes = learn_classes(cell, 5'000, 909);
    for (int run = 0; run < (cell.stuck < .05 ? std::min(runs, 10) : runs); ++run)
      follow_sessions(cell, classes, 1'000 + static_cast<std::uint64_t>(run), found);
    out.push_back({{"good", cell.good},
                   {"bad", cell.bad},
                   {"stuck", cell.stuck},
                   {"clustering", to_json(summarize(found.clustering))},
                   {"turns", to_json(summarize(found.turns))}});
  }
  return out;
}

nlohmann::json border_cells(const CellOptions& options) {
  const int runs = options.quick ? 50 : 400;
  std::vector<double> delays, peaks;
  int false_alarms = 0;
  for (int run = 0; run < runs; ++run) {
    const BorderRun result = run_border(2'000 + static_cast<std::uint64_t>(run));
    false_alarms += result.false_alarm ? 1 : 0;
    if (!result.false_alarm) delays.push_back(result.delay);
    peaks.push_back(result.evidence_max);
  }
  return {{"runs", runs},
          {"healthy_probes", kHealthyProbes},
          {"false_alarms", false_alarms},
          {"evidence_max", to_json(summarize(peaks))},
          {"delay", to_json(summarize(delays))},
          {"published_rule", published_rule_delay()}};
}

}  // namespace switchyard::evaluation
