#include "gateway/telemetry/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

namespace switchyard::telemetry {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

TEST(Metrics, MergesTheWorkers) {
  Metrics metrics(2, "1.2.3");
  const RouteId route = metrics.route("assistant", "rack");
  const DialectId dialect = metrics.dialect("openai_chat");
  metrics.recorder(0).request_done(route, dialect, Outcome::ok, 30ms);
  metrics.recorder(1).request_done(route, dialect, Outcome::ok, 3s);
  metrics.recorder(1).request_done(route, dialect, Outcome::broken_stream, 500s);
  metrics.recorder(0).tokens(route, Usage{.input_tokens = 10, .cached_tokens = 4, .output_tokens = 5});
  metrics.recorder(1).tokens(route, Usage{.input_tokens = 1});
  const std::string text = metrics.scrape();
  EXPECT_THAT(text, HasSubstr("# TYPE switchyard_requests_total counter"));
  EXPECT_THAT(
      text, HasSubstr(R"(switchyard_requests_total{model="assistant",provider="rack",dialect="openai_chat",)"
                      R"(outcome="ok"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(outcome="broken_stream"} 1)"));
  EXPECT_THAT(text,
              HasSubstr(R"(switchyard_request_duration_seconds_count{model="assistant",provider="rack"} 3)"));
  EXPECT_THAT(
      text,
      HasSubstr(R"(switchyard_request_duration_seconds_sum{model="assistant",provider="rack"} 503.03)"));
  EXPECT_THAT(text, HasSubstr(R"(provider="rack",le="0.05"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(provider="rack",le="320"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(provider="rack",le="+Inf"} 3)"));
  EXPECT_THAT(text, HasSubstr(R"(provider="rack",direction="input"} 11)"));
  EXPECT_THAT(text, HasSubstr(R"(provider="rack",direction="cached"} 4)"));
  EXPECT_THAT(text, Not(HasSubstr(R"(direction="reasoning")")));
  EXPECT_THAT(text, HasSubstr(R"(switchyard_build_info{version="1.2.3"} 1)"));
}

TEST(Metrics, ABoundBelongsToItsBucket) {
  const struct {
    Duration value;
    std::size_t bucket;
    const char* why;
  } rows[] = {{-1ns, 0, "a clock never runs backwards, but if it did"},
              {0ns, 0, "nothing"},
              {5ms, 0, "le means up to and including"},
              {5ms + 1ns, 1, "just past"},
              {320s, 15, "the last bound"},
              {321s, 16, "past the last bound"}};

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    Histogram histogram;
    histogram.observe(kDurationBounds, row.value);
    EXPECT_EQ(histogram.counts[row.bucket].get(), 1u);
  }
}

TEST(Metrics, BoundsAscend) {
  for (const Bounds* bounds : {&kDurationBounds, &kFirstTokenBounds, &kInterTokenBounds, &kOverheadBounds}) {
    for (std::size_t i = 1; i < kBounds; ++i) EXPECT_LT((*bounds)[i - 1], (*bounds)[i]);
  }
}

TEST(Metrics, TheSameLabelsKeepTheirIdAndTheirCount) {
  Metrics metrics(1, "1");
  const RouteId first = metrics.route("a", "x");
  const RouteId other = metrics.route("a", "y");
  metrics.recorder(0).first_token(first, 1ms);
  EXPECT_NE(first, other);
  EXPECT_EQ(metrics.route("a", "x"), first);
  EXPECT_EQ(metrics.provider("x"), metrics.provider("x"));
  EXPECT_EQ(metrics.dialect("d"), metrics.dialect("d"));
  EXPECT_THAT(metrics.scrape(),
              HasSubstr(R"(switchyard_time_to_first_token_seconds_count{model="a",provider="x"} 1)"));
}

TEST(Metrics, WhatDoesNotFitIsCountedAsNone) {
  Metrics metrics(1, "1");
  for (int i = 0; i < kDialects + 3; ++i) EXPECT_LT(metrics.dialect(std::to_string(i)), kDialects);
  EXPECT_EQ(metrics.dialect("one more"), 0u);
  RouteId last = 0;
  for (int i = 0; i < 16384; ++i) last = metrics.route("m", std::to_string(i));
  EXPECT_EQ(last, 0u);
  metrics.recorder(0).request_done(0, 0, Outcome::client_error, 1ms);
  EXPECT_THAT(metrics.scrape(),
              HasSubstr(R"({model="none",provider="none",dialect="none",outcome="client_error"} 1)"));
}

