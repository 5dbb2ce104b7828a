#include "gateway/routing/rate_headers.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace switchyard::routing {

namespace {

using std::chrono::milliseconds;

constexpr double kDayMs = 24 * 3600 * 1000.0;
constexpr std::size_t kNameMax = 48;  // Longer than every known name.

milliseconds from_now(double ms) {
  return milliseconds(static_cast<std::int64_t>(std::clamp(std::ceil(ms), 0.0, kDayMs)));
}

// Takes a number that is not negative off the front; nothing when none stands there.
std::optional<double> take_number(std::string_view& text) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || !(value >= 0) || !std::isfinite(value)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::optional<double> take_unit_ms(std::string_view& text) {
  static constexpr std::pair<std::string_view, double> kUnits[] = {
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", kDayMs}};
  for (const auto& [unit, ms] : kUnits) {
    if (!text.starts_with(unit)) continue;
    text.remove_prefix(unit.size());
    return ms;
  }
  return std::nullopt;
}

// "1m2.5s": numbers, each with its unit.
std::optional<milliseconds> parse_duration(std::string_view text) {
  double sum = 0;
  while (!text.empty()) {
    const auto number = take_number(text);
    const auto unit = number ? take_unit_ms(text) : std::nullopt;
    if (!unit) return std::nullopt;
    sum += *number * *unit;
  }
  return from_now(sum);
}

// Exactly `digits` digits and then, unless it is 0, the character `then`.
std::optional<int> take_digits(std::string_view& text, std::size_t digits, char then) {
  if (text.size() < digits + (then ? 1 : 0)) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  if (then && text[digits] != then) return std::nullopt;
  text.remove_prefix(digits + (then ? 1 : 0));
  return value;
}

// Minutes east of UTC: "Z" or "+02:00", and nothing behind it.
std::optional<int> parse_offset(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
  const int sign = text.front() == '-' ? -1 : 1;
  text.remove_prefix(1);
  const auto hours = take_digits(text, 2, ':');
  const auto minutes = hours ? take_digits(text, 2, 0) : std::nullopt;
  if (!minutes || !text.empty()) return std::nullopt;
  return sign * (*hours * 60 + *minutes);
}

// RFC 3339 5.6, to milliseconds since 1970.
std::optional<double> parse_date(std::string_view text) {
  using namespace std::chrono;
  const auto year_number = take_digits(text, 4, '-');
  const auto month_number = year_number ? take_digits(text, 2, '-') : std::nullopt;
  const auto day_number = month_number ? take_digits(text, 2, 'T') : std::nullopt;
  const auto hour = day_number ? take_digits(text, 2, ':') : std::nullopt;
  const auto minute = hour ? take_digits(text, 2, ':') : std::nullopt;
  const auto second = minute ? take_digits(text, 2, 0) : std::nullopt;
  if (!second) return std::nullopt;
  double fraction = 0;
  if (text.starts_with('.')) {
    const auto taken = take_number(text);
    if (!taken) return std::nullopt;
    fraction = *taken;
  }
  const auto offset = parse_offset(text);
  const year_month_day date(year(*year_number), month(static_cast<unsigned>(*month_number)),
                            day(static_cast<unsigned>(*day_number)));
  if (!offset || !date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const auto minutes = sys_days(date).time_since_epoch() / 1min + *hour * 60 + *minute - *offset;
  return (static_cast<double>(minutes) * 60 + *second + fraction) * 1000;
}

std::optional<milliseconds> parse_plain_number(std::string_view text, std::int64_t wall_ms) {
  const auto value = take_number(text);
  if (!value || !text.empty()) return std::nullopt;
  if (*value >= 1e11) return from_now(*value - static_cast<double>(wall_ms));
  if (*value >= 1e9) return from_now(*value * 1000 - static_cast<double>(wall_ms));
  return from_now(*value * 1000);
}

struct Known {
  std::string_view name;
  RateKind kind;
  bool is_reset;
};

constexpr Known kKnown[] = {
    {"x-ratelimit-remaining-requests", RateKind::requests, false},
    {"x-ratelimit-reset-requests", RateKind::requests, true},
    {"x-ratelimit-remaining-tokens", RateKind::tokens, false},
    {"x-ratelimit-reset-tokens", RateKind::tokens, true},
    {"x-ratelimit-remaining", RateKind::requests, false},
    {"x-ratelimit-reset", RateKind::requests, true},
    {"anthropic-ratelimit-requests-remaining", RateKind::requests, false},
    {"anthropic-ratelimit-requests-reset", RateKind::requests, true},
    {"anthropic-ratelimit-input-tokens-remaining", RateKind::input_tokens, false},
    {"anthropic-ratelimit-input-tokens-reset", RateKind::input_tokens, true},
    {"anthropic-ratelimit-output-tokens-remaining", RateKind::output_tokens, false},
    {"anthropic-ratelimit-output-tokens-reset", RateKind::output_tokens, true},
};

}  // namespace

bool RateHeaders::empty() const {
  return std::ranges::none_of(kinds, [](const Left& left) { return left.count.has_value(); });
}

std::optional<milliseconds> parse_reset(std::string_view text, std::int64_t wall_ms) {
  if (const auto plain = parse_plain_number(text, wall_ms)) return plain;
  if (const auto date = parse_date(text)) return from_now(*date - static_cast<double>(wall_ms));
  return text.empty() ? std::nullopt : parse_duration(text);
}

void read_rate_header(std::string_view name, std::string_view value, std::int64_t wall_ms,
                      RateHeaders& headers) {
  if (name.size() < std::string_view("x-ratelimit-reset").size() || name.size() > kNameMax) return;
  const char first = static_cast<char>(name.front() | 0x20);
  if (first != 'x' && first != 'a') return;  // Nearly every other field of a head.
  std::array<char, kNameMax> lower{};
  std::ranges::transform(name, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const std::string_view wanted(lower.data(), name.size());
  const auto known = std::ranges::find(kKnown, wanted, &Known::name);
  if (known == std::end(kKnown)) return;
  RateHeaders::Left& left = headers.of(known->kind);
  if (known->is_reset) {
    if (const auto reset = parse_reset(value, wall_ms)) left.reset = reset;
    return;
  }
  const auto count = take_number(value);
  if (count && value.empty()) left.count = count;
}

}  // namespace switchyard::routing
