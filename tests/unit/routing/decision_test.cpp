#include "gateway/routing/decision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace switchyard::routing {
namespace {

using testing::HasSubstr;
using testing::Not;

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t bits() { return engine_(); }

  int below(int end) { return static_cast<int>(engine_() % static_cast<std::uint64_t>(end)); }

  bool chance(double p) { return static_cast<double>(engine_() >> 11) * 0x1p-53 < p; }

  // Any double at all now and then: subnormal, infinite, no number, a negative zero, a long integer.
  double number() {
    switch (below(8)) {
      case 0:
        return std::bit_cast<double>(bits());
      case 1:
        return -0.0;
      case 2:
        return static_cast<double>(bits());
      case 3:
        return std::numeric_limits<double>::infinity() * (chance(0.5) ? 1 : -1);
      case 4:
        return below(100);
      default:
        return static_cast<double>(bits() >> 11) * 0x1p-53;
    }
  }

  float single() {
    return chance(0.2) ? 0.0f : static_cast<float>(static_cast<double>(bits() >> 11) * 0x1p-43);
  }

  std::string text() {
    std::string text;
    for (int i = below(12); i > 0; --i) text += static_cast<char>(1 + below(126));
    return text;
  }

 private:
  std::mt19937_64 engine_;
};

Candidate random_candidate(Random& random) {
  Candidate candidate;
  candidate.id = random.bits();
  candidate.weight = random.number();
  candidate.tier = random.below(3);
  if (random.chance(0.3)) candidate.canary = random.number();
  candidate.health.state = static_cast<State>(random.below(5));
  candidate.health.until = TimePoint(Duration(static_cast<std::int64_t>(random.bits() >> 2)));
  candidate.health.trial_running = random.chance(0.5);
  candidate.capable = random.chance(0.9);
  candidate.is_meant = random.chance(0.9);
  candidate.has_room = random.chance(0.9);
  candidate.state = static_cast<scoring::State>(random.below(5));
  for (double* value : {&candidate.quality, &candidate.ramp, &candidate.availability, &candidate.ttft_ms_p50,
                        &candidate.ttft_ms_p95, &candidate.latency_ratio, &candidate.inter_token_ms,
                        &candidate.usd, &candidate.quota}) {
    *value = random.number();
  }
  candidate.in_flight = random.below(100);
  candidate.in_flight_max = random.below(100) - 1;
  return candidate;
}

Decision random_decision(Random& random) {
  Decision decision;
  decision.request_id = random.text();
  decision.model = random.text();
  decision.config_version = random.text();
  decision.key = random.text();
  decision.outcome = random.text();
  decision.fallback_from = random.text();
  decision.at_ms = static_cast<std::int64_t>(random.bits());
  decision.scores_version = random.bits();
  decision.input_tokens = static_cast<std::uint32_t>(random.bits());
  decision.output_tokens = static_cast<std::uint32_t>(random.bits());
  decision.seam_at = random.number();
  PlanInput& input = decision.input;
  input.strategy = static_cast<config::Strategy>(random.below(6));
  input.objectives = {random.number(), random.number(), random.number()};
  input.facts = {static_cast<std::uint32_t>(random.bits()), static_cast<std::uint32_t>(random.bits()),
                 random.chance(0.5) ? random.bits() : 0};
  input.now = TimePoint(Duration(static_cast<std::int64_t>(random.bits() >> 2)));
  input.seed = random.bits();
  const int candidates = random.below(6);
  for (int i = 0; i < candidates; ++i) {
    input.candidates.push_back(random_candidate(random));
    decision.providers.push_back(random.text());
    decision.target_models.push_back(random.text());
  }
  for (int i = candidates > 0 ? random.below(4) : 0; i > 0; --i) {
    AttemptRecord& attempt = decision.attempts.emplace_back();
    attempt.target = random.below(candidates);
    attempt.reason = static_cast<Reason>(random.below(15));
    attempt.ok = random.chance(0.5);
    if (!attempt.ok) attempt.error = static_cast<ErrorKind>(random.below(24));
    attempt.upstream_status = static_cast<std::uint32_t>(random.below(600));
    attempt.began_ms = random.single();
    attempt.first_token_ms = random.single();
    attempt.ended_ms = random.single();
  }
  if (candidates > 0) decision.served = random.below(candidates + 1) - 1;
  return decision;
}

