#pragma once

#include "gateway/telemetry/recorder.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::telemetry {

// One request, as its line shows it: names, counts and times, never content. Views must live until write()
// returns; empty ones are left out of the line.
struct AccessRecord {
  std::string_view request_id, key, dialect, model, provider, upstream_model, reason;
  std::string_view error;  // The error kind's name.
  std::string_view config_version;
  int attempts = 0, status = 0;
  Outcome outcome = Outcome::ok;
  bool stream = false;
  std::optional<Usage> usage;
  std::optional<Duration> first_token;
  Duration duration{};
  std::uint64_t bytes_in = 0, bytes_out = 0;
};

// Appends the record as one line of JSON with its newline.
void write_access_line(const AccessRecord& record, std::chrono::system_clock::time_point now,
                       std::string& out);

// One line a request, handed through one ring a worker to a thread that writes it out. A worker never waits:
// a line that finds its ring full (the reader of the log has stalled) is dropped and counted.
class AccessLog {
 public:
  static constexpr std::size_t kRingBytes = 1 << 20;

  // Lines go to `fd`, which must stay open. SIGPIPE must be ignored when it may be a pipe.
  AccessLog(int fd, int workers, std::size_t ring_bytes = kRingBytes);
  // Writes out what is left; gives up when `fd` takes nothing for two seconds.
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  // On that worker's thread.
  void write(int worker, const AccessRecord& record);

  // A configuration may turn the log off (levels above info) and on again.
  void set_enabled(bool enabled) { enabled_.store(enabled, std::memory_order_relaxed); }

  std::uint64_t dropped() const;

 private:
  struct State;

  std::atomic<bool> enabled_{true};
  std::shared_ptr<State> state_;
};

}  // namespace switchyard::telemetry
