#pragma once

#include "adapters/canonical/result.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace switchyard::routing {

// Passive health of one target: what its own traffic says of it. Everything is a value with the time as an
// argument; SharedHealth at the end lets several threads step the same values without a lock.

// What the plan sees. In order of precedence when several hold: credential_out, cooling, ejected, probation.
enum class State {
  serving,
  probation,       // An ejection is over: one trial request at a time decides.
  ejected,         // Out for its dwell after failures.
  cooling,         // Asked for a pause (429 or 503 with Retry-After): no fault.
  credential_out,  // Refused the credential, or its quota is used up.
};
std::string_view name_of(State state);

// What the end of an attempt says of its target.
enum class Effect {
  none,   // Nothing: the client left, our own limit, our own bug.
  alive,  // The target answered properly, if not with what was hoped for.
  fault,
  cool,
  credential_out,
};
Effect effect_of(const Error& error);

// True for failures seen on this side (connect, timeouts), false for what a reply said.
bool is_local_origin(ErrorKind kind);

struct HealthPolicy {
  int consecutive_failures = 5;
  // Or this share of failures among at least so many attempts of one window.
  double failure_ratio = 0.5;
  int window_attempts_min = 20;
  Duration window = std::chrono::seconds(10);
  // The dwell doubles with each failed trial. A trial that fails by a timeout holds a caller up for seconds,
  // so it may become rare; any other failure costs the caller almost nothing (the next target serves), and a
  // target that came back should be found within seconds.
  Duration dwell_base = std::chrono::seconds(1);
  Duration dwell_max_slow = std::chrono::seconds(60);
  Duration dwell_max_quick = std::chrono::seconds(4);
  // Each such time in service takes one doubling back.
  Duration decay = std::chrono::seconds(30);
  // A trial whose end was never reported no longer blocks the next one.
  Duration trial_max = std::chrono::minutes(10);
  Duration cool_default = std::chrono::seconds(5);  // For a 429 without Retry-After.
  Duration cool_max = std::chrono::minutes(10);
  Duration credential_base = std::chrono::seconds(30);
  Duration credential_max = std::chrono::minutes(10);
  Duration quota_max = std::chrono::hours(1);  // Of a quota's Retry-After.
};

inline constexpr HealthPolicy kHealthPolicy{};

// The three values below are eight bytes each, so that an atomic of one is lock-free. Times are milliseconds
// of the steady clock, in 42 bits: 139 years.

// Ejection and probation.
struct Breaker {
  std::uint64_t since_ms : 42 =
      0;  // Serving: restored at. Ejected: ends at. With a trial: the trial began at.
  std::uint64_t failures : 8 = 0;  // Consecutive.
  std::uint64_t doublings : 6 = 0;
  std::uint64_t ejected : 1 = 0;  // Also in probation: until a success.
  std::uint64_t trial : 1 = 0;
  std::uint64_t forced : 1 = 0;  // Tried although ejected, there being no other target.
  std::uint64_t spare : 5 = 0;

  friend bool operator==(const Breaker&, const Breaker&) = default;
};

// The share of failures in the current window.
struct Window {
  std::uint64_t number : 32 = 0;
  std::uint64_t attempts : 16 = 0;
  std::uint64_t failures : 16 = 0;

  friend bool operator==(const Window&, const Window&) = default;
};

// Cooling, or a credential that is out.
struct Pause {
  std::uint64_t until_ms : 42 = 0;
  std::uint64_t doublings : 6 = 0;
  std::uint64_t probation : 1 = 0;  // After the pause one trial at a time, until a success.
  std::uint64_t spare : 15 = 0;

  friend bool operator==(const Pause&, const Pause&) = default;
};

// Before an attempt. `admitted` is false when a trial is needed and another request runs it.
struct Admission {
  Breaker breaker;
  bool admitted = true;
};

Admission admit(Breaker breaker, bool credential_probation, TimePoint now, const HealthPolicy& policy);

// After an attempt. `ratio_exceeded` comes from count(). `slow`: the failure was a timeout.
Breaker after_success(Breaker breaker, TimePoint now);
Breaker after_fault(Breaker breaker, bool ratio_exceeded, bool slow, TimePoint now,
                    const HealthPolicy& policy);
// The attempt says nothing: a trial is given back.
Breaker after_nothing(Breaker breaker, TimePoint now);

// Counts one attempt; `exceeded` when the window's failures call for an ejection (the window is then empty).
struct Counted {
  Window window;
  bool exceeded = false;
};

Counted count(Window window, bool failed, TimePoint now, const HealthPolicy& policy);

Pause cool(Pause pause, const Error& error, TimePoint now, const HealthPolicy& policy);
Pause take_credential_out(Pause pause, const Error& error, TimePoint now, const HealthPolicy& policy);

// A target's health at one instant, for the plan and for people.
struct HealthView {
  State state = State::serving;
  TimePoint until{};           // The end of a cooling, an ejection or a credential's pause.
  bool trial_running = false;  // In probation: another request runs the trial.
};

HealthView view(Breaker breaker, Pause cooling, Pause credential, TimePoint now, const HealthPolicy& policy);

// One target's health, shared by all workers: the values above, each stepped by compare-exchange. A step that
// changes nothing writes nothing; a healthy target costs one write a request (its window). The values move
// one by one, so a reader may see an ejection without the pause that came with it: the plan is then one
// request old.
class SharedHealth {
 public:
  explicit SharedHealth(const HealthPolicy& policy = kHealthPolicy) : policy_(policy) {}

  HealthView snapshot(TimePoint now) const;
  // Call before each attempt, then exactly one of the three below. False: the plan is outdated, another
  // request took the trial meanwhile; go on to the next target and report nothing (a last resort goes on all
  // the same, and reports).
  bool on_attempt(TimePoint now);
  void on_success(TimePoint now);
  void on_failure(const Error& error, TimePoint now);
  // The attempt ended without saying anything of the target: the client left, or it was never called.
  void on_abandoned(TimePoint now);

  struct Totals {
    std::uint64_t successes = 0, local_failures = 0, reply_failures = 0, pauses = 0, ejections = 0;
  };

  Totals totals() const;

 private:
  HealthPolicy policy_;
  std::atomic<Breaker> breaker_{Breaker{}};
  std::atomic<Window> window_{Window{}};
  std::atomic<Pause> cooling_{Pause{}};
  std::atomic<Pause> credential_{Pause{}};
  std::atomic<std::uint64_t> successes_{0}, local_failures_{0}, reply_failures_{0}, pauses_{0}, ejections_{0};
};

}  // namespace switchyard::routing
