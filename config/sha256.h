#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::config {

using Digest = std::array<unsigned char, 32>;

Digest sha256(std::string_view bytes);
std::string to_hex(const Digest& digest);
// 64 hexadecimal digits; nothing when they are not.
std::optional<Digest> from_hex(std::string_view text);

}  // namespace switchyard::config
