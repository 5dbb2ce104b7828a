#include "gateway/telemetry/json_text.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace switchyard::telemetry {
namespace {

TEST(JsonText, EscapesWhatJsonForbidsAndRepairsWhatIsNotUtf8) {
  const struct {
    std::string_view text, json;
    const char* why;
  } rows[] = {
      {"", "\"\"", "empty"},
      {"plain", "\"plain\"", "nothing to do"},
      {"a\"b\\c", "\"a\\\"b\\\\c\"", "quote and backslash"},
      {"a\nb\x01", "\"a\\nb\\u0001\"", "control characters"},
      {"\b\t\n\v\f\r", "\"\\b\\t\\n\\u000b\\f\\r\"", "those that have a letter"},
      {"0123456\"", "\"0123456\\\"\"", "a quote at the end of eight bytes"},
      {"01234567\x7f", "\"01234567\\u007f\"", "a delete behind eight bytes"},
      {"0123456789abcdef\\x", "\"0123456789abcdef\\\\x\"", "a backslash behind sixteen"},
      {"\x7F", "\"\\u007f\"", "DEL, which terminals act on"},
      {"h\u00e9 \u20ac \U0001F600", "\"h\u00e9 \u20ac \U0001F600\"", "two, three and four bytes pass"},
      {"\xC3", "\"\uFFFD\"", "cut after the lead byte"},
      {"\xC0\x80", "\"\uFFFD\uFFFD\"", "overlong"},
      {"\xED\xA0\x80", "\"\uFFFD\uFFFD\uFFFD\"", "a surrogate"},
      {"\xF4\x90\x80\x80x", "\"\uFFFD\uFFFD\uFFFD\uFFFDx\"", "past U+10FFFF"},
      {"\xE2\x82", "\"\uFFFD\uFFFD\"", "cut in the middle"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    std::string out;
    append_json_string(row.text, out);
    EXPECT_EQ(out, row.json);
  }
}

TEST(JsonText, EveryPairOfBytesGivesValidJson) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const std::string text = {static_cast<char>(a), static_cast<char>(b)};
      std::string out;
      append_json_string(text, out);
      ASSERT_TRUE(nlohmann::json::accept(out)) << a << ' ' << b;
    }
  }
}

TEST(JsonText, WritesTimes) {
  using std::chrono::milliseconds;
  using std::chrono::nanoseconds;

  const struct {
    std::int64_t ms;
    const char* text;
  } rows[] = {{0, "1970-01-01T00:00:00.000Z"},
              {1'763'856'000'007, "2025-11-23T00:00:00.007Z"},
              {1'763'856'000'999, "2025-11-23T00:00:00.999Z"},
              {1'763'856'001'000, "2025-11-23T00:00:01.000Z"}};

  for (const auto& row : rows) {
    std::string out;
    append_time(std::chrono::system_clock::time_point(milliseconds(row.ms)), out);
    EXPECT_EQ(out, row.text);
  }
  std::string out;
  append_ms(nanoseconds(12'034'999), out);
  EXPECT_EQ(out, "12.034");
}

}  // namespace
}  // namespace switchyard::telemetry
