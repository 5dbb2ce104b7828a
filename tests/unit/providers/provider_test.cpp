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

TEST(Providers, RowsOfModelsHaveTheirSay) {
  using Control = TargetTraits::ReasoningControl;
  const auto traits = [](std::string_view provider, std::string_view model) {
    return target_traits(type(provider), model);
  };
  EXPECT_FALSE(traits("openai", "gpt-4o").reasoning);
  EXPECT_TRUE(traits("openai", "gpt-5").developer_role);
  EXPECT_FALSE(traits("openai", "gpt-5").can_stop_reasoning);
  EXPECT_TRUE(traits("openai", "gpt-5.1").can_stop_reasoning);
  EXPECT_FALSE(traits("azure_openai", "gpt-5").sampling_parameters) << "as at OpenAI";
  EXPECT_EQ(traits("anthropic", "claude-sonnet-4-20250514").reasoning_control, Control::budget);
  EXPECT_EQ(traits("anthropic", "claude-sonnet-5").reasoning_control, Control::adaptive);
  EXPECT_FALSE(traits("anthropic", "claude-3-5-haiku-20241022").reasoning);
  EXPECT_EQ(traits("anthropic", "claude-3-haiku-20240307").default_max_tokens, 4096);
  EXPECT_EQ(traits("anthropic", "claude-opus-5").default_max_tokens, 32000);
  EXPECT_TRUE(traits("vertex", "claude-opus-4@20250514").sampling_parameters);
  EXPECT_FALSE(traits("vertex", "claude-opus-4-7@20260101").sampling_parameters);
  EXPECT_TRUE(traits("bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0").sampling_parameters);
  EXPECT_FALSE(traits("bedrock", "anthropic.claude-sonnet-5-v1:0").sampling_parameters);
  EXPECT_TRUE(traits("bedrock", "anthropic.claude-sonnet-5-v1:0").reasoning);
  EXPECT_FALSE(traits("bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0").reasoning);
  EXPECT_FALSE(traits("bedrock", "amazon.nova-pro-v1:0").reasoning);
  EXPECT_FALSE(traits("bedrock", "amazon.nova-pro-v1:0").image_urls);
  EXPECT_EQ(traits("gemini", "gemini-2.5-flash").reasoning_control, Control::budget);
  EXPECT_EQ(traits("gemini", "gemini-3-pro").reasoning_control, Control::level);
  EXPECT_FALSE(traits("gemini", "gemini-2.0-flash").reasoning);
  EXPECT_EQ(traits("mistral", "mistral-large-latest").seed_field, "random_seed");
  EXPECT_EQ(model_facts(type("openai"), "gpt-4o-mini").context_tokens, 128000);
  EXPECT_FALSE(model_facts(type("openai"), "unheard-of").context_tokens);
}

TEST(Providers, ASurfaceMayServeSomeModelsOnly) {
  const ProviderType& vertex = type("vertex");
  EXPECT_NE(vertex.find_surface("gemini", "gemini-2.5-pro"), nullptr);
  EXPECT_EQ(vertex.find_surface("gemini", "claude-sonnet-5"), nullptr);
  EXPECT_NE(vertex.find_surface("anthropic_messages", "claude-sonnet-5"), nullptr);
  EXPECT_NE(vertex.find_surface("openai_chat", "meta/llama-3.3-70b"), nullptr);
  EXPECT_EQ(vertex.find_surface("openai_chat", "gemini-2.5-pro"), nullptr);
  EXPECT_EQ(vertex.find_surface("cohere_chat", "gemini-2.5-pro"), nullptr);
  EXPECT_EQ(vertex.find_surface("anthropic_messages")->instead_of_model,
            R"("anthropic_version":"vertex-2023-10-16")");
}

TEST(Providers, PatternsOfNames) {
  EXPECT_TRUE(matches_model("gpt-*", "gpt-5"));
  EXPECT_TRUE(matches_model("*claude*", "us.anthropic.claude-3"));
  EXPECT_TRUE(matches_model("*", ""));
  EXPECT_FALSE(matches_model("gpt-*", "gpt5"));
  EXPECT_FALSE(matches_model("o1", "o1-mini"));
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
  EXPECT_TRUE(has(request_headers(type("gemini"), "gemini", "k", {}), "x-goog-api-key", "k"));
  EXPECT_TRUE(has(request_headers(type("azure_openai"), "openai_chat", "k", {}), "api-key", "k"));
  EXPECT_TRUE(
      has(request_headers(type("bedrock"), "bedrock_converse", "k", {}), "authorization", "Bearer k"));
  for (const auto& [name, value] : request_headers(type("vertex"), "gemini", "k", {})) EXPECT_NE(value, "k");
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
