#include "local_backend/engine/stop.h"

#include <gtest/gtest.h>

namespace switchyard::local {
namespace {

struct Seen {
  std::string text;
  std::string stop;
};

Seen run(const std::vector<std::string>& stops, std::string_view text, std::size_t piece) {
  StopFilter filter(stops);
  Seen seen;
  for (std::size_t at = 0; at < text.size() && !filter.stopped(); at += piece)
    seen.text += filter.feed(text.substr(at, piece));
  if (filter.stopped())
    seen.stop = *filter.stopped();
  else
    seen.text += filter.finish();
  return seen;
}

TEST(StopFilter, EndsBeforeTheStopStringWhereverTheTextIsCut) {
  const struct {
    const char* why;
    std::vector<std::string> stops;
    const char *text, *before, *stop;
  } rows[] = {
      {"none asked for", {}, "hello", "hello", ""},
      {"in the middle", {"lo"}, "hello world", "hel", "lo"},
      {"at the start", {"he"}, "hello", "", "he"},
      {"at the end", {"ld"}, "world", "wor", "ld"},
      {"a start that goes no further", {"lox"}, "hello lo", "hello lo", ""},
      {"a start inside a start", {"aab"}, "aaab", "a", "aab"},
      {"overlapping itself", {"abac"}, "ababac", "ab", "abac"},
      {"the one that starts first", {"world", "lo w"}, "hello world", "hel", "lo w"},
      {"a newline pair", {"\n\n"}, "a\nb\n\nc", "a\nb", "\n\n"},
      {"empty strings stop nothing", {"", "z"}, "abc", "abc", ""},
      {"more than one byte a character", {"\xE2\x82\xAC"}, "5 \xE2\x82\xAC.", "5 ", "\xE2\x82\xAC"},
  };

  for (const auto& row : rows)
    for (std::size_t piece = 1; piece <= 12; ++piece) {
      SCOPED_TRACE(std::string(row.why) + ", pieces of " + std::to_string(piece));
      const Seen seen = run(row.stops, row.text, piece);
      EXPECT_EQ(seen.text, row.before);
      EXPECT_EQ(seen.stop, row.stop);
    }
}

TEST(StopFilter, HoldsNoMoreThanItMust) {
  StopFilter filter({"END"});
  EXPECT_EQ(filter.feed("text E"), "text ");
  EXPECT_EQ(filter.feed("N"), "");
  EXPECT_EQ(filter.feed("x"), "ENx");
  EXPECT_EQ(filter.feed("ENE"), "EN");
  EXPECT_EQ(filter.finish(), "E");
}

}  // namespace
}  // namespace switchyard::local
