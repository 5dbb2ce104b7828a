#pragma once

#include "config/watch.h"
#include "gateway/loading.h"
#include "gateway/worker.h"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace switchyard {

// The configuration file and every file that it reads, with what they looked like when they were read.
class WatchedFiles {
 public:
  // `path` empty: the embedded default, which reads no file and never changes.
  explicit WatchedFiles(std::string path) : path_(std::move(path)) {}

  config::LoadResult read();
  bool has_changed() const;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::vector<std::string> files_;
  std::vector<config::FileStamp> stamps_;
};

// Keeps the running configuration that of the file: on a thread of its own it looks once a second whether a
// file has changed, loads and compiles, and gives the result to every worker. What is wrong with a
// configuration is logged and counted, and the one before stays.
class Reloader {
 public:
  static constexpr std::chrono::seconds kPoll{1};
  using Done = std::function<void(std::string problems)>;

  // `workers` run `first` already; they outlive the reloader.
  Reloader(WatchedFiles files, Loaded first, std::uint64_t descriptors,
           std::vector<std::unique_ptr<Worker>>& workers, Shared shared);
  // Waits for a reload that is under way.
  ~Reloader();
  Reloader(const Reloader&) = delete;
  Reloader& operator=(const Reloader&) = delete;

  void start();

  // Any thread may call these. `done` runs on the reloader's thread; it gets what is wrong, nothing when the
  // configuration was accepted. It may be empty.
  void request(Done done);
  std::shared_ptr<const relay::Snapshot> snapshot() const;
  bool is_busy() const;

 private:
  void run();
  std::string reload();
  std::string refuse(const std::vector<config::Problem>& problems);
  void accept(Loaded loaded);
  void note_what_needs_a_restart(const config::Server& now, const std::string& ledger);

  WatchedFiles files_;
  const config::Server at_start_;
  const std::string ledger_at_start_;
  const std::uint64_t descriptors_;
  std::vector<std::unique_ptr<Worker>>& workers_;
  Shared shared_;
  mutable std::mutex mutex_;  // Guards what follows.
  std::condition_variable changed_;
  std::shared_ptr<const relay::Snapshot> snapshot_;
  std::vector<Done> waiting_;
  bool stopping_ = false, busy_ = false;
  std::thread thread_;
};

// The log's level, and whether requests are logged, as a configuration wants them.
void apply_log_level(config::LogLevel level, Shared& shared);
// Logs warnings about a configuration, each at its place, and a lowered limit of connections.
void log_warnings(const std::vector<config::Problem>& warnings, const config::Limits& wanted,
                  const config::Limits& in_force, telemetry::Log& log);

}  // namespace switchyard
