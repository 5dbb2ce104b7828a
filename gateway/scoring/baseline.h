#pragma once

#include "config/config.h"
#include "gateway/scoring/detector.h"

#include <cstdint>
#include <optional>
#include <utility>

namespace switchyard::scoring {

// What is healthy for one stream: learnt from the target's own traffic, then frozen. It never follows a
// target that becomes worse, and one that becomes better only after a week: a baseline that adapts is how
// slow decay goes unseen.

// Counts of groups (blocks, or days) of observations, enough to tell how much more the groups differ than
// chance would make them.
struct Moments {
  double groups = 0, n = 0, s = 0, ss = 0, sn = 0, nn = 0;  // Sums over groups of 1, n, s, s^2, s n, n^2.

  void add(double seen, double bad);
  // How much wider the groups' rates are spread than independent observations would make them, as a factor
  // of the variance; from 1 to 50.
  double design_effect() const;
  // The standard deviation of the groups' log rates with the binomial noise removed (method of moments for
  // the beta-binomial); nothing with less than two groups or without a bad observation.
  std::optional<double> log_sd() const;
};

// One-sided upper bound of a rate at 99 % (Wilson 1927), from `seen` independent observations.
double wilson_upper(double mean, double seen);
double wilson_lower(double mean, double seen);

// The day-to-day standard deviation of a log rate until it is measured, how long that takes, and above which
// a signal is only shown: what moves so much by itself would need more than 2.5 times its rate to tell.
inline constexpr double kDaySdPrior = 0.2, kDaySdMax = 0.45;
inline constexpr int kDaysToMeasure = 14;

// m0 = max(Wilson's bound, mean e^(2.33 day_sd), mean + tolerance).
double allowed_rate(double mean, double independent, double day_sd, double tolerance);

// Observations of one stream as they come in blocks, until they are enough to say what is usual.
class Learner {
 public:
  // At a block's end, when it saw anything. `at_ms`: wall clock.
  void add_block(double seen, double bad, std::int64_t at_ms);
  // The settings' observations, blocks and time are there; over three days or more, also a day of a weekend.
  bool is_complete(const config::Quality& settings, std::int64_t now_ms) const;

  double seen() const { return blocks_.n; }

  double mean() const { return blocks_.n > 0 ? blocks_.s / blocks_.n : 0; }

  // Observations that are worth as much as independent ones.
  double independent() const { return blocks_.n / blocks_.design_effect(); }

  Moments blocks_;
  std::int64_t since_ms_ = 0;  // Of the first block; 0: none yet.
  bool saw_weekend_ = false;
};

// The frozen result.
struct Frozen {
  double mean = 0, independent = 0, day_sd = kDaySdPrior;
  std::uint32_t version = 0;  // Counts up with each baseline of the stream; 0: nothing is learnt.
};

// One stream's baseline with what it becomes next.
struct BaselineState {
  Frozen frozen;
  Learner next;  // Until the first is frozen; after that, of the time since.
  Moments days;  // For day_sd, while fewer than kDaysToMeasure.
  double day_seen = 0, day_bad = 0;
  std::int64_t day = 0;              // Number of the day that day_* are of.
  std::int64_t better_since_ms = 0;  // Everything since then was better than the baseline; 0: was not.

  bool relearns = false;  // The frozen one holds until `next` is complete, whatever that says.

  bool is_learnt() const { return frozen.version > 0; }
};

enum class Lesson { none, learnt, day_sd_measured, better_proposed, better_adopted };

// A block has ended: `healthy` when the target served without a suspicion in it. Says what came of it. A
// better rate is proposed when a whole learning period was better (99 %), adopted after seven days of it.
Lesson learn(BaselineState& baseline, double seen, double bad, bool healthy, const config::Quality& settings,
             std::int64_t now_ms);

}  // namespace switchyard::scoring
