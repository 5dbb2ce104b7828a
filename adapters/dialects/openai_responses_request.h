#pragma once

#include "adapters/dialects/openai_chat_request.h"
#include "adapters/dialects/openai_responses.h"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

// What the halves of reading a request share.
namespace switchyard::responses {

using openai::at;
using openai::json_of;
using openai::text_of;
using openai::wrong;

// A name that the peer chose, fit for a header and a message.
std::string plain(std::string_view name);

// Reads the items of an input into messages. What an assistant said, thought and called without a word of
// the user between is one message; so are the results of its calls.
class ItemReader {
 public:
  explicit ItemReader(ChatRequest& request) : request_(request) {}

  // `input`: a string or a list of items; `path` names it. May be called again for what follows.
  Result<> read(const Json& input, const std::string& path);
  // Fails when a call has no output, or an output no call.
  Result<> finish();

 private:
  Result<> item(const Json& json, const std::string& path);
  Result<> message(const Json& json, const std::string& path);
  Result<> call(const Json& json, const std::string& path, bool custom);
  Result<> output(const Json& json, const std::string& path);
  Result<> reasoning(const Json& json, const std::string& path);
  Message& assistant(bool begins_turn_behind_text);

  ChatRequest& request_;
  bool has_text_ = false, has_call_ = false;  // The assistant's message that is last.
  Signature call_signature_;                  // Of the next call.
  std::vector<std::string> calls_;            // Ids, in order.
  std::unordered_set<std::string> called_, answered_;
};

}  // namespace switchyard::responses
