#pragma once

#include "adapters/canonical/json_text.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace switchyard::telemetry {

void append_number(std::int64_t value, std::string& out);
// Milliseconds with three digits behind the point.
void append_ms(std::chrono::nanoseconds value, std::string& out);
// RFC 3339 in UTC with milliseconds, without quotes.
void append_time(std::chrono::system_clock::time_point time, std::string& out);

}  // namespace switchyard::telemetry
