#pragma once

#include "adapters/providers/provider.h"
#include "config/problem.h"
#include "config/yaml.h"

#include <span>
#include <string_view>
#include <vector>

namespace switchyard {

// The types of providers that are part of the program: the rows of adapters/providers/providers.yaml.
std::span<const ProviderType> provider_types();
const ProviderType* find_provider_type(std::string_view name);

namespace config {

// Reads a checked `provider_types` section. A row extends the type that it names, else the built-in one of
// its own name; it may build on the rows above it. What is wrong becomes a problem at its place.
std::vector<ProviderType> read_provider_types(const Node& section, std::span<const ProviderType> built_in,
                                              Problems& problems);

}  // namespace config

}  // namespace switchyard
