#pragma once

#include "config/config.h"
#include "config/environment.h"
#include "config/problem.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::config {

struct LoadResult {
  std::optional<Config> config;   // Nothing when there are problems.
  std::vector<Problem> problems;  // All of them, in the order of the file.
  std::vector<Problem> warnings;
  std::vector<std::string> files;  // What was read: the file itself and every ${file:...}; see watch.h.
};

// Reads, expands and checks a configuration. Relative paths in it are of the file's own folder. Never throws.
LoadResult load_file(const std::string& path, const Environment& environment);
// The same from text; `name` is the path that problems and relative paths refer to.
LoadResult load_text(std::string_view text, const std::string& name, const Environment& environment);

// What `serve` runs without a file: the bundled local model as `local`, and each hosted provider whose usual
// environment variable is set, under the names of its own models. Open to anyone who reaches 127.0.0.1.
Config default_config(const Environment& environment);

}  // namespace switchyard::config
