#pragma once

#include <cstdarg>
#include <cstdio>
#include <string>

namespace switchyard::simulator {

// Appends what printf() would print, cut at 511 bytes.
[[gnu::format(printf, 2, 3)]] inline void print(std::string& out, const char* pattern, ...) {
  char text[512];
  va_list values;
  va_start(values, pattern);
  std::vsnprintf(text, sizeof text, pattern, values);
  va_end(values);
  out += text;
}

using Count = unsigned long long;  // What %llu takes.

}  // namespace switchyard::simulator
