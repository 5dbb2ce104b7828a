#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard {

using Digest = std::array<unsigned char, 32>;

Digest sha256(std::string_view bytes);
// HMAC (RFC 2104) with SHA-256; the key may have any length.
Digest hmac_sha256(std::string_view key, std::string_view message);

std::string to_hex(const Digest& digest);
// 64 hexadecimal digits; nothing when they are not.
std::optional<Digest> from_hex(std::string_view text);

}  // namespace switchyard
