#pragma once

#include <cstdint>
#include <string>

namespace switchyard {

// The subcommands that look at routing without a gateway running. Both return the exit code: 0, or 1 when
// what they were given is wrong, which they say on the standard error.

struct ExplainOptions {
  std::string config, request;     // Paths: the configuration, and a request's body.
  std::string scores;              // What GET /admin/providers gave; empty: nothing is known of any target.
  std::string key;                 // The caller's name among `keys`; empty: none.
  std::string request_id, ledger;  // Instead of all of these: a decision that was recorded.
};

// `switchyard explain`: prints where the request would go, and why.
int explain(const ExplainOptions& options);

struct SimulateOptions {
  std::string config, traffic;  // Paths.
  std::string against;          // Another configuration, for recorded decisions; empty: none.
  // Files to write: points of time, decisions as the gateway records them, requests that move. Empty: none.
  std::string series, decisions, moves;
  double every_s = 10;     // Between two points.
  std::int64_t seed = -1;  // In place of the traffic's; negative: that one.
};

// `switchyard simulate`: makes recorded decisions again, or runs the gateway's routing and scoring over
// synthetic traffic, and prints what came of it. 1 also when a recorded plan is not made again as it was.
int simulate(const SimulateOptions& options);

}  // namespace switchyard
