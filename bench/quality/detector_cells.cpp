#include "bench/quality/baselines.h"
#include "bench/quality/cells.h"
#include "bench/quality/json.h"
#include "bench/quality/random.h"
#include "gateway/scoring/baseline.h"
#include "gateway/scoring/detector.h"
#include "gateway/scoring/score.h"
#include "gateway/scoring/signals.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

namespace switchyard::evaluation {
namespace {

using namespace switchyard::scoring;

constexpr int kWarmUp = 2'000, kWarmUpSpread = 4'500;  // Healthy observations before a change.
constexpr int kRequestsADay = 10'000;
constexpr int kDelayMax = 200'000;

struct DelayCell {
  double healthy, allowed, degraded;
  double mean, p95;  // The target of the design, or 0.
};

// `observe(bad)` says when to act; `reset()` makes it new.
struct Rule {
  std::function<bool(bool)> observe;
  std::function<void()> reset;
};

Summary delays(const Rule& rule, double healthy, double degraded, int runs, std::uint64_t seed) {
  std::vector<double> values;
  std::size_t missed = 0;
  for (int run = 0; run < runs; ++run) {
    Random random(seed + static_cast<std::uint64_t>(run));
    rule.reset();
    const int healthy_ones = kWarmUp + random.below(kWarmUpSpread);
    for (int i = 0; i < healthy_ones;) {
      if (rule.observe(random.chance(healthy))) {
        rule.reset();  // A false alarm: the history begins anew.
        i = 0;
      } else {
        ++i;
      }
    }
    int delay = 0;
    bool alarm = false;
    while (!alarm && delay < kDelayMax) {
      alarm = rule.observe(random.chance(degraded));
      ++delay;
    }
    if (!alarm) ++missed;
    values.push_back(delay);
  }
  return summarize(values, missed);
}

Rule evidence_rule(Detector& detector, const Bets& bets, double threshold) {
  return {[&detector, &bets, threshold](bool bad) {
            detector.observe(bad ? 1 : 0, bets);
            return detector.evidence() >= threshold;
          },
          [&detector] { detector.reset(); }};
}

Summary evidence_delays(const DelayCell& cell, double threshold, int runs) {
  Detector detector;
  const Bets bets(cell.allowed);
  return delays(evidence_rule(detector, bets, threshold), cell.healthy, cell.degraded, runs, 101);
}

// Alarms among `requests` healthy ones, each followed by a new start.
double alarms(const Rule& rule, double healthy, std::int64_t requests, std::uint64_t seed) {
  Random random(seed);
  double count = 0;
  rule.reset();
  for (std::int64_t i = 0; i < requests; ++i)
    if (rule.observe(random.chance(healthy))) {
      ++count;
      rule.reset();
    }
  return count;
}

struct Null {
  double requests = 0, ejects = 0, suspicious = 0, below_full = 0, weight = 0;
};

// One healthy target whose rate differs from day to day by a factor e^(sd z - sd^2/2). `allowed_on(day,
// rate)` is asked at the start of each day; nothing: the signal is only shown then.
using AllowedOn = std::function<std::optional<double>(int day, double rate)>;

Null run_null(double healthy, double day_sd, const AllowedOn& allowed_on, double threshold,
              std::int64_t requests) {
  constexpr double kHarm = 0.9, kScale = 0.2, kSteepness = 6 * 0.6;
  Null out;
  Random random(202);
  Detector detector;
  for (int day = 0; out.requests < static_cast<double>(requests); ++day) {
    const double rate = std::min(healthy * std::exp(day_sd * random.normal() - day_sd * day_sd / 2), 1.0);
    const auto allowed = allowed_on(day, rate);
    if (!allowed) continue;
    const Bets bets(*allowed);
    for (int i = 0; i < kRequestsADay; ++i) {
      detector.observe(random.chance(rate) ? 1 : 0, bets);
      if (detector.evidence() >= threshold) ++out.ejects, detector.reset();
      const double odds = detector.odds();
      double quality = 1;
      if (odds > kOddsSuspicious) {
        ++out.suspicious;
        const Change change = detector.change();
        quality = factor(kHarm, severity(change.mean, change.allowed, kScale), belief(odds));
      }
      if (quality < kReducedBelow) ++out.below_full;
      out.weight += quality == 1 ? 1 : std::pow(quality, kSteepness);
    }
    out.requests += kRequestsADay;
  }
  return out;
}

nlohmann::json to_json(const Null& null) {
  return {{"requests", null.requests},
          {"ejects", null.ejects},
          {"per_million", null.requests > 0 ? 1e6 * null.ejects / null.requests : 0},
          {"suspicious", null.requests > 0 ? null.suspicious / null.requests : 0},
          {"below_full", null.requests > 0 ? null.below_full / null.requests : 0},
          {"weight", null.requests > 0 ? null.weight / null.requests : 1}};
}

// The gateway's own learning, block by block of 50 requests, from the target's own days: m0 in days after the
// third is what it says. A target is followed for 100 days, then the next one begins.
class LearningTarget {
 public:
  LearningTarget(double tolerance, std::uint64_t seed) : tolerance_(tolerance), random_(seed) {}

