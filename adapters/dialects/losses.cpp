#include "adapters/dialects/losses.h"

#include <algorithm>

namespace switchyard {

bool is_harmless_loss(std::string_view field) {
  static constexpr std::string_view kHarmless[] = {"metadata",
                                                   "user",
                                                   "store",
                                                   "safety_identifier",
                                                   "service_tier",
                                                   "verbosity",
                                                   "prediction",
                                                   "diagnostics",
                                                   "speed",
                                                   "fallbacks",
                                                   "moderation",
                                                   "chat_template",
                                                   "cache_prompt",
                                                   "context_management",
                                                   "stream_options",
                                                   "repetition_penalty",
                                                   "add_generation_prompt",
                                                   "provider",
                                                   "transforms"};
  return std::ranges::find(kHarmless, field) != std::end(kHarmless) ||
         field.find("cache") != std::string_view::npos || field.ends_with(".input_examples");
}

Result<> drop_unmapped(const ChatRequest& request, std::vector<std::string>& dropped) {
  for (const std::string& field : request.unmapped) {
    if (!is_harmless_loss(field)) {
      const std::string name = field.substr(0, 100);
      return fail(ErrorKind::unsupported, "the target cannot express " + name, name);
    }
    dropped.push_back(field);
  }
  return {};
}

}  // namespace switchyard
