#include "gateway/scoring/schema.h"

#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::scoring {

using Verdict = JsonSchema::Verdict;

namespace {

using Json = nlohmann::json;

// Before a tree is built: how deep it is and how many values it has, roughly.
struct Extent {
  int depth = 0, values = 1;
};

Extent extent_of(std::string_view text) {
  Extent extent;
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      extent.depth = std::max(extent.depth, ++depth);
      ++extent.values;
    } else if (c == '}' || c == ']') {
      --depth;
    } else if (c == ',') {
      ++extent.values;
    }
  }
  return extent;
}

bool is_in_bounds(std::string_view text) {
  if (text.size() > JsonSchema::kTextBytesMax) return false;
  const Extent extent = extent_of(text);
  return extent.depth <= JsonSchema::kDepthMax && extent.values <= JsonSchema::kValuesMax;
}

// 5.0 is an integer in JSON Schema since draft 6; the validator goes by how it is written.
void make_integers(Json& value) {
  if (value.is_structured()) {
    for (Json& inner : value) make_integers(inner);
  } else if (value.is_number_float()) {
    const double number = value.get<double>();
    if (std::trunc(number) == number && std::abs(number) < 9e15) value = static_cast<std::int64_t>(number);
  }
}

constexpr std::array<std::string_view, 8> kOneSchema = {
    "additionalItems", "additionalProperties", "contains", "else", "items", "propertyNames", "then", "if"};
constexpr std::array<std::string_view, 3> kListsOfSchemas = {"allOf", "anyOf", "oneOf"};

// Makes a stranger's schema one that can be compiled and checked without harm, in place. Every subschema is
// looked at as often as references lead to it, which bounds what one check costs.
class Sanitizer {
 public:
  explicit Sanitizer(Json& root) : root_(root) {}

  // False when it cannot be made harmless.
  bool run() { return visit(root_, false, 0) && nodes_ <= JsonSchema::kNodesMax; }

  int nodes() const { return nodes_; }

 private:
  // `strict`: accepting more here would accept less of the whole.
  bool visit(Json& schema, bool strict, int depth) {
    if (schema.is_boolean()) return true;
    if (!schema.is_object() || depth > JsonSchema::kDepthMax || ++nodes_ > JsonSchema::kNodesMax)
      return false;
    if (schema.contains("$id") && &schema != &root_) return false;  // Moves what references mean.
    schema.erase("$id");
    schema.erase("$schema");
    schema.erase("format");  // An annotation, unless both sides agree that it is more.
    if (!drop_patterns(schema, strict)) return false;
    allow_null(schema);
    if (schema.contains("$ref")) return follow(schema, strict, depth);
    return visit_parts(schema, strict, depth);
  }

  static bool drop_patterns(Json& schema, bool strict) {
    bool weaker = schema.erase("pattern") > 0;
    if (schema.erase("patternProperties") > 0) {
      weaker = true;
      schema.erase("additionalProperties");  // Means the properties that no pattern fits.
    }
    if (schema.erase("prefixItems") > 0) {  // Draft 2020-12, where `items` means the rest.
      weaker = true;
      schema.erase("items");
    }
    for (const char* name : {"unevaluatedProperties", "unevaluatedItems", "dependentRequired", "minContains",
                             "maxContains", "dependentSchemas", "$dynamicRef"}) {
      weaker |= schema.erase(name) > 0;
    }
    return !weaker || !strict;
  }

  // OpenAPI's word for a type or null.
  static void allow_null(Json& schema) {
    const auto nullable = schema.find("nullable");
    if (nullable == schema.end() || *nullable != true) return;
    if (auto type = schema.find("type"); type != schema.end() && type->is_string()) *type = {*type, "null"};
    if (auto values = schema.find("enum"); values != schema.end() && values->is_array())
      values->push_back(nullptr);
  }

