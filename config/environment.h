#pragma once

#include <functional>
#include <optional>
#include <string>

namespace switchyard::config {

// Where a configuration takes what is not in its text: values, so that tests bring their own.
struct Environment {
  std::function<std::optional<std::string>(const std::string& name)> get;        // An environment variable.
  std::function<std::optional<std::string>(const std::string& path)> read_file;  // A file's content.
  std::function<bool(const std::string& path)> is_file;                          // True when it can be read.
};

// The process's environment and the file system; a file of over 1 MiB reads as missing.
Environment system_environment();

}  // namespace switchyard::config
