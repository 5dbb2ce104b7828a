#pragma once

#include "adapters/canonical/result.h"
#include "gateway/probing/identity.h"
#include "gateway/probing/schedule.h"
#include "gateway/scoring/observation.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::probing {

// One probe, ready to be sent to its target: the requests one after the other.
struct Probe {
  Due due;
  std::vector<ChatRequest> requests;
  // What must not be dropped when the request is written for the target: without it the answer says nothing.
  std::vector<std::string_view> needs;
  std::function<Grade(const std::vector<ProbeReply>&)> grade;  // Of canaries and contract probes.
};

// As in metrics: the canary's family, the contract, or the kind of an identity probe.
std::string_view label_of(const Due& due);

// What a probe came to.
struct Verdict {
  std::string_view probe;                           // label_of().
  std::string_view result;                          // pass, fail, unknown, error.
  std::optional<scoring::Observation> observation;  // Nothing when it says nothing of the target.
  double tokens = 0;                                // That it used, input and output.
};

// All of one target's probes: when, which, and what their answers say. Pure, like all of this folder.
//
// An identity test that has raised its alarm goes on to say so while it learns what is there now; then it is
// quiet: a change that did no harm in that time is the new state.
class TargetProbes {
 public:
  TargetProbes(const config::Probes& settings, std::uint32_t score_id, std::uint64_t seed,
               std::int64_t now_ms);

  Schedule& schedule() { return schedule_; }

  // The next probe that is due, as Schedule::next().
  std::optional<Probe> next(std::int64_t now_ms, Pace pace);
  // All of a probe's replies have come.
  Verdict on_replies(const Probe& probe, const std::vector<ProbeReply>& replies, std::int64_t now_ms);
  // It could not be sent, or not be answered. What the target refuses as impossible says nothing of it;
  // errors are of its availability; neither is ever a pass.
  Verdict on_error(const Probe& probe, const Error& error, std::int64_t now_ms);

  // What was found of the target's abilities, as JSON text, so that they need not be tried anew.
  std::string save() const;
  // What cannot be read is passed over: all is tried anew.
  void load(std::string_view saved);

 private:
  Verdict on_canary(const Probe& probe, const std::vector<ProbeReply>& replies, std::int64_t now_ms);
  Verdict on_contract(const Probe& probe, const std::vector<ProbeReply>& replies, std::int64_t now_ms);
  Verdict on_token(const Probe& probe, const ProbeReply& reply, std::int64_t now_ms);
  Verdict on_greedy(const Probe& probe, const ProbeReply& reply, std::int64_t now_ms);
  Verdict on_logprobs(const Probe& probe, const ProbeReply& reply, std::int64_t now_ms);
  scoring::Observation observation(std::int64_t now_ms) const;
  scoring::Observation of_bit(scoring::Signal signal, bool bad, std::int64_t now_ms) const;
  // What an identity test's latest step says: a graded observation, or nothing while it learns.
  Verdict of_identity(const Due& due, scoring::Signal signal, bool& alarm, bool raised, bool learning,
                      std::int64_t now_ms) const;

  std::uint32_t score_id_;
  std::uint64_t prompts_seed_;
  Draw draw_;
  Schedule schedule_;
  SamplingTest sampling_{kIdentityPrompts};
  ReplyTest greedy_{kIdentityPrompts};
  LogprobTest logprobs_{kLogprobPrompts};
  // Raised, and the new reference is not learnt yet.
  bool sampling_alarm_ = false, greedy_alarm_ = false, logprobs_alarm_ = false;
  std::vector<std::uint64_t> tokens_;  // Of the rounds under way; empty between two.
  std::vector<Logprobs> lists_;
};

}  // namespace switchyard::probing
