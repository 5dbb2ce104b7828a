#pragma once

#include "adapters/dialects/json.h"
#include "adapters/dialects/openai_chat.h"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

// What the two halves of reading a request share.
namespace switchyard::openai {

inline std::string at(const std::string& path, std::string_view name) {
  return path + "." + std::string(name);
}

inline std::string at(const std::string& path, std::size_t index) {
  return path + "[" + std::to_string(index) + "]";
}

inline Error wrong(const std::string& param, std::string_view what) {
  return fail(ErrorKind::invalid_request, param + " " + std::string(what), param);
}

inline std::string text_of(const Json& object, std::string_view name) {
  const Json* member = find_member(object, name);
  return member && member->is_string() ? member->get<std::string>() : std::string();
}

inline std::string json_of(const Json& object, std::string_view name) {
  const Json* member = find_member(object, name);
  return member ? to_text(*member) : std::string();
}

// Reads `messages` of the request's document.
Result<> parse_messages(const Json& json, ChatRequest& request);

}  // namespace switchyard::openai
