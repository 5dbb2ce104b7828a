#pragma once

#include "gateway/scoring/baseline.h"
#include "gateway/scoring/detector.h"
#include "gateway/scoring/signals.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

namespace switchyard::scoring {

// One signal of one target. The evidence is one for all strata, since what breaks mostly breaks everywhere
// and one target's traffic is little; what is allowed is each stratum's own, so that a shift of traffic
// between strata is no evidence.
class Stream {
 public:
  struct Stratum {
    BaselineState baseline;
    double block_seen = 0, block_bad = 0;  // Since the block began.
    // Without the guard: m0 and the mean that is expected. allowed < 0: nothing is known yet, the observation
    // only teaches.
    double allowed = -1, mean = 0;
    Bets bets{kAllowedMin};  // Of `allowed` and the guard.
  };

  Stream(Signal signal, const SignalRule& rule);

  // New settings; what was learnt stays.
  void configure(const SignalRule& rule);
  // `x` in [0, 1]; `stratum` < kStrata; `at_s`: wall clock.
  void observe(double x, std::uint8_t stratum, std::uint32_t at_s);
  // A block has ended; see learn(). Of several strata's lessons the most telling one.
  Lesson end_block(bool healthy, const config::Quality& settings, std::int64_t now_ms);
  // What others see too is not this target's fault: m0 is multiplied by 1 to kGuardMax (peer_guard.h).
  void set_guard(double ratio);
  // Everything that is usual is learnt anew, and nothing said until then; the version goes on counting. Also
  // a rate that was known is learnt from now on.
  void relearn();

  // After an ejection: the evidence starts anew, and the way back with it. The level to come back from is
  // that of `change`.
  void begin_recovery(const Change& change);

  void end_recovery() { recovery_odds_ = 0; }

  bool is_recovering() const { return recovery_odds_ > 0; }

  bool acts() const { return rule_.mode == config::QualityMode::act && !is_erratic(); }

  bool is_off() const { return rule_.mode == config::QualityMode::off; }

  // Its rate moves so much from day to day by itself that it is only shown.
  bool is_erratic() const { return pool_.is_learnt() && pool_.frozen.day_sd > kDaySdMax; }

  // Still on the shipped prior.
  bool is_learning() const;

  // M, with a tenth of the say while learning.
  double evidence() const { return detector_.evidence() * (is_learning() ? 0.1 : 1); }

  // The healthy mean over the strata, by their traffic.
  double baseline_mean() const;
  double allowed_mean() const;

  // What follows is for the board, and for storage.
  Signal signal_;
  SignalRule rule_;
  Detector detector_;
  Recovery recovery_;
  double recovery_odds_ = 0;  // odds(bad mean) / odds(m0) at the ejection; 0: no recovery.
  std::array<std::unique_ptr<Stratum>, kStrata> strata_;
  BaselineState pool_;         // Of all strata together: for those that are too rare for their own.
  bool learns_known_ = false;  // After relearn().
  double guard_ = 1;
  std::uint64_t seen_ = 0;
  int bad_in_row_ = 0;
  // For the peer guard: this block's, and earlier ones' by half as each block ends.
  double block_seen_ = 0, block_bad_ = 0, block_expected_ = 0;
  double recent_seen_ = 0, recent_bad_ = 0, recent_expected_ = 0;
  std::int64_t suspicious_since_ms_ = 0;  // Q >= 100 since then; 0: it is not.

 private:
  Baseline how() const { return learns_known_ ? Baseline::learnt_silently : rule_.traits.baseline; }

  Stratum& stratum(std::uint8_t index);
  void update(Stratum& stratum);
  void update_all();
};

}  // namespace switchyard::scoring