// Bit by bit: every text of a number is the shortest that reads back as that number, so two decisions with
// the same line are the same.
TEST(DecisionJson, RandomDecisionsReadBackBitByBit) {
  Random random(20);
  for (int i = 0; i < 5'000; ++i) {
    const Decision decision = random_decision(random);
    const std::string line = to_json(decision);
    ASSERT_THAT(line, Not(HasSubstr("\n")));
    const auto read = recorded_from_json(line);
    ASSERT_TRUE(read) << read.error().message << "\n" << line;
    ASSERT_EQ(to_json(read->decision), line);
    const PlanInput &a = decision.input, &b = read->decision.input;
    ASSERT_EQ(a.seed, b.seed);
    ASSERT_EQ(a.now, b.now);
    for (std::size_t k = 0; k < a.candidates.size(); ++k) {
      ASSERT_EQ(a.candidates[k].id, b.candidates[k].id);
      ASSERT_EQ(a.candidates[k].health.until, b.candidates[k].health.until);
      if (std::isnan(a.candidates[k].quality)) continue;
      ASSERT_EQ(std::bit_cast<std::uint64_t>(a.candidates[k].quality),
                std::bit_cast<std::uint64_t>(b.candidates[k].quality))
          << line;
    }
    for (std::size_t k = 0; k < decision.attempts.size(); ++k)
      ASSERT_EQ(decision.attempts[k].ended_ms, read->decision.attempts[k].ended_ms);
    ASSERT_EQ(difference(read->plan, make_plan(read->decision.input)), "") << line;
  }
}

TEST(DecisionJson, SaysWhatIsWrong) {
  const std::string input = R"("input":{"strategy":"score","now_ns":1,"seed":"a","candidates":[{"id":"1"}]})";
  const std::string plan = R"("plan":{"attempts":[{"target":0,"reason":"score"}]})";

  const struct {
    std::string line, message;
  } rows[] = {
      {"", "not a JSON object"},
      {"[]", "not a JSON object"},
      {R"({"at_ms":1)", "not a JSON object"},
      {"{}", "`input` is missing"},
      {"{" + input + "}", "`plan` is missing"},
      {"{" + input + "," + plan + R"(,"served":1})", "`served` must be the index of a candidate"},
      {"{" + input + "," + plan + R"(,"served":"0"})", "`served` must be a whole number in its range"},
      {"{" + input + "," + plan + R"(,"attempts":[{"target":0,"error":"bad"}]})",
       "`error` is none of the known words"},
      {"{" + input + "," + plan + R"(,"attempts":[1]})", "`attempts` must be a list of objects"},
      {"{" + input + "," + plan + R"(,"model":1})", "`model` must be a text"},
      {"{" + input + "," + plan + R"(,"seam_at":"x"})", "`seam_at` must be a number"},
      {R"({"input":{"strategy":"best","seed":"1","candidates":[]},)" + plan + "}",
       "`strategy` is none of the known words"},
      {R"({"input":{"strategy":"score","seed":1,"candidates":[]},)" + plan + "}",
       "`seed` must be a text of up to 16 hexadecimal digits"},
      {R"({"input":{"strategy":"score","seed":"11111111111111111","candidates":[]},)" + plan + "}",
       "`seed` must be a text of up to 16 hexadecimal digits"},
      {R"({"input":{"strategy":"score","seed":"1","candidates":[{}]},)" + plan + "}", "`id` is missing"},
      {R"({"input":{"strategy":"score","seed":"1","candidates":[{"id":"1","tier":4294967296}]},)" + plan +
           "}",
       "`tier` must be a whole number in its range"},
  };

  for (const auto& row : rows) {
    const auto read = decision_from_json(row.line);
    ASSERT_FALSE(read) << row.line;
    EXPECT_EQ(read.error().kind, ErrorKind::invalid_request);
    EXPECT_EQ(read.error().message, row.message) << row.line;
  }
  EXPECT_TRUE(decision_from_json("{" + input + "," + plan + R"(,"more":{}})"))
      << "what is not known is passed over";
}

TEST(DecisionDifference, SeesEveryPart) {
  const auto plan = [] {
    Plan plan;
    plan.attempts = {{0, Reason::score}, {1, Reason::fallback}};
    plan.excluded = {{2, Exclusion::ejected}};
    plan.terms.resize(3);
    plan.terms[0].share = 0.25;
    return plan;
  };
  EXPECT_EQ(difference(plan(), plan()), "");
  Plan other = plan();
  std::swap(other.attempts[0], other.attempts[1]);
  EXPECT_EQ(difference(plan(), other), "attempt 1 was target 0 (score), is target 1 (fallback)");
  other = plan();
  other.attempts.pop_back();
  EXPECT_EQ(difference(plan(), other), "attempt 2 was target 1 (fallback), is none");
  other = plan();
  other.excluded[0].reason = Exclusion::full;
  EXPECT_EQ(difference(plan(), other), "exclusion 1 was target 2 (ejected), is target 2 (full)");
  other = plan();
  other.terms[0].share = std::nextafter(0.25, 1);
  EXPECT_THAT(difference(plan(), other), HasSubstr("the share of target 0")) << "one bit is enough";
  other = plan();
  other.degraded = true;
  EXPECT_NE(difference(plan(), other), "");
  other = plan();
  other.is_full = true;
  EXPECT_NE(difference(plan(), other), "");
  other = plan();
  other.retry_after = std::chrono::milliseconds(1);
  EXPECT_NE(difference(plan(), other), "");
}

// Two targets of one model, one of them worse.
struct Scene {
  Decision decision;
  scoring::BoardView scores;

