#include "adapters/dialects/gemini_request.h"

#include <algorithm>
#include <charconv>
#include <span>

namespace switchyard::google {

namespace {

struct Field {
  std::string_view name;
  Shape shape = Shape::any;
  bool repeated = false;
};

constexpr Field kRequest[] = {{"contents", Shape::content, true},
                              {"systemInstruction", Shape::content},
                              {"tools", Shape::tool, true},
                              {"toolConfig", Shape::tool_config},
                              {"safetySettings"},
                              {"generationConfig", Shape::generation_config},
                              {"cachedContent"},
                              {"labels"},
                              {"serviceTier"},
                              {"store"},
                              {"model"},
                              {"modelArmorConfig"}};
constexpr Field kCountRequest[] = {{"contents", Shape::content, true},
                                   {"generateContentRequest", Shape::request},
                                   {"systemInstruction", Shape::content},
                                   {"tools", Shape::tool, true},
                                   {"generationConfig", Shape::generation_config},
                                   {"model"}};
constexpr Field kContent[] = {{"parts", Shape::part, true}, {"role"}};
constexpr Field kPart[] = {{"text"},
                           {"inlineData", Shape::blob},
                           {"fileData", Shape::file_data},
                           {"functionCall", Shape::function_call},
                           {"functionResponse", Shape::function_response},
                           {"executableCode"},
                           {"codeExecutionResult"},
                           {"toolCall"},
                           {"toolResponse"},
                           {"thought"},
                           {"thoughtSignature"},
                           {"videoMetadata"},
                           {"mediaResolution"},
                           {"partMetadata"}};
constexpr Field kBlob[] = {{"mimeType"}, {"data"}, {"displayName"}};
constexpr Field kFileData[] = {{"mimeType"}, {"fileUri"}, {"displayName"}};
constexpr Field kFunctionCall[] = {{"name"}, {"args"}, {"id"}, {"partialArgs"}, {"willContinue"}};
constexpr Field kFunctionResponse[] = {
    {"name"}, {"response"}, {"id"}, {"parts", Shape::response_part, true}, {"willContinue"}, {"scheduling"}};
constexpr Field kResponsePart[] = {{"inlineData", Shape::blob}, {"fileData", Shape::file_data}};
constexpr Field kTool[] = {{"functionDeclarations", Shape::declaration, true},
                           {"googleSearch"},
                           {"googleSearchRetrieval"},
                           {"codeExecution"},
                           {"urlContext"},
                           {"googleMaps"},
                           {"fileSearch"},
                           {"computerUse"},
                           {"retrieval"},
                           {"enterpriseWebSearch"},
                           {"parallelAiSearch"},
                           {"mcpServers"}};
constexpr Field kDeclaration[] = {
    {"name"},     {"description"},        {"parameters"}, {"parametersJsonSchema"},
    {"response"}, {"responseJsonSchema"}, {"behavior"}};
constexpr Field kToolConfig[] = {{"functionCallingConfig", Shape::calling_config},
                                 {"retrievalConfig"},
                                 {"includeServerSideToolInvocations"}};
constexpr Field kCallingConfig[] = {{"mode"}, {"allowedFunctionNames"}, {"streamFunctionCallArguments"}};
constexpr Field kGenerationConfig[] = {{"temperature", Shape::number},
                                       {"topP", Shape::number},
                                       {"topK", Shape::number},
                                       {"candidateCount", Shape::number},
                                       {"maxOutputTokens", Shape::number},
                                       {"stopSequences"},
                                       {"seed", Shape::number},
                                       {"presencePenalty", Shape::number},
                                       {"frequencyPenalty", Shape::number},
                                       {"responseLogprobs"},
                                       {"logprobs", Shape::number},
                                       {"responseMimeType"},
                                       {"responseSchema"},
                                       {"responseJsonSchema"},
                                       {"responseModalities"},
                                       {"thinkingConfig", Shape::thinking_config},
                                       {"mediaResolution"},
                                       {"speechConfig"},
                                       {"imageConfig"},
                                       {"audioTimestamp"},
                                       {"enableAffectiveDialog"},
                                       {"enableEnhancedCivicAnswers"},
                                       {"modelSelectionConfig"},
                                       {"routingConfig"}};
constexpr Field kThinkingConfig[] = {
    {"includeThoughts"}, {"thinkingBudget", Shape::number}, {"thinkingLevel"}};

std::span<const Field> fields_of(Shape shape) {
  switch (shape) {
    case Shape::request:
      return kRequest;
    case Shape::count_request:
      return kCountRequest;
    case Shape::content:
      return kContent;
    case Shape::part:
      return kPart;
    case Shape::blob:
      return kBlob;
    case Shape::file_data:
      return kFileData;
    case Shape::function_call:
      return kFunctionCall;
    case Shape::function_response:
      return kFunctionResponse;
    case Shape::response_part:
      return kResponsePart;
    case Shape::tool:
      return kTool;
    case Shape::declaration:
      return kDeclaration;
    case Shape::tool_config:
      return kToolConfig;
    case Shape::calling_config:
      return kCallingConfig;
    case Shape::generation_config:
      return kGenerationConfig;
    case Shape::thinking_config:
      return kThinkingConfig;
    case Shape::any:
    case Shape::number:
      break;
  }
  return {};
}

std::string camel_case(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool is_joint =
        name[i] == '_' && i > 0 && i + 1 < name.size() && name[i + 1] >= 'a' && name[i + 1] <= 'z';
    out += is_joint ? static_cast<char>(name[++i] - 'a' + 'A') : name[i];
  }
  return out;
}

Error unknown_name(std::string_view name, const std::string& path) {
  const std::string shown = plain(name);
  const std::string place = path.empty() ? std::string() : " at '" + path + "'";
  return fail(
      ErrorKind::invalid_request,
      "Invalid JSON payload received. Unknown name \"" + shown + "\"" + place + ": Cannot find field.",
      member(path, shown));
}

// Protobuf's JSON takes a number in quotes too. What is none stays, and is refused by who reads it.
void unquote_number(Json& json) {
  if (!json.is_string()) return;
  const std::string& text = json.get_ref<const std::string&>();
  const char* const end = text.data() + text.size();
  std::int64_t integer = 0;
  double number = 0;
  if (const auto read = std::from_chars(text.data(), end, integer);
      read.ec == std::errc() && read.ptr == end) {
    json = integer;
  } else if (const auto real = std::from_chars(text.data(), end, number);
             real.ec == std::errc() && real.ptr == end && number - number == 0) {
    json = number;
  }
}

Result<> normalize_field(Json& value, const Field& field, const std::string& path) {
  if (field.shape == Shape::number) unquote_number(value);
  if (!field.repeated) return normalize(value, field.shape, path);
  if (value.is_object()) value = Json::array({std::move(value)});
  if (!value.is_array()) return wrong(path, "must be an array");
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (const auto done = normalize(value[i], field.shape, item(path, i)); !done) return done;
  }
  return {};
}

}  // namespace

std::string plain(std::string_view name) {
  std::string out(name.substr(0, 64));
  std::ranges::replace_if(
      out, [](unsigned char c) { return c <= 0x20 || c >= 0x7F || c == ',' || c == '"'; }, '_');
  return out;
}

Result<> normalize(Json& json, Shape shape, const std::string& path) {
  const std::span<const Field> fields = fields_of(shape);
  if (fields.empty()) return {};
  if (!json.is_object()) return wrong(path, "must be an object");
  Json out = Json::object();
  for (auto& [key, value] : json.items()) {
    const std::string name = camel_case(key);
    const auto field = std::ranges::find(fields, name, &Field::name);
    if (field == fields.end()) return unknown_name(key, path);
    if (value.is_null()) continue;
    const std::string here = member(path, name);
    if (out.contains(name)) return wrong(here, "is given twice");
    if (const auto done = normalize_field(value, *field, here); !done) return done;
    out[name] = std::move(value);
  }
  json = std::move(out);
  return {};
}

}  // namespace switchyard::google
