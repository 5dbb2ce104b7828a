#include "gateway/routing/facts.h"

#include "adapters/providers/provider.h"

#include <algorithm>
#include <cmath>

namespace switchyard::routing {

namespace {

constexpr std::size_t kBytesPerToken = 4;
constexpr std::size_t kMediaBytesMin = 256;  // A shorter string is counted as text.
constexpr std::uint32_t kMediaTokens = 1'000;
constexpr std::size_t kPrefixBytes = 1'024;  // Of a prompt, for its affinity.
constexpr double kEstimateError = 0.75;
constexpr std::uint32_t kTimeoutSamplesMin = 100;

struct Media {
  std::size_t bytes = 0;
  std::uint32_t count = 0;
};

// The strings of base64 behind a marker: of data URLs, and of members named `data`.
void add_media(std::string_view body, std::string_view marker, bool is_member, Media& media) {
  for (std::size_t at = body.find(marker); at != std::string_view::npos; at = body.find(marker, at)) {
    at += marker.size();
    if (is_member) {
      at = body.find_first_not_of(" \t\r\n:", at);
      if (at == std::string_view::npos) return;
      if (body[at] != '"') continue;
      ++at;
    }
    const std::size_t end = std::min(body.find('"', at), body.size());
    if (end - at < kMediaBytesMin || body.substr(at, kMediaBytesMin).find(' ') != std::string_view::npos)
      continue;
    media.bytes += end - at;
    media.count += 1;
    at = end;
  }
}

bool fits(const std::string& pattern, std::string_view value) {
  return matches_model(pattern, value);
}

}  // namespace

std::uint32_t estimate_input_tokens(std::string_view body) {
  Media media;
  if (body.size() >= kMediaBytesMin) {
    add_media(body, ";base64,", false, media);
    add_media(body, "\"data\"", true, media);
  }
  return static_cast<std::uint32_t>((body.size() - media.bytes) / kBytesPerToken) +
         media.count * kMediaTokens;
}

bool has_room(std::uint32_t input_tokens, std::int64_t context_tokens) {
  return context_tokens <= 0 || kEstimateError * input_tokens <= static_cast<double>(context_tokens);
}

std::uint32_t expected_output_tokens(std::uint32_t asked_tokens, double output_tokens_mean) {
  const auto mean = static_cast<std::uint32_t>(std::lround(std::clamp(output_tokens_mean, 0.0, 1e9)));
  if (mean == 0) return asked_tokens;
  return asked_tokens == 0 ? mean : std::min(asked_tokens, mean);
}

double expected_usd(const std::optional<config::Prices>& prices, std::uint32_t input_tokens,
                    double output_tokens, double cached_part) {
  if (!prices) return -1;
  const double input = (1 - cached_part) * prices->input + cached_part * prices->cached;
  return (input_tokens * input + output_tokens * prices->output) / 1e6;
}

bool is_met(const config::Condition& condition, std::string_view key, const HeaderLookup& header,
            const BodyFacts& facts) {
  if (!condition.keys.empty() && std::ranges::find(condition.keys, key) == condition.keys.end()) return false;
  for (const auto& [name, pattern] : condition.headers) {
    if (!fits(pattern, header(name))) return false;
  }
  for (const auto& [name, pattern] : condition.metadata) {
    const auto found =
        std::ranges::find_if(facts.metadata, [&](const auto& member) { return member.first == name; });
    if (found == facts.metadata.end() || !fits(pattern, found->second)) return false;
  }
  if (facts.input_tokens < condition.input_tokens_min) return false;
  if (condition.input_tokens_max > 0 && facts.input_tokens > condition.input_tokens_max) return false;
  const auto is = [](const std::optional<bool>& wanted, bool value) { return !wanted || *wanted == value; };
  return is(condition.tools, facts.has_tools) && is(condition.images, facts.has_images) &&
         is(condition.json, facts.wants_json) && is(condition.stream, facts.stream);
}

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325u;  // http://www.isthe.com/chongo/tech/comp/fnv/
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

std::uint64_t affinity_of(config::Sticky sticky, std::string_view session_header, const BodyFacts& facts) {
  switch (sticky) {
    case config::Sticky::none:
      return 0;
    case config::Sticky::session: {
      const std::string_view session = session_header.empty() ? facts.session : session_header;
      return session.empty() ? 0 : hash_of(session);
    }
    case config::Sticky::prompt: {
      if (!facts.cache_key.empty()) return hash_of(facts.cache_key);
      const std::string_view begin = facts.instructions.substr(0, kPrefixBytes);
      const std::string_view rest = facts.prompt.substr(0, kPrefixBytes - begin.size());
      if (begin.empty() && rest.empty()) return 0;
      return hash_of(begin) ^ (hash_of(rest) * 0x9e3779b97f4a7c15u);
    }
  }
  return 0;
}

std::chrono::milliseconds first_token_timeout(std::chrono::milliseconds configured,
                                              const scoring::LatencyView& times) {
  using std::chrono::milliseconds;
  if (times.samples < kTimeoutSamplesMin || times.ttft_ms_p99 <= 0) return configured;
  const milliseconds usual(static_cast<std::int64_t>(std::ceil(3.0 * times.ttft_ms_p99)));
  return std::min(configured, std::max(usual, milliseconds(5'000)));
}

const std::string& fallback_model(const config::Fallbacks& fallbacks, const Error& error) {
  static const std::string none;
  switch (error.kind) {
    case ErrorKind::context_too_long:
      return fallbacks.context_too_long;
    case ErrorKind::unsupported:
    case ErrorKind::credential:
    case ErrorKind::quota:
    case ErrorKind::rate_limited:
    case ErrorKind::overloaded:
    case ErrorKind::provider_error:
    case ErrorKind::unreachable:
    case ErrorKind::bad_reply:
    case ErrorKind::connect_timeout:
    case ErrorKind::first_token_timeout:
    case ErrorKind::between_tokens_timeout:
    case ErrorKind::unavailable:
    case ErrorKind::exhausted:
      return fallbacks.failure;
    case ErrorKind::invalid_request:
    case ErrorKind::invalid_key:
    case ErrorKind::forbidden:
    case ErrorKind::not_found:
    case ErrorKind::method_not_allowed:
    case ErrorKind::too_large:
    case ErrorKind::limited:
    case ErrorKind::total_timeout:
    case ErrorKind::cancelled:
    case ErrorKind::internal:
      return none;
  }
  return none;
}

}  // namespace switchyard::routing
