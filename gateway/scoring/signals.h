#pragma once

#include "config/config.h"
#include "gateway/scoring/observation.h"

#include <array>

namespace switchyard::scoring {

// How each signal is weighed. One table for all; docs/quality.md shows it to operators.

enum class Role : std::uint8_t {
  fires,  // Measures harm: lowers the quality and ejects.
  arms,   // Shows a change that may be harmless: probes more, and holds the quality at kIdentityFactor.
};

// Where a signal's observations come from. What live traffic showed, probes cannot refute: who answers probes
// well and users badly is not good.
enum class Origin : std::uint8_t { traffic, probe, elsewhere };

// Where the healthy rate comes from.
enum class Baseline : std::uint8_t {
  learnt,           // Of the target itself; until then a shipped prior, with a tenth of the say.
  learnt_silently,  // The same, but nothing is said before: no rate is usual.
  known,            // `prior` is the rate.
  // Somebody else tests, with a bound of its own on false alarms: X = 1 is an alarm (gateway/probing).
  verdict,
};

struct SignalTraits {
  Role role = Role::fires;
  Origin origin = Origin::traffic;
  Baseline baseline = Baseline::learnt;
  // Its part of the evidence; those of a role add up to 1, and are brought to 1 over what a target really
  // has.
  double omega = 0;
  double harm = 0;       // eta: how much of the quality it can take.
  double scale = 0.2;    // Delta: the rise above m0 that is as bad as it gets.
  double prior = 0;      // The usual healthy rate.
  double tolerance = 0;  // The smallest rise that is worth moving traffic.
};

const SignalTraits& traits_of(Signal signal);

// The same under the configuration.
struct SignalRule {
  SignalTraits traits;
  // The signal's own; where the settings as a whole only watch, it counts in what they show.
  config::QualityMode mode = config::QualityMode::act;
  std::optional<double> rate;  // Known by the operator: nothing is learnt.
};

std::array<SignalRule, kSignals> rules_of(const config::Quality& settings);

// What is allowed before anything is learnt: the 95 % quantile of Beta(1, 1/prior - 1), whose mean is the
// prior.
double prior_allowed(double prior);

}  // namespace switchyard::scoring
