// Property: a body that the envelope reader takes is JSON to another parser too, names the same model, and is
// still JSON with the model's value replaced.
#include "adapters/dialects/dialect.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string body(reinterpret_cast<const char*>(data), size);
  const auto envelope = switchyard::read_envelope(body, body.size());
  if (!envelope) return 0;
  const auto json = nlohmann::json::parse(body, nullptr, false);
  // A number that no double can hold is JSON by its grammar, and not to this parser.
  if (json.is_discarded()) return 0;
  if (json.at("model") != envelope->model) std::abort();
  body.replace(envelope->model_begin, envelope->model_end - envelope->model_begin, "\"other\"");
  const auto replaced = nlohmann::json::parse(body, nullptr, false);
  if (replaced.is_discarded() || replaced.at("model") != "other") std::abort();
  return 0;
}
