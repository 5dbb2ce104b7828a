#pragma once

#include "adapters/dialects/json.h"
#include "adapters/dialects/openai_responses.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

// What the two halves of writing a request share: its messages, and its other fields.
namespace switchyard::responses {

struct Items {
  std::string instructions;
  Json input = Json::array();
  bool lost_name = false;  // The dialect has no place for it.
};

// Fails with unsupported naming the part that the target cannot take.
Result<Items> write_items(const std::vector<Message>& messages, const TargetTraits& target);

Error cannot(std::string param, const std::string& what);

}  // namespace switchyard::responses
