#include "config/lookup.h"

#include "config/pattern.h"
#include "config/provider_types.h"

#include <algorithm>
#include <functional>

namespace switchyard::config {

namespace {

bool is_pattern_entry(const Model& model) {
  return is_pattern(model.name);
}

}  // namespace

const Model* find_model(const Config& config, std::string_view name) {
  const auto patterns =
      std::partition_point(config.models.begin(), config.models.end(), std::not_fn(is_pattern_entry));
  const auto exact =
      std::lower_bound(config.models.begin(), patterns, name,
                       [](const Model& model, std::string_view text) { return model.name < text; });
  if (exact != patterns && exact->name == name) return &*exact;
  const auto found = std::find_if(patterns, config.models.end(),
                                  [&](const Model& model) { return matches(model.name, name); });
  return found != config.models.end() ? &*found : nullptr;
}

const ProviderType* find_type(std::span<const ProviderType> own, std::string_view name) {
  const auto found = std::ranges::find(own, name, &ProviderType::name);
  return found != own.end() ? &*found : find_provider_type(name);
}

std::string_view upstream_model(const Model& model, const Target& target, std::string_view asked) {
  if (target.model.empty()) return asked;
  if (target.model != "*") return target.model;
  const std::size_t star = model.name.find('*');
  const std::size_t behind = star == std::string::npos ? 0 : model.name.size() - star - 1;
  if (star == std::string::npos || asked.size() < star + behind) return asked;
  return asked.substr(star, asked.size() - star - behind);
}

void sort_models(Config& config) {
  std::stable_sort(config.models.begin(), config.models.end(), [](const Model& a, const Model& b) {
    const bool a_pattern = is_pattern_entry(a), b_pattern = is_pattern_entry(b);
    if (a_pattern != b_pattern) return b_pattern;
    if (a_pattern) return literal_length(a.name) > literal_length(b.name);
    return a.name < b.name;
  });
}

}  // namespace switchyard::config
