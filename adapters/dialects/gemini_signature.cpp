#include "adapters/canonical/signature.h"
#include "adapters/dialects/gemini.h"
#include "adapters/dialects/media.h"

#include <algorithm>

namespace switchyard::google {

namespace {

constexpr std::string_view kRedacted = ".redacted";
constexpr std::string_view kTagBegin = "c3dpdGNoeWFyZC";  // Base64 of "switchyard", in either alphabet.

}  // namespace

std::string standard_base64(std::string_view text) {
  std::string out(text);
  if (out.find_first_of("-_") != std::string::npos) {
    std::ranges::replace(out, '-', '+');
    std::ranges::replace(out, '_', '/');
  }
  while (out.size() % 4 != 0) out += '=';
  return out;
}

std::string to_wire_signature(std::string_view value, std::string_view origin) {
  std::string tagged = tag_signature({std::string(value), std::string(origin)}, kFamily);
  return tagged == value ? tagged : encode_base64(tagged);
}

std::string to_wire_redacted(std::string_view data, std::string_view origin) {
  return to_wire_signature(data, std::string(origin) + std::string(kRedacted));
}

WireSignature from_wire_signature(std::string_view text) {
  // An SDK may have written it anew in the other alphabet.
  if (text == kNoSignature || text == "skip/thought/signature/validator") return {};
  std::string tagged(text);
  if (text.starts_with(kTagBegin)) {
    if (auto decoded = decode_base64(standard_base64(text))) tagged = std::move(*decoded);
  }
  Signature signature = untag_signature(tagged, kFamily);
  WireSignature out{std::move(signature.value), std::move(signature.origin)};
  out.redacted = out.origin.ends_with(kRedacted);
  if (out.redacted) out.origin.resize(out.origin.size() - kRedacted.size());
  return out;
}

}  // namespace switchyard::google
