#include "gateway/telemetry/json_text.h"

#include <charconv>
#include <ctime>

namespace switchyard::telemetry {

namespace {

void append_padded(std::int64_t value, int digits, std::string& out) {
  char text[8];
  for (int i = digits - 1; i >= 0; --i, value /= 10) text[i] = static_cast<char>('0' + value % 10);
  out.append(text, static_cast<std::size_t>(digits));
}

}  // namespace

void append_number(std::int64_t value, std::string& out) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void append_ms(std::chrono::nanoseconds value, std::string& out) {
  const std::int64_t us = value.count() < 0 ? 0 : value.count() / 1000;
  append_number(us / 1000, out);
  out += '.';
  append_padded(us % 1000, 3, out);
}

void append_time(std::chrono::system_clock::time_point time, std::string& out) {
  const std::int64_t ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  // The calendar part changes once a second, and gmtime_r costs more than the rest of a line.
  thread_local std::int64_t cached_s = -1;
  thread_local char cached[24];
  if (ms / 1000 != cached_s) {
    const std::time_t seconds = ms / 1000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::strftime(cached, sizeof cached, "%Y-%m-%dT%H:%M:%S", &parts);
    cached_s = ms / 1000;
  }
  out += cached;
  out += '.';
  append_padded(ms % 1000, 3, out);
  out += 'Z';
}

}  // namespace switchyard::telemetry
