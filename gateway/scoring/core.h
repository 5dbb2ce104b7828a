#pragma once

#include "gateway/scoring/board.h"
#include "gateway/scoring/latency.h"
#include "gateway/scoring/profile.h"
#include "gateway/scoring/sessions.h"
#include "gateway/scoring/standing.h"
#include "gateway/scoring/stream.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace switchyard::scoring {

// The inside of the board. Its time is the caller's steady clock moved onto the wall clock once, at the first
// tick: it never jumps, means something to people, and goes on after a restart.

// All that is known of one target.
struct Scored {
  TargetInfo info;
  bool configured = false;            // False: of an earlier configuration; kept for when it comes back.
  std::uint32_t provider_number = 0;  // The same for targets of one provider.
  Standing standing;
  std::array<std::unique_ptr<Stream>, kSignals> streams;  // Made when first needed.
  std::array<std::unique_ptr<Profile>, kStrata> profiles;
  double shown_quality = 1, measured_quality = 1;
  double availability = 1;
  double output_tokens_mean = 0;
  LatencyStore latency;
  std::array<std::uint64_t, 5> recent_requests{};  // Of bad replies, the latest first.
  // Requests of the day so far, and of the busiest whole day yet: the false alarms are bounded in time too.
  std::int64_t day = 0;
  double requests_today = 0, requests_a_day = 0;
  // Identity: armed since; how many observations of harm have cleared it since then.
  std::int64_t armed_since_ms = 0;
  std::uint32_t seen_since_armed = 0;
  bool armed_by_verdict = false;         // By a test of gateway/probing.
  std::int64_t suspicious_since_ms = 0;  // Some Q >= 100; 0: none.
};

struct Group {
  std::vector<Scored*> members;                            // By score id.
  std::array<std::int64_t, kSignals> workload_until_ms{};  // The requests changed: no ejections until then.
};

// What of a target's evidence a decision needs.
struct Weighed {
  double harm = 0, identity = 0;              // Sums of weight times M.
  double quality = 1;                         // The product of the factors, without the identity's.
  double odds_max = 1;                        // Of what measures harm.
  double odds_probes = 1;                     // Of probes alone.
  Signal worst = Signal::tool_call_invalid;   // With the most weighted evidence.
  Signal lowers = Signal::tool_call_invalid;  // With the least factor.
};

class Core {
 public:
  void configure(const config::Quality& settings, std::vector<TargetInfo> targets, std::int64_t now_ms);
  void observe(const Observation& observation);
  void tick(std::int64_t now_ms, std::int64_t wall_ms);
  void drain(std::uint32_t target, std::int64_t now_ms);
  void restore(std::uint32_t target, std::int64_t now_ms);
  bool wants_burst(std::uint32_t target) const;
  BoardViewPtr view();

  std::string save() const;
  Result<> load(std::string_view text);

  std::vector<Notice> notices_;

 private:
  // core_observe.cpp
  void observe_traffic(Scored& target, const Observation& observation);
  void feed(Scored& target, Signal signal, double x, std::uint8_t stratum, std::int64_t now_ms);
  void feed(const Sessions::Observed& observed, std::int64_t now_ms);
  void count_attempt(Scored& target, const Observation& observation);

  // core_tick.cpp
  void end_block(std::int64_t now_ms);
  void end_block(Scored& target, std::int64_t now_ms);
  void guard(Group& group, std::int64_t now_ms);
  void mark_suspicions(Scored& target, std::int64_t now_ms);
  Weighed weigh(const Scored& target, const Group& group) const;
  void arm(Scored& target, const Weighed& weighed, std::int64_t now_ms);
  void rate(Scored& target, const Weighed& weighed, std::int64_t elapsed_ms);

  // core_states.cpp
  void move(Group& group, std::int64_t elapsed_ms, std::int64_t now_ms);
  void move(Scored& target, Group& group, const Weighed& weighed, std::int64_t now_ms);
  void move_serving(Scored& target, Group& group, const Weighed& weighed, std::int64_t now_ms);
  void move_ejected(Scored& target, const Weighed& weighed, std::int64_t now_ms);
  void move_probation(Scored& target, Group& group, const Weighed& weighed, std::int64_t now_ms);
  void try_eject(Scored& target, Group& group, const std::string& why, std::int64_t now_ms);
  void recall(Group& group, std::int64_t now_ms);
  bool may_eject(const Scored& target, const Group& group) const;
  double threshold(const Scored& target) const;
  void change_state(Scored& target, State from);
  void restart_evidence(Scored& target, bool keep_recovery);

  // core_view.cpp
  TargetView view_of(const Scored& target) const;

  Scored* find(std::uint32_t id) { return id < by_id_.size() ? by_id_[id] : nullptr; }

  const Scored* find(std::uint32_t id) const { return id < by_id_.size() ? by_id_[id] : nullptr; }

  Stream& stream(Scored& target, Signal signal);
  void tell(Notice::Kind kind, const Scored& target, std::string text);

  std::int64_t board_time(std::int64_t now_ms) const { return now_ms + shift_ms_; }

  config::Quality settings_;
  std::array<SignalRule, kSignals> rules_;
  std::map<std::string, std::unique_ptr<Scored>> all_;  // By key.
  std::vector<Scored*> by_id_;
  std::map<std::uint32_t, Group> groups_;
  Sessions sessions_;
  std::int64_t shift_ms_ = 0, time_ms_ = 0;  // time_ms_: the last tick's; 0: there was none.
  bool started_ = false;                     // A tick has anchored the time.
  std::int64_t block_ = 0;                   // Number of the current block.
  std::uint64_t ticks_ = 0;
  BoardViewPtr view_;  // Null: to be made.
};

// The weights of a target's signals, brought to a sum of 1 for each role over those that it has.
std::array<double, kSignals> weights_of(const Scored& target);

// "tool_call_invalid 8.9 % bad (11 of 124) where 1.3 % is allowed".
std::string describe(const Stream& stream);
// "8.9 %".
std::string percent(double rate);

}  // namespace switchyard::scoring
