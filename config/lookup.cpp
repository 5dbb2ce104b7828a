#include "config/lookup.h"

#include "config/pattern.h"

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

void sort_models(Config& config) {
  std::stable_sort(config.models.begin(), config.models.end(), [](const Model& a, const Model& b) {
    const bool a_pattern = is_pattern_entry(a), b_pattern = is_pattern_entry(b);
    if (a_pattern != b_pattern) return b_pattern;
    if (a_pattern) return literal_length(a.name) > literal_length(b.name);
    return a.name < b.name;
  });
}

}  // namespace switchyard::config
