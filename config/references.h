#pragma once

#include "config/build_context.h"
#include "config/config.h"

namespace switchyard::config {

// Looks at what names other parts of the file, once all of it is read: `fallbacks` and the judge name models,
// conditions name keys, a shadow needs a judge, prices are needed where cost decides. REQUIRES: the models of
// `config` are in the order of sort_models().
void check_references(const Node& root, const Config& config, BuildContext& context);

}  // namespace switchyard::config
