#pragma once

#include "adapters/dialects/dialect.h"
#include "adapters/dialects/json.h"

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// The parts of openai::write_request().
namespace switchyard::openai {

// True when the target does not take this field of OpenAI's.
bool refuses(const TargetTraits& target, std::string_view field);

Error cannot(std::string param, std::string_view what);

// Ids of tool calls as the target takes them. A target that wants exactly nine letters and digits gets those
// of its own as they are, and for any other id the same nine in every request, so that calls and results of a
// history that another provider made still belong together.
class ToolIds {
 public:
  ToolIds(const TargetTraits& target, const std::vector<Message>& messages);
  const std::string& written(const std::string& id) const;

 private:
  std::map<std::string, std::string> short_;
};

// The messages of a canonical request; a failure names the part. Harmless losses go to `dropped`.
Result<Json> write_messages(const ChatRequest& request, const TargetTraits& target,
                            std::vector<std::string>& dropped);

}  // namespace switchyard::openai
