#pragma once

#include "config/config.h"
#include "gateway/routing/plan.h"
#include "gateway/scoring/view.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::routing {

// What routing wants to know of a request's body, in any dialect, without a tree. Views are into the body.
struct BodyFacts {
  bool has_tools = false;          // Offers at least one tool.
  bool has_images = false;         // Holds an image, a document or a sound.
  bool wants_json = false;         // Asks for JSON, or for a schema.
  bool wants_reasoning = false;    // Asks for an effort or a thinking budget.
  bool stream = false;             // By its member `stream`.
  std::uint32_t asked_tokens = 0;  // The limit on output that it sets; 0: none.
  std::uint32_t input_tokens = 0;  // estimate_input_tokens().
  std::string session;             // `user`, or metadata's `session_id` or `user_id`; empty: none.
  std::vector<std::pair<std::string, std::string>> metadata;  // Its strings, numbers and booleans, as text.
  std::string cache_key;  // OpenAI's `prompt_cache_key`: requests with the same one begin alike.
  // The JSON text of what the prompt begins with: of its own system prompt, where the dialect has one, and of
  // messages, input, contents or prompt.
  std::string_view instructions, prompt;
};

// One walk over the body (simdjson). A body that cannot be read gives what is known without: its size.
// `capacity`: how many bytes from the body's first may be read, as in read_envelope().
BodyFacts read_body_facts(std::string_view body, std::size_t capacity);

// Input tokens by the body's size: a token for each four bytes, without the base64 of images and documents,
// for each of which 1,000 are counted. For English and code it is within about a third; it decides size
// classes and prices, where that is near enough.
std::uint32_t estimate_input_tokens(std::string_view body);

// Candidate::has_room: whether the prompt fits a context (0: not known, so it does). An estimate may be a
// third too high, and a provider that is asked in vain says so: only a prompt that is too long by more is
// refused here. A limit on the output that has no room is the provider's to cut.
bool has_room(std::uint32_t input_tokens, std::int64_t context_tokens);

// RequestFacts::output_tokens: the limit asked for or the mean of what the target gives, whichever is less.
std::uint32_t expected_output_tokens(std::uint32_t asked_tokens, double output_tokens_mean);

// In USD; negative when the price is not known. `cached_part`: of the input that is expected in the
// provider's cache, 0 to 1.
double expected_usd(const std::optional<config::Prices>& prices, std::uint32_t input_tokens,
                    double output_tokens, double cached_part = 0);

// Finds a head field of the request by lower-case name; empty when there is none.
using HeaderLookup = std::function<std::string_view(std::string_view)>;

// Candidate::is_meant: everything that the condition names holds. `key`: the caller's name, empty for none.
bool is_met(const config::Condition& condition, std::string_view key, const HeaderLookup& header,
            const BodyFacts& facts);

// RequestFacts::affinity: which requests belong together. By session: the header x-session-id, else
// BodyFacts::session; by prompt: BodyFacts::cache_key,
// else the first KiB of its instructions and its prompt. 0: none.
std::uint64_t affinity_of(config::Sticky sticky, std::string_view session_header, const BodyFacts& facts);
// FNV-1a, the same in every process.
std::uint64_t hash_of(std::string_view text);

// How long the first token may take: three times the 99th percentile of its size class, at least 5 s, at most
// the configured time; that time when there are fewer than 100 samples.
std::chrono::milliseconds first_token_timeout(std::chrono::milliseconds configured,
                                              const scoring::LatencyView& times);

// The model that a request goes to when it failed this way at its own (config::Fallbacks); empty: none. What
// another model cannot help (a bad request, no time left, a client that left) has none.
const std::string& fallback_model(const config::Fallbacks& fallbacks, const Error& error);

// The same for an answer that is a refusal.
inline const std::string& fallback_model_for_refusal(const config::Fallbacks& fallbacks) {
  return fallbacks.refusal;
}

}  // namespace switchyard::routing
