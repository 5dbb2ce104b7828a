#pragma once

#include "adapters/dialects/anthropic_messages.h"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

// What the two halves of writing a request share: its messages, and its other fields.
namespace switchyard::anthropic {

struct Turn {
  Role role = Role::user;
  Json results = Json::array();  // A turn's results of tools stand before everything else.
  Json blocks = Json::array();
};

// The messages as turns that alternate, and the system prompt.
struct Conversation {
  std::vector<Turn> turns;
  Json system = Json::array();
  bool lost_name = false, lost_detail = false;  // Fields that the dialect has no place for.
};

// Fails with unsupported naming the part that the target cannot take.
Result<Conversation> write_messages(const std::vector<Message>& messages, const TargetTraits& target);

inline constexpr std::string_view kBlanks = " \t\r\n\v\f";

bool is_blank(std::string_view text);
std::string item(const std::string& path, std::size_t index);
Error cannot(const std::string& param, const std::string& why);
void add_cache_control(const std::string& text, Json& block);
Json text_block(const TextPart& part);
std::string_view type_of(const Json& block);
bool is_thinking(const Json& block);
bool is_tool_use(const Json& block);
// One text without a marker is written as a string: shorter, and what people expect to see.
Json content_of(Json blocks);

}  // namespace switchyard::anthropic
