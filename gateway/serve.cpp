#include "gateway/serve.h"

#include "gateway/admin/collectors.h"
#include "gateway/admin/decisions.h"
#include "gateway/admin/server.h"
#include "gateway/descriptors.h"
#include "gateway/drain.h"
#include "gateway/prober/prober.h"
#include "gateway/prober/shadows.h"
#include "gateway/reloader.h"

#include <boost/asio/signal_set.hpp>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <random>
#include <sstream>

namespace switchyard {

namespace {

namespace asio = boost::asio;
using config::LogLevel;

io::Tcp::endpoint resolve(const config::Address& address) {
  asio::io_context context;
  io::Tcp::resolver resolver(context);
  return resolver.resolve(address.host, std::to_string(address.port), io::Tcp::resolver::passive)
      .begin()
      ->endpoint();
}

// An address that cannot be had.
struct NoAddress {
  std::string message;
};

// Calls `bind` with the endpoint of an address; throws NoAddress when it cannot be had.
template <class Bind>
void bind_to(const config::Address& address, Bind bind) {
  try {
    bind(resolve(address));
  } catch (const boost::system::system_error& error) {
    throw NoAddress{"cannot listen on " + address.host + ":" + std::to_string(address.port) + ": " +
                    error.code().message()};
  }
}

std::string to_text(const io::Tcp::endpoint& endpoint) {
  std::ostringstream text;
  text << endpoint;
  return text.str();
}

template <class List>
std::string names_of(const List& list) {
  std::string names;
  for (const auto& each : list) names += (names.empty() ? "" : ", ") + each.name;
  return names;
}

int worker_count(const config::Server& server) {
  if (server.workers > 0) return server.workers;
  return static_cast<int>(std::max(std::thread::hardware_concurrency(), 1u));
}

// The running gateway. What is declared later uses what is declared earlier, and ends before it.
class Gateway {
 public:
  Gateway(int workers, LogLevel level)
      : metrics_(workers, SWITCHYARD_VERSION), workers_count_(workers), log_(std::in_place, level) {
    access_log_.emplace(STDOUT_FILENO, workers);
  }

  telemetry::Metrics& metrics() { return metrics_; }

  // Binds every address; throws NoAddress.
  void open(WatchedFiles files, Loaded first, std::uint64_t descriptors);
  // Serves until a signal ends it. Returns true when nothing is left open.
  bool run();
  // Ends the process while requests are open.
  [[noreturn]] void abandon();

  Shared shared();

 private:
  void open_workers(io::Tcp::endpoint endpoint, const Loaded& first);
  void open_admin(const io::Tcp::endpoint& endpoint);
  void add_collectors();
  void watch_ledger(const relay::Snapshot& snapshot);
  store::Ledger::Found find_saved(std::string name);
  void open_scorer(const relay::Snapshot& snapshot);
  void open_prober();
  admin::Control control();
  void find_decisions(const admin::DecisionQuery& query, admin::DecisionsFound done);
  void log_start(const config::Config& config, const std::string& file);
  void wait_for_stop(asio::signal_set& signals, Drain& drain);
  void wait_for_reload(asio::signal_set& signals);

