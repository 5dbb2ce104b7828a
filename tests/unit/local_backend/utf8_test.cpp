#include "local_backend/model/utf8.h"

#include <gtest/gtest.h>

namespace switchyard::local {
namespace {

constexpr const char* kBad = "\xEF\xBF\xBD";

TEST(Utf8Stream, HoldsASequenceUntilItIsWhole) {
  const std::string text = "a\xC3\xA9\xE6\x9D\xB1\xF0\x9F\x99\x82z";
  Utf8Stream stream;
  std::string out;
  for (const char byte : text) {
    const std::string part = stream.feed(std::string_view(&byte, 1));
    EXPECT_EQ(valid_utf8(part), part);
    out += part;
  }
  EXPECT_EQ(out + stream.finish(), text);
}

TEST(Utf8Stream, ReplacesWhatCannotBecomeASequence) {
  const std::string bad = kBad;

  const struct {
    std::string bytes, text;
    const char* why;
  } rows[] = {
      {"\xff", bad, "no sequence starts so"},
      {"\x80z", bad + "z", "a continuation alone"},
      {"\xC0\xAF", bad + bad, "overlong in two bytes"},
      {"\xE0\x80\x80", bad + bad + bad, "overlong in three bytes"},
      {"\xED\xA0\x80", bad + bad + bad, "a surrogate"},
      {"\xF4\x90\x80\x80", bad + bad + bad + bad, "beyond U+10FFFF"},
      {"\xE2\x82z", bad + "z", "cut by an ordinary character: one replacement for the part"},
      {"\xE2\x82\xE2\x82\xAC", bad + "\xE2\x82\xAC", "cut by another sequence"},
      {"a\xF0\x9F\x99", "a" + bad, "cut by the end"},
      {"", "", "nothing"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    EXPECT_EQ(valid_utf8(row.bytes), row.text);
    Utf8Stream bytewise;
    std::string out;
    for (const char byte : row.bytes) out += bytewise.feed(std::string_view(&byte, 1));
    EXPECT_EQ(out + bytewise.finish(), row.text);
  }
}

}  // namespace
}  // namespace switchyard::local
