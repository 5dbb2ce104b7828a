#pragma once

#include "config/config.h"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace spdlog {
class logger;

namespace details {
class thread_pool;
}
}  // namespace spdlog

namespace switchyard::telemetry {

struct Field {
  Field(std::string_view name, std::string_view value) : name(name), value(value) {}

  Field(std::string_view name, const char* value) : name(name), value(std::string_view(value)) {}

  Field(std::string_view name, const std::string& value) : name(name), value(std::string_view(value)) {}

  Field(std::string_view name, bool value) : name(name), value(value) {}

  Field(std::string_view name, double value) : name(name), value(value) {}

  template <std::integral T>
  Field(std::string_view name, T value) : name(name), value(static_cast<std::int64_t>(value)) {}

  std::string_view name;
  std::variant<std::string_view, std::int64_t, double, bool> value;
};

// One line of JSON without its newline: ts, level, event, then the fields.
std::string log_line(std::chrono::system_clock::time_point now, config::LogLevel level,
                     std::string_view event, std::initializer_list<Field> fields);

// The operational log: JSON lines on stderr. Thread-safe; a call formats and queues, a thread of its own
// writes, and when nobody reads the log the oldest waiting lines go.
class Log {
 public:
  explicit Log(config::LogLevel level);
  // Writes out what is left.
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void write(config::LogLevel level, std::string_view event, std::initializer_list<Field> fields = {});
  void set_level(config::LogLevel level);

 private:
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace switchyard::telemetry
