#include "adapters/dialects/json.h"

#include "adapters/canonical/json_text.h"

#include <nlohmann/json.hpp>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>

namespace switchyard {

namespace {

// simdjson reads whole vectors: the text must have readable bytes behind it.
struct PaddedText {
  std::unique_ptr<char[]> bytes;
  std::size_t capacity = 0;

  // Room that a rare huge document took is given back with the next small one.
  static constexpr std::size_t kKeptMax = 1u << 20;

  const char* hold(std::string_view text) {
    const std::size_t wanted = text.size() + simdjson::SIMDJSON_PADDING;
    if (wanted > capacity || (capacity > kKeptMax && wanted <= kKeptMax)) {
      capacity = std::max<std::size_t>(wanted, 4096);
      bytes.reset(new char[capacity]);
    }
    if (!text.empty()) std::memcpy(bytes.get(), text.data(), text.size());
    std::memset(bytes.get() + text.size(), 0, simdjson::SIMDJSON_PADDING);
    return bytes.get();
  }
};

std::string joined(const std::string& path, std::string_view name) {
  std::string full = path;
  if (!full.empty()) full += '.';
  full += name;
  return full;
}

Error wrong_type(const std::string& path, std::string_view name, const char* wanted) {
  const std::string full = joined(path, name);
  return fail(ErrorKind::invalid_request, full + " must be " + wanted, full);
}

// What makes a document more costly to hold than its size says; null when nothing does. Looked at before a
// tree is built: the tree of a small document of tiny values is many times its size, and a member is found by
// going through those before it.
const char* excess_of(std::string_view text) {
  struct Level {
    bool is_object = false;
    int members = 0;
  };

  std::array<Level, kJsonDepthMax + 1> levels{};
  int depth = 0, values = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kJsonDepthMax) return "is nested too deeply";
      levels[static_cast<std::size_t>(depth)] = {c == '{', 0};
      ++values;
    } else if (c == '}' || c == ']') {
      depth = std::max(depth - 1, 0);
    } else if (c == ',') {
      Level& level = levels[static_cast<std::size_t>(depth)];
      if (++values > kJsonValuesMax) return "has too many values";
      if (level.is_object && ++level.members >= kJsonMembersMax) return "has an object with too many members";
    }
  }
  return nullptr;
}

// The tree of a document that simdjson has read.
Json to_tree(const simdjson::dom::element& element) {
  using Type = simdjson::dom::element_type;
  switch (element.type()) {
    case Type::OBJECT: {
      Json object = Json::object();
      for (const auto& [name, value] : simdjson::dom::object(element)) {
        object[std::string(name)] = to_tree(value);  // The last of several of one name counts.
      }
      return object;
    }
    case Type::ARRAY: {
      Json array = Json::array();
      auto& values = array.get_ref<Json::array_t&>();
      values.reserve(simdjson::dom::array(element).size());
      for (const simdjson::dom::element value : simdjson::dom::array(element)) {
        values.push_back(to_tree(value));
      }
      return array;
    }
    case Type::STRING:
      return std::string(std::string_view(element));
    case Type::INT64:
      // As the other parser has it: a number without a sign is unsigned.
      if (const std::int64_t number = element; number >= 0) return static_cast<std::uint64_t>(number);
      return std::int64_t(element);
    case Type::UINT64:
      return std::uint64_t(element);
    case Type::DOUBLE:
      return double(element);
    case Type::BOOL:
      return bool(element);
    case Type::NULL_VALUE:
      break;
  }
  return nullptr;
}

// A document that is_discarded() when the text is no JSON. simdjson reads and checks it ten times as fast;
// what it will not read (a byte order mark, an integer over 64 bits, and what is no JSON) the other has the
// last word on.
Json parse_tree(std::string_view text) {
  if (const auto element = parse_event_json(text)) return to_tree(*element);
  return Json::parse(text, nullptr, false);
}

void append_text(const Json& json, std::string& out) {
  switch (json.type()) {
    case Json::value_t::object: {
      char before = '{';
      for (const auto& [name, value] : json.get_ref<const Json::object_t&>()) {
        out += before;
        append_json_string(name, out);
        out += ':';
        append_text(value, out);
        before = ',';
      }
      if (before == '{') out += '{';
      out += '}';
      break;
    }
    case Json::value_t::array: {
      char before = '[';
      for (const Json& value : json.get_ref<const Json::array_t&>()) {
        out += before;
        append_text(value, out);
        before = ',';
      }
      if (before == '[') out += '[';
      out += ']';
      break;
    }
    case Json::value_t::string:
      append_json_string(json.get_ref<const std::string&>(), out);
      break;
    default:
      out += json.dump();
  }
}

}  // namespace

