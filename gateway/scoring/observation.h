#pragma once

#include "adapters/canonical/result.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace switchyard::scoring {

// What is watched. Each is a stream of observations from 0 (good) to 1 (bad) for each target and stratum;
// signals.h says how each is weighed. The order is that of the bits in Observation and never changes.
enum class Signal : std::uint8_t {
  // Of replies, by who relays them (passive.h):
  tool_call_invalid,  // Arguments are no JSON, the tool is unknown, or its schema is not kept.
  output_invalid,     // response_format asked for JSON, or for a schema, and did not get it.
  truncated,          // Ended for length below the limit that was asked for, or empty.
  refusal,
  loop,  // The same words over and over.
  script_mismatch,
  unbalanced,  // A code fence or brackets left open.
  regenerated,
  aborted,  // The client left after the first token.
  usage_mismatch,
  declared_identity,  // The reply names another model or build than the baseline's.
  // Of replies, by the board, which knows what is usual:
  tools_low,
  tools_high,
  length_low,
  length_high,
  reasoning_low,
  reasoning_absent,
  chunk_pattern,
  // From elsewhere:
  canary,
  contract,
  identity_sampling,
  identity_greedy,
  identity_logprobs,
  audit,  // Replies of an open-weight model are unlikely under the same weights here.
  shadow,
  feedback,
  embedding_drift,
  session_cluster,  // By the board: bad replies keep to few sessions, as behind a sticky bad server.
};
inline constexpr int kSignals = static_cast<int>(Signal::session_cluster) + 1;
// As in the configuration, metrics and explanations: the enumerator's name.
std::string_view name_of(Signal signal);
std::optional<Signal> find_signal(std::string_view name);  // Nothing for what is no such name.

inline constexpr std::uint32_t bit(Signal signal) {
  return std::uint32_t{1} << static_cast<int>(signal);
}

enum class Source : std::uint8_t { traffic, probe, shadow, feedback };

// How an attempt ended, as far as scores go.
enum class Ending : std::uint8_t {
  ok,
  fault,      // Counts against availability.
  limited,    // 429: our limit, nobody's fault.
  no_verdict  // The client's fault or leaving, our own limits: says nothing.
};

// Everything that scores are made of. One for each attempt that ended, and for each judgement that came from
// elsewhere. Plain bytes: a worker hands it to the scorer through a ring, without a lock and without an
// allocation. No text of a request or a reply is in it.
struct Observation {
  std::uint32_t target = 0;  // As in Target::score_id: stays the same through reloads.
  std::uint32_t seen =
      0;  // Bits of the signals that could be judged. One that could not is unknown, not good.
  std::uint32_t bad = 0;  // Of those, the ones that were bad.
  Source source = Source::traffic;
  Ending ending = Ending::ok;
  std::uint8_t stratum = 0;  // stratum_of().
  bool finished_with_tools = false, asked_to_reason = false, had_tools = false, streamed = false;
  std::int64_t at_ms = 0;     // Of the steady clock, at the end.
  std::uint64_t request = 0;  // Hash of the request's id, for "the last ones that were bad"; 0: none.
  std::uint64_t session = 0;  // 0: none. A hash: observations of one session are not independent.
  std::uint32_t key = 0;      // Index of the caller's key plus one; 0: none.
  std::uint32_t input_tokens = 0, cached_tokens = 0, output_tokens = 0, reasoning_tokens = 0;
  std::uint32_t asked_tokens = 0;  // The limit that the caller set; 0: none.
  float ttft_ms = 0;               // Request written to first content; 0: not known.
  float inter_token_ms = 0;        // (last - first) / (tokens - 1); 0: not known.
  float gap_ms_max = 0;
  float duration_ms = 0;
  float chunk_tokens = 0,
        gap_variation = 0;  // Mean tokens a chunk; standard deviation of gaps over their mean.
  std::uint32_t text_bytes = 0;
  // A judgement that is not just good or bad (feedback, shadow, identity rounds): its one signal and its X.
  bool graded = false;
  Signal graded_signal = Signal::feedback;
  float x = 0;
};

// Route class: what must be compared with its like only. Prompt size in four steps (up to 1k, 4k, 16k, more
// estimated tokens), with tools or not, streamed or not: 16.
std::uint8_t stratum_of(std::uint32_t input_tokens, bool has_tools, bool streamed);
inline constexpr int kStrata = 16;

}  // namespace switchyard::scoring
