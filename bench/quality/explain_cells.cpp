#include "bench/quality/explain_cells.h"

#include "bench/quality/random.h"
#include "gateway/routing/decision.h"
#include "gateway/scoring/board.h"
#include "gateway/scoring/detector.h"
#include "gateway/scoring/stream.h"

#include <chrono>
#include <cmath>

namespace switchyard::evaluation {
namespace {

using routing::Candidate;

routing::PlanInput random_input(Random& random) {
  routing::PlanInput input;
  input.strategy = random.chance(.7) ? config::Strategy::score : config::Strategy::weighted;
  input.seed = random.next();
  input.facts = {.input_tokens = static_cast<std::uint32_t>(random.below(20'000)),
                 .output_tokens = static_cast<std::uint32_t>(random.below(2'000))};
  const int targets = 1 + random.below(8);
  for (int i = 0; i < targets; ++i) {
    Candidate candidate;
    candidate.id = random.next();
    candidate.weight = 1 + random.below(4);
    candidate.quality = random.chance(.5) ? 1 : .2 + .8 * random.uniform();
    candidate.ramp = random.chance(.8) ? 1 : .01 + .99 * random.uniform();
    candidate.availability = random.chance(.8) ? 1 : random.uniform();
    candidate.ttft_ms_p50 = random.chance(.2) ? 0 : 100 + 2'000 * random.uniform();
    candidate.ttft_ms_p95 = candidate.ttft_ms_p50 * (1 + 2 * random.uniform());
    candidate.latency_ratio = .5 + 2 * random.uniform();
    candidate.inter_token_ms = 5 + 40 * random.uniform();
    candidate.usd = random.chance(.2) ? -1 : .01 * random.uniform();
    if (random.chance(.1)) candidate.state = scoring::State::ejected;
    input.candidates.push_back(candidate);
  }
  return input;
}

bool same(const routing::Plan& a, const routing::Plan& b) {
  if (a.attempts.size() != b.attempts.size() || a.terms.size() != b.terms.size()) return false;
  for (std::size_t i = 0; i < a.attempts.size(); ++i)
    if (a.attempts[i].target != b.attempts[i].target || a.attempts[i].reason != b.attempts[i].reason)
      return false;
  for (std::size_t i = 0; i < a.terms.size(); ++i)
    if (a.terms[i].share != b.terms[i].share) return false;
  return true;
}

double nanoseconds(std::chrono::steady_clock::duration time, double count) {
  return std::chrono::duration<double, std::nano>(time).count() / count;
}

}  // namespace

nlohmann::json explain_cells(bool quick) {
  const int decisions = quick ? 10'000 : 100'000;
  Random random(10'001);
  double worst = 0;
  int different = 0, unread = 0;
  for (int n = 0; n < decisions; ++n) {
    routing::Decision decision;
    decision.request_id = "r" + std::to_string(n);
    decision.model = "m";
    decision.input = random_input(random);
    const routing::Plan plan = routing::make_plan(decision.input);
    double total = 0;
    for (const auto& t : plan.terms)
      if (t.share > 0) total += std::exp(t.weight + t.quality + t.latency + t.cost + t.availability);
    for (const auto& t : plan.terms)
      if (t.share > 0)
        worst = std::max(
            worst,
            std::abs(t.share - std::exp(t.weight + t.quality + t.latency + t.cost + t.availability) / total));
    for (std::size_t i = 0; i < decision.input.candidates.size(); ++i) {
      decision.providers.push_back("p" + std::to_string(i));
      decision.target_models.emplace_back("m");
    }
    const auto read = routing::decision_from_json(routing::to_json(decision));
    if (!read)
      ++unread;
    else if (!same(plan, routing::make_plan(read->input)))
      ++different;
  }
  return {{"decisions", decisions}, {"share_error_max", worst}, {"different", different}, {"unread", unread}};
}

nlohmann::json cost_cells(bool quick) {
  using namespace scoring;
  using Clock = std::chrono::steady_clock;
  const int count = quick ? 2'000'000 : 20'000'000;
  Random random(10'002);
  std::vector<std::uint8_t> bad(1 << 16);
  for (auto& x : bad) x = random.chance(.01) ? 1 : 0;
  Detector detector;
  const Bets bets(.01);
  auto start = Clock::now();
  for (int i = 0; i < count; ++i) detector.observe(bad[static_cast<std::size_t>(i) & 0xffff], bets);
  const double update = nanoseconds(Clock::now() - start, count);
  Board board;
  board.configure(
      {}, {{.id = 0, .key = "m|p|m", .model = "m", .provider = "p", .target_model = "m", .group = 0}}, 0);
  board.tick(0, 1'750'636'800'000);
  Observation o{.target = 0, .seen = 0xffff, .output_tokens = 100};
  const int observations = count / 16;
  start = Clock::now();
  for (int i = 0; i < observations; ++i) {
    o.bad = bad[static_cast<std::size_t>(i) & 0xffff] ? 1U << (i & 15) : 0;
    o.at_ms = i;
    board.observe(o);
  }
  const double observe = nanoseconds(Clock::now() - start, observations);
  return {{"detector_ns", update + 0 * detector.evidence()},
          {"board_ns_16_signals", observe},
          {"detector_bytes", sizeof(Detector)},
          {"stream_bytes", sizeof(Stream)},
          {"stratum_bytes", sizeof(Stream::Stratum)}};
}

}  // namespace switchyard::evaluation