  // Draft 7: what stands beside a reference does not count.
  bool follow(Json& schema, bool strict, int depth) {
    const Json reference = schema["$ref"];
    const bool is_ours = reference.is_string() && reference.get_ref<const std::string&>().starts_with("#");
    if (!is_ours || (strict && schema.size() > 1)) return false;
    const std::string pointer = reference.get_ref<const std::string&>().substr(1);
    if (!pointer.empty() && pointer.front() != '/') return false;
    if (std::ranges::find(open_, pointer) != open_.end()) return false;  // Recursive.
    Json* target = nullptr;
    try {
      target = &root_.at(Json::json_pointer(pointer));
    } catch (const Json::exception&) {
      return false;
    }
    // What is open, down to the root, is what leads here by way of itself.
    if (pointer.empty()) return false;
    open_.push_back(pointer);
    const bool good = visit(*target, strict, depth + 1);
    open_.pop_back();
    return good;
  }

  bool visit_parts(Json& schema, bool strict, int depth) {
    for (const std::string_view name : kOneSchema) {
      const auto part = schema.find(name);
      if (part == schema.end()) continue;
      if (part->is_array()) {
        for (Json& one : *part) {
          if (!visit(one, strict, depth + 1)) return false;
        }
      } else if (!visit(*part, strict || name == "if", depth + 1)) {
        return false;
      }
    }
    if (const auto part = schema.find("not"); part != schema.end() && !visit(*part, true, depth + 1))
      return false;
    for (const std::string_view name : kListsOfSchemas) {
      const auto list = schema.find(name);
      if (list == schema.end()) continue;
      if (!list->is_array()) return false;
      for (Json& one : *list) {
        if (!visit(one, strict || name == "oneOf", depth + 1)) return false;
      }
    }
    return visit_maps(schema, strict, depth);
  }

  bool visit_maps(Json& schema, bool strict, int depth) {
    for (const std::string_view name : {"properties", "dependencies"}) {
      const auto map = schema.find(name);
      if (map == schema.end()) continue;
      if (!map->is_object()) return false;
      for (Json& one : *map) {
        if (!one.is_array() && !visit(one, strict, depth + 1)) return false;
      }
    }
    return true;
  }

  Json& root_;
  int nodes_ = 0;
  std::vector<std::string> open_;  // References that are being followed.
};

Error not_compiled(const char* why) {
  return fail(ErrorKind::invalid_request, std::string("the schema ") + why);
}

}  // namespace

struct JsonSchema::Compiled {
  valijson::Schema schema;
};

JsonSchema::JsonSchema() : compiled_(std::make_unique<Compiled>()) {}

JsonSchema::~JsonSchema() = default;

Result<std::shared_ptr<const JsonSchema>> JsonSchema::compile(std::string_view text) {
  if (!is_in_bounds(text)) return not_compiled("is too large");
  Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded() || !document.is_object()) return not_compiled("is no JSON object");
  make_integers(document);
  Sanitizer sanitizer(document);
  if (!sanitizer.run()) return not_compiled("cannot be checked safely");
  auto schema = std::make_shared<JsonSchema>();
  schema->nodes_ = sanitizer.nodes();
  try {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(document), schema->compiled_->schema);
  } catch (const std::exception&) {
    return not_compiled("is not valid");
  }
  return std::shared_ptr<const JsonSchema>(std::move(schema));
}

Verdict JsonSchema::check(std::string_view instance) const {
  if (!is_in_bounds(instance)) return Verdict::unknown;
  Json value = Json::parse(instance, nullptr, false);
  if (value.is_discarded()) return Verdict::no_json;
  if (static_cast<long>(nodes_) * extent_of(instance).values > kChecksMax) return Verdict::unknown;
  make_integers(value);
  try {
    valijson::Validator validator(valijson::Validator::kStrongTypes);
    const bool kept =
        validator.validate(compiled_->schema, valijson::adapters::NlohmannJsonAdapter(value), nullptr);
    return kept ? Verdict::kept : Verdict::broken;
  } catch (const std::exception&) {
    return Verdict::unknown;
  }
}

Verdict check_json(std::string_view text, bool must_be_object) {
  if (!is_in_bounds(text)) return Verdict::unknown;
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos || !Json::accept(text)) return Verdict::no_json;
  return must_be_object && text[begin] != '{' ? Verdict::broken : Verdict::kept;
}

}  // namespace switchyard::scoring
