#pragma once

#include "gateway/relay/decisions.h"
#include "gateway/relay/snapshot.h"
#include "gateway/routing/hedge.h"
#include "gateway/routing/plan.h"
#include "gateway/routing/retry.h"
#include "gateway/scorer/ring.h"
#include "gateway/scoring/passive.h"
#include "gateway/scoring/view.h"
#include "gateway/telemetry/access_log.h"
#include "gateway/telemetry/log.h"
#include "gateway/upstream/pool.h"

#include <list>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace switchyard::relay {

class Mirror;
class Relay;

// As scorer::ObservationRing.
using ObservationRing = scorer::Ring<scoring::Observation, 4096>;

// What a request keeps of its plan for its decision record, and what its reply is judged by. Requests take
// one from their worker and give it back, so that none of them allocates.
struct PlanRecord {
  routing::PlanInput input;
  std::vector<routing::AttemptRecord> attempts;
  scoring::RequestTraits traits;
  scoring::ReplyWatch watch;  // Of the reply under way.
};

// More than so many that nobody has are let go: ten thousand streams that were open once keep no memory.
inline constexpr std::size_t kPlanRecordsKept = 256;

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
  scoring::BoardViewPtr scores =
      nullptr;  // Replaced with each view that the scorer publishes; null: none yet.
  ObservationRing* observations = nullptr;                     // Null: nobody keeps scores.
  std::map<std::string, routing::HedgeGate> hedge_gates = {};  // By model, of those that hedge.
  std::unique_ptr<scoring::WatchMemory> watch_memory = std::make_unique<scoring::WatchMemory>();
  std::vector<std::unique_ptr<PlanRecord>> plan_records = {};  // Those that no request has.
  std::unique_ptr<DecisionRing> decisions = std::make_unique<DecisionRing>();
  Mirror* mirror = nullptr;  // Null: nobody compares.
};

}  // namespace switchyard::relay
