#pragma once

#include "config/build_context.h"
#include "config/config.h"

namespace switchyard::config {

// Reads the section `quality`. The judge's model is looked at by check_references(), when all are read.
Quality build_quality(const Node& node, BuildContext& context);

}  // namespace switchyard::config
