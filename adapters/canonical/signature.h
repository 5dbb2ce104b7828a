#pragma once

#include <string>
#include <string_view>

namespace switchyard {

// An opaque signature and whose it is: a Dialect::family().
struct Signature {
  std::string value, origin;
};

// What a client of `family` is given for a signature made by `signature.origin`, so that it comes back whole:
// its own family's as it is, a foreign one with a tag that names its origin. The tag keeps to the alphabet of
// base64, which some clients check.
std::string tag_signature(const Signature& signature, std::string_view family);
// The inverse, for what a client of `family` sent back: without a tag it is the family's own.
Signature untag_signature(std::string_view text, std::string_view family);

}  // namespace switchyard
