#include "gateway/scoring/signals.h"

#include <cmath>

namespace switchyard::scoring {

namespace {

constexpr auto kFires = Role::fires, kArms = Role::arms;
constexpr auto kTraffic = Origin::traffic;
constexpr auto kProbe = Origin::probe, kElsewhere = Origin::elsewhere;
constexpr auto kLearnt = Baseline::learnt, kSilent = Baseline::learnt_silently;
constexpr auto kKnown = Baseline::known, kVerdict = Baseline::verdict;

// 60 % of the weight is that of replies that nobody can use, 25 % that of canaries, 15 % that of the rest.
// clang-format off
constexpr std::array<SignalTraits, kSignals> kTraits = {{
    // role   origin      baseline  omega  harm  scale  prior  tolerance
    {kFires, kTraffic,   kLearnt,  .20,   .9,   .20,   .01,   .005},   // tool_call_invalid
    {kFires, kTraffic,   kLearnt,  .16,   .9,   .20,   .01,   .005},   // output_invalid
    {kFires, kTraffic,   kLearnt,  .10,   .9,   .20,   .005,  .005},   // truncated
    {kFires, kTraffic,   kLearnt,  .04,   .6,   .10,   .015,  .01},    // refusal
    {kFires, kTraffic,   kLearnt,  .07,   .9,   .20,   .002,  .002},   // loop
    {kFires, kTraffic,   kLearnt,  .07,   .9,   .10,   .0005, .0005},  // script_mismatch
    {kFires, kTraffic,   kLearnt,  .015,  .4,   .20,   .01,   .01},    // unbalanced
    {kFires, kTraffic,   kLearnt,  .01,   .4,   .20,   .03,   .02},    // regenerated
    {kFires, kTraffic,   kSilent,  .005,  .2,   .20,   .03,   .03},    // aborted: follows slowness
    {kArms,  kTraffic,   kLearnt,  .25,   0,    .20,   .002,  .002},   // usage_mismatch
    {kArms,  kTraffic,   kKnown,   .25,   0,    .20,   .001,  .001},   // declared_identity
    {kFires, kTraffic,   kSilent,  .01,   .4,   .20,   .5,    .05},    // tools_low
    {kFires, kTraffic,   kSilent,  .01,   .4,   .20,   .5,    .05},    // tools_high
    {kArms,  kTraffic,   kSilent,  .15,   0,    .20,   .10,   .05},    // length_low
    {kArms,  kTraffic,   kSilent,  .15,   0,    .20,   .10,   .05},    // length_high
    {kFires, kTraffic,   kSilent,  .015,  .6,   .30,   .10,   .05},    // reasoning_low
    {kFires, kTraffic,   kSilent,  .015,  .6,   .30,   .01,   .02},    // reasoning_absent
    {kArms,  kTraffic,   kSilent,  .10,   0,    .20,   .05,   .05},    // chunk_pattern
    {kFires, kProbe,     kLearnt,  .20,   .9,   .20,   .05,   .03},    // canary
    {kFires, kProbe,     kKnown,   .05,   .9,   .20,   .002,  .005},   // contract
    {kArms,  kProbe,     kVerdict, 0,     0,    .20,   0,     0},      // identity_sampling
    {kArms,  kProbe,     kVerdict, 0,     0,    .20,   0,     0},      // identity_greedy
    {kArms,  kProbe,     kVerdict, 0,     0,    .20,   0,     0},      // identity_logprobs
    {kArms,  kProbe,     kKnown,   .10,   0,    .20,   .01,   .02},    // audit: blocks, false alarms at 1 %
    {kFires, kElsewhere, kKnown,   .01,   .6,   .20,   .5,    .03},    // shadow: X = 1/2 among equals
    {kFires, kElsewhere, kSilent,  .005,  .4,   .30,   .2,    .05},    // feedback
    {kFires, kProbe,     kKnown,   .005,  .9,   .20,   .001,  .001},   // embedding_drift
    {kFires, kTraffic,   kLearnt,  .01,   .6,   .20,   .005,  .005},   // session_cluster
}};

// clang-format on

constexpr double total(Role role) {
  double sum = 0;
  for (const SignalTraits& traits : kTraits)
    if (traits.role == role) sum += traits.omega;
  return sum;
}

constexpr double distance(double a, double b) {
  return a > b ? a - b : b - a;
}

static_assert(distance(total(Role::fires), 1) < 1e-9 && distance(total(Role::arms), 1) < 1e-9);

}  // namespace

const SignalTraits& traits_of(Signal signal) {
  return kTraits[static_cast<std::size_t>(signal)];
}

std::array<SignalRule, kSignals> rules_of(const config::Quality& settings) {
  std::array<SignalRule, kSignals> rules;
  const bool is_off = settings.mode == config::QualityMode::off;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    rules[i].traits = kTraits[i];
    if (is_off) rules[i].mode = config::QualityMode::off;
  }
  for (const config::SignalSetting& setting : settings.signals) {
    const auto signal = find_signal(setting.signal);
    if (!signal) continue;
    SignalRule& rule = rules[static_cast<std::size_t>(*signal)];
    if (setting.mode && !is_off) rule.mode = *setting.mode;
    if (setting.tolerance) rule.traits.tolerance = *setting.tolerance;
    rule.rate = setting.rate;
  }
  return rules;
}

double prior_allowed(double prior) {
  return 1 - std::pow(0.05, 1 / (1 / prior - 1));
}

}  // namespace switchyard::scoring
