#pragma once

#include "config/config.h"
#include "gateway/probing/canary.h"
#include "gateway/probing/contract.h"
#include "gateway/probing/draw.h"

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace switchyard::probing {

enum class Kind : std::uint8_t { canary, contract, sampling, greedy, logprobs };
inline constexpr int kKinds = 5;
std::string_view name_of(Kind kind);

inline constexpr int kIdentityPrompts = 20, kLogprobPrompts = 5;

// The canaries of one target, stratified: every block has each family once, in random order. A family that
// the target does badly even now says little of decay (what passes nine times in ten says most for its
// price): one that fails more than once of its first ten is left out. That is decided once; a family that the
// target could do is never left out later.
class Families {
 public:
  static constexpr int kTried = 10, kFailedMax = 1;

  // `enabled` in any order; none: all.
  Families(std::vector<Family> enabled, std::uint64_t seed);

  std::optional<Family> next();  // None when the target can do none of them.
  void on_grade(Family family, Grade grade);

  // How often a family was tried, and failed, up to kTried; and the same of an earlier process.
  std::pair<int, int> tally(Family family) const {
    const Tally& of = tallies_[static_cast<std::size_t>(family)];
    return {of.tried, of.failed};
  }

  void restore(Family family, int tried, int failed);

  bool is_left_out(Family family) const { return tallies_[static_cast<std::size_t>(family)].left_out; }

  // The first grades are still being gathered: these grades say what the target can do, not how it does.
  bool is_trying(Family family) const { return tallies_[static_cast<std::size_t>(family)].tried < kTried; }

 private:
  struct Tally {
    int tried = 0, failed = 0;
    bool left_out = false;
  };

  std::vector<Family> enabled_, block_;
  std::array<Tally, kFamilies> tallies_{};
  Draw draw_;
};

// A probe that is to be sent now.
struct Due {
  Kind kind = Kind::canary;
  Family family = Family::arithmetic;   // Of a canary.
  Contract contract = Contract::usage;  // Of a contract probe.
  int needle_tokens = 0;                // Of a needle.
  std::size_t prompt = 0;               // Of an identity probe: which of its prompts.
  std::uint64_t seed = 0;
  double paid = 0;  // Tokens that it is expected to use.
};

// How a probe went, as far as the schedule goes.
enum class End {
  ran,
  cannot,  // The target does not take such a request, or its answer says nothing.
  failed   // An error of the moment.
};

// Why a target is probed faster.
enum class Pace {
  steady,
  burst,      // Something is suspected: 20 times as fast for 15 minutes, then steady for 45.
  recovering  // It is out: as fast, until it is back.
};

// When one target is probed, and with what. Three Poisson processes (canaries, identity, contract) share the
// budget 58 : 34 : 8; each runs as fast as its part pays for probes of the cost that was seen, so that no
// timetable can be learnt from outside, and every hour of the week gets its share. Pure: milliseconds come
// from the caller's steady clock.
class Schedule {
 public:
  Schedule(const config::Probes& probes, std::uint64_t seed, std::int64_t now_ms);

  // Tokens that the target's own traffic used since the last call: the budget is its share of them, when
  // that is more than the fixed one.
  void on_traffic(double tokens) { traffic_ += tokens; }

  // Let time pass and take the next probe that is due; at most one a call: call again until there is none.
  std::optional<Due> next(std::int64_t now_ms, Pace pace);
  // What a probe used, in tokens, and how it went. A kind that cannot run twenty times in a row rests for a
  // day.
  void on_end(const Due& due, double tokens, End end, std::int64_t now_ms);

  // The longest prompt that a needle may have: the target's context, in tokens; 0: not known, no needles.
  void set_context(std::int64_t tokens) { context_tokens_ = tokens; }

  double tokens_per_hour() const;  // The budget, at a steady pace.

  Families& families() { return families_; }

  const Families& families() const { return families_; }

  ContractRecord& contract_record() { return contract_record_; }

 private:
  enum Lane { canaries, identity, contracts };

  static constexpr int kLanes = 3;

  struct LaneState {
    double wait = 0;     // Until the next probe, in mean waits.
    double balance = 0;  // Tokens that may be used now; below 0: to be waited for.
    double cost = 0;     // Tokens a probe: a mean, of the last ones mostly.
    int costs_seen = 1;  // The guess is one.
  };

  static Lane lane_of(Kind kind);
  double speed(std::int64_t now_ms, Pace pace);
  void pass_time(std::int64_t now_ms, Pace pace);
  bool rests(Kind kind, std::int64_t now_ms) const;
  std::optional<Due> make_due(Lane lane, std::int64_t now_ms);
  std::optional<Due> identity_due(std::int64_t now_ms);
  std::optional<Due> contract_due(std::int64_t now_ms);
  std::int64_t needle_tokens(std::int64_t now_ms) const;

  const config::Probes probes_;
  Draw draw_;
  Families families_;
  ContractRecord contract_record_;
  std::array<LaneState, kLanes> lanes_;
  std::array<int, kKinds> in_vain_{};
  std::array<std::int64_t, kKinds> rests_until_{};
  std::array<std::size_t, kKinds> prompts_{};  // Of identity probes: the next prompt.
  std::int64_t now_ms_, burst_since_ms_ = 0, needle_at_ms_;
  std::int64_t context_tokens_ = 0;
  bool bursting_ = false;
  double traffic_ = 0;           // Tokens not yet in the rate.
  double traffic_per_hour_ = 0;  // Over the last hours.
  std::uint64_t usage_seed_;     // Of the prompt that is counted again and again.
  int turns_ = 0, contract_turns_ = 0, next_lane_ = 0;
};

}  // namespace switchyard::probing
