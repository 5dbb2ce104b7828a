#pragma once

#include "gateway/telemetry/recorder.h"

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::telemetry {

using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

// What one scrape gathers: families by name, in the order in which they were first named.
class Samples {
 public:
  void counter(std::string_view name, std::string_view help, const Labels& labels, double value);
  void gauge(std::string_view name, std::string_view help, const Labels& labels, double value);
  void histogram(std::string_view name, std::string_view help, const Labels& labels,
                 prometheus::ClientMetric::Histogram value);

  std::vector<prometheus::MetricFamily> take() { return std::move(families_); }

 private:
  prometheus::ClientMetric& add(std::string_view name, std::string_view help, prometheus::MetricType type,
                                const Labels& labels);

  std::vector<prometheus::MetricFamily> families_;
};

// One local model, as switchyard_local_* shows it.
struct LocalModelSample {
  std::string_view provider, model, device;
  int waiting = 0, running = 0, context_tokens = 0;
  std::uint64_t prompt_tokens = 0, generated_tokens = 0;
};

void add_local_model(Samples& samples, const LocalModelSample& model);

// switchyard_access_log_dropped_total, for AccessLog::dropped().
void add_access_log_dropped(Samples& samples, std::uint64_t lines);

// switchyard_store_*: the responses that are kept, and those that could not be.
void add_store(Samples& samples, std::int64_t responses, std::int64_t bytes, std::uint64_t dropped);

// switchyard_provider_state: 1 for the state that the target is in, 0 for the other states. `state` is one of
// serving, reduced, ejected, probation, drained, cooling, credential_out.
void add_provider_state(Samples& samples, std::string_view model, std::string_view provider,
                        std::string_view state);

// switchyard_provider_score: one number of a target's, from 0 to 1. `kind`: quality, latency, availability or
// total.
void add_provider_score(Samples& samples, std::string_view model, std::string_view provider,
                        std::string_view kind, double score);

// switchyard_decisions_skipped_total: decision records that were not handed to the store.
void add_decisions_skipped(Samples& samples, std::uint64_t decisions);

// Every metric of the process. Thread-safe, but for the recorders: each belongs to one worker.
//
// Ids and counts outlive configurations: the same labels always give the same id, so a reload never sets a
// counter back. Label values must come from the configuration or from an enumeration, never from a request.
class Metrics : public prometheus::Collectable {
 public:
  Metrics(int workers, std::string version);
  ~Metrics() override;

  Recorder& recorder(int worker) { return *recorders_[static_cast<std::size_t>(worker)]; }

  // For a compiled configuration. Past the capacity (16384 routes, 4096 providers, 8 dialects, 65536
  // keys since the process started) new labels are counted as "none".
  RouteId route(std::string_view model, std::string_view provider);
  ProviderId provider(std::string_view name);
  DialectId dialect(std::string_view name);
  KeyId key(std::string_view name);

  // Rare events; these take a lock.
  void config_loaded(std::string_view hash);  // The configuration now in force.
  void config_reloaded(bool accepted);
  void limited(std::string_view key, std::string_view limit);
  // A probe of quality that ended: `probe` names its kind, `result` how it ended (docs/quality-probes.md).
  void probed(std::string_view model, std::string_view provider, std::string_view probe,
              std::string_view result, double tokens);

  // Tokens of a route's answers so far, input and output, over all workers. Any thread, without a lock.
  double tokens(RouteId id) const;

  // Called at each scrape, on the scraping thread, for values that live elsewhere. A collector must not call
  // back into this object.
  void add_collector(std::function<void(Samples&)> collector);

  std::vector<prometheus::MetricFamily> Collect() const override;
  // The Prometheus text format, version 0.0.4.
  std::string scrape() const;

 private:
  struct Names {
    std::uint32_t find_or_add(const std::string& name, std::uint32_t capacity);
    std::map<std::string, std::uint32_t> ids;
    std::vector<std::string> names;
  };

  void collect_route(Samples& samples, RouteId id) const;
  void collect_failovers(Samples& samples) const;
  void collect_providers(Samples& samples) const;
  void collect_costs(Samples& samples) const;
  void collect_probes(Samples& samples) const;
  void collect_gateway(Samples& samples) const;
  static void collect_process(Samples& samples);

  const std::string version_;
  std::vector<std::unique_ptr<Recorder>> recorders_;

  mutable std::mutex mutex_;  // Guards everything below; never taken by a recorder.
  std::map<std::pair<std::string, std::string>, RouteId> route_ids_;
  std::vector<std::pair<std::string, std::string>> routes_;  // (model, provider) by id.
  Names providers_, dialects_, keys_;
  std::string config_hash_;
  double last_reload_success_s_ = 0;
  bool last_reload_accepted_ = true;
  std::uint64_t reloads_accepted_ = 0, reloads_refused_ = 0;
  std::map<std::pair<std::string, std::string>, std::uint64_t> limited_;
  std::map<std::array<std::string, 4>, std::uint64_t> probes_;  // By model, provider, probe, result.
  std::map<std::array<std::string, 3>, double> probe_tokens_;   // By model, provider, probe.
  std::vector<std::function<void(Samples&)>> collectors_;
};

}  // namespace switchyard::telemetry
