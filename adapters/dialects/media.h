#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace switchyard {

// The parts of "data:image/png;base64,AAAA" (RFC 2397); nothing for another URL or another encoding.
struct DataUrl {
  std::string_view media_type, data;
};

std::optional<DataUrl> parse_data_url(std::string_view url);
std::string make_data_url(std::string_view media_type, std::string_view data);

// Base64 of RFC 4648 4, padding optional on the way in; nothing for what is not.
std::optional<std::string> decode_base64(std::string_view text);
std::string encode_base64(std::string_view bytes);

}  // namespace switchyard
