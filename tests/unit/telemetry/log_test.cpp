#include "gateway/telemetry/log.h"

#include <gtest/gtest.h>

#include <limits>

namespace switchyard::telemetry {
namespace {

TEST(Log, WritesOneJsonObjectALine) {
  const std::chrono::system_clock::time_point time(std::chrono::milliseconds(1'763'856'000'007));
  EXPECT_EQ(
      log_line(time, config::LogLevel::warning, "target ejected",
               {{"provider", "rack"},
                {"failures", 5},
                {"share", 0.5},
                {"last", true},
                {"bad", std::numeric_limits<double>::infinity()},
                {"text", std::string("a\"b")}}),
      R"({"ts":"2025-11-23T00:00:00.007Z","level":"warning","event":"target ejected","provider":"rack",)"
      R"("failures":5,"share":0.5,"last":true,"bad":null,"text":"a\"b"})");
}

TEST(Log, WritesWhatTheLevelLetsThrough) {
  testing::internal::CaptureStderr();
  {
    Log log(config::LogLevel::warning);
    log.write(config::LogLevel::info, "hidden");
    log.write(config::LogLevel::error, "shown {}");
    log.set_level(config::LogLevel::debug);
    log.write(config::LogLevel::debug, "shown later");
  }
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.find("hidden"), std::string::npos);
  EXPECT_NE(text.find("\"event\":\"shown {}\"}\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\"event\":\"shown later\"}\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace switchyard::telemetry
