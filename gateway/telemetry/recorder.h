#pragma once

#include "adapters/canonical/event.h"
#include "adapters/canonical/result.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

namespace switchyard::telemetry {

// How a request ended, for its caller.
enum class Outcome {
  ok,
  client_error,    // The caller's fault: 400, 401, 403, 404, 413.
  upstream_error,  // Every target failed, or a bug of ours.
  rate_limited,    // 429.
  timeout,
  cancelled,      // The caller left.
  broken_stream,  // Content had been sent, then the stream ended with an error.
  unavailable,    // 503: nothing may be tried, or the gateway is draining.
};
inline constexpr int kOutcomes = 8;
std::string_view name_of(Outcome outcome);
// The outcome of a request that failed with `kind` before any content was sent.
Outcome outcome_of(ErrorKind kind);

enum class Phase { before_first_token, mid_stream };
std::string_view name_of(Phase phase);

// Ids from Metrics; 0 is always valid and stands for "none".
using RouteId = std::uint32_t;  // A model as configured, and a provider.
using ProviderId = std::uint32_t;
using DialectId = std::uint32_t;
using KeyId = std::uint32_t;  // A caller's key, by name.
inline constexpr int kDialects = 8;
inline constexpr int kErrorKinds = static_cast<int>(ErrorKind::internal) + 1;

// A number with one writing thread and any number of readers.
class Cell {
 public:
  void add(std::uint64_t n) { value_.store(get() + n, std::memory_order_relaxed); }

  void set(std::uint64_t n) { value_.store(n, std::memory_order_relaxed); }

  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

inline constexpr int kBounds = 16;
using Bounds = std::array<std::int64_t, kBounds>;  // Upper bounds in ns, ascending.

extern const Bounds kDurationBounds, kFirstTokenBounds, kInterTokenBounds, kOverheadBounds;

struct Histogram {
  void observe(const Bounds& bounds, Duration value) {
    const std::int64_t ns = value.count() < 0 ? 0 : value.count();
    int bucket = 0;  // Sixteen comparisons without a branch: the compiler makes vector code of them.
    for (const std::int64_t bound : bounds) bucket += ns > bound;
    counts[static_cast<std::size_t>(bucket)].add(1);
    sum_ns.add(static_cast<std::uint64_t>(ns));
  }

  std::array<Cell, kBounds + 1> counts;
  Cell sum_ns;
};

// A failover seen from one route; kept in a list that only grows, one node for each distinct combination.
struct FailoverCount {
  FailoverCount(RouteId to, ErrorKind reason, Phase phase) : to(to), reason(reason), phase(phase) {}

  const RouteId to;
  const ErrorKind reason;
  const Phase phase;
  Cell count;
  std::atomic<FailoverCount*> next{nullptr};
};

// What one key's requests cost at one route; in lists by their hash, which only grow.
struct CostSum {
  CostSum(RouteId route, KeyId key) : route(route), key(key) {}

  const RouteId route;
  const KeyId key;
  Cell nano_usd;
  std::atomic<CostSum*> next{nullptr};
};

struct RouteSeries {
  RouteSeries() = default;
  RouteSeries(const RouteSeries&) = delete;
  ~RouteSeries();

  std::array<std::array<Cell, kOutcomes>, kDialects> requests;
  Histogram duration, first_token, inter_token;
  Cell input_tokens, output_tokens, cached_tokens, reasoning_tokens;
  std::atomic<FailoverCount*> failovers{nullptr};
};

struct ProviderSeries {
  Cell attempts_ok, hedges_lost;
  std::array<Cell, kErrorKinds> attempts_failed;
  Cell connections_in_use, connections_idle;
};

// Series by id, in blocks that never move: the writer indexes while Metrics adds blocks.
template <class T, int kBlockSize, int kBlocks>
class SeriesTable {
 public:
  static constexpr std::uint32_t kCapacity = kBlockSize * kBlocks;

  SeriesTable() = default;
  SeriesTable(const SeriesTable&) = delete;

  ~SeriesTable() {
    for (auto& block : blocks_) delete[] block.load(std::memory_order_relaxed);
  }

  // REQUIRES: make_room(id) has happened before.
  T& at(std::uint32_t id) const {
    return blocks_[id / kBlockSize].load(std::memory_order_acquire)[id % kBlockSize];
  }

  // Not from two threads at once.
  void make_room(std::uint32_t id) {
    auto& block = blocks_[id / kBlockSize];
    if (!block.load(std::memory_order_relaxed)) block.store(new T[kBlockSize], std::memory_order_release);
  }

 private:
  std::array<std::atomic<T*>, kBlocks> blocks_{};
};

// What one worker counts. All but the reading done by Metrics happens on that worker's thread; nothing locks,
// and nothing allocates but the first failover or cost of its kind.
class Recorder {
 public:
  Recorder();
  ~Recorder();
  Recorder(const Recorder&) = delete;

  // Once a request. `route`: where it ended, or 0 for a request that no target was tried for.
  void request_done(RouteId route, DialectId dialect, Outcome outcome, Duration duration);

  void first_token(RouteId route, Duration since_request) {
    routes_.at(route).first_token.observe(kFirstTokenBounds, since_request);
  }

  // Once a chunk with content, after the first.
  void inter_token(RouteId route, Duration since_last) {
    routes_.at(route).inter_token.observe(kInterTokenBounds, since_last);
  }

  void tokens(RouteId route, const Usage& usage);

  // What one answer cost.
  void cost(RouteId route, KeyId key, double usd);

  // What the gateway itself added to one request.
  void overhead(Duration added) { overhead_.observe(kOverheadBounds, added); }

  void attempt_ok(ProviderId provider) { providers_.at(provider).attempts_ok.add(1); }

  void attempt_failed(ProviderId provider, ErrorKind kind) {
    providers_.at(provider).attempts_failed[static_cast<std::size_t>(kind)].add(1);
  }

  // An attempt that ran beside another, and was closed because that one answered first.
  void hedge_lost(ProviderId provider) { providers_.at(provider).hedges_lost.add(1); }

  void failover(RouteId from, RouteId to, ErrorKind reason, Phase phase);

  void request_opened() { open_requests_.add(1); }

  void request_closed() { open_requests_.add(~std::uint64_t{0}); }

  void client_connections(std::size_t open) { client_connections_.set(open); }

  void upstream_connections(ProviderId provider, std::size_t in_use, std::size_t idle) {
    providers_.at(provider).connections_in_use.set(in_use);
    providers_.at(provider).connections_idle.set(idle);
  }

 private:
  friend class Metrics;

  SeriesTable<RouteSeries, 16, 1024> routes_;
  SeriesTable<ProviderSeries, 16, 256> providers_;
  std::array<std::atomic<CostSum*>, 256> costs_{};
  Histogram overhead_;
  Cell open_requests_, client_connections_;
};

}  // namespace switchyard::telemetry
