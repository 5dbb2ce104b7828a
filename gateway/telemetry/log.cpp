#include "gateway/telemetry/log.h"

#include "gateway/telemetry/json_text.h"

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <charconv>
#include <cmath>

namespace switchyard::telemetry {

namespace {

constexpr std::size_t kQueuedLinesMax = 4096;

constexpr std::array<std::string_view, 5> kLevelNames = {"trace", "debug", "info", "warning", "error"};

spdlog::level::level_enum to_spdlog(config::LogLevel level) {
  return static_cast<spdlog::level::level_enum>(level);  // Both count from trace, in the same order.
}

struct AppendValue {
  std::string& out;

  void operator()(std::string_view value) const { append_json_string(value, out); }

  void operator()(std::int64_t value) const { append_number(value, out); }

  void operator()(bool value) const { out += value ? "true" : "false"; }

  void operator()(double value) const {
    if (!std::isfinite(value)) {
      out += "null";
      return;
    }
    char text[32];
    out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
  }
};

}  // namespace

std::string log_line(std::chrono::system_clock::time_point now, config::LogLevel level,
                     std::string_view event, std::initializer_list<Field> fields) {
  std::string line = "{\"ts\":\"";
  append_time(now, line);
  line += "\",\"level\":\"";
  line += kLevelNames[static_cast<std::size_t>(level)];
  line += "\",\"event\":";
  append_json_string(event, line);
  for (const Field& field : fields) {
    line += ',';
    append_json_string(field.name, line);
    line += ':';
    std::visit(AppendValue{line}, field.value);
  }
  line += '}';
  return line;
}

Log::Log(config::LogLevel level)
    : pool_(std::make_shared<spdlog::details::thread_pool>(kQueuedLinesMax, 1)),
      logger_(std::make_shared<spdlog::async_logger>("switchyard",
                                                     std::make_shared<spdlog::sinks::stderr_sink_mt>(), pool_,
                                                     spdlog::async_overflow_policy::overrun_oldest)) {
  logger_->set_pattern("%v");
  set_level(level);
}

Log::~Log() = default;

void Log::write(config::LogLevel level, std::string_view event, std::initializer_list<Field> fields) {
  if (!logger_->should_log(to_spdlog(level))) return;
  logger_->log(to_spdlog(level), "{}", log_line(std::chrono::system_clock::now(), level, event, fields));
}

void Log::set_level(config::LogLevel level) {
  logger_->set_level(to_spdlog(level));
}

}  // namespace switchyard::telemetry