TEST(Metrics, CountsAttemptsAndFailovers) {
  Metrics metrics(2, "1");
  const RouteId from = metrics.route("m", "a"), to = metrics.route("m", "b");
  const ProviderId a = metrics.provider("a");
  for (int worker : {0, 1}) {
    metrics.recorder(worker).attempt_failed(a, ErrorKind::first_token_timeout);
    metrics.recorder(worker).attempt_failed(a, ErrorKind::connect_timeout);
    metrics.recorder(worker).failover(from, to, ErrorKind::unreachable, Phase::before_first_token);
    metrics.recorder(worker).failover(from, to, ErrorKind::bad_reply, Phase::mid_stream);
    metrics.recorder(worker).failover(from, to, ErrorKind::unreachable, Phase::before_first_token);
  }
  metrics.recorder(0).upstream_connections(a, 3, 2);
  metrics.recorder(1).upstream_connections(a, 1, 0);
  const std::string text = metrics.scrape();
  EXPECT_THAT(text, HasSubstr(R"(switchyard_attempts_total{provider="a",result="ok"} 0)"));
  EXPECT_THAT(text, HasSubstr(R"(switchyard_attempts_total{provider="a",result="timeout"} 4)"));
  EXPECT_THAT(text, HasSubstr(R"(switchyard_failovers_total{model="m",from="a",to="b",reason="unreachable",)"
                              R"(phase="before_first_token"} 4)"));
  EXPECT_THAT(text, HasSubstr(R"(reason="bad_reply",phase="mid_stream"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(switchyard_upstream_connections{provider="a",state="in_use"} 4)"));
  EXPECT_THAT(text, HasSubstr(R"(switchyard_upstream_connections{provider="a",state="idle"} 2)"));
}

TEST(Metrics, ShowsTheConfigurationAndWhatCollectorsAdd) {
  Metrics metrics(1, "1");
  metrics.config_loaded("aaaa");
  metrics.config_loaded("bbbb");
  metrics.config_reloaded(true);
  metrics.config_reloaded(false);
  metrics.limited("team-a", "requests_per_minute");
  metrics.recorder(0).request_opened();
  metrics.recorder(0).request_opened();
  metrics.recorder(0).request_closed();
  metrics.recorder(0).client_connections(7);
  metrics.add_collector([](Samples& samples) {
    add_local_model(samples, {.provider = "here", .model = "small", .device = "cpu", .waiting = 3});
    add_provider_state(samples, "m", "a", "ejected");
    add_access_log_dropped(samples, 5);
  });
  const std::string text = metrics.scrape();
  EXPECT_THAT(text, HasSubstr(R"(switchyard_config_info{hash="bbbb"} 1)"));
  EXPECT_THAT(text, Not(HasSubstr("aaaa")));
  EXPECT_THAT(text, HasSubstr(R"(switchyard_config_reloads_total{result="refused"} 1)"));
  EXPECT_THAT(text, HasSubstr("switchyard_config_last_reload_successful 0"));
  EXPECT_THAT(text, HasSubstr(R"(switchyard_limited_total{key="team-a",limit="requests_per_minute"} 1)"));
  EXPECT_THAT(text, HasSubstr("switchyard_open_requests 1"));
  EXPECT_THAT(text, HasSubstr("switchyard_client_connections 7"));
  EXPECT_THAT(text, HasSubstr(R"(switchyard_local_queue_depth{provider="here",model="small"} 3)"));
  EXPECT_THAT(text, HasSubstr(R"(switchyard_provider_state{model="m",provider="a",state="ejected"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(switchyard_provider_state{model="m",provider="a",state="serving"} 0)"));
  EXPECT_THAT(text, HasSubstr("process_resident_memory_bytes "));
  EXPECT_THAT(text, HasSubstr("switchyard_access_log_dropped_total 5"));
  EXPECT_THAT(text, HasSubstr("process_open_fds "));
}

TEST(Metrics, WorkersRecordWhileASeriesIsAddedAndScraped) {
  constexpr int kRounds = 2000;
  Metrics metrics(2, "1");
  const RouteId route = metrics.route("m", "a");
  {
    std::vector<std::jthread> threads;
    for (int worker : {0, 1}) {
      threads.emplace_back([&, worker] {
        for (int i = 0; i < kRounds; ++i) {
          metrics.recorder(worker).request_done(route, 0, Outcome::ok, 1ms);
          metrics.recorder(worker).failover(route, route, static_cast<ErrorKind>(i % kErrorKinds),
                                            Phase::mid_stream);
        }
      });
    }
    for (int i = 0; i < 100; ++i) {
      metrics.route("m", std::to_string(i));
      metrics.Collect();
    }
  }
  EXPECT_THAT(metrics.scrape(), HasSubstr("outcome=\"ok\"} " + std::to_string(2 * kRounds)));
}

TEST(Metrics, EveryErrorHasAnOutcomeAndEveryOutcomeAName) {
  for (int i = 0; i < kErrorKinds; ++i) EXPECT_NE(outcome_of(static_cast<ErrorKind>(i)), Outcome::ok);
  for (int i = 0; i < kOutcomes; ++i) EXPECT_NE(name_of(static_cast<Outcome>(i)), "unknown");
}

}  // namespace
}  // namespace switchyard::telemetry
