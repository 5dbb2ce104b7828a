#include "gateway/telemetry/access_log.h"

#include "gateway/telemetry/json_text.h"

#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

namespace switchyard::telemetry {

namespace {

constexpr auto kFlushEvery = std::chrono::milliseconds(100);
constexpr auto kGiveUpAfter = std::chrono::seconds(2);

void append_string(std::string_view name, std::string_view value, std::string& out) {
  if (value.empty()) return;
  out += ",\"";
  out += name;
  out += "\":";
  append_json_string(value, out);
}

void append_int(std::string_view name, std::int64_t value, std::string& out) {
  out += ",\"";
  out += name;
  out += "\":";
  append_number(value, out);
}

void append_duration(std::string_view name, Duration value, std::string& out) {
  out += ",\"";
  out += name;
  out += "\":";
  append_ms(value, out);
}

}  // namespace

void write_access_line(const AccessRecord& record, std::chrono::system_clock::time_point now,
                       std::string& out) {
  out += "{\"ts\":\"";
  append_time(now, out);
  out += '"';
  append_string("request_id", record.request_id, out);
  append_string("key", record.key, out);
  append_string("dialect", record.dialect, out);
  append_string("model", record.model, out);
  append_string("provider", record.provider, out);
  append_string("upstream_model", record.upstream_model, out);
  append_int("attempts", record.attempts, out);
  append_string("reason", record.reason, out);
  append_int("status", record.status, out);
  append_string("outcome", name_of(record.outcome), out);
  append_string("error", record.error, out);
  out += record.stream ? ",\"stream\":true" : ",\"stream\":false";
  if (record.usage) {
    append_int("input_tokens", record.usage->input_tokens, out);
    append_int("output_tokens", record.usage->output_tokens, out);
  }
  if (record.first_token) append_duration("ttft_ms", *record.first_token, out);
  append_duration("duration_ms", record.duration, out);
  append_int("bytes_in", static_cast<std::int64_t>(record.bytes_in), out);
  append_int("bytes_out", static_cast<std::int64_t>(record.bytes_out), out);
  append_string("config", record.config_version, out);
  out += "}\n";
}

namespace {

// Bytes from one worker to the writer thread. Holds whole lines only: a push takes all of a line or nothing.
class Ring {
 public:
  explicit Ring(std::size_t capacity) : bytes_(capacity) {}

  // On the worker's thread.
  bool push(std::string_view line) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (line.size() > bytes_.size() - (tail - head_.load(std::memory_order_acquire))) return false;
    const std::size_t at = tail % bytes_.size();
    const std::size_t first = std::min(line.size(), bytes_.size() - at);
    std::memcpy(bytes_.data() + at, line.data(), first);
    std::memcpy(bytes_.data(), line.data() + first, line.size() - first);
    tail_.store(tail + line.size(), std::memory_order_seq_cst);
    return true;
  }

  // On the worker's thread.
  bool is_half_full() const {
    return tail_.load(std::memory_order_relaxed) - head_.load(std::memory_order_relaxed) > bytes_.size() / 2;
  }

  // On the writer's thread: what waits, in at most two pieces.
  std::size_t peek(iovec (&pieces)[2]) {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    const std::size_t waiting = tail_.load(std::memory_order_seq_cst) - head;
    const std::size_t at = head % bytes_.size();
    const std::size_t first = std::min(waiting, bytes_.size() - at);
    pieces[0] = {bytes_.data() + at, first};
    pieces[1] = {bytes_.data(), waiting - first};
    return waiting;
  }

  void consume(std::size_t n) {
    head_.store(head_.load(std::memory_order_relaxed) + n, std::memory_order_release);
  }

 private:
  std::vector<char> bytes_;
  // Apart, so that the two threads do not share a cache line.
  alignas(64) std::atomic<std::size_t> head_{0};
  alignas(64) std::atomic<std::size_t> tail_{0};
};

struct Lane {
  explicit Lane(std::size_t ring_bytes) : ring(ring_bytes) {}

  Ring ring;
  std::string line;  // The worker's scratch; keeps its capacity.
  Cell dropped;
};

}  // namespace

// Shared with the writer thread, which may outlive the AccessLog when the log's reader has stalled.
struct AccessLog::State {
  explicit State(int fd) : fd(fd) {}

  const int fd;
  std::vector<std::unique_ptr<Lane>> lanes;
  std::thread thread;

  enum Rest { busy, gathering, asleep };

