#include "gateway/routing/hedge.h"

#include <gtest/gtest.h>

namespace switchyard::routing {
namespace {

using namespace std::chrono_literals;

scoring::LatencyView times(float p50, float p95, float p99, std::uint32_t samples = 1'000) {
  return {p50, p95, p99, samples};
}

TEST(TtftQuantile, KeepsTheKnownOnesAndGoesOnBetweenThem) {
  const auto view = times(1240, 1890, 2680);
  EXPECT_NEAR(ttft_quantile_ms(view, 0.5), 1240, 2);
  EXPECT_NEAR(ttft_quantile_ms(view, 0.95), 1890, 2);
  EXPECT_NEAR(ttft_quantile_ms(view, 0.99), 2680, 4);
  EXPECT_NEAR(ttft_quantile_ms(view, 0.9), 1723, 15);
  EXPECT_GT(ttft_quantile_ms(view, 0.999), 2680);
  EXPECT_EQ(ttft_quantile_ms({}, 0.95), 0);
}

TEST(Hedge, Advice) {
  const auto recorded = times(1240, 1890, 2680);  // Of quality.md 4.6.
  const auto spread = times(100, 400, 3'000);
  const auto backup = times(200, 500, 900, 30);
  config::Hedge fixed;
  fixed.after = 300ms;
  config::Hedge percentile;
  percentile.percentile = 0.99;

  const struct {
    HedgeInput input;
    HedgeVerdict verdict;
    bool starts;
    int delay_ms, tolerance_ms;
    const char* why;
  } rows[] = {
      {{{}, recorded, recorded}, HedgeVerdict::not_worth_it, false, 1890, 3, "2.68 < 1.89 + 1.24"},
      {{{}, spread, backup}, HedgeVerdict::worth_it, true, 400, 2, "3,000 > 400 + 200"},
      {{{}, times(300, 350, 3'000), backup}, HedgeVerdict::worth_it, true, 450, 0, "1.5 medians at least"},
      {{percentile, spread, backup}, HedgeVerdict::not_worth_it, false, 3'000, 6, "after its own 99th"},
      {{fixed, spread, backup}, HedgeVerdict::worth_it, true, 300, 0, "the configured time"},
      {{fixed, {}, {}}, HedgeVerdict::fixed_time, true, 300, 0, "on the operator's word"},
      {{{}, times(100, 400, 3'000, 99), backup}, HedgeVerdict::unknown, false, 0, 0, "too few samples"},
      {{{}, spread, times(200, 500, 900, 19)}, HedgeVerdict::unknown, false, 0, 0, "of the backup too"},
      {{{}, spread, backup, 0.05}, HedgeVerdict::quota_short, false, 400, 2, "no quota for it"},
      {{fixed, spread, backup, 1, true}, HedgeVerdict::cache_lost, false, 300, 0, "its cache is there"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const HedgeAdvice advice = advise_hedge(row.input);
    EXPECT_EQ(advice.verdict, row.verdict);
    EXPECT_EQ(advice.starts, row.starts);
    EXPECT_NEAR(static_cast<double>(advice.delay.count()), row.delay_ms, row.tolerance_ms);
  }
}

TEST(Hedge, SaysWhyInWords) {
  const HedgeInput input{{}, times(1240, 1890, 2680), times(1240, 1890, 2680)};
  HedgeAdvice advice = advise_hedge(input);
  advice.delay = 1890ms;
  EXPECT_EQ(
      to_text(advice, input),
      "no second attempt: 99 of 100 first tokens come within 2680 ms, and one more after 1890 ms, with the "
      "backup's usual 1240 ms, would come at 3130 ms");
  advice.verdict = HedgeVerdict::unknown;
  EXPECT_EQ(
      to_text(advice, {{}, times(1, 2, 3, 40), times(1, 2, 3, 7)}),
      "no second attempt yet: of 100 first tokens of this size 40 were seen here, and of 20 at the backup 7");
}

TEST(HedgeGate, KeepsToTheBudget) {
  HedgeGate gate;
  int hedges = 0;
  for (int i = 0; i < 10'000; ++i) {
    gate.on_request(0.05);
    gate.on_first_token(i % 20 == 0);
    if (gate.try_hedge().empty()) ++hedges;
    gate.on_attempt_end(true);
  }
  EXPECT_NEAR(hedges, 501, 2);
  for (int i = 0; i < 10'000; ++i) gate.on_request(0.05);
  hedges = 0;
  while (gate.try_hedge().empty()) ++hedges;
  EXPECT_EQ(hedges, 10) << "what is not used is saved up to ten";
  EXPECT_EQ(gate.try_hedge(), "budget");
}

TEST(HedgeGate, IsThrottledByFailures) {
  HedgeGate gate;
  for (int i = 0; i < 5; ++i) gate.on_attempt_end(false);
  gate.on_request(1);
  EXPECT_EQ(gate.try_hedge(), "throttled");
  gate.on_attempt_end(true);
  EXPECT_EQ(gate.try_hedge(), "") << "above half again";
}

TEST(HedgeGate, StopsWhenAllIsSlow) {
  HedgeGate gate;
  for (int i = 0; i < 1'000; ++i) gate.on_first_token(i % 20 == 0);
  gate.on_request(10);
  EXPECT_EQ(gate.try_hedge(), "");
  for (int i = 0; i < 20; ++i) gate.on_first_token(true);
  EXPECT_EQ(gate.try_hedge(), "all_slow");
  for (int i = 0; i < 300; ++i) gate.on_first_token(false);
  EXPECT_EQ(gate.try_hedge(), "");
}

}  // namespace
}  // namespace switchyard::routing
