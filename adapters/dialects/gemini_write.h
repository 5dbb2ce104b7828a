#pragma once

#include "adapters/dialects/gemini.h"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

// What the two halves of writing a request share: its contents, and its other fields.
namespace switchyard::google {

// The messages as contents that alternate, and the parts of the system prompt.
struct Conversation {
  Json contents = Json::array();
  Json system = Json::array();
  bool lost_name = false, lost_detail = false;  // Fields that the dialect has no place for.
};

// Fails with unsupported naming the part that the target cannot take.
Result<Conversation> write_contents(const std::vector<Message>& messages, const TargetTraits& target);

// Gemini 3 and later: they take a level of thinking instead of a budget, check that calls are signed, and
// take images in the result of a tool.
inline bool is_gemini_3(const TargetTraits& target) {
  return target.reasoning && target.reasoning_control != TargetTraits::ReasoningControl::budget;
}

inline Error cannot(const std::string& param, const std::string& why) {
  return fail(ErrorKind::unsupported, why, param);
}

}  // namespace switchyard::google
