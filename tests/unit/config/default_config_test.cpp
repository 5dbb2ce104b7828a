#include "config/load.h"
#include "config/lookup.h"
#include "tests/unit/config/environment.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace switchyard::config {
namespace {

TEST(DefaultConfig, ServesTheBundledModelWithoutAnything) {
  const Config config = default_config(test::Fake().environment());
  ASSERT_EQ(config.providers.size(), 1u);
  EXPECT_EQ(config.providers[0].models.at("switchyard-mini"), "bundled");
  ASSERT_EQ(config.models.size(), 1u);
  EXPECT_EQ(config.models[0].name, "local");
  EXPECT_EQ(config.models[0].targets[0].model, "switchyard-mini");
  EXPECT_TRUE(config.keys.empty());
  EXPECT_EQ(config.server.listen, (Address{"127.0.0.1", 8080}));
  EXPECT_EQ(config.version.size(), 12u);
}

TEST(DefaultConfig, AddsTheProvidersWhoseVariablesAreSet) {
  const test::Fake fake{{{"OPENAI_API_KEY", "one"}, {"ANTHROPIC_API_KEY", "two"}}, {}};
  const Config config = default_config(fake.environment());

  const struct {
    const char* model;
    const char* provider;
  } rows[] = {
      {"local", "local"}, {"gpt-5", "openai"}, {"o3-mini", "openai"}, {"claude-sonnet-5", "anthropic"}};

  for (const auto& row : rows) {
    const Model* found = find_model(config, row.model);
    ASSERT_NE(found, nullptr) << row.model;
    EXPECT_EQ(found->targets[0].provider, row.provider);
  }
  EXPECT_EQ(find_model(config, "another"), nullptr);
  const auto openai = std::find_if(config.providers.begin(), config.providers.end(),
                                   [](const Provider& provider) { return provider.name == "openai"; });
  ASSERT_NE(openai, config.providers.end());
  EXPECT_EQ(openai->api_key.reveal(), "one");
  EXPECT_EQ(openai->base_url, "https://api.openai.com/v1");
}

TEST(DefaultConfig, AnEmptyVariableIsNoKey) {
  const test::Fake fake{{{"OPENAI_API_KEY", ""}}, {}};
  EXPECT_EQ(default_config(fake.environment()).providers.size(), 1u);
}

}  // namespace
}  // namespace switchyard::config