  telemetry::Metrics metrics_;
  const int workers_count_;
  std::optional<telemetry::Log> log_;
  std::optional<telemetry::AccessLog> access_log_;
  std::atomic<int> connections_{0};
  std::atomic<bool> draining_{false};
  std::shared_ptr<store::Ledger> ledger_;  // Let go of last, and on the main thread: it waits for the disk.
  std::optional<scorer::Scorer> scorer_;
  std::optional<prober::Prober> prober_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::optional<Reloader> reloader_;
  std::optional<admin::AdminServer> admin_;
};

void Gateway::open_workers(io::Tcp::endpoint endpoint, const Loaded& first) {
  for (int i = 0; i < workers_count_; ++i) {
    workers_.push_back(std::make_unique<Worker>(i, endpoint, first.snapshot, first.tls, shared()));
    endpoint = workers_.front()->endpoint();  // A port chosen by the kernel is the same for all.
  }
}

Shared Gateway::shared() {
  Shared shared{metrics_, *access_log_, *log_, connections_, *scorer_, workers_count_};
  shared.mirror = &prober_->shadows();
  if (ledger_) {
    shared.store_decisions = [this](std::vector<routing::Decision> decisions) {
      const std::size_t count = decisions.size();
      ledger_->put_decisions(count, [decisions = std::move(decisions)] { return admin::rows_of(decisions); });
    };
  }
  return shared;
}

// What an earlier process kept under a name. REQUIRES: a ledger.
store::Ledger::Found Gateway::find_saved(std::string name) {
  std::promise<store::Ledger::Found> answer;
  ledger_->find_value(std::move(name),
                      [&answer](store::Ledger::Found found) { answer.set_value(std::move(found)); });
  return answer.get_future().get();
}

void Gateway::open_prober() {
  prober::Hooks hooks;
  hooks.snapshot = [this] { return reloader_->snapshot(); };
  hooks.scores = [this] { return scorer_->view(); };
  hooks.wants_burst = [this](std::uint32_t score_id) { return scorer_->wants_burst(score_id); };
  hooks.observe = [this](const scoring::Observation& observation) { scorer_->observe(observation); };
  if (ledger_) hooks.save = [this](std::string state) { ledger_->put_value("probes", std::move(state)); };
  std::string saved;
  if (ledger_) {
    if (const auto found = find_saved("probes"); found && *found) saved = **found;
  }
  std::random_device device;
  const std::uint64_t seed = (static_cast<std::uint64_t>(device()) << 32) | device();
  prober_.emplace(metrics_, *log_, std::move(hooks), std::move(saved), seed);
}

// The scores of an earlier process, where it kept them, are there before the first request.
void Gateway::open_scorer(const relay::Snapshot& snapshot) {
  scorer::Scorer::Hooks hooks;
  hooks.publish = [this](const scoring::BoardViewPtr& scores) {
    for (const auto& worker : workers_) worker->publish(scores);
  };
  if (ledger_) hooks.save = [this](std::string state) { ledger_->put_value("scores", std::move(state)); };
  scorer_.emplace(workers_count_, *log_, std::move(hooks));
  if (ledger_) {
    const store::Ledger::Found saved = find_saved("scores");
    const auto loaded = saved && *saved ? scorer_->load(**saved) : Result<>();
    if (!saved || !loaded) {
      const std::string& message = saved ? loaded.error().message : saved.error().message;
      log_->write(LogLevel::warning, "scores_lost", {{"message", message}});
    }
  }
  scorer_->configure(snapshot.config.quality, relay::score_targets(snapshot));
  scorer_->pass_now();
}

// Asks every worker for what it remembers, and the store when none of them does.
void Gateway::find_decisions(const admin::DecisionQuery& query, admin::DecisionsFound done) {
  admin::gather_decisions(
      query, workers_.size(),
      [this, query](std::size_t worker, std::function<void(std::vector<routing::Decision>)> found) {
        workers_[worker]->find_decisions(query.request_id, query.model, query.limit, std::move(found));
      },
      ledger_, scorer_->view(), std::move(done));
}

admin::Control Gateway::control() {
  admin::Control control;
  control.snapshot = [this] { return reloader_->snapshot(); };
  control.ready = [this] { return !draining_.load(); };
  control.reload = [this](Reloader::Done done) { reloader_->request(std::move(done)); };
  control.scores = [this] { return scorer_->view(); };
  control.set_drained = [this](std::string provider, bool drained, std::function<void(std::size_t)> done) {
    scorer_->set_drained(std::move(provider), drained, std::move(done));
  };
  control.decisions = [this](const admin::DecisionQuery& query, admin::DecisionsFound done) {
    find_decisions(query, std::move(done));
  };
  return control;
}

void Gateway::open_admin(const io::Tcp::endpoint& endpoint) {
  admin_.emplace(endpoint, metrics_, *log_, control());
}

void Gateway::add_collectors() {
  metrics_.add_collector([this](telemetry::Samples& samples) {
    const auto snapshot = reloader_->snapshot();
    admin::collect_targets(*snapshot, *scorer_->view(), Clock::now(), samples);
    scorer_->collect(samples);
    std::uint64_t skipped = 0;
    for (const auto& worker : workers_) skipped += worker->decisions_skipped();
    telemetry::add_decisions_skipped(samples, skipped);
    admin::collect_local_models(*snapshot, samples);
    admin::collect_store(*snapshot, samples);
    telemetry::add_access_log_dropped(samples, access_log_->dropped());
  });
}

void Gateway::watch_ledger(const relay::Snapshot& snapshot) {
  ledger_ = snapshot.ledger;
  if (!ledger_) return;
  ledger_->watch([this, path = ledger_->path()](const std::string& message) {
    log_->write(LogLevel::error, "store_failed", {{"file", path}, {"message", message}});
  });
}

void Gateway::log_start(const config::Config& config, const std::string& file) {
  log_->write(LogLevel::info, "start",
              {{"version", SWITCHYARD_VERSION},
               {"listen", to_text(workers_.front()->endpoint())},
               {"tls", config.server.tls.has_value()},
               {"admin", to_text(admin_->endpoint())},
               {"workers", workers_count_},
               {"models", names_of(config.models)},
               {"providers", names_of(config.providers)},
               {"keys", config.keys.size()},
               {"file", file.empty() ? std::string("embedded default") : file},
               {"config", config.version}});
  if (!config.keys.empty()) return;
  log_->write(LogLevel::warning, "open",
              {{"message", "no key protects this gateway: whoever reaches its address may use it"},
               {"listen", to_text(workers_.front()->endpoint())}});
}

void Gateway::open(WatchedFiles files, Loaded first, std::uint64_t descriptors) {
  const config::Config& config = first.snapshot->config;
  const std::string file = files.path();
  const auto snapshot = first.snapshot;  // `config` lives in it.
  watch_ledger(*snapshot);
  open_scorer(*snapshot);
  open_prober();
  bind_to(config.server.listen, [&](const auto& endpoint) { open_workers(endpoint, first); });
  reloader_.emplace(std::move(files), std::move(first), descriptors, workers_, shared());
  bind_to(config.server.admin, [&](const auto& endpoint) { open_admin(endpoint); });
  add_collectors();
  metrics_.config_loaded(config.version);
  auto all = shared();
  apply_log_level(config.log_level, all);
  log_start(config, file);
}

void Gateway::wait_for_stop(asio::signal_set& signals, Drain& drain) {
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (error) return;
    if (drain.has_started()) return drain.stop();
    draining_.store(true);
    drain.start(reloader_->snapshot()->config.server.limits.drain);
    wait_for_stop(signals, drain);
  });
}

