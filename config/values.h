#pragma once

#include "config/config.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::config {

// The texts of values, read strictly: the whole text or nothing.

std::optional<std::int64_t> parse_integer(std::string_view text);  // Decimal digits, an optional sign.
std::optional<double> parse_number(std::string_view text);         // 2, 0.5; finite.
inline constexpr std::chrono::hours kLongestDuration{8760};
std::optional<std::chrono::milliseconds> parse_duration(
    std::string_view text, std::chrono::milliseconds max = std::chrono::hours(24));  // 250ms, 2s, 10m, 1h.
std::optional<std::uint64_t> parse_size(std::string_view text);  // 64KiB, 32MiB, 1GiB; at most 64 GiB.
std::optional<double> parse_percent(std::string_view text);      // 20% is 0.2; at most 100%.
std::optional<double> parse_percentile(std::string_view text);   // p95 is 0.95; p50 to p99.
std::optional<Address> parse_address(std::string_view text);     // 127.0.0.1:8080, [::1]:8080, host:8080.

// The address of a provider, in parts.
struct BaseUrl {
  bool secure = false;
  std::string host;  // Without brackets.
  std::string text;  // The whole, without trailing slashes.
};

struct BaseUrlOrFault {
  std::optional<BaseUrl> url;
  std::string fault;  // What is wrong with it, in words that do not quote it.
};

BaseUrlOrFault parse_base_url(std::string_view text);

// True for a loopback, private or link-local address, and for a name that only a private network resolves
// (one label, .local, .internal, .svc, ...).
bool is_private_host(std::string_view host);

// True for 1 to 64 of letters, digits and ._- : what a provider or a key may be called (it becomes a label
// and a field of a reply's head).
bool is_plain_name(std::string_view text);
// True for 1 to 256 visible ASCII characters: what may stand in an HTTP field.
bool is_field_text(std::string_view text, std::size_t length_max = 256);

}  // namespace switchyard::config
