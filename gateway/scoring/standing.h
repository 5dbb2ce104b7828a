#pragma once

#include "config/config.h"
#include "gateway/scoring/view.h"

#include <cstdint>
#include <string>

namespace switchyard::scoring {

// Where one target stands: serving -> reduced -> ejected -> probation -> serving. Three thresholds far apart
// (100:1 reduces, A ejects, 100:1 the other way brings back), a dwell that doubles, and steps on the way back
// keep it from going to and fro.
struct Standing {
  State state = State::serving;
  std::int64_t since_ms = 0;
  std::int64_t until_ms = 0;          // Ejected: not before.
  int ejections = 0;                  // That the next dwell is doubled for; one less a healthy day.
  std::int64_t healthy_since_ms = 0;  // For that.
  double ramp = 1;
  int step = 0;  // Of probation.
  std::int64_t step_since_ms = 0;
  std::uint32_t step_replies = 0;  // Good ones since the step began.
  bool alone = false;              // Would be ejected, but nothing better is left.
  bool recalled = false;           // Ejected, but serves since the rest is worse.
  double quality_ejected = 1;      // The quality that it was ejected with.
  std::string why;
};

// Probation: the parts of its share, the evidence that each step needs, and the replies where the evidence is
// a probe's; the alarm that ends it (or A when that is less).
inline constexpr double kProbationSteps[] = {0.01, 0.05, 0.25, 1};
inline constexpr int kProbationStepCount = 4;
inline constexpr double kStepEvidence = 20, kReturnEvidence = 100, kReturnOddsMax = 10;
inline constexpr std::uint32_t kStepReplies = 20;
inline constexpr double kProbationAlarm = 1e3;
// Where a target starts that is restored by hand.
inline constexpr double kRestoredRamp = 0.25;
// Contract probes that fail in a row: no statistics are needed.
inline constexpr int kContractFailures = 3;

// dwell 2^(ejections - 1), at most dwell_max; `ejections` >= 1.
std::int64_t dwell_ms(const config::Quality& settings, int ejections);

void set_state(Standing& standing, State state, std::string why, std::int64_t now_ms);
void eject(Standing& standing, double quality, std::string why, const config::Quality& settings,
           std::int64_t now_ms);
void begin_probation(Standing& standing, std::int64_t now_ms);
// The next step; the last one is serving.
void step_up(Standing& standing, std::int64_t now_ms);
// Ramp and healthy days.
void pass_time(Standing& standing, const config::Quality& settings, std::int64_t elapsed_ms,
               std::int64_t now_ms);
// Serving by hand: from drained, or from anything else.
void restore(Standing& standing, std::int64_t now_ms);

}  // namespace switchyard::scoring
