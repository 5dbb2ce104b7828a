#pragma once

#include "adapters/dialects/dialect.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard {

// What a row of the table says of TargetTraits: only what it names changes.
struct Quirks {
  std::optional<bool> tools, images, documents, audio, image_urls, sampling_parameters, extended_sampling,
      reasoning, can_stop_reasoning, prefill, json_object, json_schema, developer_role, max_completion_tokens,
      stream_usage, parallel_tool_calls, reasoning_history, short_tool_ids;
  std::optional<TargetTraits::ReasoningControl> reasoning_control;
  std::optional<std::string> seed_field;
  std::optional<std::int64_t> default_max_tokens;
  std::vector<std::string> refused;  // Added to those of the rows before it.

  void apply(TargetTraits& traits) const;
  // What `over` names replaces what this one does.
  void merge(const Quirks& over);
  bool empty() const;
};

// A quirk that is true or false, by its name in the table.
struct SwitchQuirk {
  std::string_view name;
  std::optional<bool> Quirks::*member;
  bool TargetTraits::*trait;
};

std::span<const SwitchQuirk> switch_quirks();

// The words of `reasoning_control`: the index is the enumerator's.
inline constexpr std::string_view kReasoningControls[] = {"effort", "budget", "adaptive", "level"};

}  // namespace switchyard
