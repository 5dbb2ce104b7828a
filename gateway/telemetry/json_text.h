#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::telemetry {

// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD, so that a line is
// always valid JSON whatever a caller sent.
void append_json_string(std::string_view text, std::string& out);
void append_number(std::int64_t value, std::string& out);
// Milliseconds with three digits behind the point.
void append_ms(std::chrono::nanoseconds value, std::string& out);
// RFC 3339 in UTC with milliseconds, without quotes.
void append_time(std::chrono::system_clock::time_point time, std::string& out);

}  // namespace switchyard::telemetry
