#include "gateway/reloader.h"

#include <algorithm>
#include <exception>

namespace switchyard {

using config::LogLevel;

namespace {

std::string ledger_of(const config::Config& config) {
  return config.store ? config.store->ledger : std::string();
}

}  // namespace

config::LoadResult WatchedFiles::read() {
  // Stamped before they are read, so that a change in between is seen as one.
  const auto known = files_.empty() && !path_.empty() ? std::vector{path_} : files_;
  const auto before = config::stamp_all(known);
  config::LoadResult result = read_config(path_);
  std::vector<std::string> files = path_.empty() ? std::vector<std::string>() : result.files;
  if (!result.config) {
    // A broken file may name fewer others than it will when it is mended.
    for (const std::string& file : known) {
      if (std::ranges::find(files, file) == files.end()) files.push_back(file);
    }
  }
  stamps_.clear();
  for (const std::string& file : files) {
    const auto found = std::ranges::find(known, file);
    stamps_.push_back(found != known.end() ? before[static_cast<std::size_t>(found - known.begin())]
                                           : config::stamp(file));
  }
  files_ = std::move(files);
  return result;
}

bool WatchedFiles::has_changed() const {
  return config::stamp_all(files_) != stamps_;
}

void apply_log_level(LogLevel level, Shared& shared) {
  shared.log.set_level(level);
  shared.access_log.set_enabled(level <= LogLevel::info);
}

void log_warnings(const std::vector<config::Problem>& warnings, const config::Limits& wanted,
                  const config::Limits& in_force, telemetry::Log& log) {
  for (const config::Problem& warning : warnings) {
    log.write(LogLevel::warning, "config_warning",
              {{"file", warning.file},
               {"line", warning.line},
               {"column", warning.column},
               {"message", warning.message}});
  }
  if (in_force.connections >= wanted.connections) return;
  log.write(LogLevel::warning, "connections_lowered",
            {{"message", "server.limits.connections is over half of the limit of file descriptors"},
             {"wanted", wanted.connections},
             {"in_force", in_force.connections}});
}

Reloader::Reloader(WatchedFiles files, Loaded first, std::uint64_t descriptors,
                   std::vector<std::unique_ptr<Worker>>& workers, Shared shared)
    : files_(std::move(files)),
      at_start_(first.snapshot->config.server),
      ledger_at_start_(ledger_of(first.snapshot->config)),
      descriptors_(descriptors),
      workers_(workers),
      shared_(shared),
      snapshot_(std::move(first.snapshot)) {}

Reloader::~Reloader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Reloader::start() {
  thread_ = std::thread([this] { run(); });
}

void Reloader::request(Done done) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(done));
  }
  changed_.notify_all();
}

std::shared_ptr<const relay::Snapshot> Reloader::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

bool Reloader::is_busy() const {
  const std::lock_guard lock(mutex_);
  return busy_;
}

void Reloader::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait_for(lock, kPoll, [&] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    const auto waiting = std::exchange(waiting_, {});
    busy_ = true;
    lock.unlock();
    std::string problems;
    if (!waiting.empty() || files_.has_changed()) problems = reload();
    for (const Done& done : waiting) {
      if (done) done(problems);
    }
    lock.lock();
    busy_ = false;
  }
}

// Returns what is wrong; nothing when the configuration is in force.
std::string Reloader::reload() {
  auto read = files_.read();
  if (!read.config) return refuse(read.problems);
  const config::Server wanted = read.config->server;
  const std::string ledger = ledger_of(*read.config);
  try {
    auto loaded = prepare(std::move(*read.config), descriptors_, snapshot().get(), shared_.metrics);
    if (!loaded) return refuse({{files_.path(), 0, 0, loaded.error().message}});
    accept(std::move(*loaded));
  } catch (const std::exception& error) {  // Out of memory for a model, most likely.
    return refuse({{files_.path(), 0, 0, error.what()}});
  }
  log_warnings(read.warnings, wanted.limits, snapshot()->config.server.limits, shared_.log);
  note_what_needs_a_restart(wanted, ledger);
  return {};
}

std::string Reloader::refuse(const std::vector<config::Problem>& problems) {
  shared_.metrics.config_reloaded(false);
  for (const config::Problem& problem : problems) {
    shared_.log.write(LogLevel::error, "reload_refused",
                      {{"file", problem.file},
                       {"line", problem.line},
                       {"column", problem.column},
                       {"message", problem.message}});
  }
  return to_text(problems);
}

void Reloader::accept(Loaded loaded) {
  const config::Config& config = loaded.snapshot->config;
  shared_.scorer.configure(config.quality, relay::score_targets(*loaded.snapshot));
  for (const auto& worker : workers_) worker->swap(loaded.snapshot, loaded.tls);
  apply_log_level(config.log_level, shared_);
  shared_.metrics.config_loaded(config.version);
  shared_.metrics.config_reloaded(true);
  shared_.log.write(LogLevel::info, "reload", {{"config", config.version}});
  const std::lock_guard lock(mutex_);
  snapshot_.swap(loaded.snapshot);
}

void Reloader::note_what_needs_a_restart(const config::Server& now, const std::string& ledger) {
  const auto note = [&](bool differs, std::string_view field) {
    if (!differs) return;
    shared_.log.write(LogLevel::warning, "restart_needed",
                      {{"field", field}, {"message", "it changes when the gateway is started again"}});
  };
  note(now.listen != at_start_.listen, "server.listen");
  note(now.admin != at_start_.admin, "server.admin");
  note(now.workers != at_start_.workers, "server.workers");
  note(ledger != ledger_at_start_, "store.ledger");
}

}  // namespace switchyard
