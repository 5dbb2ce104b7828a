#include "gateway/scoring/observation.h"

#include <array>

namespace switchyard::scoring {

namespace {

constexpr std::array<std::string_view, kSignals> kNames = {
    "tool_call_invalid", "output_invalid",   "truncated",         "refusal",    "loop",
    "script_mismatch",   "unbalanced",       "regenerated",       "aborted",    "usage_mismatch",
    "declared_identity", "tools_low",        "tools_high",        "length_low", "length_high",
    "reasoning_low",     "reasoning_absent", "chunk_pattern",     "canary",     "contract",
    "identity_sampling", "identity_greedy",  "identity_logprobs", "audit",      "shadow",
    "feedback",          "embedding_drift",  "session_cluster",
};

}  // namespace

std::string_view name_of(Signal signal) {
  return kNames[static_cast<std::size_t>(signal)];
}

std::optional<Signal> find_signal(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<Signal>(i);
  return std::nullopt;
}

std::uint8_t stratum_of(std::uint32_t input_tokens, bool has_tools, bool streamed) {
  const int size = input_tokens <= 1024 ? 0 : input_tokens <= 4096 ? 1 : input_tokens <= 16384 ? 2 : 3;
  return static_cast<std::uint8_t>(size * 4 + (has_tools ? 2 : 0) + (streamed ? 1 : 0));
}

}  // namespace switchyard::scoring
