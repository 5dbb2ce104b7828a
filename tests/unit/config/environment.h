#pragma once

#include "config/environment.h"

#include <map>
#include <string>

namespace switchyard::config::test {

// An environment of values. Its file system is the map of files alone.
struct Fake {
  std::map<std::string, std::string> variables, files;

  Environment environment() const {
    const auto look_up = [](const std::map<std::string, std::string>& map, const std::string& name) {
      const auto found = map.find(name);
      return found != map.end() ? std::optional<std::string>(found->second) : std::nullopt;
    };
    return {[=, this](const std::string& name) { return look_up(variables, name); },
            [=, this](const std::string& path) { return look_up(files, path); },
            [this](const std::string& path) { return files.contains(path); }};
  }
};

// What the example configurations and the rows of the tests refer to.
inline Fake usual() {
  return {{{"OPENAI_API_KEY", "sk-openai-hidden"},
           {"ANTHROPIC_API_KEY", "sk-ant-hidden"},
           {"TEAM_A_KEY", "team-a-hidden"},
           {"BLANK", "two words-hidden"},
           {"NAME", "hidden-name"},
           {"COUNT", "7"},
           {"EMPTY", ""}},
          {{"/etc/switchyard/key.txt", "from-a-file\n"},
           {"/etc/switchyard/small.gguf", "GGUF"},
           {"/etc/switchyard/ca.pem", "PEM"}}};
}

}  // namespace switchyard::config::test
