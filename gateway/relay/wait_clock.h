#pragma once

#include "adapters/canonical/result.h"

namespace switchyard::relay {

// Adds what a wait took to `waited` when it is over.
class WaitClock {
 public:
  explicit WaitClock(Duration& waited) : waited_(waited), began_(Clock::now()) {}

  ~WaitClock() { waited_ += Clock::now() - began_; }

  WaitClock(const WaitClock&) = delete;
  WaitClock& operator=(const WaitClock&) = delete;

 private:
  Duration& waited_;
  TimePoint began_;
};

}  // namespace switchyard::relay
