#include "config/lookup.h"

#include "config/pattern.h"

#include <gtest/gtest.h>

namespace switchyard::config {
namespace {

TEST(Pattern, Matches) {
  const struct {
    const char* pattern;
    const char* name;
    bool matches;
  } rows[] = {{"gpt-5", "gpt-5", true},
              {"gpt-5", "gpt-5.1", false},
              {"*", "", true},
              {"*", "x", true},
              {"gpt-*", "gpt-", true},
              {"gpt-*", "gpt-5", true},
              {"gpt-*", "xgpt-5", false},
              {"*-mini", "a-mini", true},
              {"*-mini", "a-mini2", false},
              {"a*b*c", "aXbYbZc", true},
              {"a*b*c", "aXcYb", false},
              {"a**b", "ab", true},
              {"", "", true},
              {"", "a", false},
              {"a*a", "a", false},
              {"*a*a*a*b", "aaaaaaaaaaaa", false}};

  for (const auto& row : rows)
    EXPECT_EQ(matches(row.pattern, row.name), row.matches) << row.pattern << " " << row.name;
}

TEST(Pattern, Overlap) {
  const struct {
    const char* a;
    const char* b;
    bool overlap;
  } rows[] = {{"a", "a", true}, {"a", "b", false},        {"a*", "*a", true},   {"a*", "b*", false},
              {"*", "", true},  {"gpt-*", "gpt-5", true}, {"a*c", "ab*", true}, {"a*x", "a*y", false},
              {"*", "*", true}, {"a*", "a", true},        {"", "a", false},     {"*ab*", "c*d", true}};

  for (const auto& row : rows) {
    EXPECT_EQ(overlap(row.a, row.b), row.overlap) << row.a << " " << row.b;
    EXPECT_EQ(overlap(row.b, row.a), row.overlap) << row.b << " " << row.a;
  }
}

TEST(Lookup, TheNameItselfThenTheMostSpecificPattern) {
  Config config;
  for (const char* name : {"*", "gpt-*", "gpt-5", "zeta", "gpt-5*", "alpha", "*-mini"}) {
    config.models.emplace_back().name = name;
  }
  sort_models(config);

  const struct {
    const char* name;
    const char* entry;
  } rows[] = {{"gpt-5", "gpt-5"}, {"gpt-5.1", "gpt-5*"}, {"gpt-4", "gpt-*"},
              {"alpha", "alpha"}, {"zeta", "zeta"},      {"alpha2", "*"},
              {"", "*"},          {"x-mini", "*-mini"},  {"gpt-4-mini", "*-mini"}};

  for (const auto& row : rows) {
    const Model* found = find_model(config, row.name);
    ASSERT_NE(found, nullptr) << row.name;
    EXPECT_EQ(found->name, row.entry) << row.name;
  }
  EXPECT_EQ(find_model(Config(), "x"), nullptr);
}

}  // namespace
}  // namespace switchyard::config
