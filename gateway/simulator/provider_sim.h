#pragma once

#include "gateway/scoring/observation.h"
#include "gateway/simulator/random.h"
#include "gateway/simulator/world.h"

#include <cstdint>

namespace switchyard::simulator {

// What a simulated request is like.
struct SimRequest {
  std::uint32_t input_tokens = 0, output_tokens = 0;
  bool has_tools = false, wants_json = false, streamed = false;
};

SimRequest draw_request(const Traffic& traffic, Random& random);

// How one attempt ends: what the scores are told of it (without target and time), and when.
struct SimReply {
  scoring::Observation seen;
  double ttft_ms = 0, duration_ms = 0;  // From the attempt's beginning; the first is 0 for a failure.
  bool is_bad = false;                  // In at least one signal.
};

// One provider's model: answers as its behaviour says. Its rates of bad answers go up and down from day to
// day, its load in a slow wave.
class ProviderSim {
 public:
  ProviderSim(const Traffic& traffic, const Behaviour& usual, std::size_t index);

  void behave(const Behaviour& behaviour);

  const Behaviour& behaviour() const { return behaviour_; }

  // To be called once a day, with its number.
  void begin_day(std::int64_t day);

  SimReply reply(const SimRequest& request);
  // A graded question; what it says of the signals that probes have.
  scoring::Observation probe();

 private:
  double rate_today(scoring::Signal signal) const;
  void judge(const SimRequest& request, SimReply& reply);

  const Traffic& traffic_;
  Behaviour behaviour_;
  std::size_t index_;
  Random random_;
  double load_ = 0;        // The wave, in standard deviations.
  double day_factor_ = 1;  // Of the rates.
};

}  // namespace switchyard::simulator
