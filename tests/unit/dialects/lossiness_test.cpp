// What each dialect loses on its way to each provider, field by field: docs/lossiness.md is made of this, so
// it says what the code does. The fields are in tests/lossiness/. UPDATE_GOLDEN=1 writes the page anew; read
// the difference before keeping it.
#include "adapters/dialects/dialect.h"
#include "config/provider_types.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

namespace switchyard {
namespace {

using nlohmann::json;

const std::string kRoot = SWITCHYARD_SOURCE_DIR;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Column {
  const char *dialect, *provider, *model;
};

constexpr Column kColumns[] = {
    {"openai_chat", "openai", "gpt-4.1"},
    {"openai_responses", "openai", "gpt-4.1"},
    {"anthropic_messages", "anthropic", "claude-sonnet-4-5"},
    {"gemini", "gemini", "gemini-2.5-pro"},
    {"bedrock_converse", "bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"},
    {"cohere_chat", "cohere", "command-a-03-2025"},
};

struct Outcome {
  std::string body;
  std::set<std::string> dropped;
  std::string error;  // The field that a 400 names, or "-".
};

Outcome write(const Dialect& caller, const json& request, const Column& column) {
  auto parsed = caller.parse_request(request.dump());
  if (!parsed) return {{}, {}, parsed.error().param.empty() ? "-" : parsed.error().param};
  if (parsed->model.empty()) parsed->model = "m";
  const auto written =
      find_dialect(column.dialect)
          ->write_request(*parsed, target_traits(*find_provider_type(column.provider), column.model));
  if (!written) return {{}, {}, written.error().param.empty() ? "-" : written.error().param};
  return {written->body, {written->dropped.begin(), written->dropped.end()}, {}};
}

// One cell, or what is wrong with it.
std::string cell(const Outcome& base, const Outcome& with, const std::string& note, bool& is_silent) {
  if (!with.error.empty()) return "400";
  std::set<std::string> named;
  std::ranges::set_difference(with.dropped, base.dropped, std::inserter(named, named.end()));
  const bool changed = with.body != base.body;
  if (!named.empty()) return changed ? "in part, named" : "named";
  if (changed) return "kept";
  is_silent = note.empty();
  return "-";
}

TEST(Lossiness, ThePageSaysWhatTheCodeDoes) {
  std::string page = read_file(kRoot + "/tests/lossiness/head.md");
  ASSERT_FALSE(page.empty());
  for (const char* name : {"openai_chat", "openai_responses", "anthropic_messages", "gemini"}) {
    const json table = json::parse(read_file(kRoot + "/tests/lossiness/" + name + ".json"));
    const Dialect& caller = *find_dialect(name);
    page += "\n## From " + std::string(name) + "\n\n| field |";
    std::string rule = "\n|---|";
    for (const Column& column : kColumns) {
      if (column.dialect == caller.name()) continue;
      page += std::string(" ") + column.dialect + " |";
      rule += "---|";
    }
    page += rule + "\n";
    std::vector<std::string> notes;
    for (const json& row : table["fields"]) {
      const std::string field = row[0];
      const std::string note = row.size() > 2 ? row[2].get<std::string>() : std::string();
      json request = table["base"];
      request.merge_patch(row[1]);
      page += "| " + field + " |";
      for (const Column& column : kColumns) {
        if (column.dialect == caller.name()) continue;
        bool is_silent = false;
        json plain = table["base"];
        if (row.size() > 3)
          plain.merge_patch(row[3]);  // The same conversation without what the row is about.
        const Outcome base = write(caller, plain, column);
        ASSERT_EQ(base.error, "") << column.dialect;
        const std::string text = cell(base, write(caller, request, column), note, is_silent);
        EXPECT_FALSE(is_silent) << name << " to " << column.dialect << ": " << field
                                << " is lost in silence; name it, refuse it, or say here why nothing is lost";
        page += " " + text + (text == "-" ? "[^" + std::to_string(notes.size() + 1) + "]" : "") + " |";
      }
      page += "\n";
      if (!note.empty()) notes.push_back(note);
    }
    page += "\n";
    for (std::size_t i = 0; i < notes.size(); ++i) {
      page += std::to_string(i + 1) + ". " + notes[i] + "\n";
    }
  }
  std::string plain;
  for (std::size_t i = 0; i < page.size(); ++i) {  // "-[^3]" reads "- (3)".
    if (page.compare(i, 2, "[^") == 0) {
      const auto end = page.find(']', i);
      plain += " (" + page.substr(i + 2, end - i - 2) + ")";
      i = end;
    } else {
      plain += page[i];
    }
  }
  const std::string path = kRoot + "/docs/lossiness.md";
  if (std::getenv("UPDATE_GOLDEN")) std::ofstream(path, std::ios::binary) << plain;
  EXPECT_EQ(read_file(path), plain) << "docs/lossiness.md is stale: run this test with UPDATE_GOLDEN=1";
}

}  // namespace
}  // namespace switchyard
