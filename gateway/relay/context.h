#pragma once

#include "gateway/relay/snapshot.h"
#include "gateway/routing/retry.h"
#include "gateway/telemetry/access_log.h"
#include "gateway/telemetry/log.h"
#include "gateway/upstream/pool.h"

#include <list>
#include <memory>
#include <random>

namespace switchyard::relay {

class Relay;

// What the requests of one worker share; used on that worker's thread only.
struct Context {
  boost::asio::io_context& io_context;
  io::Deadlines& deadlines;
  upstream::Upstream& upstream;
  telemetry::Recorder& recorder;
  telemetry::AccessLog& access_log;
  telemetry::Log& log;
  int worker = 0;
  std::shared_ptr<const Snapshot> snapshot;  // Replaced by a reload; a request keeps the one it began with.
  std::mt19937_64 rng;
  routing::RetryBudget retry_budget;
  std::list<Relay*> open;  // Requests in flight.
};

}  // namespace switchyard::relay
