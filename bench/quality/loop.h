#pragma once

#include "bench/quality/random.h"
#include "gateway/routing/plan.h"
#include "gateway/scoring/board.h"

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace switchyard::evaluation {

// The gateway's own scoring and routing in a closed loop on a virtual clock: requests come evenly, a plan is
// made for each from the board's view, its target answers well or badly, the board hears of it.

struct TargetRates {
  double traffic = .01;  // Replies that are bad in `signal`.
  double canary = .05;   // Canaries that fail.
};

struct LoopOptions {
  int targets = 2;
  double per_second = 10;
  std::int64_t tick_ms = 1'000;
  scoring::Signal signal = scoring::Signal::tool_call_invalid;
  bool probes = true;
  double canaries_per_hour = 6, burst = 20;  // Of each target, and the factor while the board wants it.
  int sessions = 0;                          // That requests are drawn from; 0: none has a session.
  config::Quality settings;
  std::uint64_t seed = 1;
};

class Loop {
 public:
  // `saved`: by a loop with the same targets, of a board that has learnt what is usual; empty: nothing is
  // known.
  explicit Loop(const LoopOptions& options, const std::string& saved = {});

  // `rates(target, now)`: what is true of a target at that time.
  using Rates = std::function<TargetRates(int target, std::int64_t now_ms)>;

  // Runs until `until_ms`, or until `stop` says so at a tick.
  void run(std::int64_t until_ms, const Rates& rates, const std::function<bool()>& stop = {});

  // A session whose every reply is bad on any target takes this part of the requests.
  void set_viral(double part) { viral_ = part; }

  std::int64_t now_ms() const { return now_ms_; }

  const scoring::TargetView& view(int target) const { return view_->of(static_cast<std::uint32_t>(target)); }

  // The part of requests that the last plan gave the target.
  double share(int target) const { return shares_[static_cast<std::size_t>(target)]; }

  double requests() const { return requests_; }

  double requests_of(int target) const { return own_[static_cast<std::size_t>(target)]; }

  double probes_of(int target) const { return probes_[static_cast<std::size_t>(target)]; }

  struct Event {
    std::int64_t at_ms = 0;
    int target = 0;
    scoring::State to = scoring::State::serving;
    std::string text;
  };

  const std::vector<Event>& events() const { return events_; }

  std::vector<Event> take_events() { return std::exchange(events_, {}); }

  std::string save() const { return board_.save(); }

  // For as long as it runs; of `ticks_below`, one for each target below full weight.
  double ticks = 0, ticks_below = 0;
  int last_target_out = 0;  // Ticks at which no target served.

 private:
  void request(const Rates& rates);
  void probe(const Rates& rates, std::int64_t elapsed_ms);
  void tick();

  LoopOptions options_;
  Random random_;
  scoring::Board board_;
  scoring::BoardViewPtr view_;
  std::vector<scoring::TargetInfo> infos_;
  routing::PlanInput input_;
  std::vector<double> shares_, own_, probes_;
  std::vector<Event> events_;
  std::int64_t now_ms_ = 0;
  double requests_ = 0, due_ = 0, viral_ = 0;
};

}  // namespace switchyard::evaluation
