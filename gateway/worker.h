#pragma once

#include "gateway/http/listener.h"
#include "gateway/relay/endpoints.h"
#include "gateway/scorer/scorer.h"

#include <boost/asio/executor_work_guard.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace switchyard {

// What all workers write to. Outlives them.
struct Shared {
  telemetry::Metrics& metrics;
  telemetry::AccessLog& access_log;
  telemetry::Log& log;
  std::atomic<int>& connections;  // Of applications, open on any worker.
  scorer::Scorer& scorer;
  int workers = 1;
  relay::Mirror* mirror = nullptr;  // Takes requests to compare with a shadow's answers; null: nobody does.
  // Takes decisions that a worker has made, to be stored; called on the worker's thread. Empty: nobody does.
  std::function<void(std::vector<routing::Decision>)> store_decisions = {};
};

// One core's share of the data plane: an event loop with its own listener, upstream pools, deadlines and
// counters. All public functions but the constructor and join() may be called from any thread.
class Worker {
 public:
  // Binds at once; throws boost::system::system_error when the address cannot be had.
  Worker(int index, const io::Tcp::endpoint& listen, std::shared_ptr<const relay::Snapshot> snapshot,
         io::SslContextPtr tls, Shared shared);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start();
  // The next request uses the new configuration; requests in flight keep theirs.
  void swap(std::shared_ptr<const relay::Snapshot> snapshot, io::SslContextPtr tls);
  // What the next requests' plans see of the scores.
  void publish(scoring::BoardViewPtr scores);
  // Calls `done` on the worker's thread, with what DecisionRing::find() gives.
  void find_decisions(std::string request_id, std::string model, std::size_t limit,
                      std::function<void(std::vector<routing::Decision>)> done);
  // Stops accepting once the kernel's queue is empty, and ends when the last request has.
  void drain();
  // Ends what is left of a drain: open streams get an error frame.
  void end_requests();
  // Ends at once: what is open is left as it is, and the worker must not be destroyed before the process
  // ends.
  void stop();
  void join();

  bool is_done() const { return done_.load(); }

  // Decisions that were not handed on to be stored: there were too many.
  std::uint64_t decisions_skipped() const { return decisions_skipped_.load(std::memory_order_relaxed); }

  io::Tcp::endpoint endpoint() const { return listener_->endpoint(); }

 private:
  void apply(const relay::Snapshot& snapshot, io::SslContextPtr tls);
  bool check_drained();
  void report();
  void store_decisions();

  static constexpr std::size_t kStoredAtOnce = 512;  // Decisions a pass of the housekeeping.

  std::function<void(std::vector<routing::Decision>)> store_decisions_;
  std::atomic<std::uint64_t> decisions_skipped_{0};
  boost::asio::io_context context_{1};
  io::Deadlines deadlines_;
  io::BlockPool blocks_;
  std::optional<upstream::Upstream> upstream_;
  std::optional<relay::Context> relay_;
  std::optional<relay::Endpoints> endpoints_;
  std::optional<http::Server> server_;
  std::optional<http::Listener> listener_;
  boost::asio::steady_timer housekeeping_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
  std::atomic<bool> done_{false};
  bool draining_ = false;
};

}  // namespace switchyard
