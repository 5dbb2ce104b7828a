#pragma once

namespace switchyard::scoring {

// One number for a target's quality out of its signals' evidence: a product, so that "why" is a sum of logs.

// Odds up to the first say nothing yet; from the second on the observed rate is believed whole.
inline constexpr double kOddsSuspicious = 100, kOddsCertain = 10'000;

// clip((mean - allowed) / scale, 0, 1): how bad it is. `scale` > 0: the rise that is as bad as it gets.
double severity(double mean, double allowed, double scale);
// clip((log10 odds - 2) / 2, 0, 1): how far it is believed.
double belief(double odds);
// 1 - harm severity belief: what one signal leaves of the quality.
double factor(double harm, double severity, double belief);

// Below this a target's share is noticeably less than it would be: state `reduced`.
inline constexpr double kReducedBelow = 0.95;

// The quality that may be shown after `elapsed_ms` when it was `shown` and is `measured` now: it falls at
// once, and rises so slowly that quality^6, the steepest that shares are of it, grows by half in `rise_ms`.
double risen_quality(double shown, double measured, double elapsed_ms, double rise_ms);
// The same for a ramp, which shares are proportional to.
double risen_ramp(double shown, double wanted, double elapsed_ms, double rise_ms);

}  // namespace switchyard::scoring
