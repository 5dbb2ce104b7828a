#include "gateway/telemetry/recorder.h"

namespace switchyard::telemetry {

namespace {

constexpr std::int64_t us(std::int64_t n) {
  return n * 1'000;
}

constexpr std::int64_t ms(std::int64_t n) {
  return n * 1'000'000;
}

constexpr std::int64_t s(std::int64_t n) {
  return n * 1'000'000'000;
}

}  // namespace

// The first-token bounds are those of the OpenTelemetry conventions for generative AI, stretched to a minute.
const Bounds kDurationBounds = {ms(5),    ms(10), ms(25), ms(50), ms(100), ms(250), ms(500), s(1),
                                ms(2500), s(5),   s(10),  s(20),  s(40),   s(80),   s(160),  s(320)};
const Bounds kFirstTokenBounds = {ms(5),   ms(10),  ms(20), ms(40),   ms(60), ms(80), ms(100), ms(250),
                                  ms(500), ms(750), s(1),   ms(2500), s(5),   s(10),  s(30),   s(60)};
const Bounds kInterTokenBounds = {us(500), ms(1),   us(2500), ms(5),   ms(10),  ms(25), ms(50),   ms(75),
                                  ms(100), ms(150), ms(200),  ms(300), ms(500), s(1),   ms(2500), s(10)};
const Bounds kOverheadBounds = {us(10),  us(25), us(50),   us(80), us(100), us(150), us(250), us(500),
                                us(750), ms(1),  us(2500), ms(5),  ms(10),  ms(25),  ms(100), s(1)};

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
      return "ok";
    case Outcome::client_error:
      return "client_error";
    case Outcome::upstream_error:
      return "upstream_error";
    case Outcome::rate_limited:
      return "rate_limited";
    case Outcome::timeout:
      return "timeout";
    case Outcome::cancelled:
      return "cancelled";
    case Outcome::broken_stream:
      return "broken_stream";
    case Outcome::unavailable:
      return "unavailable";
  }
  return "unknown";
}

std::string_view name_of(Phase phase) {
  return phase == Phase::mid_stream ? "mid_stream" : "before_first_token";
}

Outcome outcome_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_request:
    case ErrorKind::unsupported:
    case ErrorKind::invalid_key:
    case ErrorKind::forbidden:
    case ErrorKind::not_found:
    case ErrorKind::method_not_allowed:
    case ErrorKind::too_large:
    case ErrorKind::context_too_long:
      return Outcome::client_error;
    case ErrorKind::limited:
    case ErrorKind::quota:
    case ErrorKind::rate_limited:
      return Outcome::rate_limited;
    case ErrorKind::connect_timeout:
    case ErrorKind::first_token_timeout:
    case ErrorKind::between_tokens_timeout:
    case ErrorKind::total_timeout:
      return Outcome::timeout;
    case ErrorKind::overloaded:
    case ErrorKind::unavailable:
      return Outcome::unavailable;
    case ErrorKind::cancelled:
      return Outcome::cancelled;
    case ErrorKind::credential:
    case ErrorKind::provider_error:
    case ErrorKind::unreachable:
    case ErrorKind::bad_reply:
    case ErrorKind::exhausted:
    case ErrorKind::internal:
      return Outcome::upstream_error;
  }
  return Outcome::upstream_error;
}

RouteSeries::~RouteSeries() {
  FailoverCount* node = failovers.load(std::memory_order_relaxed);
  while (node) {
    const std::unique_ptr<FailoverCount> owned(node);
    node = owned->next.load(std::memory_order_relaxed);
  }
}

Recorder::Recorder() {
  routes_.make_room(0);
  providers_.make_room(0);
}

Recorder::~Recorder() {
  for (const auto& list : costs_) {
    CostSum* node = list.load(std::memory_order_relaxed);
    while (node) {
      const std::unique_ptr<CostSum> owned(node);
      node = owned->next.load(std::memory_order_relaxed);
    }
  }
}

void Recorder::cost(RouteId route, KeyId key, double usd) {
  if (!(usd > 0)) return;
  const auto nano_usd = static_cast<std::uint64_t>(usd * 1e9 + 0.5);
  std::atomic<CostSum*>* link = &costs_[(route * 31 + key) % costs_.size()];
  while (CostSum* node = link->load(std::memory_order_relaxed)) {
    if (node->route == route && node->key == key) return node->nano_usd.add(nano_usd);
    link = &node->next;
  }
  auto node = std::make_unique<CostSum>(route, key);
  node->nano_usd.add(nano_usd);
  link->store(node.release(), std::memory_order_release);
}

void Recorder::request_done(RouteId route, DialectId dialect, Outcome outcome, Duration duration) {
  RouteSeries& series = routes_.at(route);
  series.requests[dialect % kDialects][static_cast<std::size_t>(outcome)].add(1);
  series.duration.observe(kDurationBounds, duration);
}

void Recorder::tokens(RouteId route, const Usage& usage) {
  const auto add = [](Cell& cell, std::int64_t n) {
    if (n > 0) cell.add(static_cast<std::uint64_t>(n));
  };
  RouteSeries& series = routes_.at(route);
  add(series.input_tokens, usage.input_tokens);
  add(series.output_tokens, usage.output_tokens);
  add(series.cached_tokens, usage.cached_tokens);
  add(series.reasoning_tokens, usage.reasoning_tokens);
}

void Recorder::failover(RouteId from, RouteId to, ErrorKind reason, Phase phase) {
  std::atomic<FailoverCount*>* link = &routes_.at(from).failovers;
  while (FailoverCount* node = link->load(std::memory_order_relaxed)) {
    if (node->to == to && node->reason == reason && node->phase == phase) return node->count.add(1);
    link = &node->next;
  }
  auto node = std::make_unique<FailoverCount>(to, reason, phase);
  node->count.add(1);
  link->store(node.release(), std::memory_order_release);
}

}  // namespace switchyard::telemetry
