#include "adapters/providers/provider.h"

#include "config/provider_types.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace switchyard {
namespace {

const ProviderType& type(std::string_view name) {
  return *find_provider_type(name);
}

TEST(Providers, EveryRowIsComplete) {
  for (const ProviderType& row : provider_types()) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(find_provider_type(row.name), &row);
    if (row.is_local()) continue;
    ASSERT_FALSE(row.surfaces.empty());
    for (const Surface& surface : row.surfaces) {
      EXPECT_TRUE(surface.path.starts_with('/'));
      EXPECT_EQ(std::ranges::count(kSurfaceDialects, surface.dialect), 1) << surface.dialect;
    }
    EXPECT_NE(row.auth, ProviderType::Auth::none);
    const bool is_own = row.base_url.starts_with("http://127.0.0.1:");
    EXPECT_TRUE(row.base_url.empty() || is_own || row.base_url.starts_with("https://"));
    EXPECT_TRUE(!is_own || row.key_optional);
  }
  EXPECT_EQ(find_provider_type("nobody"), nullptr);
}

TEST(Providers, AModelsNameTellsWhatItTakes) {
  const struct {
    std::string_view provider, model;
    bool sampling;
    const char* why;
  } rows[] = {
      {"anthropic", "claude-3-5-sonnet-20241022", true, "an old naming"},
      {"anthropic", "claude-opus-4-20250514", true, "a date is no minor version"},
      {"anthropic", "claude-opus-4-6", true, "the last that takes them"},
      {"anthropic", "claude-opus-4-7", false, "the first that does not"},
      {"anthropic", "claude-sonnet-5", false, "a later family"},
      {"anthropic", "claude-haiku-4-5-20251001", true, "an older one"},
      {"anthropic", "claude-haiku-5-5", false, "its first without"},
      {"openai", "gpt-4o", true, "no reasoning model"},
      {"openai", "gpt-5-mini", false, "a reasoning model"},
      {"openai", "o3", false, "another"},
      {"openai_compatible", "gpt-5", true, "what a server of one's own calls gpt-5 is its own affair"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.model);
    EXPECT_EQ(target_traits(type(row.provider), row.model).sampling_parameters, row.sampling) << row.why;
  }
}

TEST(Providers, ACredentialGoesIntoItsOwnField) {
  const auto has = [](const Headers& headers, std::string_view name, std::string_view value) {
    return std::ranges::count(headers, std::pair<std::string, std::string>(name, value)) == 1;
  };
  EXPECT_TRUE(has(request_headers(type("openai"), "openai_chat", "k", {}), "authorization", "Bearer k"));
  const auto anthropic = request_headers(type("anthropic"), "anthropic_messages", "k", {});
  EXPECT_TRUE(has(anthropic, "x-api-key", "k"));
  EXPECT_TRUE(has(anthropic, "anthropic-version", "2023-06-01"));
  const auto newer =
      request_headers(type("anthropic"), "anthropic_messages", "k", {{"anthropic-version", "2026-10-21"}});
  EXPECT_TRUE(has(newer, "anthropic-version", "2026-10-21"));
  EXPECT_FALSE(has(newer, "anthropic-version", "2023-06-01"));
  for (const auto& [name, value] : request_headers(type("openai_compatible"), "openai_chat", "", {})) {
    EXPECT_NE(name, "authorization") << "no key, no field";
  }
}

TEST(Providers, NoCredentialOfACallerIsForwarded) {
  for (const ProviderType& row : provider_types()) {
    for (const Surface& surface : row.surfaces) {
      for (const std::string_view name : forwarded_headers(row, surface.dialect)) {
        for (const std::string_view secret :
             {"authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"}) {
          EXPECT_NE(name, secret) << row.name;
        }
      }
    }
  }
}

}  // namespace
}  // namespace switchyard
