#include "gateway/worker.h"

#include "gateway/relay/relay.h"

#include <boost/asio/post.hpp>

#include <random>

namespace switchyard {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds kHousekeeping{250}, kDrainCheck{20};

std::mt19937_64 seeded() {
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device()};
  return std::mt19937_64(seed);
}

}  // namespace

// The members refer to each other, so they are made one by one: the context that requests share, the
// endpoints that answer, the server that reads for them.
Worker::Worker(int index, const io::Tcp::endpoint& listen, std::shared_ptr<const relay::Snapshot> snapshot,
               io::SslContextPtr tls, Shared shared)
    : store_decisions_(std::move(shared.store_decisions)),
      deadlines_(context_),
      housekeeping_(context_),
      work_(context_.get_executor()) {
  upstream_.emplace(context_, deadlines_, blocks_);
  relay_.emplace(relay::Context{context_,
                                deadlines_,
                                *upstream_,
                                shared.metrics.recorder(index),
                                shared.access_log,
                                shared.log,
                                index,
                                snapshot,
                                seeded(),
                                routing::RetryBudget(routing::RetryBudget::reserve_of(shared.workers)),
                                {}});
  relay_->observations = &shared.scorer.ring(index);
  relay_->scores = shared.scorer.view();
  relay_->mirror = shared.mirror;
  endpoints_.emplace(*relay_, shared.metrics);
  server_.emplace(http::Server{deadlines_, blocks_, *endpoints_, shared.connections});
  server_->on_bug = [&log = shared.log](const char* what) {
    log.write(config::LogLevel::error, "bug", {{"what", what}});
  };
  apply(*snapshot, std::move(tls));
  listener_.emplace(context_, *server_, listen, true);
}

Worker::~Worker() {
  join();
}

void Worker::apply(const relay::Snapshot& snapshot, io::SslContextPtr tls) {
  server_->limits = snapshot.config.server.limits;
  server_->tls = std::move(tls);
}

void Worker::start() {
  listener_->start();
  report();
  thread_ = std::thread([this] {
    context_.run();
    done_.store(true);
  });
}

void Worker::swap(std::shared_ptr<const relay::Snapshot> snapshot, io::SslContextPtr tls) {
  asio::post(context_, [this, snapshot = std::move(snapshot), tls = std::move(tls)]() mutable {
    apply(*snapshot, std::move(tls));
    relay_->snapshot = std::move(snapshot);
  });
}

void Worker::publish(scoring::BoardViewPtr scores) {
  asio::post(context_, [this, scores = std::move(scores)]() mutable { relay_->scores = std::move(scores); });
}

void Worker::find_decisions(std::string request_id, std::string model, std::size_t limit,
                            std::function<void(std::vector<routing::Decision>)> done) {
  asio::post(context_, [this, request_id = std::move(request_id), model = std::move(model), limit,
                        done = std::move(done)] { done(relay_->decisions->find(request_id, model, limit)); });
}

void Worker::store_decisions() {
  const auto& store = relay_->snapshot->config.store;
  if (!store_decisions_ || !store || !store->decisions.enabled) return;
  auto decisions = relay_->decisions->take_new(kStoredAtOnce);
  decisions_skipped_.store(relay_->decisions->skipped(), std::memory_order_relaxed);
  if (!decisions.empty()) store_decisions_(std::move(decisions));
}

void Worker::drain() {
  asio::post(context_, [this] {
    if (std::exchange(draining_, true)) return;
    listener_->drain();
    server_->drain();
    housekeeping_.cancel();
    report();
  });
}

// True when nothing is left to do: the event loop then runs out of work.
bool Worker::check_drained() {
  if (!draining_ || server_->connections > 0) return false;
  if (!upstream_->stop_tokens()) return false;
  upstream_->pools.clear();
  deadlines_.stop();
  work_.reset();
  return true;
}

void Worker::end_requests() {
  asio::post(context_, [this] {
    // end() may finish a request, which takes it off the list.
    const std::vector<relay::Relay*> open(relay_->open.begin(), relay_->open.end());
    for (relay::Relay* request : open) {
      if (std::ranges::find(relay_->open, request) != relay_->open.end())
        request->end(ErrorKind::unavailable);
    }
  });
}

void Worker::stop() {
  context_.stop();
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::report() {
  auto& recorder = relay_->recorder;
  recorder.client_connections(static_cast<std::size_t>(server_->connections));
  for (const relay::Model& model : relay_->snapshot->models) {
    for (const relay::Target& target : model.targets) {
      if (target.engine) continue;
      const auto pool = upstream_->pools.find(target.origin->key);
      if (pool == upstream_->pools.end()) continue;
      recorder.upstream_connections(target.provider_id, static_cast<std::size_t>(pool->second->in_use),
                                    pool->second->idle());
    }
  }
  store_decisions();
  if (check_drained()) return;
  housekeeping_.expires_after(draining_ ? kDrainCheck : kHousekeeping);
  housekeeping_.async_wait([this](const boost::system::error_code& error) {
    if (!error) report();
  });
}

}  // namespace switchyard
