#pragma once

#include "config/build_context.h"
#include "config/config.h"

namespace switchyard::config {

inline constexpr std::size_t kModelNameMax = 128;

// Reads one entry of `models`. `config`: its providers are read already. What names other models or keys is
// looked at by check_references(), when all are read.
Model build_model(const Node::Field& field, const Config& config, BuildContext& context);

// Problems where which of two patterns serves a name would depend on their order in the file.
void check_patterns(const Node& models, BuildContext& context);

}  // namespace switchyard::config
