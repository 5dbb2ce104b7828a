#include "gateway/routing/retry.h"

#include <gtest/gtest.h>

#include <vector>

namespace switchyard::routing {
namespace {

using namespace std::chrono_literals;

Error error_of(ErrorKind kind, std::optional<std::chrono::milliseconds> retry_after = {}, int status = 0) {
  Error error(kind, "said by " + std::string(name_of(kind)));
  error.retry_after = retry_after;
  error.upstream_status = status;
  return error;
}

TEST(Retry, WhichKindsMayGoToAnotherTarget) {
  const struct {
    ErrorKind kind;
    bool another;
    const char* why;
  } rows[] = {
      {ErrorKind::invalid_request, false, "every target would refuse it"},
      {ErrorKind::invalid_key, false, "the caller's"},
      {ErrorKind::forbidden, false, "the caller's"},
      {ErrorKind::not_found, false, "the caller's"},
      {ErrorKind::method_not_allowed, false, "the caller's"},
      {ErrorKind::too_large, false, "the caller's"},
      {ErrorKind::limited, false, "a limit of this gateway"},
      {ErrorKind::unsupported, true, "another dialect may express it"},
      {ErrorKind::context_too_long, true, "another model may have room"},
      {ErrorKind::credential, true, "the fault of that credential"},
      {ErrorKind::quota, true, "the fault of that account"},
      {ErrorKind::rate_limited, true, "another has room"},
      {ErrorKind::overloaded, true, "another has room"},
      {ErrorKind::provider_error, true, "another works"},
      {ErrorKind::unreachable, true, "another is reachable"},
      {ErrorKind::bad_reply, true, "another answers properly"},
      {ErrorKind::connect_timeout, true, "another is faster"},
      {ErrorKind::first_token_timeout, true, "another is faster"},
      {ErrorKind::between_tokens_timeout, true, "before the commit point only; the relay sees to that"},
      {ErrorKind::total_timeout, false, "no time is left"},
      {ErrorKind::unavailable, false, "nothing may be tried"},
      {ErrorKind::exhausted, false, "everything was tried"},
      {ErrorKind::cancelled, false, "nobody waits for it"},
      {ErrorKind::internal, false, "a bug here is a bug with every target"},
  };

  for (const auto& row : rows)
    EXPECT_EQ(may_try_another(row.kind), row.another) << name_of(row.kind) << row.why;
}

TEST(Retry, WhatTheCallerSeesWhenAllFailed) {
  using K = ErrorKind;

  const struct {
    std::vector<Error> errors;
    K kind;
    std::optional<std::chrono::milliseconds> retry_after;
    int status;
    const char* why;
  } rows[] = {
      {{}, K::unavailable, 1s, 0, "nothing was tried"},
      {{error_of(K::provider_error, {}, 500)}, K::exhausted, {}, 500, "one target, and it failed"},
      {{error_of(K::rate_limited, 9s), error_of(K::rate_limited, 4s)},
       K::rate_limited,
       4s,
       0,
       "the shorter wait"},
      {{error_of(K::rate_limited)}, K::rate_limited, 1s, 0, "none was asked: a second"},
      {{error_of(K::rate_limited, 100ms)}, K::rate_limited, 1s, 0, "at least a second"},
      {{error_of(K::rate_limited, 2h)}, K::rate_limited, 60s, 0, "at most a minute"},
      {{error_of(K::overloaded, {}, 529), error_of(K::overloaded, {}, 503)},
       K::overloaded,
       1s,
       529,
       "529 is kept"},
      {{error_of(K::rate_limited, 5s), error_of(K::overloaded)}, K::overloaded, 5s, 0, "both are pressure"},
      {{error_of(K::connect_timeout), error_of(K::first_token_timeout)},
       K::first_token_timeout,
       {},
       0,
       "timeouts"},
      {{error_of(K::context_too_long, {}, 400)}, K::context_too_long, {}, 400, "the caller can mend it"},
      {{error_of(K::context_too_long), error_of(K::unreachable)}, K::exhausted, {}, 0, "a mixture"},
      {{error_of(K::credential, {}, 401)}, K::exhausted, {}, 401, "never the caller's own 401"},
      {{error_of(K::quota, 30s, 429)}, K::exhausted, {}, 429, "nor its own quota"},
      {{error_of(K::rate_limited), error_of(K::provider_error)}, K::exhausted, {}, 0, "a mixture"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const Error error = final_error(row.errors);
    EXPECT_EQ(name_of(error.kind), name_of(row.kind));
    EXPECT_EQ(error.retry_after, row.retry_after);
    EXPECT_EQ(error.upstream_status, row.status);
    EXPECT_FALSE(error.message.empty());
  }
}

TEST(RetryBudget, AReserveThenAShareOfTraffic) {
  RetryBudget budget;
  const TimePoint start(1h);
  int granted = 0;
  while (budget.try_retry(start)) ++granted;
  EXPECT_EQ(granted, 100) << "10 a second over 10 s, for a gateway without traffic";
  for (int i = 0; i < 1000; ++i) budget.on_request(start + 1s, 0.2);
  granted = 0;
  while (budget.try_retry(start + 1s)) ++granted;
  EXPECT_NEAR(granted, 200, 1) << "one for five requests";
  EXPECT_FALSE(budget.try_retry(start + 9s)) << "nothing came since";
  EXPECT_TRUE(budget.try_retry(start + 10s)) << "the first takings are forgotten";
  EXPECT_NEAR(budget.balance(start + 1h), 100, 1e-6) << "and in the end everything is";
}

TEST(RetryBudget, AnOutageIsNotMultiplied) {
  RetryBudget budget;
  int granted = 0;
  constexpr int kPerSecond = 1000, kSeconds = 60;
  for (int i = 0; i < kPerSecond * kSeconds; ++i) {
    const TimePoint now = TimePoint(1h) + i * 1ms;
    budget.on_request(now, 0.2);
    granted += budget.try_retry(now);  // Every request fails once.
  }
  EXPECT_GE(granted, kPerSecond * kSeconds / 5);
  EXPECT_LE(granted, kPerSecond * kSeconds / 5 + 10 * (kSeconds + 10));
}

TEST(RetryBudget, AJumpOfTheClockBackIsHarmless) {
  RetryBudget budget;
  budget.on_request(TimePoint(1h), 0.5);
  EXPECT_TRUE(budget.try_retry(TimePoint(1h) - 5s));
  EXPECT_TRUE(budget.try_retry(TimePoint(1h)));
}

}  // namespace
}  // namespace switchyard::routing
