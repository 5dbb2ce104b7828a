#include "adapters/providers/quirks.h"

#include <algorithm>

namespace switchyard {

namespace {

constexpr SwitchQuirk kSwitches[] = {
    {"tools", &Quirks::tools, &TargetTraits::tools},
    {"images", &Quirks::images, &TargetTraits::images},
    {"documents", &Quirks::documents, &TargetTraits::documents},
    {"audio", &Quirks::audio, &TargetTraits::audio},
    {"image_urls", &Quirks::image_urls, &TargetTraits::image_urls},
    {"sampling_parameters", &Quirks::sampling_parameters, &TargetTraits::sampling_parameters},
    {"extended_sampling", &Quirks::extended_sampling, &TargetTraits::extended_sampling},
    {"reasoning", &Quirks::reasoning, &TargetTraits::reasoning},
    {"can_stop_reasoning", &Quirks::can_stop_reasoning, &TargetTraits::can_stop_reasoning},
    {"prefill", &Quirks::prefill, &TargetTraits::prefill},
    {"json_object", &Quirks::json_object, &TargetTraits::json_object},
    {"json_schema", &Quirks::json_schema, &TargetTraits::json_schema},
    {"developer_role", &Quirks::developer_role, &TargetTraits::developer_role},
    {"max_completion_tokens", &Quirks::max_completion_tokens, &TargetTraits::max_completion_tokens},
    {"reasoning_history", &Quirks::reasoning_history, &TargetTraits::reasoning_history},
    {"stream_usage", &Quirks::stream_usage, &TargetTraits::stream_usage},
    {"parallel_tool_calls", &Quirks::parallel_tool_calls, &TargetTraits::parallel_tool_calls},
    {"short_tool_ids", &Quirks::short_tool_ids, &TargetTraits::short_tool_ids},
};

}  // namespace

std::span<const SwitchQuirk> switch_quirks() {
  return kSwitches;
}

void Quirks::apply(TargetTraits& traits) const {
  for (const SwitchQuirk& quirk : kSwitches) {
    if (const auto& value = this->*quirk.member) traits.*quirk.trait = *value;
  }
  if (reasoning_control) traits.reasoning_control = *reasoning_control;
  if (seed_field) traits.seed_field = *seed_field;
  if (default_max_tokens) traits.default_max_tokens = *default_max_tokens;
  traits.refused.insert(traits.refused.end(), refused.begin(), refused.end());
}

void Quirks::merge(const Quirks& over) {
  for (const SwitchQuirk& quirk : kSwitches) {
    if (const auto& value = over.*quirk.member) this->*quirk.member = value;
  }
  if (over.reasoning_control) reasoning_control = over.reasoning_control;
  if (over.seed_field) seed_field = over.seed_field;
  if (over.default_max_tokens) default_max_tokens = over.default_max_tokens;
  for (const std::string& name : over.refused) {
    if (std::ranges::find(refused, name) == refused.end()) refused.push_back(name);
  }
}

bool Quirks::empty() const {
  return std::ranges::none_of(kSwitches,
                              [&](const SwitchQuirk& quirk) { return (this->*quirk.member).has_value(); }) &&
         !reasoning_control && !seed_field && !default_max_tokens && refused.empty();
}

}  // namespace switchyard
