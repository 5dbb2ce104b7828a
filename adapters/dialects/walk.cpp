#include "adapters/dialects/walk.h"

#include "adapters/dialects/json.h"

#include <algorithm>
#include <cstring>

namespace switchyard {

namespace ondemand = simdjson::ondemand;

namespace {

constexpr std::size_t kKeptBytesMax = 1u << 20;  // A parser that grew for a larger document is replaced.

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool has_good_escapes(std::string_view text) {
  for (std::size_t at = text.find('\\'); at != std::string_view::npos; at = text.find('\\', at)) {
    const char kind = at + 1 < text.size() ? text[at + 1] : ' ';
    if (kind == 'u') {
      if (at + 6 > text.size() || !std::ranges::all_of(text.substr(at + 2, 4), is_hex)) return false;
      at += 6;
    } else if (std::string_view("\"\\/bfnrt").find(kind) != std::string_view::npos) {
      at += 2;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

simdjson::error_code OnDemand::open(std::string_view text, std::size_t capacity, ondemand::object& object) {
  thread_local ondemand::parser parser;
  if (parser.capacity() > kKeptBytesMax) parser = ondemand::parser();
  if (text.empty()) return simdjson::EMPTY;
  if (capacity < text.size() + simdjson::SIMDJSON_PADDING) {
    capacity = text.size() + simdjson::SIMDJSON_PADDING;
    padded_.reset(new char[capacity]());
    std::memcpy(padded_.get(), text.data(), text.size());
    text = {padded_.get(), text.size()};
  }
  text_ = text;
  if (const auto error = parser.iterate(text.data(), text.size(), capacity).get(document_)) return error;
  ondemand::json_type type;
  if (const auto error = document_.type().get(type)) return error;
  if (type != ondemand::json_type::object) return simdjson::INCORRECT_TYPE;
  return document_.get_object().get(object);
}

bool OnDemand::at_end() {
  const char* rest = nullptr;
  return document_.current_location().get(rest) == simdjson::OUT_OF_BOUNDS;
}

std::size_t OnDemand::position() {
  const char* at = nullptr;
  if (document_.current_location().get(at)) return text_.size();
  return static_cast<std::size_t>(at - text_.data());
}

simdjson::error_code walk(ondemand::value value, int depth) {
  if (depth > kJsonDepthMax) return simdjson::DEPTH_ERROR;
  ondemand::json_type type;
  if (const auto error = value.type().get(type)) return error;
  switch (type) {
    case ondemand::json_type::object: {
      ondemand::object object;
      if (const auto error = value.get_object().get(object)) return error;
      for (auto field : object) {
        if (field.error()) return field.error();
        if (const auto error = walk(field.value_unsafe().value(), depth + 1)) return error;
      }
      return simdjson::SUCCESS;
    }
    case ondemand::json_type::array: {
      ondemand::array array;
      if (const auto error = value.get_array().get(array)) return error;
      for (auto element : array) {
        if (element.error()) return element.error();
        if (const auto error = walk(element.value_unsafe(), depth + 1)) return error;
      }
      return simdjson::SUCCESS;
    }
    case ondemand::json_type::string: {
      // Without copying it out: the index has found its end, its control characters and its UTF-8 to be
      // right.
      return has_good_escapes(value.raw_json_token()) ? simdjson::SUCCESS : simdjson::STRING_ERROR;
    }
    case ondemand::json_type::number: {
      ondemand::number number;
      const auto error = value.get_number().get(number);
      // An integer of more than 64 bits is JSON all the same.
      return error == simdjson::NUMBER_ERROR &&
                     value.raw_json_token().find_first_of(".eE") == std::string_view::npos &&
                     value.raw_json_token().size() > 18
                 ? simdjson::SUCCESS
                 : error;
    }
    case ondemand::json_type::boolean: {
      bool unused;
      return value.get_bool().get(unused);
    }
    case ondemand::json_type::null: {
      bool is_null = false;
      const auto error = value.is_null().get(is_null);
      return error || is_null ? error : simdjson::N_ATOM_ERROR;
    }
  }
  return simdjson::INCORRECT_TYPE;
}

simdjson::error_code walk_string(ondemand::value value, std::string_view& text) {
  ondemand::json_type type;
  if (const auto error = value.type().get(type)) return error;
  if (type != ondemand::json_type::string) return walk(value, 2);
  std::string_view token = value.raw_json_token();
  token = token.substr(1, token.rfind('"') - 1);
  if (token.find('\\') == std::string_view::npos) {
    text = token;
    return simdjson::SUCCESS;
  }
  if (!has_good_escapes(token)) return simdjson::STRING_ERROR;
  // Half a surrogate pair passes on, as it does everywhere; nobody can make text of it.
  if (value.get_string().get(text)) text = {};
  return simdjson::SUCCESS;
}

simdjson::error_code walk_document(ondemand::value value, std::string_view& text) {
  if (const auto error = walk_text(value, text)) return error;
  return parse_event_json(text) ? simdjson::SUCCESS : simdjson::TAPE_ERROR;
}

simdjson::error_code walk_text(ondemand::value value, std::string_view& text) {
  ondemand::json_type type;
  if (const auto error = value.type().get(type)) return error;
  if (type == ondemand::json_type::object) {
    ondemand::object object;
    if (const auto error = value.get_object().get(object)) return error;
    return object.raw_json().get(text);
  }
  if (type == ondemand::json_type::array) {
    ondemand::array array;
    if (const auto error = value.get_array().get(array)) return error;
    return array.raw_json().get(text);
  }
  if (type != ondemand::json_type::null) text = value.raw_json_token();
  return walk(value, 2);
}

}  // namespace switchyard
