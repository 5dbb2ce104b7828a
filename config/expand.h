#pragma once

#include "config/environment.h"
#include "config/problem.h"
#include "config/yaml.h"

#include <string>
#include <vector>

namespace switchyard::config {

// Makes a path absolute; a relative one is of the configuration's folder.
std::string resolve_path(const std::string& config_path, const std::string& path);

// Replaces ${NAME} and ${file:PATH} in every value of the document; $${ stands for ${ itself. What is missing
// becomes a problem that names it. Returns the values put in, one after the other, for the configuration's
// digest; the paths of the files that were asked for are added to `files`.
std::string expand(Document& document, const std::string& config_path, const Environment& environment,
                   Problems& problems, std::vector<std::string>& files);

}  // namespace switchyard::config