void Gateway::wait_for_reload(asio::signal_set& signals) {
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (error) return;
    reloader_->request({});
    wait_for_reload(signals);
  });
}

bool Gateway::run() {
  asio::io_context control{1};
  Drain drain(control, workers_, *log_);
  asio::signal_set stop_signals(control, SIGTERM, SIGINT);
  asio::signal_set reload_signals(control, SIGHUP);
  wait_for_stop(stop_signals, drain);
  wait_for_reload(reload_signals);
  for (const auto& worker : workers_) worker->start();
  scorer_->start();
  reloader_->start();
  prober_->start();
  admin_->start();
  control.run();
  prober_->stop();
  const bool complete = drain.is_complete() && !reloader_->is_busy();
  if (complete) scorer_->stop();  // Workers that it would publish to are about to go.
  log_->write(LogLevel::info, "stop", {{"complete", complete}});
  return complete;
}

// The frames of open requests are owned by nobody who could end them, and what they refer to must not go
// before them: the process ends with all of it in place. The logs are written out first.
void Gateway::abandon() {
  for (const auto& worker : workers_) worker->stop();
  for (const auto& worker : workers_) worker->join();
  scorer_->stop();
  if (ledger_) ledger_->close();
  access_log_.reset();
  if (!reloader_->is_busy()) log_.reset();
  std::_Exit(0);
}

void print(const std::string& text) {
  std::fputs(text.c_str(), stderr);
}

}  // namespace

int serve(const std::string& config_path) {
  std::signal(SIGPIPE, SIG_IGN);
  const std::uint64_t descriptors = raise_descriptor_limit();
  WatchedFiles files(config_path);
  auto read = files.read();
  if (!read.config) {
    print(to_text(read.problems));
    return 1;
  }
  const config::Limits wanted = read.config->server.limits;
  Gateway gateway(worker_count(read.config->server), read.config->log_level);
  auto first = prepare(std::move(*read.config), descriptors, nullptr, gateway.metrics());
  if (!first) {
    print(config_path + (config_path.empty() ? "" : ": ") + first.error().message + "\n");
    return 1;
  }
  const auto snapshot = first->snapshot;
  try {
    gateway.open(std::move(files), std::move(*first), descriptors);
  } catch (const NoAddress& error) {
    print("switchyard: " + error.message + "\n");
    return 1;
  }
  log_warnings(read.warnings, wanted, snapshot->config.server.limits, gateway.shared().log);
  if (!gateway.run()) gateway.abandon();
  return 0;
}

}  // namespace switchyard
