#pragma once

#include "gateway/io/buffers.h"
#include "gateway/io/deadline.h"
#include "gateway/prober/ask.h"
#include "gateway/probing/target_probes.h"
#include "gateway/relay/snapshot.h"
#include "gateway/scoring/view.h"
#include "gateway/telemetry/log.h"
#include "gateway/telemetry/metrics.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <thread>

namespace switchyard::prober {

class Shadows;

// What of the rest of the gateway the prober looks at, and whom it tells. Called on the prober's thread.
struct Hooks {
  std::function<std::shared_ptr<const relay::Snapshot>()> snapshot;
  std::function<scoring::BoardViewPtr()> scores;
  std::function<bool(std::uint32_t score_id)> wants_burst;
  std::function<void(const scoring::Observation&)> observe;
  // Takes what must survive a restart, at most once in Prober::kSave and at the end. May be empty.
  std::function<void(std::string)> save;
};

// The thread that asks targets of its own accord: probes, and the shadows and judgements of requests that
// workers hand over. An event loop of its own, with its own connections: what it waits for holds up no
// caller. What is asked, and when, is decided in gateway/probing; this sends it and passes the verdicts on.
//
// Probes are sent only while quality.probes.enabled; to a drained target never, to an ejected one at the pace
// of a burst, until it is back.
class Prober {
 public:
  static constexpr std::chrono::milliseconds kTick{100};
  static constexpr std::chrono::seconds kSave{60};
  static constexpr int kAtOnceMax = 32, kAtOnceATargetMax = 4;

  // `saved`: what the save hook was given by an earlier process, or nothing. `seed`: of all that is drawn.
  Prober(telemetry::Metrics& metrics, telemetry::Log& log, Hooks hooks, std::string saved,
         std::uint64_t seed);
  // As stop().
  ~Prober();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  void start();
  // Ends what is under way, saves, and ends the thread. From any other thread, once.
  void stop();

  Shadows& shadows() { return *shadows_; }

 private:
  struct Entry {
    std::string key;  // As in scoring::TargetInfo.
    probing::TargetProbes probes;
    double tokens_seen = 0;  // Of the target's route, so far.
    int running = 0;
  };

  void tick();
  void match(const std::shared_ptr<const relay::Snapshot>& snapshot);
  void look_at(const std::shared_ptr<const relay::Snapshot>& snapshot, const scoring::BoardView& scores);
  void send_due(Entry& entry, const std::shared_ptr<const relay::Snapshot>& snapshot,
                const relay::Model& model, const relay::Target& target, probing::Pace pace);
  io::Task<void> run(std::shared_ptr<Entry> entry, probing::Probe probe,
                     std::shared_ptr<const relay::Snapshot> snapshot, const relay::Model& model,
                     const relay::Target& target);
  void tell(const probing::Verdict& verdict, const relay::Model& model, const relay::Target& target);
  void save(bool is_end);
  bool check_stopped();

  telemetry::Metrics& metrics_;
  telemetry::Log& log_;
  Hooks hooks_;
  boost::asio::io_context context_{1};
  io::Deadlines deadlines_{context_};
  io::BlockPool blocks_;
  upstream::Upstream upstream_{context_, deadlines_, blocks_};
  boost::asio::steady_timer timer_{context_};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::unique_ptr<Shadows> shadows_;
  probing::Draw draw_;
  std::shared_ptr<const relay::Snapshot> snapshot_;          // The one that entries_ match.
  std::map<std::uint32_t, std::shared_ptr<Entry>> entries_;  // By score id.
  std::map<std::string, std::string, std::less<>> saved_;    // What is known of targets, by their keys.
  std::list<Interrupt> interrupts_;                          // One a probe that is under way.
  std::string last_saved_;
  TimePoint save_at_{};
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace switchyard::prober
