#pragma once

#include "config/build_context.h"
#include "config/config.h"

#include <span>

namespace switchyard::config {

// Reads one entry of `providers`. `types`: those of the configuration; they go before the built-in ones.
Provider build_provider(const Node::Field& field, std::span<const ProviderType> types, BuildContext& context);

}  // namespace switchyard::config