  std::optional<double> allowed_on(int day, double rate) {
    constexpr int kBlock = 50, kDays = 100;
    constexpr std::int64_t kDayMs = 86'400'000;
    if (day % kDays == 0) baseline_ = {};
    const auto before = allowed();
    const std::int64_t start = (day % kDays + 1) * kDayMs;
    for (int block = 0; block < kRequestsADay / kBlock; ++block) {
      int bad = 0;
      for (int i = 0; i < kBlock; ++i) bad += random_.chance(rate) ? 1 : 0;
      learn(baseline_, kBlock, bad, true, settings_, start + block * kDayMs / (kRequestsADay / kBlock));
    }
    return before;
  }

 private:
  std::optional<double> allowed() const {
    if (!baseline_.is_learnt() || baseline_.frozen.day_sd > kDaySdMax) return std::nullopt;
    return allowed_rate(baseline_.frozen.mean, baseline_.frozen.independent, baseline_.frozen.day_sd,
                        tolerance_);
  }

  double tolerance_;
  Random random_;
  config::Quality settings_;
  BaselineState baseline_;
};

}  // namespace

nlohmann::json delay_cells(const CellOptions& options) {
  static constexpr DelayCell kCells[] = {
      {.001, .001, .01, 0, 0},   {.001, .001, .03, 0, 0},  {.001, .001, .13, 32, 60},
      {.01, .01, .02, 0, 0},     {.01, .01, .03, 750, 0},  {.01, .01, .05, 250, 500},
      {.01, .01, .10, 85, 170},  {.05, .05, .10, 0, 0},    {.05, .05, .15, 0, 0},
      {.05, .05, .30, 0, 0},     {.10, .10, .20, 0, 0},    {.10, .10, .30, 0, 0},
      {.10, .10, .50, 0, 0},     {.50, .50, .60, 0, 0},    {.50, .50, .70, 0, 0},
      {.01, .0201, .05, 650, 0}, {.01, .0201, .10, 150, 0}};
  nlohmann::json out = nlohmann::json::array();
  for (const DelayCell& cell : kCells) {
    nlohmann::json row = evaluation::to_json(evidence_delays(cell, kFalseEjectEvery, options.runs()));
    row.update({{"healthy", cell.healthy},
                {"allowed", cell.allowed},
                {"degraded", cell.degraded},
                {"target_mean", cell.mean},
                {"target_p95", cell.p95}});
    const double kl = cell.degraded * std::log(cell.degraded / cell.allowed) +
                      (1 - cell.degraded) * std::log((1 - cell.degraded) / (1 - cell.allowed));
    row["floor"] = std::log(kFalseEjectEvery) / kl;
    out.push_back(row);
  }
  return out;
}

nlohmann::json shipped_cells(const CellOptions& options) {
  static constexpr double kCells[][2] = {{.001, .13}, {.001, .03}, {.01, .03},
                                         {.01, .05},  {.01, .10},  {.01, .30}};
  const SignalTraits& traits = traits_of(Signal::tool_call_invalid);
  nlohmann::json out = nlohmann::json::array();
  for (const auto& [healthy, degraded] : kCells) {
    const double allowed = allowed_rate(healthy, 5'000, kDaySdPrior, traits.tolerance);
    const DelayCell cell{healthy, allowed, degraded, 0, 0};
    nlohmann::json row =
        evaluation::to_json(evidence_delays(cell, kFalseEjectEvery / traits.omega, options.runs()));
    row.update({{"healthy", healthy}, {"allowed", allowed}, {"degraded", degraded}, {"omega", traits.omega}});
    out.push_back(row);
  }
  return out;
}

nlohmann::json null_cells(const CellOptions& options) {
  nlohmann::json out = nlohmann::json::array();
  for (const double healthy : {.001, .01, .05})
    for (const double day_sd : {0.0, 0.2, 0.3, 0.5}) {
      const double known = allowed_rate(healthy, 0, day_sd, 0);
      const SignalTraits& traits = traits_of(Signal::tool_call_invalid);
      LearningTarget learning(0, 303), shipped(traits.tolerance, 303);

      const struct {
        const char* rule;
        double threshold;
        AllowedOn allowed;
      } rules[] = {
          {"m0 = p0", kFalseEjectEvery, [&](int, double) { return std::optional(healthy); }},
          {"m0 rule, spread known", kFalseEjectEvery, [&](int, double) { return std::optional(known); }},
          {"m0 rule, learnt", kFalseEjectEvery,
           [&](int day, double rate) { return learning.allowed_on(day, rate); }},
          {"as shipped", kFalseEjectEvery / traits.omega,
           [&](int day, double rate) { return shipped.allowed_on(day, rate); }}};

      for (const auto& [rule, threshold, allowed] : rules) {
        nlohmann::json row = to_json(run_null(healthy, day_sd, allowed, threshold, options.null_requests()));
        row.update({{"healthy", healthy}, {"day_sd", day_sd}, {"rule", rule}, {"allowed", known}});
        out.push_back(row);
      }
    }
  return out;
}

namespace {

// The least threshold (on a grid) whose rule is wrong at most once in kFalseEjectEvery healthy requests.
double calibrate(const std::function<Rule(double)>& with_threshold, double low, double high, double step,
                 double healthy, std::int64_t requests) {
  const auto is_rare = [&](double threshold) {
    return alarms(with_threshold(threshold), healthy, requests, 404) <=
           static_cast<double>(requests) / kFalseEjectEvery;
  };
  auto from = static_cast<std::int64_t>(std::floor(low / step));
  auto to = static_cast<std::int64_t>(std::ceil(high / step));
  while (from < to) {
    const std::int64_t middle = (from + to) / 2;
    if (is_rare(static_cast<double>(middle) * step))
      to = middle;
    else
      from = middle + 1;
  }
  return static_cast<double>(to) * step;
}

template <class Detector>
Rule rule_of(Detector& detector) {
  return {[&detector](bool bad) { return detector.observe(bad); }, [&detector] { detector.reset(); }};
}

constexpr double kCompared = .01, kEffects[] = {.02, .03, .05, .10, .30};

nlohmann::json compare(const std::string& name, double threshold, const Rule& rule,
                       const CellOptions& options) {
  nlohmann::json row = {{"name", name}, {"threshold", threshold}};
  const auto requests = options.null_requests();
  const double wrong = alarms(rule, kCompared, requests, 505);
  row["false_per_million"] = 1e6 * wrong / static_cast<double>(requests);
  for (const double effect : kEffects) {
    const int runs = options.runs() / (effect <= .03 ? 6 : 2);
    row["delays"].push_back(evaluation::to_json(delays(rule, kCompared, effect, runs, 606)));
  }
  return row;
}

std::vector<double> healthy_minutes() {
  Random random(707);
  std::vector<double> out;
  for (int minute = 0; minute < HourlyJudge::kMinutes; ++minute) {
    int bad = 0;
    for (int i = 0; i < HourlyJudge::kRequestsAMinute; ++i) bad += random.chance(kCompared) ? 1 : 0;
    out.push_back(static_cast<double>(bad) / HourlyJudge::kRequestsAMinute);
  }
  return out;
}

}  // namespace

nlohmann::json comparison_cells(const CellOptions& options) {
  nlohmann::json out = {{"effects", kEffects}, {"rows", nlohmann::json::array()}};
  const std::int64_t requests = options.null_requests() / 2;
  {
    Detector detector;
    const Bets bets(kCompared);
    out["rows"].push_back(compare("evidence (ours)", kFalseEjectEvery,
                                  evidence_rule(detector, bets, kFalseEjectEvery), options));
  }
  for (const int size : {50, 200, 1000, 5000}) {
    Window window(1, 0);
    const auto with = [&](double threshold) {
      window = Window(static_cast<std::size_t>(size), threshold);
      return rule_of(window);
    };
    const double mean = size * kCompared;
    const double threshold = calibrate(with, mean, mean + 10 * std::sqrt(mean) + 10, 1, kCompared, requests);
    out["rows"].push_back(compare("window " + std::to_string(size), threshold, with(threshold), options));
  }
  for (const double rate : {.05, .01, .002}) {
    Ewma ewma(rate, kCompared, 1);
    const auto with = [&](double threshold) {
      ewma = Ewma(rate, kCompared, threshold);
      return rule_of(ewma);
    };
    const double threshold = calibrate(with, kCompared, .5, .0001, kCompared, requests);
    std::string name = std::to_string(rate);
    name.erase(name.find_last_not_of('0') + 1);
    out["rows"].push_back(compare("EWMA " + name, threshold, with(threshold), options));
  }
  HourlyJudge judge(healthy_minutes());
  out["rows"].push_back(compare("hourly judge (Kayenta-like)", 0, rule_of(judge), options));
  return out;
}

nlohmann::json outlier_cells(const CellOptions& options) {
  nlohmann::json out = nlohmann::json::array();
  constexpr int kRequests = 200;  // A host and interval of 10 s.
  const int intervals = options.quick ? 2'000 : 20'000;
  for (const std::size_t hosts : {2UL, 5UL, 10UL})
    for (const double degraded : {.01, .05, .30}) {
      Random random(808);
      SuccessRateOutlier rule(hosts);
      double right = 0, wrong = 0;
      for (int interval = 0; interval < intervals; ++interval) {
        for (std::size_t host = 0; host < hosts; ++host)
          for (int i = 0; i < kRequests; ++i) rule.observe(host, random.chance(host == 0 ? degraded : .01));
        for (const std::size_t host : rule.end_interval()) (host == 0 && degraded > .01 ? right : wrong) += 1;
      }
      const double requests = static_cast<double>(intervals) * kRequests;
      out.push_back({{"hosts", hosts},
                     {"degraded", degraded},
                     {"found", right / intervals},
                     {"false_per_million", 1e6 * wrong / (requests * static_cast<double>(hosts))}});
    }
  return out;
}

}  // namespace switchyard::evaluation
