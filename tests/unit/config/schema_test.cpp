// Holds switchyard.schema.json and docs/configuration.md to the loader: the same fields at every level, of
// the same types; and on files, good and bad, the same verdict.
#include "config/check.h"
#include "config/load.h"
#include "config/values.h"
#include "tests/unit/config/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

namespace switchyard::config {
namespace {

using Json = nlohmann::json;

std::string read_file(const std::string& path) {
  std::ifstream file(SWITCHYARD_SOURCE_DIR "/" + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

const Json& schema() {
  static const Json kSchema = Json::parse(read_file("config/switchyard.schema.json"));
  return kSchema;
}

const Json& resolved(const Json& node) {
  return node.contains("$ref") ? schema().at(Json::json_pointer(node.at("$ref").get<std::string>().substr(1)))
                               : node;
}

// As much of JSON Schema as the file uses; an unknown keyword fails the test.
bool validates(const Json& value, const Json& node) {
  static const std::set<std::string> kNotes{"$schema", "$defs", "title", "description", "properties"};
  for (const auto& [keyword, rule] : node.items()) {
    bool holds = true;
    if (keyword == "$ref") {
      holds = validates(value, resolved(node));
    } else if (keyword == "type") {
      const bool is_integer = value.is_number_integer();
      holds = rule == value.type_name() || (rule == "integer" && is_integer);
    } else if (keyword == "const") {
      holds = value == rule;
    } else if (keyword == "enum") {
      holds = std::find(rule.begin(), rule.end(), value) != rule.end();
    } else if (keyword == "anyOf") {
      holds = std::any_of(rule.begin(), rule.end(), [&](const Json& one) { return validates(value, one); });
    } else if (keyword == "pattern") {
      holds = !value.is_string() ||
              std::regex_search(value.get<std::string>(), std::regex(rule.get<std::string>()));
    } else if (keyword == "minimum") {
      holds = !value.is_number() || value >= rule;
    } else if (keyword == "maximum") {
      holds = !value.is_number() || value <= rule;
    } else if (keyword == "minLength") {
      holds = !value.is_string() || value.get<std::string>().size() >= rule;
    } else if (keyword == "minItems") {
      holds = !value.is_array() || value.size() >= rule;
    } else if (keyword == "minProperties") {
      holds = !value.is_object() || value.size() >= rule;
    } else if (keyword == "required") {
      holds = std::all_of(rule.begin(), rule.end(), [&](const Json& name) { return value.contains(name); });
    } else if (keyword == "items") {
      holds =
          std::all_of(value.begin(), value.end(), [&](const Json& item) { return validates(item, rule); });
    } else if (keyword == "additionalProperties") {
      for (const auto& [name, member] : value.items()) {
        const bool is_named = node.contains("properties") && node.at("properties").contains(name);
        holds &= is_named ? validates(member, node.at("properties").at(name))
                          : rule.is_object() && validates(member, rule);
      }
    } else if (!kNotes.contains(keyword)) {
      ADD_FAILURE() << "the test does not know the keyword " << keyword;
    }
    if (!holds) return false;
  }
  return true;
}

std::vector<std::string> words(std::span<const std::string_view> list) {
  return {list.begin(), list.end()};
}

void compare_record(const Json& node, const Record& record, std::set<std::string_view>& seen);

// What of a field's schema is left when a value may also be an expansion.
Json without_expansion(const Json& node) {
  if (!node.contains("anyOf")) return node;
  EXPECT_EQ(node.at("anyOf").back(), (Json{{"$ref", "#/$defs/expansion"}}));
  return node.at("anyOf").front();
}

void compare_field(const Json& node, const Field& field, std::set<std::string_view>& seen) {
  const auto ref = [&](const char* name) { EXPECT_EQ(node.at("$ref"), std::string("#/$defs/") + name); };
  const auto range = [&](const Json& number, const char* type) {
    EXPECT_EQ(number.at("type"), type);
    EXPECT_EQ(number.at("minimum"), field.min);
    EXPECT_EQ(number.at("maximum"), field.max);
  };
  EXPECT_EQ(node.at("description"), field.description);
  const Json plain = without_expansion(node);
  switch (field.kind) {
    case Kind::text:
    case Kind::secret:
      EXPECT_EQ(plain.at("type"), "string");
      break;
    case Kind::integer:
      if (field.min == field.max) {
        EXPECT_EQ(plain.at("const"), field.min);
      } else {
        range(plain, "integer");
      }
      break;
    case Kind::number:
      range(plain, "number");
      break;
    case Kind::boolean:
      EXPECT_EQ(plain.at("type"), "boolean");
      break;
    case Kind::duration:
      ref("duration");
      break;
    case Kind::size:
      ref("size");
      break;
    case Kind::percent:
      ref("percent");
      break;
    case Kind::percentile_or_duration:
      ref("percentile_or_duration");
      break;
    case Kind::address:
      ref("address");
      break;
    case Kind::auto_or_count:
      EXPECT_EQ(plain.at("const"), "auto");
      range(node.at("anyOf").at(1), "integer");
      break;
    case Kind::choice:
      EXPECT_EQ(plain.at("enum"), words(field.choices));
      break;
    case Kind::text_list:
      EXPECT_EQ(plain.at("type"), "array");
      EXPECT_EQ(plain.at("items").at("type"), "string");
      break;
    case Kind::text_map:
      EXPECT_EQ(plain.at("additionalProperties").at("type"), "string");
      break;
    case Kind::record:
      compare_record(resolved(node), *field.record, seen);
      break;
    case Kind::record_list:
      compare_record(resolved(node.at("items")), *field.record, seen);
      break;
    case Kind::record_map:
      compare_record(resolved(node.at("additionalProperties")), *field.record, seen);
      break;
    case Kind::unsupported:
      ADD_FAILURE() << "not to be offered";
      break;
  }
}

void compare_record(const Json& node, const Record& record, std::set<std::string_view>& seen) {
  SCOPED_TRACE(std::string(record.name));
  seen.insert(record.name);
  std::set<std::string> names, required, schema_names, schema_required;
  for (const Field& field : record.fields) {
    if (field.kind == Kind::unsupported) continue;
    SCOPED_TRACE(std::string(field.name));
    names.emplace(field.name);
    if (field.required) required.emplace(field.name);
    ASSERT_TRUE(node.at("properties").contains(std::string(field.name)));
    compare_field(node.at("properties").at(std::string(field.name)), field, seen);
  }
  for (const auto& [name, value] : node.at("properties").items()) schema_names.insert(name);
  if (node.contains("required")) schema_required = node.at("required").get<std::set<std::string>>();
  EXPECT_EQ(schema_names, names);
  EXPECT_EQ(schema_required, required);
  EXPECT_EQ(node.at("type"), "object");
  EXPECT_EQ(node.at("additionalProperties"), false);
}

TEST(Schema, HasTheLoadersFieldsAtEveryLevel) {
  std::set<std::string_view> seen;
  compare_record(schema(), root_record(), seen);
  for (const auto& [name, value] : schema().at("$defs").items()) {
    const bool is_record = value.contains("properties");
    EXPECT_EQ(is_record, seen.contains(name)) << "a definition that nothing uses: " << name;
  }
}

// The tree as JSON, typed as YAML types plain scalars.
Json to_json(const Node& node) {
  if (node.kind == Node::Kind::null) return nullptr;
  if (node.kind == Node::Kind::scalar) {
    if (is_text(node)) return node.text;
    if (const auto integer = parse_integer(node.text)) return *integer;
    if (const auto number = parse_number(node.text)) return *number;
    return node.text == "true";
  }
  if (node.kind == Node::Kind::list) {
    Json list = Json::array();
    for (const Node* item : node.items) list.push_back(to_json(*item));
    return list;
  }
  Json map = Json::object();
  for (const auto& field : node.fields) map[field.name] = to_json(*field.value);
  return map;
}

bool schema_accepts(const std::string& text) {
  Problems problems("test");
  const Document document = parse_yaml(text, problems);
  return document.root && validates(to_json(*document.root), schema());
}

TEST(Schema, AcceptsWhatIsShipped) {
  for (const auto& entry : std::filesystem::directory_iterator(SWITCHYARD_SOURCE_DIR "/config/examples")) {
    EXPECT_TRUE(schema_accepts(read_file("config/examples/" + entry.path().filename().string())))
        << entry.path();
  }
}

TEST(Schema, AgreesWithTheLoader) {
  const std::string providers =
      "version: 1\nproviders: { o: { type: openai, api_key: \"${OPENAI_API_KEY}\" } }\n";
  const std::string whole = providers + "models: { m: { targets: [ { provider: o } ] } }\n";
  const auto model = [&](const std::string& fields) {
    return providers + "models: { m: { targets: [ { provider: o } ], " + fields + " } }\n";
  };

  const auto target = [&](const std::string& fields) {
    return providers + "models: { m: { targets: [ { provider: o, " + fields + " } ] } }\n";
  };

  const struct {
    std::string text;
    bool accepted;
  } rows[] = {
      {whole, true},
      {providers, false},
      {providers + "models: {}\n", false},
      {providers + "models: { m: { targets: [] } }\n", false},
      {providers + "models: { m: { targets: [ { model: x } ] } }\n", false},
      {providers + "models: { m: { targets: [ { provider: o, weight: -1 } ] } }\n", false},
      {providers + "models: { m: { targets: [ { provider: o, weight: 0.5, tier: 2 } ] } }\n", true},
      {providers + "models: { m: { targets: [ { provider: o, tier: 0.5 } ] } }\n", false},
      {target("canary: 5%, concurrent: 8, context_tokens: 200000"), true},
      {target("concurrent: auto"), true},
      {target("concurrent: 0"), false},
      {target("canary: 0.05"), false},
      {target("prices: { input: 3, output: 15 }"), true},
      {target("prices: { input: 3 }"), false},
      {target("when: {}"), true},
      {target("when: { headers: { x-team: \"a*\" }, input_tokens: { min: 10, max: 20 }, tools: false }"),
       true},
      {target("when: { input_tokens: { max: 0 } }"), false},
      {target("when: { vision: true }"), false},
      {whole + "more: 1\n", false},
      {whole + "server: { workers: auto }\n", true},
      {whole + "server: { workers: 4 }\n", true},
      {whole + "server: { workers: \"${COUNT}\" }\n", true},
      {whole + "server: { workers: \"4\" }\n", false},
      {whole + "server: { workers: some }\n", false},
      {whole + "server: { listen: 127.0.0.1:80 }\n", true},
      {whole + "server: { listen: 80 }\n", false},
      {whole + "server: { tls: { certificate: a.pem } }\n", false},
      {whole + "server: { limits: { body: 1MiB, idle: 3s } }\n", true},
      {whole + "server: { limits: { body: 1MB } }\n", false},
      {whole + "server: { limits: { idle: 0s } }\n", false},
      {whole + "server: []\n", false},
      {model("strategy: priority"), true},
      {model("strategy: score"), true},
      {model("strategy: best"), false},
      {model("strategy: score, objectives: { quality: 1, cost: 0.5 }"), true},
      {model("objectives: { quality: -1 }"), false},
      {model("objectives: { speed: 1 }"), false},
      {model("strict: true"), true},
      {model("strict: \"true\""), false},
      {model("hedge: {}"), true},
      {model("hedge: { after: p95, budget: 5% }"), true},
      {model("hedge: { after: 800ms }"), true},
      {model("hedge: { after: p100 }"), false},
      {model("hedge: { after: p49 }"), false},
      {model("hedge: { after: 0ms }"), false},
      {model("on_break: error"), true},
      {model("on_break: continue, mark_seam: true"), true},
      {model("on_break: retry"), false},
      {model("sticky: session"), true},
      {model("sticky: true"), false},
      {model("feedback: false"), true},
      {model("fallbacks: {}"), true},
      {model("fallbacks: { refusal: [ m ] }"), false},
      {model("shadow: { share: 1% }"), false},
      {model("retry: { attempts: 3, budget: 20% }"), true},
      {model("retry: { budget: 0.2 }"), false},
      {model("timeouts: { total: 10m }"), true},
      {model("timeouts: { total: 600 }"), false},
      {whole + "keys: []\n", true},
      {whole + "keys:\n", false},
      {whole + "keys: [ { name: a } ]\n", false},
      {whole + "keys: [ { name: a, secret: \"${TEAM_A_KEY}\", models: [ m ] } ]\n", true},
      {whole + "keys: [ { name: a, secret: \"${TEAM_A_KEY}\", models: m } ]\n", false},
      {whole + "keys: [ { name: a, secret: 12 } ]\n", false},
      {whole + "keys: [ { name: a, secret: \"${TEAM_A_KEY}\", limits: {} } ]\n", false},
      {whole + "telemetry: { logs: debug, content: off }\n", true},
      {whole + "telemetry: { content: on }\n", false},
      {whole + "telemetry: { otlp: x }\n", false},
      {whole + "store: {}\n", false},
      {whole + "store: { ledger: l.db }\n", true},
      {whole + "store: { ledger: l.db, responses: { keep: 720h, max: 10, bytes: 1GiB } }\n", true},
      {whole + "store: { ledger: l.db, responses: { keep: 30d } }\n", false},
      {whole + "store: { ledger: l.db, responses: { max: 0 } }\n", false},
      {whole + "store: { ledger: l.db, decisions: { enabled: false, keep: 24h, max: 5 } }\n", true},
      {whole + "store: { ledger: l.db, decisions: { max: 0 } }\n", false},
      {whole + "keys: [ { name: a, secret: \"${TEAM_A_KEY}\", priority: batch, shadow: true } ]\n", true},
      {whole + "keys: [ { name: a, secret: \"${TEAM_A_KEY}\", priority: 2 } ]\n", false},
      {whole + "quality: {}\n", true},
      {whole + "quality: { mode: watch, false_eject_every: 1000, dwell: 1s, dwell_max: 48h, rise: 5s }\n",
       true},
      {whole + "quality: { mode: on }\n", false},
      {whole + "quality: { false_eject_every: 10 }\n", false},
      {whole + "quality: { learn: { observations: 20, blocks: 1, for: 1s, block: 1s } }\n", true},
      {whole + "quality: { learn: { observations: 19 } }\n", false},
      {whole + "quality: { signals: { canary: { mode: act, tolerance: 3%, rate: 1.5% } } }\n", true},
      {whole + "quality: { signals: { canaries: {} } }\n", false},
      {whole + "quality: { signals: { canary: { rate: 0.01 } } }\n", false},
      {whole +
           "quality: { probes: { enabled: true, budget: 1%, tokens_per_hour: 0, families: [ sorting ] } }\n",
       true},
      {whole + "quality: { judge: { model: m, sentinels: 5% } }\n", true},
      {whole + "quality: { judge: {} }\n", false},
  };

  const auto fake = test::usual();
  for (const auto& row : rows) {
    EXPECT_EQ(load_text(row.text, "/etc/switchyard/c.yaml", fake.environment()).config.has_value(),
              row.accepted)
        << row.text;
    EXPECT_EQ(schema_accepts(row.text), row.accepted) << row.text;
  }
}

void find_in(const std::string& page, const Record& record) {
  for (const Field& field : record.fields) {
    EXPECT_THAT(page, testing::HasSubstr("`" + std::string(field.name) + "`")) << "of " << record.name;
    for (const auto choice : field.choices) EXPECT_THAT(page, testing::HasSubstr(std::string(choice)));
    if (field.record) find_in(page, *field.record);
  }
}

TEST(Schema, TheDocumentationNamesEveryField) {
  find_in(read_file("docs/configuration.md"), root_record());
}

}  // namespace
}  // namespace switchyard::config
