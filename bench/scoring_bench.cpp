// What scores cost: one thread, as the scorer's.
#include "gateway/scoring/board.h"
#include "gateway/scoring/detector.h"

#include <benchmark/benchmark.h>

#include <string>

namespace switchyard::scoring {
namespace {

// A cheap sequence of events, one in 64.
class Events {
 public:
  bool next() {
    state_ ^= state_ << 13, state_ ^= state_ >> 7, state_ ^= state_ << 17;
    return (state_ & 63) == 0;
  }

 private:
  std::uint64_t state_ = 88172645463325252;
};

void detector_observe(benchmark::State& state) {
  const Bets bets(.02);
  Detector detector;
  Events events;
  for (auto _ : state) detector.observe(events.next(), bets, 1);
  benchmark::DoNotOptimize(detector.evidence());
  state.counters["bytes"] = sizeof(Detector) + sizeof(Bets);
}

BENCHMARK(detector_observe);

constexpr std::int64_t kWall = 1'764'000'000'000;

std::vector<TargetInfo> infos_of(std::uint32_t targets, std::uint32_t group_size) {
  std::vector<TargetInfo> infos;
  for (std::uint32_t i = 0; i < targets; ++i) {
    const std::string number = std::to_string(i);
    infos.push_back({.id = i,
                     .key = number,
                     .model = "m",
                     .provider = number,
                     .target_model = "m",
                     .group = i / group_size});
  }
  return infos;
}

// 16 signals of one reply of live traffic, all with a baseline that is learnt; a tick each 100 ms of a
// thousand requests a second.
void board_observe(benchmark::State& state) {
  const auto targets = static_cast<std::uint32_t>(state.range(0));
  Board board;
  config::Quality settings;
  settings.learn_observations = 100, settings.learn_blocks = 2;
  settings.learn_for = settings.block = std::chrono::seconds(1);
  board.configure(settings, infos_of(targets, targets), 0);
  std::int64_t now_ms = 0;
  board.tick(now_ms, kWall);
  Events events;
  Observation o;
  o.seen = 0x3ff;  // And six more, which the board judges.
  o.had_tools = o.asked_to_reason = o.streamed = true;
  o.output_tokens = 200, o.reasoning_tokens = 100, o.ttft_ms = 400, o.inter_token_ms = 12;
  const auto one = [&] {
    o.target = (o.target + 1) % targets;
    o.at_ms = now_ms;
    o.bad = events.next() ? 1u << (now_ms & 7) : 0;
    o.session = state.range(1) != 0 ? static_cast<std::uint64_t>(now_ms % 997 + 1) : 0;
    board.observe(o);
  };
  for (; now_ms < 1000 * targets + 20'000; ++now_ms) {
    one();
    if (now_ms % 100 == 0) board.tick(now_ms, kWall + now_ms);
  }
  for (auto _ : state) {
    one();
    if (++now_ms % 100 == 0) {
      state.PauseTiming();
      board.tick(now_ms, kWall + now_ms);
      state.ResumeTiming();
    }
  }
}

BENCHMARK(board_observe)
    ->ArgNames({"targets", "sessions"})
    ->Args({1, 0})
    ->Args({8, 0})
    ->Args({8, 1})
    ->Args({100, 0});

// Ten times a second, with all that is shown of it.
void board_tick(benchmark::State& state) {
  const auto targets = static_cast<std::uint32_t>(state.range(0));
  Board board;
  board.configure({}, infos_of(targets, 4), 0);
  std::int64_t now_ms = 0;
  board.tick(now_ms, kWall);
  for (std::uint32_t i = 0; i < 1000 * targets; ++i) {
    Observation o;
    o.target = i % targets;
    o.seen = 0x3ff;
    o.output_tokens = 100;
    board.observe(o);
  }
  for (auto _ : state) {
    now_ms += 100;
    board.tick(now_ms, kWall + now_ms);
    benchmark::DoNotOptimize(board.view());
  }
}

BENCHMARK(board_tick)->ArgName("targets")->Arg(8)->Arg(100);

}  // namespace
}  // namespace switchyard::scoring

BENCHMARK_MAIN();
