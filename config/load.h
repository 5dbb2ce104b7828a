#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace switchyard::config {

// Where a configuration takes what is not in its text: values, so that tests bring their own.
struct Environment {
  std::function<std::optional<std::string>(const std::string& name)> get;        // An environment variable.
  std::function<std::optional<std::string>(const std::string& path)> read_file;  // A file's content.
};

// The process's environment and the file system; files over 1 MiB are refused.
Environment system_environment();

// One thing that is wrong (or, as a warning, unwise), at its place. Never holds a secret.
struct Problem {
  std::string file;
  int line = 0, column = 0;  // From 1; 0: the file as a whole.
  std::string message;

  // "FILE:LINE:COLUMN: message", the form of compilers.
  std::string text() const;

  friend bool operator==(const Problem&, const Problem&) = default;
};

struct LoadResult {
  std::optional<Config> config;     // Nothing when there are problems.
  std::vector<Problem> problems;    // All of them, in the order of the file.
  std::vector<Problem> warnings;
  std::vector<std::string> files;   // What was read: the file itself and every ${file:...}; see watch.h.
};

// Reads, expands and checks a configuration. Relative paths in it are of the file's own folder. Never throws.
LoadResult load_file(const std::string& path, const Environment& environment);
// The same from text; `name` is the path that problems and relative paths refer to.
LoadResult load_text(std::string_view text, const std::string& name, const Environment& environment);

// What `serve` runs without a file: the bundled local model as `local`, and each hosted provider whose usual
// environment variable is set, under the names of its own models. Open to anyone who reaches 127.0.0.1.
Config default_config(const Environment& environment);

}  // namespace switchyard::config
