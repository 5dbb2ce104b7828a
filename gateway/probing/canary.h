#pragma once

#include "adapters/canonical/request.h"
#include "gateway/probing/graders.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace switchyard::probing {

// What canaries ask for. Every one is made fresh from a seed, in varied words, so that it can neither be
// answered from a cache nor be told from an application's request by its text.
enum class Family : std::uint8_t {
  arithmetic,   // A chain of operations, bare or in a story.
  dates,        // Days between dates, a date some days on, a weekday.
  json,         // A JSON object to a schema, from a text.
  tool_calls,   // Two calls with typed arguments.
  constraints,  // A text of so many words without a letter, with a word.
  table,        // A value looked up in some 2 KB.
  sorting,
  extraction,  // All codes of a pattern out of a text, and none of the near ones.
  memory,      // What was said three turns ago.
  code,        // What a short program prints.
  translation,
  long_list,  // A long list without a repetition.
};
inline constexpr int kFamilies = 12;
// As in the configuration (quality.probes.families) and in metrics: the enumerator's name.
std::string_view name_of(Family family);
std::optional<Family> find_family(std::string_view name);

struct Canary {
  Family family = Family::arithmetic;
  ChatRequest request;  // Its model is for the sender to fill in.
  std::function<bool(const ProbeReply&)> is_right;
  ProbeReply reference;  // An answer that passes.
};

// The same seed gives the same canary.
Canary make_canary(Family family, std::uint64_t seed);

// unknown: the model thought until its tokens were over. A refusal of such a request is a failure.
Grade grade(const Canary& canary, const ProbeReply& reply);

}  // namespace switchyard::probing
