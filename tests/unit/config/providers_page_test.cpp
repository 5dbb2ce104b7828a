// docs/providers.md has a line for every row of the table, made of the row. UPDATE_DOCS=1 writes it anew.
#include "config/provider_types.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

namespace switchyard {
namespace {

constexpr const char* kPage = SWITCHYARD_SOURCE_DIR "/docs/providers.md";

std::string code(std::string_view text) {
  return "`" + std::string(text) + "`";
}

void append(std::string& list, const std::string& item, std::string_view between = ", ") {
  if (!list.empty()) list += between;
  list += item;
}

std::string variables(const ProviderType& type) {
  std::string list;
  if (!type.key_environment.empty()) append(list, code(type.key_environment));
  std::string others;
  for (const auto& [field, variable] : type.environment) append(others, code(variable));
  if (!others.empty()) append(list, others, "; ");
  return list.empty() ? "none" : list;
}

std::string dialects(const ProviderType& type) {
  std::string list;
  for (const Surface& surface : type.surfaces) {
    std::string item = code(surface.dialect);
    std::string models;
    for (const std::string& model : surface.models) append(models, code(model));
    if (!models.empty()) item += " (" + models + ")";
    append(list, item);
  }
  return list.empty() ? "in this process" : list;
}

std::string auth(const ProviderType& type) {
  static constexpr std::string_view kTexts[] = {"none",
                                                "`Authorization: Bearer`",
                                                "`x-api-key`",
                                                "`api-key`",
                                                "`x-goog-api-key`",
                                                "`api-key`, or an Entra token",
                                                "a token of a service account",
                                                "SigV4, or `Authorization: Bearer`"};
  std::string text(kTexts[static_cast<std::size_t>(type.auth)]);
  return type.key_optional ? text + ", optional" : text;
}

std::string differences(const Quirks& quirks) {
  std::string list;
  const TargetTraits plain;
  for (const SwitchQuirk& quirk : switch_quirks()) {
    const auto& value = quirks.*quirk.member;
    if (value && *value != plain.*quirk.trait)
      append(list, (*value ? std::string() : std::string("no ")) + code(quirk.name));
  }
  if (quirks.reasoning_control) {
    append(list, "reasoning by " +
                     std::string(kReasoningControls[static_cast<std::size_t>(*quirks.reasoning_control)]));
  }
  if (quirks.seed_field)
    append(list, quirks.seed_field->empty() ? "no `seed`" : "the seed is " + code(*quirks.seed_field));
  std::string refused;
  for (const std::string& name : quirks.refused) append(refused, code(name));
  if (!refused.empty()) append(list, "refuses " + refused);
  return list;
}

std::string line(const ProviderType& type) {
  std::string last = differences(type.quirks);
  if (type.rewrite) append(last, "always written anew", "; ");
  bool by_model = false;
  for (const ModelRow& row : type.models) by_model |= !row.quirks.empty();
  if (by_model) append(last, "more by model", "; ");
  return "| " + code(type.name) + " | " + variables(type) + " | " +
         (type.base_url.empty() ? std::string("of the configuration") : code(type.base_url)) + " | " +
         dialects(type) + " | " + auth(type) + " | " + last + " |\n";
}

TEST(ProvidersPage, HasALineForEveryRow) {
  std::string table =
      "| type | variables | address | dialects | key | differences |\n|---|---|---|---|---|---|\n";
  for (const ProviderType& type : provider_types()) table += line(type);
  std::ifstream file(kPage);
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  const std::size_t mark = page.find("<!-- providers:");
  const std::size_t end = page.find("<!-- end of providers -->");
  ASSERT_TRUE(mark != std::string::npos && end != std::string::npos && mark < end);
  const std::size_t begin = page.find('\n', mark) + 1;
  if (page.substr(begin, end - begin) == table) return;
  ASSERT_NE(std::getenv("UPDATE_DOCS"), nullptr)
      << "docs/providers.md is stale: run this test with UPDATE_DOCS=1";
  std::ofstream(kPage) << page.substr(0, begin) << table << page.substr(end);
}

}  // namespace
}  // namespace switchyard
