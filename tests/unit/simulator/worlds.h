#pragma once

#include "config/load.h"
#include "config/lookup.h"
#include "gateway/simulator/plan_input.h"
#include "gateway/simulator/world.h"

#include <gtest/gtest.h>

#include <string>

namespace switchyard::simulator::test {

inline Lookup lookup() {
  return {
      [](const config::Config& config, std::string_view name) {
        return config::find_type(config.provider_types, name);
      },
      [](const config::Config& config, std::string_view name) { return config::find_model(config, name); }};
}

inline config::Environment no_environment() {
  return {[](const std::string&) { return std::nullopt; }, [](const std::string&) { return std::nullopt; },
          [](const std::string&) { return false; }};
}

// A configuration with providers a, b and c, and the model m. `targets`: its list; `more`: further text.
inline config::Config config_of(const std::string& targets, const std::string& more = "strategy: score",
                                const std::string& rest = "") {
  std::string text = "version: 1\nproviders:\n";
  for (const char* name : {"a", "b", "c"}) {
    text += std::string("  ") + name + ": { type: openai_compatible, base_url: \"http://127.0.0.1:1/v1\" }\n";
  }
  text += "models: { m: { targets: [ " + targets + " ], " + more + " } }\n" + rest;
  auto loaded = config::load_text(text, "/c.yaml", no_environment());
  if (!loaded.config) ADD_FAILURE() << loaded.problems.front().text() << "\n" << text;
  return std::move(*loaded.config);
}

inline config::Config three_targets(const std::string& rest = "") {
  return config_of("{ provider: a, model: x }, { provider: b, model: x }, { provider: c, model: x }",
                   "strategy: score", rest);
}

// Traffic and three targets that behave alike, and what more is said.
inline World world_of(const std::string& traffic, const std::vector<std::string>& more = {}) {
  WorldReader reader;
  const auto add = [&](const std::string& line) {
    const auto added = reader.add(line);
    if (!added) ADD_FAILURE() << added.error().message << "\n" << line;
  };
  add(R"({"type":"traffic",)" + traffic + "}");
  for (const char* name : {"a", "b", "c"}) {
    add(R"({"type":"target","model":"x","provider":")" + std::string(name) +
        R"(","bad":{"tool_call_invalid":0.01,"output_invalid":0.005,"refusal":0.01,"canary":0.05}})");
  }
  for (const std::string& line : more) add(line);
  return *reader.world();
}

}  // namespace switchyard::simulator::test
