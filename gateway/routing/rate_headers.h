#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace switchyard::routing {

// What a provider limits.
enum class RateKind { requests, tokens, input_tokens, output_tokens };
inline constexpr int kRateKinds = 4;

// What one reply's head says is left of each limit, and in how long the limit is full again.
struct RateHeaders {
  struct Left {
    std::optional<double> count;
    std::optional<std::chrono::milliseconds> reset;  // From the reply; without one: a minute.
  };

  std::array<Left, kRateKinds> kinds;

  Left& of(RateKind kind) { return kinds[static_cast<std::size_t>(kind)]; }

  const Left& of(RateKind kind) const { return kinds[static_cast<std::size_t>(kind)]; }

  bool empty() const;
};

// Reads one head field into `headers`; one that says nothing of limits is ignored, and so is a value that
// cannot be read. The name in any case. Known are
//   x-ratelimit-remaining-{requests,tokens}, x-ratelimit-reset-{requests,tokens}     OpenAI, Azure, Groq, ...
//   anthropic-ratelimit-{requests,input-tokens,output-tokens}-{remaining,reset}
//   x-ratelimit-remaining, x-ratelimit-reset: requests                               OpenRouter, ...
// (anthropic-ratelimit-tokens-* repeats the tighter of the other two.) `wall_ms`: now, for resets that are
// dates. Retry-After is not among them: it comes with the error, and SharedHealth waits for it.
void read_rate_header(std::string_view name, std::string_view value, std::int64_t wall_ms,
                      RateHeaders& headers);

// The time from now until a reset: "1s", "6m0s", "1m2.5s", "17ms", plain seconds, seconds or milliseconds
// since 1970, or a time of RFC 3339 ("2026-07-01T12:00:00Z", "...+02:00"). Nothing for anything else. What is
// past is 0; nothing is longer than a day.
std::optional<std::chrono::milliseconds> parse_reset(std::string_view text, std::int64_t wall_ms);

}  // namespace switchyard::routing
