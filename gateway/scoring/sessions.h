#pragma once

#include "gateway/scoring/observation.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace switchyard::scoring {

// Turns of one session are no independent evidence: a sticky bad server gives them all, and so does a prompt
// that all of them share. So a session gives at most one observation a signal in ten minutes: its first turn
// at once, then the mean of the turns since. What is lost by that comes back as a signal of its own: that bad
// turns keep to few sessions (Signal::session_cluster).
class Sessions {
 public:
  static constexpr std::int64_t kEveryMs = 600'000;
  static constexpr std::size_t kSignalsMax = kSignals;

  // What is to be observed now: of each signal in `seen` the mean of its turns.
  struct Observed {
    std::uint32_t target = 0;
    std::uint32_t seen = 0;
    std::uint8_t stratum = 0;
    std::array<float, kSignalsMax> x{};  // Of those in `seen`.
    std::optional<bool> clustered;       // A stretch of three turns or more has ended: were two or more bad?
    std::uint8_t cluster_stratum = 0;    // By the number of turns.
  };

  // One turn. `harmful`: the signals that make a turn bad. True when `out` is to be observed now. At most
  // kEntries sessions are known; a set that is full forgets its oldest, whose last turns go to `out_evicted`
  // (evicted: true).
  struct Turn {
    std::uint64_t session = 0;
    std::uint32_t target = 0, seen = 0, bad = 0, harmful = 0;
    std::uint8_t stratum = 0;
    std::int64_t at_ms = 0;
  };

  struct Outcome {
    bool observed = false, evicted = false;
  };

  Outcome add(const Turn& turn, Observed& out, Observed& out_evicted);
  // A part of the sessions at each call, all of them in kSweeps calls: those that have waited for kEveryMs go
  // to `out`, one at a time; false when this call's part is done.
  void begin_sweep();
  bool sweep(std::int64_t now_ms, Observed& out);

  static constexpr std::size_t kWays = 4, kSets = 4096, kSweeps = 64;

 private:
  struct Entry {
    std::uint64_t session = 0;  // 0: free.
    std::int64_t observed_ms = 0, first_ms = 0;
    std::uint32_t target = 0;
    std::uint8_t stratum = 0, turns = 0, bad_turns = 0;
    bool waits = false;  // Has turns since it was observed.
    std::array<std::uint8_t, kSignalsMax> seen{}, bad{};
  };

  static void count(Entry& entry, const Turn& turn);
  static void take(Entry& entry, std::int64_t now_ms, Observed& out);
  static void take_cluster(Entry& entry, Observed& out);

  std::vector<Entry> entries_;  // Empty until the first turn.
  std::size_t sweep_at_ = 0, sweep_end_ = 0;
};

}  // namespace switchyard::scoring
