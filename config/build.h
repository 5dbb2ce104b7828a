#pragma once

#include "config/config.h"
#include "config/environment.h"
#include "config/problem.h"
#include "config/yaml.h"

#include <string>
#include <vector>

namespace switchyard::config {

// Makes the configuration of an expanded document, and checks what a table of fields cannot say: that names
// resolve, that secrets, addresses and patterns are usable. Values that check_fields() refused are passed
// over. The result means something only when there are no problems. The paths of the PEM files are added to
// `files`.
Config build(const Node& root, const std::string& config_path, const Environment& environment,
             Problems& problems, std::vector<std::string>& files);

}  // namespace switchyard::config
