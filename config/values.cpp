#include "config/values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace switchyard::config {

namespace {

using std::chrono::milliseconds;

template <class T>
std::optional<T> parse_whole(std::string_view text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

// Digits and a unit; nothing when the product is over `max`.
std::optional<std::int64_t> parse_with_unit(std::string_view text, std::initializer_list<Unit> units,
                                            std::int64_t max) {
  const auto digits = text.substr(0, text.find_first_not_of("0123456789"));
  const auto count = parse_whole<std::int64_t>(digits);
  if (!count) return std::nullopt;
  for (const Unit& unit : units) {
    if (text.substr(digits.size()) != unit.name) continue;
    if (*count > max / unit.factor) return std::nullopt;
    return *count * unit.factor;
  }
  return std::nullopt;
}

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_host_name(std::string_view text) {
  return !text.empty() && text.size() <= 253 && is_alphanumeric(text.front()) && text.back() != '-' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alphanumeric(c) || c == '-' || c == '.' || c == '_'; });
}

bool is_ipv6(std::string_view text) {
  in6_addr address;
  return inet_pton(AF_INET6, std::string(text).c_str(), &address) == 1;
}

// Splits "host:port", "[v6]:port", "host". Nothing when it is neither.
struct HostPort {
  std::string_view host, port;
  bool has_port = false;
};

std::optional<HostPort> split_host_port(std::string_view text) {
  HostPort result;
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    result.host = text.substr(1, end - 1);
    if (!is_ipv6(result.host)) return std::nullopt;
    rest = text.substr(end + 1);
  } else {
    const auto colon = text.find(':');
    result.host = text.substr(0, colon);
    if (!is_host_name(result.host)) return std::nullopt;
    rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
  }
  if (rest.empty()) return result;
  if (!rest.starts_with(':')) return std::nullopt;
  result.port = rest.substr(1);
  result.has_port = true;
  return result;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  return parse_whole<std::uint16_t>(text);
}

bool is_path(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%') {
      const auto is_hex = [&](std::size_t at) {
        return at < text.size() && std::isxdigit(static_cast<unsigned char>(text[at]));
      };
      if (!is_hex(i + 1) || !is_hex(i + 2)) return false;
    } else if (!is_alphanumeric(c) &&
               std::string_view("/-._~!$&'()*+,;=:@").find(c) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

bool is_private_ipv4(const in_addr& address) {
  const std::uint32_t ip = ntohl(address.s_addr);
  return ip >> 24 == 127 || ip >> 24 == 10 || ip >> 20 == 0xac1 || ip >> 16 == 0xc0a8 || ip >> 16 == 0xa9fe;
}

bool is_private_ipv6(const in6_addr& address) {
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    in_addr v4;
    std::copy_n(address.s6_addr + 12, 4, reinterpret_cast<unsigned char*>(&v4.s_addr));
    return is_private_ipv4(v4);
  }
  return IN6_IS_ADDR_LOOPBACK(&address) || IN6_IS_ADDR_LINKLOCAL(&address) ||
         (address.s6_addr[0] & 0xfe) == 0xfc;
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
  return parse_whole<std::int64_t>(text);
}

std::optional<double> parse_number(std::string_view text) {
  // Only what JSON and YAML agree on: from_chars would also take "inf" and "nan".
  if (text.find_first_not_of("0123456789.-+eE") != std::string_view::npos) return std::nullopt;
  const auto value = parse_whole<double>(text);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::optional<milliseconds> parse_duration(std::string_view text, milliseconds max) {
  const auto ms =
      parse_with_unit(text, {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}}, max.count());
  return ms ? std::optional<milliseconds>(*ms) : std::nullopt;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto bytes =
      parse_with_unit(text, {{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}, std::int64_t{64} << 30);
  return bytes ? std::optional<std::uint64_t>(*bytes) : std::nullopt;
}

std::optional<double> parse_percent(std::string_view text) {
  if (!text.ends_with('%')) return std::nullopt;
  const auto value = parse_number(text.substr(0, text.size() - 1));
  if (!value || *value < 0 || *value > 100) return std::nullopt;
  return *value / 100;
}

std::optional<double> parse_percentile(std::string_view text) {
  if (!text.starts_with('p')) return std::nullopt;
  const auto percent = parse_whole<unsigned>(text.substr(1));
  if (!percent || *percent < 50 || *percent > 99) return std::nullopt;
  return *percent / 100.0;
}

std::optional<Address> parse_address(std::string_view text) {
  const auto parts = split_host_port(text);
  if (!parts || !parts->has_port) return std::nullopt;
  const auto port = parse_port(parts->port);
  if (!port) return std::nullopt;
  return Address{std::string(parts->host), *port};
}

BaseUrlOrFault parse_base_url(std::string_view text) {
  BaseUrl url;
  url.secure = text.starts_with("https://");
  if (!url.secure && !text.starts_with("http://")) return {{}, "must begin with http:// or https://"};
  const std::string_view scheme = text.substr(0, url.secure ? 8 : 7);
  text.remove_prefix(scheme.size());
  while (text.ends_with('/')) text.remove_suffix(1);
  url.text = std::string(scheme) + std::string(text);
  if (text.find('?') != std::string_view::npos) return {{}, "must not have a query (?...)"};
  if (text.find('#') != std::string_view::npos) return {{}, "must not have a fragment (#...)"};
  const auto slash = std::min(text.find('/'), text.size());
  const auto authority = text.substr(0, slash);
  if (authority.find('@') != std::string_view::npos)
    return {{}, "must not have a user or password: use api_key"};
  const auto parts = split_host_port(authority);
  if (!parts) return {{}, "has no valid host"};
  if (parts->has_port && parse_port(parts->port).value_or(0) == 0) return {{}, "has no valid port"};
  if (!is_path(text.substr(slash))) return {{}, "has a path with characters that a URL cannot hold"};
  url.host = std::string(parts->host);
  return {std::move(url), {}};
}

bool is_private_host(std::string_view host) {
  std::string name(host);
  in_addr v4;
  if (inet_pton(AF_INET, name.c_str(), &v4) == 1) return is_private_ipv4(v4);
  in6_addr v6;
  if (inet_pton(AF_INET6, name.c_str(), &v6) == 1) return is_private_ipv6(v6);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (name.find('.') == std::string::npos) return true;
  constexpr std::array<std::string_view, 7> kSuffixes{".localhost", ".local", ".internal", ".svc",
                                                      ".lan",       ".test",  ".home.arpa"};
  return std::any_of(kSuffixes.begin(), kSuffixes.end(), [&](auto suffix) { return name.ends_with(suffix); });
}

bool is_plain_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alphanumeric(c) || c == '.' || c == '_' || c == '-';
  });
}

bool is_field_text(std::string_view text, std::size_t length_max) {
  return !text.empty() && text.size() <= length_max &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace switchyard::config
