#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace switchyard::routing {

// What one reply's head says is left of a rate limit: of requests and of tokens, each until its limit is full
// again, counted from the reply. Of several limits of one kind (a provider's for input and for output), the
// one with the least left.
struct RateHeaders {
  struct Left {
    double count = 0;
    std::chrono::milliseconds reset{0};
  };

  std::optional<double> requests_left, tokens_left;
  std::optional<std::chrono::milliseconds> requests_reset, tokens_reset;

  bool empty() const { return !requests_left && !tokens_left; }

  // Without a reset a limit is taken to be one of a minute.
  std::optional<Left> requests() const;
  std::optional<Left> tokens() const;
};

// Reads one head field into `headers`; one that says nothing of limits is ignored, and so is a value that
// cannot be read. The name in any case. Known are
//   x-ratelimit-remaining-{requests,tokens}, x-ratelimit-reset-{requests,tokens}     OpenAI, Groq, ...
//   anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{remaining,reset}
//   x-ratelimit-remaining, x-ratelimit-reset                                         OpenRouter, ...
// `wall_ms`: now, for resets that are dates.
void read_rate_header(std::string_view name, std::string_view value, std::int64_t wall_ms,
                      RateHeaders& headers);

// The time from now until a reset: "1s", "6m0s", "1m2.5s", "17ms", plain seconds, seconds or milliseconds
// since 1970, or a time of RFC 3339 ("2026-07-01T12:00:00Z", "...+02:00"). Nothing for anything else. What is
// past is 0; nothing is longer than a day.
std::optional<std::chrono::milliseconds> parse_reset(std::string_view text, std::int64_t wall_ms);

}  // namespace switchyard::routing
