#pragma once

#include "adapters/dialects/bedrock_converse.h"

#include <nlohmann/json.hpp>

#include <set>
#include <string>
#include <string_view>
#include <vector>

// What the two halves of writing a request share: its messages, and its other fields.
namespace switchyard::bedrock {

struct Turn {
  Role role = Role::user;
  Json results = Json::array();  // A turn's results of tools stand before everything else.
  Json blocks = Json::array();
};

// The messages as turns that alternate, and the system prompt.
struct Conversation {
  std::vector<Turn> turns;
  Json system = Json::array();
  std::set<std::string> called_tools;           // By name.
  bool has_tool_blocks = false;                 // A call or a result, also one whose call is not there.
  bool lost_name = false, lost_detail = false;  // Fields that the dialect has no place for.
};

// Fails with unsupported naming the part that the target cannot take.
Result<Conversation> write_messages(const std::vector<Message>& messages, const TargetTraits& target);

// Claude takes fields of Anthropic's dialect in additionalModelRequestFields. An inference profile is named
// after its model ("us.anthropic.claude-..."); one that the operator named otherwise is not seen through.
bool is_claude(const TargetTraits& target);

// Appends the cache point that stands for Anthropic's marker on what was written last; for a model that takes
// none, nothing: a cache changes no answer.
void add_cache_point(const std::string& cache_control, const TargetTraits& target, Json& blocks);

inline constexpr std::string_view kBlanks = " \t\r\n\v\f";

bool is_blank(std::string_view text);
Error cannot(const std::string& param, const std::string& why);

}  // namespace switchyard::bedrock
