#pragma once

#include "config/config.h"

#include <span>
#include <string_view>

namespace switchyard::config {

// The entry of `models` that serves a name, or null: the entry of that very name, else the most specific
// pattern (the one with the most literal characters; the first of equals). REQUIRES: a checked Config, whose
// models are sorted as the loader sorts them: names in order, then patterns, most specific first.
const Model* find_model(const Config& config, std::string_view name);

// The type of that name: one of the configuration's own, else a built-in one; null for neither.
const ProviderType* find_type(std::span<const ProviderType> own, std::string_view name);

// The model that a target is asked for when the caller asked `model` for `asked`.
std::string_view upstream_model(const Model& model, const Target& target, std::string_view asked);

// Brings `models` into that order.
void sort_models(Config& config);

}  // namespace switchyard::config
