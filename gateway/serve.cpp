#include "gateway/serve.h"

#include "gateway/admin/collectors.h"
#include "gateway/admin/server.h"
#include "gateway/descriptors.h"
#include "gateway/drain.h"
#include "gateway/reloader.h"

#include <boost/asio/signal_set.hpp>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
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

  Shared shared() { return {metrics_, *access_log_, *log_, connections_}; }

 private:
  void open_workers(io::Tcp::endpoint endpoint, const Loaded& first);
  void open_admin(const io::Tcp::endpoint& endpoint);
  void add_collectors();
  void watch_ledger(const relay::Snapshot& snapshot);
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

void Gateway::open_admin(const io::Tcp::endpoint& endpoint) {
  admin::Control control;
  control.snapshot = [this] { return reloader_->snapshot(); };
  control.ready = [this] { return !draining_.load(); };
  control.reload = [this](Reloader::Done done) { reloader_->request(std::move(done)); };
  admin_.emplace(endpoint, metrics_, *log_, std::move(control));
}

void Gateway::add_collectors() {
  metrics_.add_collector([this](telemetry::Samples& samples) {
    const auto snapshot = reloader_->snapshot();
    admin::collect_targets(*snapshot, Clock::now(), samples);
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
  reloader_->start();
  admin_->start();
  control.run();
  const bool complete = drain.is_complete() && !reloader_->is_busy();
  log_->write(LogLevel::info, "stop", {{"complete", complete}});
  return complete;
}

// The frames of open requests are owned by nobody who could end them, and what they refer to must not go
// before them: the process ends with all of it in place. The logs are written out first.
void Gateway::abandon() {
  for (const auto& worker : workers_) worker->stop();
  for (const auto& worker : workers_) worker->join();
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
