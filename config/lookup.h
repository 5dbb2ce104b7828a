#pragma once

#include "config/config.h"

#include <string_view>

namespace switchyard::config {

// The entry of `models` that serves a name, or null: the entry of that very name, else the most specific
// pattern (the one with the most literal characters; the first of equals). REQUIRES: a checked Config, whose
// models are sorted as the loader sorts them: names in order, then patterns, most specific first.
const Model* find_model(const Config& config, std::string_view name);

// Brings `models` into that order.
void sort_models(Config& config);

}  // namespace switchyard::config
