#include "adapters/dialects/gemini_request.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace switchyard::google {

namespace {

using Renamed = std::pair<std::string_view, std::string_view>;

constexpr std::array<Renamed, 11> kSnakeNames{{{"any_of", "anyOf"},
                                               {"min_items", "minItems"},
                                               {"max_items", "maxItems"},
                                               {"min_length", "minLength"},
                                               {"max_length", "maxLength"},
                                               {"min_properties", "minProperties"},
                                               {"max_properties", "maxProperties"},
                                               {"property_ordering", "propertyOrdering"},
                                               {"additional_properties", "additionalProperties"},
                                               {"prefix_items", "prefixItems"},
                                               {"one_of", "oneOf"}}};

std::string_view keyword_of(std::string_view key) {
  const auto found = std::ranges::find(kSnakeNames, key, &Renamed::first);
  return found != kSnakeNames.end() ? found->second : key;
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

// 64-bit integers are strings in protobuf's JSON.
Json number_of(const Json& json) {
  if (!json.is_string()) return json;
  const std::string& text = json.get_ref<const std::string&>();
  const char* const end = text.data() + text.size();
  std::int64_t integer = 0;
  const auto read = std::from_chars(text.data(), end, integer);
  return read.ec == std::errc() && read.ptr == end ? Json(integer) : json;
}

Json type_of(const Json& type) {
  if (type.is_string()) return lower(type.get<std::string>());
  Json out = type;
  if (out.is_array()) {
    for (Json& one : out) {
      if (one.is_string()) one = lower(one.get<std::string>());
    }
  }
  return out;
}

Json each(const Json& schemas) {
  Json out = schemas;
  for (Json& schema : out) schema = to_json_schema(schema);
  return out;
}

// The properties in the order in which the model is to write them.
Json ordered(Json properties, const Json& order) {
  if (!order.is_array() || !properties.is_object()) return properties;
  Json out = Json::object();
  for (const Json& name : order) {
    if (!name.is_string()) continue;
    const auto found = properties.find(name.get_ref<const std::string&>());
    if (found == properties.end()) continue;
    out[found.key()] = std::move(found.value());
    properties.erase(found);
  }
  for (auto& [name, schema] : properties.items()) out[name] = std::move(schema);
  return out;
}

void make_nullable(Json& schema) {
  if (const auto type = schema.find("type"); type != schema.end()) {
    if (type->is_string()) *type = Json::array({*type, "null"});
    if (const auto words = schema.find("enum"); words != schema.end() && words->is_array()) {
      words->push_back(nullptr);
    }
  } else if (const auto any = schema.find("anyOf"); any != schema.end() && any->is_array()) {
    any->push_back({{"type", "null"}});
  }
}

}  // namespace

// Recursion is bounded: the body was read by parse_object().
Json to_json_schema(const Json& schema) {
  if (!schema.is_object()) return schema;
  Json out = Json::object();
  Json order;
  bool nullable = false;
  for (const auto& [key, value] : schema.items()) {
    const std::string_view name = keyword_of(key);
    if (name == "type") {
      Json type = type_of(value);
      if (type != "type_unspecified") out["type"] = std::move(type);
    } else if (name == "nullable") {
      nullable = value == true;
    } else if (name == "propertyOrdering") {
      order = value;
    } else if (name == "example" || (name == "format" && value == "enum")) {
      continue;
    } else if (is_one_of(name, {"minItems", "maxItems", "minLength", "maxLength", "minProperties",
                                "maxProperties", "minimum", "maximum"})) {
      out[std::string(name)] = number_of(value);
    } else if (is_one_of(name, {"items", "additionalProperties"})) {
      out[std::string(name)] = to_json_schema(value);
    } else if ((is_one_of(name, {"anyOf", "oneOf", "allOf", "prefixItems"}) && value.is_array()) ||
               (is_one_of(name, {"properties", "$defs"}) && value.is_object())) {
      out[std::string(name)] = each(value);
    } else {
      out[std::string(name)] = value;
    }
  }
  if (const auto properties = out.find("properties"); properties != out.end()) {
    *properties = ordered(std::move(*properties), order);
  }
  if (nullable) make_nullable(out);
  return out;
}

namespace {

bool is_strict(const Json& schema) {
  if (schema.is_array()) return std::ranges::all_of(schema, is_strict);
  if (!schema.is_object()) return true;
  for (const auto& [key, value] : schema.items()) {
    if (is_one_of(key, {"allOf", "oneOf", "prefixItems", "default", "patternProperties", "format", "$ref"})) {
      return false;
    }
    if (is_one_of(key, {"items", "anyOf"}) && !is_strict(value)) return false;
  }
  const auto properties = schema.find("properties");
  if (properties == schema.end()) return schema.value("type", Json()) != "object";
  const auto required = schema.find("required");
  const auto additional = schema.find("additionalProperties");
  if (!properties->is_object() || required == schema.end() || required->size() != properties->size())
    return false;
  if (additional != schema.end() && *additional != false) return false;
  return std::ranges::all_of(*properties, is_strict);
}

void close_objects(Json& schema) {
  if (schema.is_array()) {
    for (Json& one : schema) close_objects(one);
  }
  if (!schema.is_object()) return;
  if (const auto properties = schema.find("properties"); properties != schema.end()) {
    for (Json& one : *properties) close_objects(one);
    schema["additionalProperties"] = false;
  }
  for (const char* key : {"items", "anyOf"}) {
    if (const auto found = schema.find(key); found != schema.end()) close_objects(*found);
  }
}

}  // namespace

bool make_strict(Json& schema) {
  if (!schema.is_object() || schema.value("type", Json()) != "object" || !is_strict(schema)) return false;
  close_objects(schema);
  return true;
}

}  // namespace switchyard::google
