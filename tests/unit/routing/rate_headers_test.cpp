#include "gateway/routing/rate_headers.h"

#include <gtest/gtest.h>

namespace switchyard::routing {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kWallMs = 1'782'907'200'000;  // 2026-07-01T12:00:00Z.

TEST(RateHeaders, Resets) {
  const struct {
    const char* text;
    std::optional<std::chrono::milliseconds> reset;
  } rows[] = {
      {"1s", 1s},
      {"6m0s", 6min},
      {"1m2.5s", 62'500ms},
      {"17ms", 17ms},
      {"2h1m0.5s", 7'260'500ms},
      {"1d", 24h},
      {"0", 0s},
      {"12", 12s},
      {"0.25", 250ms},
      {"1782907230", 30s},
      {"1782907230500", 30'500ms},
      {"1782907100", 0s},
      {"2026-07-01T12:00:30Z", 30s},
      {"2026-07-01T12:00:30.25Z", 30'250ms},
      {"2026-07-01T14:00:30+02:00", 30s},
      {"2026-07-01T06:30:00-05:30", 0s},
      {"2026-07-01T06:31:00-05:30", 1min},
      {"2026-06-30T12:00:00Z", 0s},
      {"2027-07-01T12:00:00Z", 24h},
      {"999h", 24h},
      {"", std::nullopt},
      {"soon", std::nullopt},
      {"5x", std::nullopt},
      {"1m2", std::nullopt},
      {"-3", std::nullopt},
      {"nan", std::nullopt},
      {"inf", std::nullopt},
      {"2026-13-01T12:00:30Z", std::nullopt},
      {"2026-02-30T12:00:30Z", std::nullopt},
      {"2026-07-01T12:00:30", std::nullopt},
      {"2026-07-01T25:00:30Z", std::nullopt},
      {"2026-07-01T12:00:30Zz", std::nullopt},
      {"2026-07-01 12:00:30Z", std::nullopt},
  };

  for (const auto& row : rows) EXPECT_EQ(parse_reset(row.text, kWallMs), row.reset) << row.text;
}

TEST(RateHeaders, EveryTruncationOfADateIsRefused) {
  const std::string date = "2026-07-01T12:00:30.25+02:00";
  for (std::size_t size = 5; size < date.size(); ++size) {
    EXPECT_FALSE(parse_reset(date.substr(0, size), kWallMs)) << date.substr(0, size);
  }
}

TEST(RateHeaders, OfOpenAi) {
  RateHeaders headers;
  read_rate_header("x-ratelimit-limit-requests", "5000", kWallMs, headers);
  EXPECT_TRUE(headers.empty());
  read_rate_header("x-ratelimit-remaining-requests", "4999", kWallMs, headers);
  read_rate_header("X-RateLimit-Reset-Requests", "12ms", kWallMs, headers);
  read_rate_header("x-ratelimit-remaining-tokens", "149984", kWallMs, headers);
  read_rate_header("x-ratelimit-reset-tokens", "6m0s", kWallMs, headers);
  EXPECT_EQ(headers.of(RateKind::requests).count, 4999);
  EXPECT_EQ(headers.of(RateKind::requests).reset, 12ms);
  EXPECT_EQ(headers.of(RateKind::tokens).count, 149984);
  EXPECT_EQ(headers.of(RateKind::tokens).reset, 6min);
  EXPECT_FALSE(headers.of(RateKind::input_tokens).count);
}

TEST(RateHeaders, OfAnthropic) {
  RateHeaders headers;
  read_rate_header("anthropic-ratelimit-requests-remaining", "49", kWallMs, headers);
  read_rate_header("anthropic-ratelimit-requests-reset", "2026-07-01T12:00:05Z", kWallMs, headers);
  read_rate_header("anthropic-ratelimit-input-tokens-remaining", "39000", kWallMs, headers);
  read_rate_header("anthropic-ratelimit-output-tokens-remaining", "8000", kWallMs, headers);
  read_rate_header("anthropic-ratelimit-tokens-remaining", "8000", kWallMs, headers);
  EXPECT_EQ(headers.of(RateKind::requests).count, 49);
  EXPECT_EQ(headers.of(RateKind::requests).reset, 5s);
  EXPECT_EQ(headers.of(RateKind::input_tokens).count, 39000);
  EXPECT_EQ(headers.of(RateKind::output_tokens).count, 8000);
  EXPECT_FALSE(headers.of(RateKind::tokens).count) << "it repeats the tighter of the two";
}

TEST(RateHeaders, WhatCannotBeReadIsIgnored) {
  RateHeaders headers;
  const std::string long_name(10'000, 'x');
  read_rate_header("", "1", kWallMs, headers);
  read_rate_header(long_name, "1", kWallMs, headers);
  read_rate_header("content-type-of-the-reply", "application/json", kWallMs, headers);
  read_rate_header("x-ratelimit-remaining-requests", "many", kWallMs, headers);
  read_rate_header("x-ratelimit-remaining-requests", "12 of 20", kWallMs, headers);
  read_rate_header("x-ratelimit-remaining-requests", "-1", kWallMs, headers);
  EXPECT_TRUE(headers.empty());
  read_rate_header("x-ratelimit-remaining", "3", kWallMs, headers);
  read_rate_header("x-ratelimit-reset", "whenever", kWallMs, headers);
  EXPECT_EQ(headers.of(RateKind::requests).count, 3);
  EXPECT_FALSE(headers.of(RateKind::requests).reset);
}

}  // namespace
}  // namespace switchyard::routing