Result<Json> parse_object(std::string_view body) {
  if (const char* excess = excess_of(body)) {
    return fail(ErrorKind::invalid_request, std::string("the body ") + excess);
  }
  Json json = parse_tree(body);
  if (json.is_discarded()) return fail(ErrorKind::invalid_request, "the body is not valid JSON");
  if (!json.is_object()) return fail(ErrorKind::invalid_request, "the body must be a JSON object");
  return json;
}

Result<Json> parse_list(std::string_view text, const std::string& what) {
  if (const char* excess = excess_of(text)) return fail(ErrorKind::invalid_request, what + " " + excess);
  Json json = parse_tree(text);
  if (!json.is_array()) return fail(ErrorKind::invalid_request, what + " is no list");
  return json;
}

Result<Json> parse_arguments(std::string_view text, const std::string& param) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return Json::object();
  if (!excess_of(text)) {
    Json json = parse_tree(text);
    if (json.is_object()) return json;
  }
  return fail(ErrorKind::invalid_request, param + " must be the JSON text of an object", param);
}

const Json* find_member(const Json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found != object.end() && !found->is_null() ? &*found : nullptr;
}

Result<> read_string(const Json& object, std::string_view name, std::string& out, const std::string& path) {
  const Json* member = find_member(object, name);
  if (!member) return {};
  if (!member->is_string()) return wrong_type(path, name, "a string");
  out = member->get_ref<const std::string&>();
  return {};
}

Result<> read_bool(const Json& object, std::string_view name, std::optional<bool>& out,
                   const std::string& path) {
  const Json* member = find_member(object, name);
  if (!member) return {};
  if (!member->is_boolean()) return wrong_type(path, name, "true or false");
  out = member->get<bool>();
  return {};
}

Result<> read_int(const Json& object, std::string_view name, std::optional<std::int64_t>& out,
                  const std::string& path) {
  const Json* member = find_member(object, name);
  if (!member) return {};
  if (member->is_number_integer()) {
    if (member->is_number_unsigned() && member->get<std::uint64_t>() > std::uint64_t{INT64_MAX}) {
      return wrong_type(path, name, "a smaller integer");
    }
    out = member->get<std::int64_t>();
    return {};
  }
  if (member->is_number_float()) {
    const double value = member->get<double>();
    if (std::trunc(value) == value && std::abs(value) < 9e15) {
      out = static_cast<std::int64_t>(value);
      return {};
    }
  }
  return wrong_type(path, name, "an integer");
}

Result<> read_number(const Json& object, std::string_view name, std::optional<double>& out,
                     const std::string& path) {
  const Json* member = find_member(object, name);
  if (!member) return {};
  if (!member->is_number()) return wrong_type(path, name, "a number");
  out = member->get<double>();
  return {};
}

std::string to_text(const Json& json) {
  std::string out;
  append_text(json, out);
  return out;
}

Result<simdjson::dom::element> parse_event_json(std::string_view text, std::size_t readable) {
  thread_local PaddedText padded;
  thread_local simdjson::dom::parser parser;
  if (parser.capacity() > PaddedText::kKeptMax) parser = simdjson::dom::parser();
  simdjson::dom::element element;
  const char* bytes = readable >= simdjson::SIMDJSON_PADDING ? text.data() : padded.hold(text);
  if (parser.parse(bytes, text.size(), false).get(element)) {
    return fail(ErrorKind::bad_reply, "the provider's answer is not valid JSON");
  }
  return element;
}

std::string_view string_at(const simdjson::dom::element& element, std::string_view name) {
  std::string_view text;
  if (element[name].get_string().get(text)) return {};
  return text;
}

std::int64_t integer_at(const simdjson::dom::element& element, std::string_view name) {
  simdjson::dom::element value;
  if (element[name].get(value)) return 0;
  return integer_of(value);
}

std::int64_t integer_of(const simdjson::dom::element& value) {
  std::int64_t integer = 0;
  if (!value.get_int64().get(integer)) return integer;
  double number = 0;
  if (!value.get_double().get(number) && std::abs(number) < 9e15) return static_cast<std::int64_t>(number);
  return 0;
}

}  // namespace switchyard
