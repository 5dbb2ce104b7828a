#pragma once

#include "config/config.h"
#include "gateway/scoring/observation.h"
#include "gateway/scoring/view.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::scoring {

// One target as the board must know it. `group`: targets with the same one serve the same model in the same
// tier: peers of each other for the peer guard, and at most half of them may be out.
struct TargetInfo {
  std::uint32_t id = 0;
  std::string key;  // "MODEL|PROVIDER|TARGET MODEL": identifies its baseline when state is restored.
  std::string model, provider, target_model;
  std::uint32_t group = 0;
};

// Something happened that people should hear of: a log line, and a metric.
struct Notice {
  enum class Kind {
    state_changed,
    baseline_learnt,
    baseline_proposed,
    identity_armed,
    workload_shift,
    latency_alarm
  } kind;
  std::uint32_t target = 0;
  State from = State::serving, to = State::serving;
  std::string text;  // In plain words.
};

// All scores. Pure: every time is an argument, the same observations in the same order give the same views,
// bit by bit. One thread at a time. Steady milliseconds are of the caller's clock; wall milliseconds are only
// for people, and for the hour of the week.
class Board {
 public:
  Board();
  ~Board();
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;

  // Replaces settings and targets; what is known of a target with the same key stays.
  void configure(const config::Quality& settings, std::vector<TargetInfo> targets, std::int64_t now_ms);
  // Nothing is counted before the first tick, which says what time it is.
  void observe(const Observation& observation);
  // Time passes: blocks end, states move, shares rise. To be called at least once a second.
  void tick(std::int64_t now_ms, std::int64_t wall_ms);
  // By hand: drained until restored. `target`: a score id.
  void drain(std::uint32_t target, std::int64_t now_ms);
  void restore(std::uint32_t target, std::int64_t now_ms);

  BoardViewPtr view() const;  // As of the last tick, drain or restore.
  std::vector<Notice> take_notices();
  // True when a target's probes should run at burst rate: something is suspected.
  bool wants_burst(std::uint32_t target) const;

  // Everything that must survive a restart, as JSON text; load() before configure(). What cannot be read is
  // refused whole.
  std::string save() const;
  Result<> load(std::string_view text);

 private:
  struct State_;
  std::unique_ptr<State_> state_;
};

}  // namespace switchyard::scoring
