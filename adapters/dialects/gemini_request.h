#pragma once

#include "adapters/dialects/gemini.h"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

// What the parts of reading a request share.
namespace switchyard::google {

// The messages of the API whose members are known here; `any` is whatever JSON the caller likes.
enum class Shape {
  any,
  number,
  request,
  count_request,
  content,
  part,
  blob,
  file_data,
  function_call,
  function_response,
  response_part,
  tool,
  declaration,
  tool_config,
  calling_config,
  generation_config,
  thinking_config
};

// gemini_fields.cpp: makes one form of the several that protobuf's JSON has for a message. Names become
// camelCase, a single element of a list a list, numbers in quotes numbers, and null members are taken out.
// Fails with invalid_request for an unknown name, a name given in both ways, and what is no object.
Result<> normalize(Json& json, Shape shape, const std::string& path);

// gemini_contents.cpp: the messages. `contents` has been normalized.
Result<> read_contents(const Json& contents, const std::string& path, ChatRequest& request);
// The system prompt as the first message.
Result<> read_system(const Json& content, const std::string& path, ChatRequest& request);

// gemini_schema.cpp: JSON Schema of the API's Schema, a dialect of OpenAPI's.
Json to_json_schema(const Json& schema);
// True when OpenAI's strict mode takes the schema: each object requires all of its properties. Closes the
// objects then, which changes nothing about what fits.
bool make_strict(Json& schema);

inline std::string item(const std::string& path, std::size_t index) {
  return path + "[" + std::to_string(index) + "]";
}

inline std::string member(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : path + "." + std::string(name);
}

inline Error wrong(const std::string& path, std::string_view what) {
  return fail(ErrorKind::invalid_request, path + " " + std::string(what), path);
}

// A name that the peer chose, fit for a header and a message.
std::string plain(std::string_view name);

}  // namespace switchyard::google
