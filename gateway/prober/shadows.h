#pragma once

#include "gateway/prober/prober.h"
#include "gateway/probing/judging.h"
#include "gateway/relay/mirror.h"

#include <atomic>
#include <deque>
#include <list>
#include <memory>

namespace switchyard::prober {

// Compares answers that callers got with a shadow's to the same requests, by the judge (quality.judge), in
// both orders. The judge is watched by pairs with a known verdict; while it errs, nothing is said of targets.
//
// Bounded: what waits, in number and bytes, and what runs at a time; what comes beyond that is left out and
// counted. Texts live until their pair is judged; they go to the shadow, to the judge, and nowhere else.
class Shadows final : public relay::Mirror {
 public:
  static constexpr int kWaitingMax = 64, kAtOnceMax = 4;
  static constexpr std::size_t kBytesMax = 4u << 20;

  // What is referred to outlives it; all but offer() is called on the upstream's event loop.
  Shadows(upstream::Upstream& upstream, telemetry::Metrics& metrics, telemetry::Log& log, const Hooks& hooks,
          std::uint64_t seed);

  void offer(relay::Mirrored mirrored) override;  // Any thread.

  // The configuration in force. Another judge has a record of its own.
  void follow(const std::shared_ptr<const relay::Snapshot>& snapshot);
  // Takes nothing more and ends what is under way.
  void stop();

  bool is_idle() const { return pairs_.empty(); }

 private:
  // The judge, as a target that can be asked.
  struct Judge {
    std::shared_ptr<const relay::Snapshot> snapshot;
    const relay::Model* model = nullptr;
    const relay::Target* target = nullptr;
  };

  // One that is under way.
  struct Pair {
    relay::Mirrored mirrored;
    Interrupt interrupt = {};
    double tokens = 0;  // That it has used.
  };

  void take(relay::Mirrored mirrored);
  void start_next();
  std::optional<Judge> find_judge() const;
  io::Task<void> run(std::list<Pair>::iterator pair);
  io::Task<Result<>> compare(Pair& pair, const Judge& judge);
  io::Task<Result<>> watch_judge(Pair& pair, std::string_view question, const Judge& judge);
  io::Task<Result<std::optional<double>>> score(Pair& pair, std::string_view question, std::string_view other,
                                                const Judge& judge);
  io::Task<Result<std::string>> text_of(Pair& pair, const relay::Target& target, const relay::Model& model,
                                        ChatRequest request);
  void count(const relay::Mirrored& mirrored, std::string_view probe, std::string_view result,
             double tokens = 0);

  upstream::Upstream& upstream_;
  telemetry::Metrics& metrics_;
  telemetry::Log& log_;
  const Hooks& hooks_;
  probing::Draw draw_;
  probing::JudgeRecord record_;
  std::string judge_name_;
  std::shared_ptr<const relay::Snapshot> snapshot_;
  std::deque<relay::Mirrored> waiting_;
  std::list<Pair> pairs_;  // Under way.
  bool stopping_ = false;
  std::atomic<int> held_{0};  // Pairs that were taken and are not over.
  std::atomic<std::size_t> held_bytes_{0};
};

}  // namespace switchyard::prober