  std::atomic<Rest> rest{busy};  // What the writer thread is doing, for a worker to know whether to wake it.
  std::mutex mutex;
  std::condition_variable changed;
  bool woken = false, stopping = false, finished = false;  // Guarded by mutex.

  void wake() {
    {
      const std::lock_guard lock(mutex);
      woken = true;
    }
    changed.notify_all();
  }

  bool is_stopping() {
    const std::lock_guard lock(mutex);
    return stopping;
  }

  // Returns how many bytes are gone from the ring. A broken `fd` takes everything: the lines are lost, as
  // they would be in any log whose reader has left.
  std::size_t write_some(Ring& ring) {
    iovec pieces[2];
    std::size_t gone = ring.peek(pieces);
    const ssize_t written = ::writev(fd, pieces, 2);
    if (written >= 0) {
      gone = static_cast<std::size_t>(written);
    } else if (errno == EAGAIN || errno == EINTR) {
      pollfd ready{fd, POLLOUT, 0};
      ::poll(&ready, 1, 100);
      gone = 0;
    }
    ring.consume(gone);
    return gone;
  }

  // Writes what waits in each ring now; what comes meanwhile is left for the next round, so that one busy
  // ring does not keep the others waiting.
  bool drain() {
    bool any = false;
    for (const auto& lane : lanes) {
      iovec pieces[2];
      const std::size_t waiting = lane->ring.peek(pieces);
      any |= waiting > 0;
      for (std::size_t gone = 0; gone < waiting;) gone += write_some(lane->ring);
    }
    return any;
  }

  void run() {
    for (;;) {
      const bool stop = is_stopping();
      const bool any = drain();
      if (stop) break;
      if (any) {
        gather();
      } else {
        sleep();
      }
    }
    const std::lock_guard lock(mutex);
    finished = true;
    changed.notify_all();
  }

  // Lines are coming: gather some before the next system call, unless a ring fills up first.
  void gather() {
    rest.store(gathering, std::memory_order_seq_cst);
    std::unique_lock lock(mutex);
    changed.wait_for(lock, kFlushEvery, [&] { return woken || stopping; });
    woken = false;
    rest.store(busy, std::memory_order_seq_cst);
  }

  // Nothing is coming: sleep until a worker says so. The flag is raised before the last look at the rings,
  // and a worker looks at the flag after it has pushed, both in one total order, so that no line is left
  // behind.
  void sleep() {
    rest.store(asleep, std::memory_order_seq_cst);
    for (const auto& lane : lanes) {
      iovec pieces[2];
      if (lane->ring.peek(pieces) > 0) {
        rest.store(busy, std::memory_order_seq_cst);
        return;
      }
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return woken || stopping; });
    woken = false;
  }

  // On a worker's thread, after a push.
  void wake_if_needed(const Ring& ring) {
    const Rest now = rest.load(std::memory_order_seq_cst);
    if (now == busy || (now == gathering && !ring.is_half_full())) return;
    if (rest.exchange(busy, std::memory_order_seq_cst) != busy) wake();
  }
};

AccessLog::AccessLog(int fd, int workers, std::size_t ring_bytes) : state_(std::make_shared<State>(fd)) {
  for (int i = 0; i < workers; ++i) state_->lanes.push_back(std::make_unique<Lane>(ring_bytes));
  state_->thread = std::thread([state = state_] { state->run(); });
}

AccessLog::~AccessLog() {
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->changed.notify_all();
  const bool finished = state_->changed.wait_for(lock, kGiveUpAfter, [&] { return state_->finished; });
  lock.unlock();
  if (finished) {
    state_->thread.join();
  } else {
    state_->thread.detach();  // It hangs in a write that nobody reads, and owns what it needs.
  }
}

void AccessLog::write(int worker, const AccessRecord& record) {
  if (!enabled_.load(std::memory_order_relaxed)) return;
  Lane& lane = *state_->lanes[static_cast<std::size_t>(worker)];
  lane.line.clear();
  write_access_line(record, std::chrono::system_clock::now(), lane.line);
  if (!lane.ring.push(lane.line)) lane.dropped.add(1);
  state_->wake_if_needed(lane.ring);
}

std::uint64_t AccessLog::dropped() const {
  std::uint64_t sum = 0;
  for (const auto& lane : state_->lanes) sum += lane->dropped.get();
  return sum;
}

}  // namespace switchyard::telemetry
