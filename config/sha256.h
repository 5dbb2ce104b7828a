#pragma once

#include <array>
#include <string>
#include <string_view>

namespace switchyard::config {

using Digest = std::array<unsigned char, 32>;

Digest sha256(std::string_view bytes);
std::string to_hex(const Digest& digest);

}  // namespace switchyard::config