  Scene() {
    decision.request_id = "req-1";
    decision.model = "assistant";
    decision.at_ms = 1'763'992'931'000;  // 2025-11-24 14:02:11 UTC.
    decision.outcome = "ok";
    decision.config_version = "0123456789ab";
    decision.input.strategy = config::Strategy::score;
    decision.input.seed = 7;
    decision.input.facts = {1'200, 300, 0};
    decision.providers = {"anthropic", "openai", "here"};
    decision.target_models = {"sonnet", "gpt", "small"};
    for (std::uint64_t id : {11u, 22u, 33u}) decision.input.candidates.emplace_back().id = id;
    Candidate& worse = decision.input.candidates[0];
    worse.state = scoring::State::reduced;
    worse.quality = 0.66;
    worse.ttft_ms_p50 = 500;
    worse.ttft_ms_p95 = 900;
    decision.input.candidates[1].ttft_ms_p50 = 400;
    decision.input.candidates[1].ttft_ms_p95 = 800;
    decision.input.candidates[2].tier = 1;
    decision.score_ids = {0, 1, 2};
    decision.served = 1;
    decision.attempts.push_back({1, Reason::score, true, ErrorKind::internal, 200, 0.4f, 412.5f, 2'031.f});
    scores.at_ms = decision.at_ms;
    scores.targets.resize(3);
    scoring::TargetView& view = scores.targets[0];
    view.state = scoring::State::reduced;
    view.state_since_ms = decision.at_ms;
    view.quality = 0.66;
    scoring::Evidence tools;
    tools.signal = scoring::Signal::tool_call_invalid;
    tools.seen = 124;
    tools.bad = 11;
    tools.mean = 0.089;
    tools.allowed = 0.013;
    tools.baseline = 0.009;
    tools.baseline_version = 7;
    tools.odds = 22'000;
    tools.severity = 0.38;
    tools.belief = 1;
    tools.factor = 0.66;
    tools.since_ms = decision.at_ms - 240'000;
    scoring::Evidence canary;
    canary.signal = scoring::Signal::canary;
    canary.seen = 61;
    canary.bad = 4;
    canary.mean = 0.066;
    canary.allowed = 0.06;
    canary.odds = 1.4;
    view.evidence = {tools, canary};
  }
};

TEST(DecisionText, SaysWhyInPlainWords) {
  const Scene scene;
  const std::string text = to_text(scene.decision, &scene.scores);
  for (const char* part :
       {"`assistant`, request req-1, 2025-11-24 14:02:11 UTC: ok",
        "strategy score (objectives: quality 0.60, latency 0.30, cost 0.10); about 1,200 tokens in, 300 out",
        "sonnet @ anthropic: ", "reduced since 14:02:11 UTC",
        "tool_call_invalid: 8.9 % bad since 13:58:11 UTC (11 of 124 bad), at most 1.3 % allowed [baseline "
        "v7, 0.9 %]; "
        "odds 22,000:1 that it became worse; severity 0.38 -> x0.66",
        "no evidence: canary 4 of 61 bad (at most 6.0 %)\n", "small @ here: ",
        "tried gpt @ openai, drawn by its share: after 0.4 ms, served; first token at 412.5 ms; ended at "
        "2031.0 ms"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

// The shares can be worked out again from what is printed.
TEST(DecisionText, TheLogarithmsReproduceEveryShare) {
  const Scene scene;
  const std::string text = to_text(scene.decision, &scene.scores);
  const Plan plan = make_plan(scene.decision.input);
  std::size_t at = 0;
  for (int target = 0; target < 3; ++target) {
    at = text.find("ln share:", at);
    ASSERT_NE(at, std::string::npos);
    double weight, quality, latency, cost, availability, sum, whole, share;
    ASSERT_EQ(
        std::sscanf(text.c_str() + at,
                    "ln share: weight %lf | quality %lf | latency %lf | cost %lf | availability %lf  -> "
                    "e^%lf / %lf = %lf",
                    &weight, &quality, &latency, &cost, &availability, &sum, &whole, &share),
        8);
    EXPECT_NEAR(weight + quality + latency + cost + availability, sum, 0.003);
    EXPECT_NEAR(std::exp(sum) / whole * 100, share, 0.1);
    EXPECT_NEAR(share, plan.terms[static_cast<std::size_t>(target)].share * 100, 0.05001);
    ++at;
  }
}

TEST(DecisionText, OfWhatIsOutAndOfNothingKnown) {
  Scene scene;
  scene.decision.input.candidates[0].health.state = State::ejected;
  scene.decision.attempts = {{0, Reason::score, false, ErrorKind::provider_error, 502, 0, 0, 3}};
  const std::string text = to_text(scene.decision, nullptr);
  EXPECT_THAT(text, HasSubstr("sonnet @ anthropic: out: ejected after failures; tier 0, reduced\n"));
  EXPECT_THAT(text, HasSubstr("failed: provider_error (status 502); ended at 3.0 ms"));
  EXPECT_THAT(text, Not(HasSubstr("tool_call_invalid")));
  EXPECT_THAT(to_text(Decision(), nullptr), HasSubstr("no target can serve it"));
}

}  // namespace
}  // namespace switchyard::routing
