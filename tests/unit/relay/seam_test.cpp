#include "gateway/relay/seam.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

namespace switchyard::relay {
namespace {

// What the caller gets of a continuation that comes in pieces of `step` bytes; nothing when it is refused.
std::optional<std::string> joined(Seam seam, std::string_view continuation, std::size_t step) {
  std::string out;
  for (std::size_t at = 0; at < continuation.size(); at += step) {
    const auto text = seam.feed(continuation.substr(at, step));
    if (!text) return std::nullopt;
    out += *text;
  }
  const auto rest = seam.finish();
  if (!rest) return std::nullopt;
  return out + *rest;
}

TEST(Seam, JoinsOrRefuses) {
  const struct {
    const char *given, *continuation;
    std::optional<std::string> joined;
    const char* why;
  } rows[] = {
      {"The capital of", " France is Paris.", " France is Paris.", "nothing to do"},
      {"The capital of ", " France", "France", "the space at the end is said again"},
      {"The capital of ", "France", "France", "and here it is not"},
      {"One:\n\n", "\n\nTwo", "Two", "both line breaks again"},
      {"One:\n\n", "\nTwo", "Two", "a part of them"},
      {"One:\n", "\n\nTwo", "\nTwo", "one more than the caller has"},
      {"One ", "\n\nTwo", "\n\nTwo", "another kind"},
      {"", "Hello", "Hello", "nothing was given"},
      {" \n", " \nHello", "Hello", "only white space was"},
      {"The capital of France, which is in", "The capital of France, which is in Europe, is", " Europe, is",
       "it starts over"},
      {"The capital of France, which is in ", "\nThe capital of France, which is in Europe", " Europe",
       "it starts over behind a line break"},
      {"Long ago. The capital of France, which is in", "The capital of France, which is in Europe", " Europe",
       "the last sentence again"},
      {"The capital of France", "The capital of France is Paris", std::nullopt,
       "a repetition too short to be sure"},
      {"All work and no play makes Jack a dull boy.\n", "All work and no play makes Jack a dull boy.\n",
       std::nullopt, "at a line's end it may be meant"},
      {"a the capital of France, which is in b the capital of France, which is in",
       "the capital of France, which is in", std::nullopt, "a figure that was there before"},
      {"la la la la la la la la", " la la la la la la, oh", " la la la la la la, oh",
       "it repeats itself anyway"},
      {"It was very", " very cold", " very cold", "a word twice is no accident"},
      {"One two", "One tree", "One tree", "it only begins alike"},
      {"One two", "One t", "One t", "and ends before it is different"},
  };

  for (const auto& row : rows) {
    for (const std::size_t step : {1u, 3u, 1000u}) {
      SCOPED_TRACE(row.why);
      EXPECT_EQ(joined(Seam::prefilled(row.given), row.continuation, step), row.joined);
      EXPECT_EQ(joined(Seam::exact(), row.continuation, step), row.continuation);
    }
  }
}

TEST(Seam, WhatIsNoRepetitionGoesOutAtOnce) {
  Seam seam = Seam::prefilled("The capital of France is Paris, and");
  EXPECT_EQ(*seam.feed(" "), "");
  EXPECT_EQ(*seam.feed("Fr"), "");  // As there.
  EXPECT_EQ(*seam.feed("ed"), " Fred");
  EXPECT_EQ(*seam.feed(" France"), " France");
}

TEST(Seam, APrefillEndsInNoWhiteSpace) {
  EXPECT_EQ(Seam::prefill_of("One: \n\t"), "One:");
  EXPECT_EQ(Seam::prefill_of(" One"), " One");
  EXPECT_EQ(Seam::prefill_of(" \n"), "");
}

}  // namespace
}  // namespace switchyard::relay
