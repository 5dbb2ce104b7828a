// What a request pays for its telemetry: one thread, as in one worker.
#include "gateway/telemetry/access_log.h"
#include "gateway/telemetry/metrics.h"

#include <benchmark/benchmark.h>
#include <fcntl.h>

namespace switchyard::telemetry {
namespace {

using std::chrono::microseconds;

void histogram_observe(benchmark::State& state) {
  Histogram histogram;
  Duration value = microseconds(1);
  for (auto _ : state) {
    histogram.observe(kInterTokenBounds, value);
    value = value * 3 % Duration(std::chrono::seconds(20));
  }
}

BENCHMARK(histogram_observe);

void record_request(benchmark::State& state) {
  Metrics metrics(1, "bench");
  const RouteId route = metrics.route("assistant", "rack");
  const ProviderId provider = metrics.provider("rack");
  const DialectId dialect = metrics.dialect("openai_chat");
  Recorder& recorder = metrics.recorder(0);
  for (auto _ : state) {
    recorder.attempt_ok(provider);
    recorder.first_token(route, microseconds(1200));
    recorder.tokens(route, Usage{.input_tokens = 100, .output_tokens = 20});
    recorder.overhead(microseconds(40));
    recorder.request_done(route, dialect, Outcome::ok, microseconds(2400));
  }
}

BENCHMARK(record_request);

void access_log_line(benchmark::State& state) {
  AccessLog log(::open("/dev/null", O_WRONLY | O_CLOEXEC), 1);
  AccessRecord record;
  record.request_id = "req_0123456789abcdef01234567";
  record.key = "team-a";
  record.dialect = "openai_chat";
  record.model = "assistant";
  record.provider = "rack";
  record.upstream_model = "llama-3.1-8b-instruct";
  record.reason = "priority";
  record.config_version = "0123456789ab";
  record.attempts = 1;
  record.status = 200;
  record.usage = Usage{.input_tokens = 100, .output_tokens = 20};
  record.duration = microseconds(2400);
  record.bytes_in = 8192;
  record.bytes_out = 1024;
  for (auto _ : state) log.write(0, record);
  state.counters["dropped"] = static_cast<double>(log.dropped());
}

BENCHMARK(access_log_line);

void scrape(benchmark::State& state) {
  Metrics metrics(2, "bench");
  for (int i = 0; i < state.range(0); ++i) {
    const RouteId route = metrics.route("model-" + std::to_string(i), "rack");
    for (int worker : {0, 1}) {
      metrics.recorder(worker).request_done(route, 0, Outcome::ok, microseconds(2400));
      metrics.recorder(worker).first_token(route, microseconds(1200));
    }
  }
  std::size_t bytes = 0;
  for (auto _ : state) benchmark::DoNotOptimize(bytes = metrics.scrape().size());
  state.counters["bytes"] = static_cast<double>(bytes);
}

BENCHMARK(scrape)->Arg(3)->Arg(100)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace switchyard::telemetry

BENCHMARK_MAIN();
