#include "adapters/canonical/signature.h"

namespace switchyard {

namespace {

constexpr std::string_view kTag = "switchyard/";

}  // namespace

std::string tag_signature(const Signature& signature, std::string_view family) {
  if (signature.value.empty() || signature.origin.empty() || signature.origin == family) {
    return signature.value;
  }
  return std::string(kTag) + signature.origin + "/" + signature.value;
}

Signature untag_signature(std::string_view text, std::string_view family) {
  if (text.empty()) return {};
  if (!text.starts_with(kTag)) return {std::string(text), std::string(family)};
  const std::string_view rest = text.substr(kTag.size());
  const auto slash = rest.find('/');
  if (slash == std::string_view::npos) return {std::string(text), std::string(family)};
  return {std::string(rest.substr(slash + 1)), std::string(rest.substr(0, slash))};
}

}  // namespace switchyard
