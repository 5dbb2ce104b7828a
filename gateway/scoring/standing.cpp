#include "gateway/scoring/standing.h"

#include "gateway/scoring/score.h"

#include <algorithm>
#include <utility>

namespace switchyard::scoring {

namespace {

constexpr std::int64_t kDayMs = 86'400'000;

}  // namespace

std::int64_t dwell_ms(const config::Quality& settings, int ejections) {
  const std::int64_t longest = settings.dwell_max.count();
  std::int64_t dwell = settings.dwell.count();
  for (int i = 1; i < ejections && dwell < longest; ++i) dwell *= 2;
  return std::min(dwell, longest);
}

void set_state(Standing& standing, State state, std::string why, std::int64_t now_ms) {
  standing.state = state;
  standing.since_ms = now_ms;
  standing.until_ms = 0;
  standing.why = std::move(why);
  standing.healthy_since_ms = now_ms;
  standing.recalled = false;
}

void eject(Standing& standing, double quality, std::string why, const config::Quality& settings,
           std::int64_t now_ms) {
  set_state(standing, State::ejected, std::move(why), now_ms);
  standing.until_ms = now_ms + dwell_ms(settings, ++standing.ejections);
  standing.quality_ejected = quality;
  standing.alone = false;
}

void begin_probation(Standing& standing, std::int64_t now_ms) {
  set_state(standing, State::probation, "on trial after an ejection", now_ms);
  standing.step = 0;
  standing.step_since_ms = now_ms;
  standing.step_replies = 0;
  standing.ramp = kProbationSteps[0];
}

void step_up(Standing& standing, std::int64_t now_ms) {
  standing.step_since_ms = now_ms;
  standing.step_replies = 0;
  if (++standing.step >= kProbationStepCount - 1) set_state(standing, State::serving, "", now_ms);
}

void pass_time(Standing& standing, const config::Quality& settings, std::int64_t elapsed_ms,
               std::int64_t now_ms) {
  const double wanted = standing.state == State::probation ? kProbationSteps[standing.step] : 1;
  if (standing.state == State::serving || standing.state == State::reduced ||
      standing.state == State::probation)
    standing.ramp = risen_ramp(standing.ramp, wanted, static_cast<double>(elapsed_ms),
                               static_cast<double>(settings.rise.count()));
  if (standing.state != State::serving) {
    standing.healthy_since_ms = now_ms;
  } else if (now_ms - standing.healthy_since_ms >= kDayMs) {
    standing.healthy_since_ms = now_ms;
    standing.ejections = std::max(0, standing.ejections - 1);
  }
}

void restore(Standing& standing, std::int64_t now_ms) {
  set_state(standing, State::serving, "", now_ms);
  standing.ramp = kRestoredRamp;
  standing.alone = false;
}

}  // namespace switchyard::scoring
