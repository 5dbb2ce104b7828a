#pragma once

#include "gateway/scoring/board.h"
#include "tests/unit/scoring/random.h"

#include <cmath>
#include <string>
#include <vector>

namespace switchyard::scoring {

// Settings with which a baseline is learnt in seconds.
inline config::Quality quick_settings() {
  config::Quality settings;
  settings.learn_observations = 300;
  settings.learn_blocks = 10;
  settings.learn_for = std::chrono::seconds(10);
  settings.block = std::chrono::seconds(1);
  settings.dwell = std::chrono::seconds(20);
  settings.rise = std::chrono::seconds(1);
  return settings;
}

// Requests spread over the targets of one model as the strategy `score` would, on a virtual clock.
class Traffic {
 public:
  struct Upstream {
    double bad = 0.01;         // Rate of invalid tool calls.
    double bad_canary = 0.05;  // Of canaries that fail.
    double failing = 0;        // Rate of faults.
  };

  explicit Traffic(std::size_t targets, const config::Quality& settings = quick_settings(),
                   std::uint64_t seed = 1)
      : upstreams(targets), settings_(settings), random_(seed) {
    board.configure(settings, infos(), now_ms);
    board.tick(now_ms, kWall + now_ms);
  }

  std::vector<TargetInfo> infos() const {
    std::vector<TargetInfo> out;
    for (std::uint32_t i = 0; i < upstreams.size(); ++i) {
      const std::string name = "provider" + std::to_string(i);
      out.push_back({.id = i,
                     .key = "assistant|" + name + "|model",
                     .model = "assistant",
                     .provider = name,
                     .target_model = "model",
                     .group = 0});
    }
    return out;
  }

  // So many seconds with so many requests each, canaries beside them.
  void run(int seconds, int requests_a_second = 100) {
    for (int tick = 0; tick < 10 * seconds; ++tick) {
      for (int i = 0; i < requests_a_second / 10; ++i) request();
      if (tick % 10 == 0)
        for (std::uint32_t i = 0; i < upstreams.size(); ++i)
          canaries(i, board.wants_burst(i) ? burst : canaries_a_second);
      now_ms += 100;
      board.tick(now_ms, kWall + now_ms);
      count_changes();
    }
  }

  void request() {
    const std::uint32_t target = pick();
    ++served[target];
    const Upstream& upstream = upstreams[target];
    Observation o;
    o.target = target;
    o.at_ms = now_ms;
    o.stratum = stratum;
    o.request = ++requests;
    if (next_session) o.session = next_session();
    if (random_.uniform() < upstream.failing) {
      o.ending = Ending::fault;
    } else {
      o.seen = bit(Signal::tool_call_invalid) | bit(Signal::truncated);
      if (random_.uniform() < upstream.bad) o.bad |= bit(Signal::tool_call_invalid);
      if (random_.uniform() < .002) o.bad |= bit(Signal::truncated);
    }
    board.observe(o);
  }

  void canaries(std::uint32_t target, int count) {
    for (int i = 0; i < count; ++i) {
      Observation o;
      o.target = target;
      o.source = Source::probe;
      o.at_ms = now_ms;
      o.seen = bit(Signal::canary);
      if (random_.uniform() < upstreams[target].bad_canary) o.bad = o.seen;
      board.observe(o);
    }
  }

  State state(std::uint32_t target) const { return board.view()->of(target).state; }

  // Until the target is in the state, at most so many seconds; true when it got there.
  bool run_until(std::uint32_t target, State wanted, int seconds_max) {
    for (int i = 0; i < seconds_max && state(target) != wanted; ++i) run(1);
    return state(target) == wanted;
  }

  static constexpr std::int64_t kWall = 1'764'000'000'000;  // A Monday of 2025.

  Board board;
  std::vector<Upstream> upstreams;
  std::vector<std::int64_t> served = std::vector<std::int64_t>(16);
  std::uint64_t requests = 0;
  std::int64_t now_ms = 1'000'000;
  std::uint8_t stratum = 0;
  int canaries_a_second = 0, burst = 0;
  int ejections = 0;
  std::vector<int> state_changes = std::vector<int>(16);  // By target.
  bool always_one_serves = true;
  std::vector<Notice> notices;
  std::uint64_t (*next_session)() = nullptr;

 private:
  std::uint32_t pick() {
    const BoardViewPtr view = board.view();
    double total = 0;
    std::vector<double> shares;
    for (std::uint32_t i = 0; i < upstreams.size(); ++i) {
      const TargetView& target = view->of(i);
      const bool is_in = target.state != State::ejected && target.state != State::drained;
      shares.push_back(is_in ? std::pow(target.quality, 3.6) * target.ramp : 0);
      total += shares.back();
    }
    // As routing does: who serves keeps a hundredth, which keeps the evidence coming.
    for (std::uint32_t i = 0; i < shares.size(); ++i)
      if (view->of(i).state == State::reduced && shares[i] < 0.01 * total) {
        total += 0.01 * total - shares[i];
        shares[i] = 0.01 * total;
      }
    double draw = random_.uniform() * total;
    for (std::uint32_t i = 0; i < shares.size(); ++i)
      if ((draw -= shares[i]) < 0) return i;
    return 0;
  }

  void count_changes() {
    for (Notice& notice : board.take_notices()) {
      if (notice.kind == Notice::Kind::state_changed) {
        ++state_changes[notice.target];
        if (notice.to == State::ejected) ++ejections;
      }
      notices.push_back(std::move(notice));
    }
    bool any = false;
    const BoardViewPtr view = board.view();
    for (std::uint32_t i = 0; i < upstreams.size(); ++i)
      any |= view->of(i).state == State::serving || view->of(i).state == State::reduced;
    always_one_serves &= any;
  }

  config::Quality settings_;
  Random random_;
};

}  // namespace switchyard::scoring
