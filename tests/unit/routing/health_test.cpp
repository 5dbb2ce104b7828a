#include "gateway/routing/health.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace switchyard::routing {
namespace {

using namespace std::chrono_literals;

TimePoint at(Duration since_start) {
  return TimePoint(1h) + since_start;
}

Error error_of(ErrorKind kind, std::optional<std::chrono::milliseconds> retry_after = {}) {
  Error error(kind, "test");
  error.retry_after = retry_after;
  return error;
}

enum class Event {
  none,
  attempt,
  success,
  fault,
  timeout,
  limited,
  limited_10s,
  key,
  quota_20s,
  client_left
};

void apply(SharedHealth& health, Event event, TimePoint now) {
  switch (event) {
    case Event::none:
      return;
    case Event::attempt:
      health.on_attempt(now);
      return;
    case Event::success:
      return health.on_success(now);
    case Event::fault:
      return health.on_failure(error_of(ErrorKind::provider_error), now);
    case Event::timeout:
      return health.on_failure(error_of(ErrorKind::first_token_timeout), now);
    case Event::limited:
      return health.on_failure(error_of(ErrorKind::rate_limited), now);
    case Event::limited_10s:
      return health.on_failure(error_of(ErrorKind::rate_limited, 10s), now);
    case Event::key:
      return health.on_failure(error_of(ErrorKind::credential), now);
    case Event::quota_20s:
      return health.on_failure(error_of(ErrorKind::quota, 20s), now);
    case Event::client_left:
      return health.on_abandoned(now);
  }
}

struct Row {
  Duration at;
  Event event;
  State state;  // After the event.
  bool trial_running;
  const char* why;
};

void run(std::initializer_list<Row> rows, const HealthPolicy& policy = kHealthPolicy) {
  SharedHealth health(policy);
  for (const Row& row : rows) {
    SCOPED_TRACE(row.why);
    apply(health, row.event, at(row.at));
    const HealthView view = health.snapshot(at(row.at));
    EXPECT_EQ(name_of(view.state), name_of(row.state));
    EXPECT_EQ(view.trial_running, row.trial_running);
  }
}

TEST(Health, EjectsAfterConsecutiveFailuresAndReturnsThroughOneTrial) {
  run({
      {0s, Event::fault, State::serving, false, "one of five"},
      {0s, Event::fault, State::serving, false, "two of five"},
      {0s, Event::fault, State::serving, false, "three of five"},
      {0s, Event::success, State::serving, false, "a success starts the count anew"},
      {1s, Event::fault, State::serving, false, "one of five"},
      {1s, Event::fault, State::serving, false, "two of five"},
      {1s, Event::fault, State::serving, false, "three of five"},
      {1s, Event::fault, State::serving, false, "four of five"},
      {1s, Event::fault, State::ejected, false, "the fifth ejects"},
      {1900ms, Event::none, State::ejected, false, "inside the dwell"},
      {1900ms, Event::success, State::ejected, false, "an attempt from before the ejection says nothing new"},
      {2s, Event::none, State::probation, false, "the dwell is over: a trial may go"},
      {2s, Event::fault, State::probation, false, "a late failure without a trial changes nothing"},
      {2s, Event::attempt, State::probation, true, "the trial goes, others wait"},
      {3s, Event::success, State::serving, false, "the trial succeeded"},
  });
}

TEST(Health, DwellDoublesWithEachFailedTrialAndIsShortForQuickFailures) {
  run({
      {0s, Event::fault, State::serving, false, ""},
      {0s, Event::fault, State::serving, false, ""},
      {0s, Event::fault, State::serving, false, ""},
      {0s, Event::fault, State::serving, false, ""},
      {0s, Event::fault, State::ejected, false, "for 1 s"},
      {1s, Event::attempt, State::probation, true, "first trial"},
      {1s, Event::fault, State::ejected, false, "for 2 s"},
      {2900ms, Event::none, State::ejected, false, "inside 2 s"},
      {3s, Event::attempt, State::probation, true, "second trial"},
      {3s, Event::fault, State::ejected, false, "for 4 s"},
      {6900ms, Event::none, State::ejected, false, "inside 4 s"},
      {7s, Event::attempt, State::probation, true, "third trial"},
      {7s, Event::fault, State::ejected, false, "4 s again: a quick failure is tried often"},
      {11s, Event::attempt, State::probation, true, "fourth trial"},
      {31s, Event::timeout, State::ejected, false, "a timeout holds callers up: for 8 s or more"},
      {38900ms, Event::none, State::ejected, false, "inside 8 s"},
  });
}

TEST(Health, LongestDwellIsAMinute) {
  SharedHealth health;
  TimePoint now = at(0s);
  for (int i = 0; i < 5; ++i) health.on_failure(error_of(ErrorKind::connect_timeout), now);
  Duration longest{};
  for (int trial = 0; trial < 12; ++trial) {
    const HealthView view = health.snapshot(now);
    ASSERT_EQ(view.state, State::ejected);
    longest = view.until - now;
    now = view.until;
    ASSERT_TRUE(health.on_attempt(now));
    health.on_failure(error_of(ErrorKind::connect_timeout), now);
  }
  EXPECT_EQ(longest, Duration(60s));
}

TEST(Health, TimeInServiceTakesDoublingsBack) {
  SharedHealth health;
  const auto eject = [&](TimePoint now) {
    for (int i = 0; i < 5; ++i) health.on_failure(error_of(ErrorKind::connect_timeout), now);
    return health.snapshot(now).until - now;
  };
  EXPECT_EQ(eject(at(0s)), Duration(1s));
  health.on_attempt(at(1s));
  health.on_success(at(1s));
  EXPECT_EQ(eject(at(2s)), Duration(2s)) << "ejected again at once: the next dwell is doubled";
  health.on_attempt(at(4s));
  health.on_success(at(4s));
  EXPECT_EQ(eject(at(35s)), Duration(2s)) << "31 s in service took one of two doublings back";
  health.on_attempt(at(37s));
  health.on_success(at(37s));
  EXPECT_EQ(eject(at(300s)), Duration(1s)) << "all is forgiven";
}

TEST(Health, EjectsByShareOfFailuresInAWindow) {
  SharedHealth health;
  for (int i = 0; i < 9; ++i) {
    health.on_success(at(1s));
    health.on_failure(error_of(ErrorKind::bad_reply), at(1s));
  }
  EXPECT_EQ(health.snapshot(at(1s)).state, State::serving) << "18 attempts are too few to judge";
  health.on_success(at(1s));
  health.on_failure(error_of(ErrorKind::bad_reply), at(1s));
  EXPECT_EQ(health.snapshot(at(1s)).state, State::ejected) << "10 of 20 failed";
}

TEST(Health, AWindowForgets) {
  SharedHealth health;
  for (int i = 0; i < 100; ++i) {
    health.on_success(at(i * 1s));
    health.on_failure(error_of(ErrorKind::bad_reply), at(i * 1s));
    ASSERT_EQ(health.snapshot(at(i * 1s)).state, i % 10 == 9 ? State::ejected : State::serving);
    if (i % 10 == 9) break;
  }
}

TEST(Health, ARateLimitCoolsAndIsNoFault) {
  run({
      {0s, Event::limited, State::cooling, false, "no Retry-After: 5 s"},
      {4900ms, Event::none, State::cooling, false, "inside"},
      {5s, Event::none, State::serving, false, "over, without a trial"},
      {6s, Event::limited_10s, State::cooling, false, "as long as asked"},
      {7s, Event::limited, State::cooling, false, "a shorter one does not shorten it"},
      {15900ms, Event::none, State::cooling, false, "inside"},
      {16s, Event::none, State::serving, false, "over"},
      {17s, Event::limited, State::cooling, false, "again"},
      {17s, Event::limited, State::cooling, false, "and again"},
      {17s, Event::limited, State::cooling, false, "and again"},
      {17s, Event::limited, State::cooling, false, "and again"},
      {17s, Event::limited, State::cooling, false, "five in a row: still no ejection"},
      {22s, Event::none, State::serving, false, "over"},
  });
}

TEST(Health, ARefusedCredentialIsOutForADoublingTime) {
  run({
      {0s, Event::key, State::credential_out, false, "for 30 s"},
      {1s, Event::key, State::credential_out, false, "requests under way fail together: no doubling"},
      {2s, Event::success, State::credential_out, false, "one from before says nothing"},
      {29900ms, Event::none, State::credential_out, false, "inside"},
      {30s, Event::none, State::probation, false, "a trial may go"},
      {30s, Event::attempt, State::probation, true, "it goes"},
      {31s, Event::key, State::credential_out, false, "for 60 s"},
      {90900ms, Event::none, State::credential_out, false, "inside"},
      {91s, Event::attempt, State::probation, true, "the next trial"},
      {92s, Event::success, State::serving, false, "somebody renewed the key"},
      {93s, Event::key, State::credential_out, false, "for 30 s again"},
      {123s, Event::none, State::probation, false, "over"},
  });
}

TEST(Health, AQuotaIsOutUntilItsReset) {
  run({
      {0s, Event::quota_20s, State::credential_out, false, "as long as the provider says"},
      {19900ms, Event::none, State::credential_out, false, "inside"},
      {20s, Event::none, State::probation, false, "over"},
  });
}

TEST(Health, AClientThatLeavesGivesTheTrialBack) {
  const HealthPolicy one_failure{.consecutive_failures = 1};
  run(
      {
          {0s, Event::fault, State::ejected, false, "one failure ejects"},
          {1s, Event::attempt, State::probation, true, "the trial goes"},
          {2s, Event::client_left, State::probation, false, "and comes back without a result"},
          {2s, Event::attempt, State::probation, true, "the next request tries"},
          {12min, Event::none, State::probation, false,
           "a trial that is never reported does not block for ever"},
          {12min, Event::attempt, State::probation, true, "the next one goes"},
          {12min, Event::limited_10s, State::cooling, false, "a 429 is an answer"},
          {12min + 10s, Event::none, State::serving, false, "so the target is back"},
      },
      one_failure);
}

TEST(Health, OneTrialAtATime) {
  SharedHealth health(HealthPolicy{.consecutive_failures = 1});
  health.on_failure(error_of(ErrorKind::unreachable), at(0s));
  EXPECT_TRUE(health.on_attempt(at(1s)));
  EXPECT_FALSE(health.on_attempt(at(1s)));
  EXPECT_FALSE(health.on_attempt(at(2s)));
  health.on_success(at(2s));
  EXPECT_TRUE(health.on_attempt(at(2s)));
  EXPECT_TRUE(health.on_attempt(at(2s)));
}

TEST(Health, ALastResortThatServesIsRestored) {
  SharedHealth health(HealthPolicy{.consecutive_failures = 1});
  health.on_failure(error_of(ErrorKind::unreachable), at(0s));
  EXPECT_TRUE(health.on_attempt(at(100ms))) << "ejected, but there is nothing else";
  health.on_failure(error_of(ErrorKind::unreachable), at(100ms));
  EXPECT_EQ(health.snapshot(at(200ms)).until, at(1s)) << "its failure does not prolong the ejection";
  EXPECT_TRUE(health.on_attempt(at(200ms)));
  health.on_success(at(300ms));
  EXPECT_EQ(health.snapshot(at(300ms)).state, State::serving);
}

TEST(Health, EffectOfEveryKind) {
  const struct {
    ErrorKind kind;
    Effect effect;
    bool local;
  } rows[] = {
      {ErrorKind::invalid_request, Effect::alive, false},
      {ErrorKind::unsupported, Effect::none, false},
      {ErrorKind::context_too_long, Effect::alive, false},
      {ErrorKind::credential, Effect::credential_out, false},
      {ErrorKind::quota, Effect::credential_out, false},
      {ErrorKind::rate_limited, Effect::cool, false},
      {ErrorKind::overloaded, Effect::none, false},  // A full queue or pool of this side.
      {ErrorKind::provider_error, Effect::fault, false},
      {ErrorKind::unreachable, Effect::fault, true},
      {ErrorKind::bad_reply, Effect::fault, false},
      {ErrorKind::connect_timeout, Effect::fault, true},
      {ErrorKind::first_token_timeout, Effect::fault, true},
      {ErrorKind::between_tokens_timeout, Effect::fault, true},
      {ErrorKind::total_timeout, Effect::none, false},
      {ErrorKind::cancelled, Effect::none, false},
      {ErrorKind::limited, Effect::none, false},
      {ErrorKind::internal, Effect::none, false},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(name_of(row.kind));
    EXPECT_EQ(effect_of(error_of(row.kind)), row.effect);
    EXPECT_EQ(is_local_origin(row.kind), row.local);
  }
  Error overloaded = error_of(ErrorKind::overloaded);
  overloaded.upstream_status = 503;
  EXPECT_EQ(effect_of(overloaded), Effect::fault) << "a provider that says so";
  overloaded.retry_after = 3s;
  EXPECT_EQ(effect_of(overloaded), Effect::cool) << "it said when to come back";
}

TEST(Health, CountsLocalFailuresApartFromReplies) {
  SharedHealth health;
  health.on_success(at(0s));
  health.on_failure(error_of(ErrorKind::connect_timeout), at(0s));
  health.on_failure(error_of(ErrorKind::provider_error), at(0s));
  health.on_failure(error_of(ErrorKind::provider_error), at(0s));
  health.on_failure(error_of(ErrorKind::rate_limited), at(0s));
  const auto totals = health.totals();
  EXPECT_EQ(totals.successes, 1u);
  EXPECT_EQ(totals.local_failures, 1u);
  EXPECT_EQ(totals.reply_failures, 2u);
  EXPECT_EQ(totals.pauses, 1u);
  EXPECT_EQ(totals.ejections, 0u);
}

// Many threads step one target: no step is lost, and of all who ask for the trial exactly one gets it.
TEST(Health, ThreadsShareOneTarget) {
  constexpr int kThreads = 4, kRounds = 2000;
  SharedHealth health(HealthPolicy{.consecutive_failures = 1});
  for (int round = 0; round < 20; ++round) {
    const TimePoint now = at(round * 10min);
    health.on_failure(error_of(ErrorKind::unreachable), now);
    ASSERT_EQ(health.snapshot(now).state, State::ejected);
    std::atomic<int> trials{0};
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k < kRounds; ++k) trials += health.on_attempt(now + 5s);
      });
    }
    threads.clear();
    EXPECT_EQ(trials, 1);
    health.on_success(now + 5s);
  }
  EXPECT_EQ(health.totals().ejections, 20u);
  EXPECT_TRUE(std::atomic<Breaker>::is_always_lock_free);
  EXPECT_TRUE(std::atomic<Window>::is_always_lock_free);
  EXPECT_TRUE(std::atomic<Pause>::is_always_lock_free);
}

}  // namespace
}  // namespace switchyard::routing
