#pragma once

#include "adapters/canonical/result.h"
#include "gateway/scoring/observation.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::simulator {

// Signals that live traffic shows in one reply, and those that only probes show: what a world may have rates
// for.
bool is_simulated(scoring::Signal signal);

// Synthetic traffic, as docs/simulation.md describes its lines: what callers do, how each target behaves, and
// when that changes. Times are seconds of virtual time.

struct Traffic {
  std::string model;  // Of the configuration; empty: its only one.
  std::int64_t requests = 100'000;
  double rate = 50;  // A second; they come as a Poisson process.
  // Log-normal: the median, and the standard deviation of the logarithm.
  double input_tokens = 800, input_sd = 0.6;
  double output_tokens = 250, output_sd = 0.5;
  double tools = 0.3, json = 0.2, stream = 0.8;  // Shares of the requests.
  double day_sd = 0;            // Of the logarithm of all targets' rates of bad answers, from day to day.
  double day_seconds = 86'400;  // How long a day is.
  double probes_per_hour = 0;   // Graded questions to each target; twenty times as many when asked for.
  std::uint64_t seed = 1;
  // Only the scores at full speed: every request goes by the shares of the last view, nothing is in flight,
  // nothing is tried again.
  bool fast = false;
};

// How a target behaves.
struct Behaviour {
  double ttft_ms = 400, ttft_sd = 0.3;
  double load_sd = 0;  // Of the logarithm of a slow wave over ttft_ms, correlated over 200 requests.
  double inter_token_ms = 15;
  double failures = 0;      // The share of requests that end with a provider's error,
  double rate_limited = 0;  // and with a 429.
  double day_sd = 0;        // As Traffic::day_sd, of this target alone.
  double output_factor = 1;
  std::array<double, scoring::kSignals> bad{};  // The rate of each signal; negative: it cannot be judged.

  Behaviour() { bad.fill(-1); }
};

struct TargetWorld {
  std::string provider, model;  // As in the configuration.
  Behaviour usual;
};

// From `at_s` on the target behaves like this; without a behaviour: as usual again.
struct Change {
  double at_s = 0;
  std::size_t target = 0;  // Index into World::targets.
  std::optional<Behaviour> behaviour;
};

struct World {
  Traffic traffic;
  std::vector<TargetWorld> targets;
  std::vector<Change> changes;  // In time.
};

// Reads it line by line; blank lines and those that begin with '#' are passed over.
class WorldReader {
 public:
  // Fails with invalid_request and says what is wrong: no JSON object, an unknown type or member, a value of
  // a wrong type or out of range, a change of a target that was not described.
  Result<> add(std::string_view line);
  // What was read; fails when no target was described.
  Result<World> world() const;

 private:
  World world_;
};

}  // namespace switchyard::simulator
