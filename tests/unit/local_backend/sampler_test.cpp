#include "local_backend/engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace switchyard::local {
namespace {

constexpr int kDraws = 20'000;

std::map<int, double> frequencies(const Sampling& sampling, const std::vector<float>& logits) {
  Sampler sampler(sampling);
  std::map<int, double> out;
  for (int i = 0; i < kDraws; ++i) out[sampler.pick(logits)] += 1.0 / kDraws;
  return out;
}

std::vector<float> logits_of(std::initializer_list<double> probabilities) {
  std::vector<float> out;
  for (const double p : probabilities) out.push_back(static_cast<float>(std::log(p)) + 3.0F);
  return out;
}

// Within five standard errors: one false alarm in about two million, and the seed is fixed anyway.
void expect_near(const std::map<int, double>& got, const std::map<int, double>& want) {
  for (const auto& [id, frequency] : got) EXPECT_TRUE(want.contains(id)) << id << " must not be drawn";
  for (const auto& [id, p] : want) {
    const auto found = got.find(id);
    EXPECT_NEAR(found == got.end() ? 0 : found->second, p, 5 * std::sqrt(p * (1 - p) / kDraws) + 1e-9) << id;
  }
}

TEST(Sampler, DrawsFromTheDistributionThatTheSettingsLeave) {
  const auto logits = logits_of({0.1, 0.4, 0.2, 0.3});

  const struct {
    const char* why;
    Sampling sampling;
    std::map<int, double> want;
  } rows[] = {
      {"as it is", {}, {{0, 0.1}, {1, 0.4}, {2, 0.2}, {3, 0.3}}},
      {"the two likeliest", {.top_k = 2}, {{1, 4 / 7.0}, {3, 3 / 7.0}}},
      {"more than there are", {.top_k = 9}, {{0, 0.1}, {1, 0.4}, {2, 0.2}, {3, 0.3}}},
      {"the smallest set that holds 0.65", {.top_p = 0.65F}, {{1, 4 / 7.0}, {3, 3 / 7.0}}},
      {"the likeliest always stays", {.top_p = 0.0F}, {{1, 1.0}}},
      {"at least 0.6 of the likeliest", {.min_p = 0.6F}, {{1, 4 / 7.0}, {3, 3 / 7.0}}},
      {"the likeliest stays whatever min_p says", {.min_p = 2.0F}, {{1, 1.0}}},
      {"top_k, then top_p of what it left", {.top_p = 0.5F, .top_k = 3}, {{1, 4 / 7.0}, {3, 3 / 7.0}}},
      {"temperature squares the odds",
       {.temperature = 0.5F},
       {{0, 1 / 30.0}, {1, 16 / 30.0}, {2, 4 / 30.0}, {3, 9 / 30.0}}},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    expect_near(frequencies(row.sampling, logits), row.want);
  }
}

TEST(Sampler, GreedyTakesTheLargestAndTheFirstOfEquals) {
  Sampler sampler({.temperature = 0});
  EXPECT_EQ(sampler.pick(std::vector<float>{1, 5, 5, 2}), 1);
  EXPECT_EQ(sampler.pick(std::vector<float>{std::nanf(""), -1, -2}), 1);
}

TEST(Sampler, TheSeedDecides) {
  const auto logits = logits_of({0.25, 0.25, 0.25, 0.25});
  const auto draw = [&](std::uint64_t seed) {
    Sampler sampler({.seed = seed});
    std::vector<int> out;
    for (int i = 0; i < 40; ++i) out.push_back(sampler.pick(logits));
    return out;
  };
  EXPECT_EQ(draw(7), draw(7));
  EXPECT_NE(draw(7), draw(8));
}

TEST(Random, IsUniform) {
  Random random(1);
  double sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = random.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
    squares += u * u;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 0.01);
  EXPECT_NEAR(squares / kDraws, 1 / 3.0, 0.01);
}

}  // namespace
}  // namespace switchyard::local
