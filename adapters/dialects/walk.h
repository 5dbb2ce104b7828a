#pragma once

#include <simdjson.h>

#include <memory>
#include <string_view>

namespace switchyard {

// Reading a whole document from its bytes, without a tree: what it takes beside them is the parser's index,
// four bytes for each bracket, comma, colon, string and number. One document at a time on each thread.
class OnDemand {
 public:
  // Opens a document that is an object. `capacity` is how many bytes from the text's first may be read: with
  // less than simdjson's padding behind the text it is copied. Fails when the text is no JSON or no object.
  simdjson::error_code open(std::string_view text, std::size_t capacity, simdjson::ondemand::object& object);

  // The text that views are of: as given, or the copy.
  std::string_view text() const { return text_; }

  // True when nothing stands behind the object.
  bool at_end();

  // Where the next token of the text begins, from its first byte.
  std::size_t position();

 private:
  std::unique_ptr<char[]> padded_;
  std::string_view text_;
  simdjson::ondemand::document document_;
};

// Walks a value that is of no interest, so that what is passed on is well-formed JSON. `depth`: of the value
// in its document; deeper than kJsonDepthMax is an error.
simdjson::error_code walk(simdjson::ondemand::value value, int depth);

// Walks a value and, when it is a string, gives it unescaped, valid until the next call; nothing for one that
// is no Unicode.
simdjson::error_code walk_string(simdjson::ondemand::value value, std::string_view& text);

// Walks a value and gives its text; of a null, nothing.
simdjson::error_code walk_text(simdjson::ondemand::value value, std::string_view& text);

// Walks an object and gives its text. Fails when it is no JSON.
simdjson::error_code walk_document(simdjson::ondemand::value value, std::string_view& text);

inline bool is_a(simdjson::ondemand::value value, simdjson::ondemand::json_type wanted) {
  simdjson::ondemand::json_type type;
  return !value.type().get(type) && type == wanted;
}

// Walks an object by its members: visit(name, value) walks each. Whatever is no object is walked.
template <class Visit>
simdjson::error_code walk_members(simdjson::ondemand::value value, int depth, Visit visit) {
  simdjson::ondemand::json_type type;
  if (const auto error = value.type().get(type)) return error;
  if (type != simdjson::ondemand::json_type::object) return walk(value, depth);
  simdjson::ondemand::object object;
  if (const auto error = value.get_object().get(object)) return error;
  for (auto field : object) {
    std::string_view name;
    if (field.error()) return field.error();
    if (const auto error = field.unescaped_key().get(name)) return error;
    if (const auto error = visit(name, field.value_unsafe().value())) return error;
  }
  return simdjson::SUCCESS;
}

// Walks a list by its elements: visit(element) walks each. Whatever is no list is walked.
template <class Visit>
simdjson::error_code walk_elements(simdjson::ondemand::value value, int depth, Visit visit) {
  simdjson::ondemand::json_type type;
  if (const auto error = value.type().get(type)) return error;
  if (type != simdjson::ondemand::json_type::array) return walk(value, depth);
  simdjson::ondemand::array array;
  if (const auto error = value.get_array().get(array)) return error;
  for (auto element : array) {
    if (element.error()) return element.error();
    if (const auto error = visit(element.value_unsafe())) return error;
  }
  return simdjson::SUCCESS;
}

}  // namespace switchyard
