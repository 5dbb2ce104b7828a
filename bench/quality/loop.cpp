#include "bench/quality/loop.h"

#include "gateway/scoring/score.h"

#include <algorithm>
#include <iostream>
#include <utility>

namespace switchyard::evaluation {
namespace {

using namespace switchyard::scoring;

// A Monday: a baseline needs a day of a weekend.
constexpr std::int64_t kWallStartMs = 1'750'636'800'000;

}  // namespace

Loop::Loop(const LoopOptions& options, const std::string& saved)
    : options_(options),
      random_(options.seed),
      shares_(static_cast<std::size_t>(options.targets), 0.0),
      own_(shares_),
      probes_(shares_) {
  for (int i = 0; i < options.targets; ++i) {
    const std::string name(1, static_cast<char>('a' + i));
    infos_.push_back({.id = static_cast<std::uint32_t>(i),
                      .key = "m|" + name + "|m",
                      .model = "m",
                      .provider = name,
                      .target_model = "m",
                      .group = 0});
    input_.candidates.push_back({.id = 0x9e3779b97f4a7c15U * static_cast<std::uint64_t>(i + 1)});
  }
  input_.strategy = config::Strategy::score;
  if (!saved.empty())
    if (auto ok = board_.load(saved); !ok) {
      std::cerr << "quality: the saved board is refused: " << ok.error().message << '\n';
      std::exit(1);
    }
  board_.configure(options.settings, infos_, 0);
  tick();
}

void Loop::request(const Rates& rates) {
  for (int i = 0; i < options_.targets; ++i) {
    routing::Candidate& candidate = input_.candidates[static_cast<std::size_t>(i)];
    const TargetView& seen = view(i);
    candidate.state = seen.state;
    candidate.quality = seen.quality;
    candidate.ramp = seen.ramp;
    candidate.availability = seen.availability;
  }
  input_.seed = random_.next();
  const routing::Plan plan = routing::make_plan(input_);
  for (std::size_t i = 0; i < shares_.size(); ++i) shares_[i] = plan.terms[i].share;
  if (plan.attempts.empty()) return;
  const int target = plan.attempts.front().target;
  const bool is_viral = viral_ > 0 && random_.chance(viral_);
  const bool bad = is_viral || random_.chance(rates(target, now_ms_).traffic);
  Observation seen{.target = static_cast<std::uint32_t>(target),
                   .seen = bit(options_.signal),
                   .bad = bad ? bit(options_.signal) : 0,
                   .at_ms = now_ms_};
  if (options_.sessions > 0)
    seen.session = is_viral ? 1 : 2 + static_cast<std::uint64_t>(random_.below(options_.sessions));
  board_.observe(seen);
  ++requests_;
  ++own_[static_cast<std::size_t>(target)];
}

// Canaries at Poisson times.
void Loop::probe(const Rates& rates, std::int64_t elapsed_ms) {
  for (int i = 0; i < options_.targets; ++i) {
    const auto id = static_cast<std::uint32_t>(i);
    const double rate = options_.canaries_per_hour * (board_.wants_burst(id) ? options_.burst : 1);
    if (!random_.chance(rate * static_cast<double>(elapsed_ms) / 3'600'000)) continue;
    const bool bad = random_.chance(rates(i, now_ms_).canary);
    board_.observe({.target = id,
                    .seen = bit(Signal::canary),
                    .bad = bad ? bit(Signal::canary) : 0,
                    .source = Source::probe,
                    .at_ms = now_ms_});
    ++probes_[static_cast<std::size_t>(i)];
  }
}

void Loop::tick() {
  board_.tick(now_ms_, kWallStartMs + now_ms_);
  view_ = board_.view();
  for (const Notice& notice : board_.take_notices())
    if (notice.kind == Notice::Kind::state_changed)
      events_.push_back({now_ms_, static_cast<int>(notice.target), notice.to, notice.text});
  bool any_serves = false;
  for (int i = 0; i < options_.targets; ++i) {
    if (view(i).quality < kReducedBelow || view(i).ramp < 1) ++ticks_below;
    any_serves |= view(i).state == State::serving || view(i).state == State::reduced;
  }
  ++ticks;
  if (!any_serves) ++last_target_out;
}

void Loop::run(std::int64_t until_ms, const Rates& rates, const std::function<bool()>& stop) {
  while (now_ms_ < until_ms) {
    due_ += options_.per_second * static_cast<double>(options_.tick_ms) / 1000;
    const std::int64_t start = now_ms_;
    const double gap = due_ >= 1 ? static_cast<double>(options_.tick_ms) / due_ : 0;
    for (int i = 0; due_ >= 1; ++i, --due_) {
      now_ms_ = start + static_cast<std::int64_t>(gap * i);
      request(rates);
    }
    now_ms_ = start + options_.tick_ms;
    if (options_.probes) probe(rates, options_.tick_ms);
    tick();
    if (stop && stop()) return;
  }
}

}  // namespace switchyard::evaluation
