#include "adapters/providers/provider.h"

#include <algorithm>

namespace switchyard {

namespace {

using Auth = ProviderType::Auth;

constexpr std::string_view kOpenAiForwarded[] = {"openai-organization", "openai-project", "openai-beta",
                                                 "idempotency-key", "x-client-request-id"};
constexpr std::string_view kAnthropicForwarded[] = {"anthropic-version", "anthropic-beta"};

// The version whose requests may carry sampling parameters, which a translated request does.
constexpr std::string_view kAnthropicVersion = "2023-06-01";

bool fits_any(const std::vector<std::string>& patterns, std::string_view model) {
  return std::ranges::any_of(patterns,
                             [&](const std::string& pattern) { return matches_model(pattern, model); });
}

bool is_anthropic(std::string_view dialect) {
  return dialect == "anthropic_messages" || dialect == "anthropic_count_tokens";
}

}  // namespace

bool Surface::serves(std::string_view model) const {
  return models.empty() || fits_any(models, model);
}

const Surface* ProviderType::find_surface(std::string_view dialect, std::string_view model) const {
  const auto found = std::ranges::find_if(
      surfaces, [&](const Surface& surface) { return surface.dialect == dialect && surface.serves(model); });
  return found != surfaces.end() ? &*found : nullptr;
}

const Surface* ProviderType::find_surface(std::string_view dialect) const {
  const auto found = std::ranges::find(surfaces, dialect, &Surface::dialect);
  return found != surfaces.end() ? &*found : nullptr;
}

// Greedy with one point to return to: linear in practice, |pattern| * |name| at worst.
bool matches_model(std::string_view pattern, std::string_view name) {
  std::size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p, ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

TargetTraits target_traits(const ProviderType& type, std::string_view model) {
  TargetTraits traits;
  traits.model = std::string(model);
  type.quirks.apply(traits);
  for (const ModelRow& row : type.models) {
    if (fits_any(row.match, model)) row.quirks.apply(traits);
  }
  return traits;
}

ModelRow model_facts(const ProviderType& type, std::string_view model) {
  ModelRow facts;
  facts.match = {std::string(model)};
  for (const ModelRow& row : type.models) {
    if (!fits_any(row.match, model)) continue;
    facts.quirks.merge(row.quirks);
    if (row.context_tokens) facts.context_tokens = row.context_tokens;
    if (row.max_output_tokens) facts.max_output_tokens = row.max_output_tokens;
    if (row.usd_per_mtok_in) facts.usd_per_mtok_in = row.usd_per_mtok_in;
    if (row.usd_per_mtok_out) facts.usd_per_mtok_out = row.usd_per_mtok_out;
    if (row.usd_per_mtok_cached) facts.usd_per_mtok_cached = row.usd_per_mtok_cached;
  }
  return facts;
}

std::string request_path(std::string_view path, std::string_view model) {
  constexpr std::string_view kModel = "{model}";
  const auto at = path.find(kModel);
  if (at == std::string_view::npos) return std::string(path);
  std::string out(path.substr(0, at));
  for (const char c : model) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    if (plain) {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out += path.substr(at + kModel.size());
}

std::span<const std::string_view> forwarded_headers(const ProviderType& type, std::string_view dialect) {
  if (is_anthropic(dialect)) return kAnthropicForwarded;
  if (type.name == "openai") return kOpenAiForwarded;
  return {};
}

Headers request_headers(const ProviderType& type, std::string_view dialect, std::string_view api_key,
                        const Headers& from_caller) {
  Headers headers{{"content-type", "application/json"}, {"user-agent", "switchyard"}};
  if (!api_key.empty()) {
    switch (type.auth) {
      case Auth::bearer:
      case Auth::aws:
        headers.emplace_back("authorization", "Bearer " + std::string(api_key));
        break;
      case Auth::x_api_key:
        headers.emplace_back("x-api-key", api_key);
        break;
      case Auth::api_key:
      case Auth::entra:
        headers.emplace_back("api-key", api_key);
        break;
      case Auth::x_goog_api_key:
        headers.emplace_back("x-goog-api-key", api_key);
        break;
      case Auth::google:
      case Auth::none:
        break;
    }
  }
  headers.insert(headers.end(), from_caller.begin(), from_caller.end());
  const auto has_version = [](const auto& field) { return field.first == "anthropic-version"; };
  if (is_anthropic(dialect) && std::ranges::none_of(headers, has_version)) {
    headers.emplace_back("anthropic-version", kAnthropicVersion);
  }
  return headers;
}

}  // namespace switchyard
