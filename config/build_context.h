#pragma once

#include "config/environment.h"
#include "config/problem.h"
#include "config/yaml.h"

#include <string>
#include <string_view>
#include <vector>

namespace switchyard::config {

// What all who build a Config of a checked document share.
struct BuildContext {
  const std::string& config_path;
  const Environment& environment;
  Problems& problems;
  std::vector<std::string>& files;  // What the configuration was read from; files that it names are added.

  // ` did you mean ...` for a name that is not there, or nothing.
  std::string suggestion(const Node& given, const std::vector<std::string_view>& names) const;

  // The absolute path of a file that is needed at the start; a problem when it cannot be read.
  std::string existing_file(const Node& node);
  // The same for a field of a record, empty when it is absent; the file is watched for changes.
  std::string pem_file(const Node& record, std::string_view name);

  // False, with a problem, for what cannot stand in an HTTP field: blanks, newlines, control characters. An
  // empty secret was refused before. A literal one is warned of.
  bool check_secret(const Node& node, const std::string& name);
};

// A value as it may be shown: what an expansion brought is not.
std::string shown(const Node& node);

}  // namespace switchyard::config
