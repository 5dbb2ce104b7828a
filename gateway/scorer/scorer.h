#pragma once

#include "gateway/scorer/ring.h"
#include "gateway/scoring/board.h"
#include "gateway/telemetry/log.h"
#include "gateway/telemetry/metrics.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

namespace switchyard::scorer {

// A worker's way to the scorer. 4096 observations are 40,000 attempts a second and worker.
using ObservationRing = Ring<scoring::Observation, 4096>;

// The thread that keeps the scores: it drains every worker's ring into the board, lets time pass on it, and
// gives what routing sees to whoever publishes it. The board itself is pure (gateway/scoring).
class Scorer {
 public:
  static constexpr std::chrono::milliseconds kPass{100};
  static constexpr std::chrono::seconds kSave{10};
  // What is judged elsewhere (probes, shadows) waits for the next pass; more than so many are left out.
  static constexpr std::size_t kWaitingMax = 4096;

  struct Hooks {
    // Called on the scorer's thread with each new view.
    std::function<void(scoring::BoardViewPtr)> publish;
    // Called on the scorer's thread with all that must survive a restart, at most once in kSave when
    // something changed, and at the end. May be empty.
    std::function<void(std::string)> save;
  };

  Scorer(int workers, telemetry::Log& log, Hooks hooks);
  // Ends the thread, and saves.
  ~Scorer();
  Scorer(const Scorer&) = delete;
  Scorer& operator=(const Scorer&) = delete;

  // Before start(): what the save hook was given by an earlier process. Fails when it cannot be read: the
  // board then begins anew.
  Result<> load(std::string_view saved) { return board_.load(saved); }

  void start();
  // Ends the thread, drains the rings a last time, and saves. The hooks are not called afterwards.
  void stop();

  // One pass, as the thread does it, while there is no thread: at the beginning, and in tests. Times as
  // Board::tick().
  void pass(std::int64_t now_ms, std::int64_t wall_ms);
  void pass_now();

  // Worker `index`'s own; its thread alone may push.
  ObservationRing& ring(int index) { return *rings_[static_cast<std::size_t>(index)]; }

  // Any thread may call what follows.

  // The settings and the targets of a configuration, from the next pass on.
  void configure(const config::Quality& settings, std::vector<scoring::TargetInfo> targets);
  // A judgement that no worker made.
  void observe(const scoring::Observation& observation);
  // Takes every target of a provider out by hand, or lets them serve again. `done` is called on the scorer's
  // thread, after the view with the change was published, with the number of targets; 0: no such provider.
  void set_drained(std::string provider, bool drained, std::function<void(std::size_t targets)> done);

  scoring::BoardViewPtr view() const;  // Never null.
  // As of the last pass. `target`: a score id.
  bool wants_burst(std::uint32_t target) const;
  // switchyard_quality_notices_total and switchyard_observations_dropped_total.
  void collect(telemetry::Samples& samples) const;

 private:
  struct Command {
    std::string provider;
    bool drained = false;
    std::function<void(std::size_t)> done;
  };

  // What other threads want of the next pass.
  struct Wanted {
    std::optional<std::pair<config::Quality, std::vector<scoring::TargetInfo>>> configuration;
    std::vector<scoring::Observation> observations;
    std::vector<Command> commands;
  };

  void run();
  void publish(std::int64_t now_ms);
  void tell(const std::vector<scoring::Notice>& notices);
  void save(std::int64_t now_ms);
  std::size_t apply(const Command& command, std::int64_t now_ms);

  telemetry::Log& log_;
  Hooks hooks_;
  std::vector<std::unique_ptr<ObservationRing>> rings_;
  scoring::Board board_;                      // The thread's alone, like the two below.
  std::vector<scoring::TargetInfo> targets_;  // Of the configuration in force.
  std::int64_t saved_at_ms_ = 0;
  bool has_news_ = false;  // Since the last save.

  mutable std::mutex mutex_;  // Guards what follows.
  std::condition_variable changed_;
  Wanted wanted_;
  scoring::BoardViewPtr view_;
  std::vector<bool> wants_burst_;  // By score id.
  std::uint64_t refused_ = 0;      // Judgements from elsewhere that found no room.
  std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t> notices_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace switchyard::scorer
