// What a request pays for its routing: a plan of N targets by each strategy, with every number of a target
// set, so that no logarithm is saved. The plan's input is made once: filling it is the relay's work.
#include "gateway/routing/facts.h"
#include "gateway/routing/load.h"
#include "gateway/routing/plan.h"
#include "gateway/routing/shares.h"

#include <benchmark/benchmark.h>

namespace switchyard::routing {
namespace {

using config::Strategy;

PlanInput input_of(Strategy strategy, int targets) {
  PlanInput input;
  input.strategy = strategy;
  input.facts = {2'000, 300, 0};
  input.now = TimePoint(std::chrono::hours(1));
  for (int i = 0; i < targets; ++i) {
    Candidate& candidate = input.candidates.emplace_back();
    candidate.id = static_cast<std::uint64_t>(i) * 0x9e3779b97f4a7c15u;
    candidate.weight = 1 + i % 3;
    candidate.quality = 0.9 + 0.01 * (i % 10);
    candidate.ramp = 0.99;
    candidate.availability = 0.98;
    candidate.quota = 0.97;
    candidate.ttft_ms_p50 = 400 + 10 * i;
    candidate.ttft_ms_p95 = 900 + 10 * i;
    candidate.latency_ratio = 1.1;
    candidate.inter_token_ms = 10 + i % 5;
    candidate.usd = 0.001 * (1 + i % 7);
    candidate.in_flight = i % 11;
    candidate.in_flight_max = 1'000;
  }
  return input;
}

void plan(benchmark::State& state, Strategy strategy, bool is_sticky) {
  PlanInput input = input_of(strategy, static_cast<int>(state.range(0)));
  for (auto _ : state) {
    ++input.seed;
    if (is_sticky) input.facts.affinity = input.seed * 0x9e3779b97f4a7c15u;
    benchmark::DoNotOptimize(make_plan(input));
  }
}

BENCHMARK_CAPTURE(plan, priority, Strategy::priority, false)->Arg(8)->Arg(100);
BENCHMARK_CAPTURE(plan, weighted, Strategy::weighted, false)->Arg(8)->Arg(100);
BENCHMARK_CAPTURE(plan, latency, Strategy::latency, false)->Arg(8)->Arg(100);
BENCHMARK_CAPTURE(plan, cost, Strategy::cost, false)->Arg(8)->Arg(100);
BENCHMARK_CAPTURE(plan, least_busy, Strategy::least_busy, false)->Arg(8)->Arg(100);
BENCHMARK_CAPTURE(plan, score, Strategy::score, false)->Arg(8)->Arg(100);
BENCHMARK_CAPTURE(plan, score_sticky, Strategy::score, true)->Arg(8)->Arg(100);

// A target's part of a request: its snapshot for the plan, start, first token, head, end.
void load_of_a_request(benchmark::State& state) {
  SharedLoad load;
  RateHeaders headers;
  read_rate_header("x-ratelimit-remaining-requests", "5000", 0, headers);
  TimePoint now = TimePoint(std::chrono::hours(1));
  for (auto _ : state) {
    now += std::chrono::milliseconds(1);
    benchmark::DoNotOptimize(load.snapshot(now, 0));
    load.on_start(now, 2'000, 300, 1'000);
    load.on_headers(now, headers);
    load.on_first_token(now, 410, 400);
    load.on_end(now, nullptr);
  }
}

BENCHMARK(load_of_a_request);

void rate_headers_of_a_reply(benchmark::State& state) {
  for (auto _ : state) {
    RateHeaders headers;
    for (const std::string_view name : {"date", "content-type", "server", "x-request-id", "cf-ray"}) {
      read_rate_header(name, "x", 0, headers);
    }
    read_rate_header("x-ratelimit-remaining-requests", "4999", 0, headers);
    read_rate_header("x-ratelimit-reset-requests", "12ms", 0, headers);
    read_rate_header("x-ratelimit-remaining-tokens", "149984", 0, headers);
    read_rate_header("x-ratelimit-reset-tokens", "6m0s", 0, headers);
    benchmark::DoNotOptimize(headers);
  }
}

BENCHMARK(rate_headers_of_a_reply);

// Only for models whose conditions or stickiness ask for it. Bytes of the conversation.
void body_facts(benchmark::State& state) {
  std::string body = R"({"model":"assistant","messages":[)";
  while (static_cast<std::int64_t>(body.size()) < state.range(0)) {
    body +=
        R"({"role":"user","content":"A sentence of the usual length, as people write them to assistants."},)";
  }
  body.back() = ']';
  body += R"(,"max_tokens":500,"stream":true,"user":"u-1"})";
  const std::size_t size = body.size();
  body.resize(size + 128);
  for (auto _ : state) {
    benchmark::DoNotOptimize(read_body_facts(std::string_view(body).substr(0, size), body.size()));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(size) * static_cast<std::int64_t>(state.iterations()));
}

BENCHMARK(body_facts)->Arg(2'000)->Arg(200'000);

}  // namespace
}  // namespace switchyard::routing

BENCHMARK_MAIN();
