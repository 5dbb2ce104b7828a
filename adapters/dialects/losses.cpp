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
                                                   "text.verbosity",
                                                   "reasoning.context",
                                                   "reasoning.mode",
                                                   "truncation",
                                                   "access_programs",
                                                   "image",
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
  // Members of Gemini's messages, wherever they stand.
  static constexpr std::string_view kHarmlessMembers[] = {"mediaResolution",
                                                          "retrievalConfig",
                                                          "response",
                                                          "responseJsonSchema",
                                                          "behavior",
                                                          "audioTimestamp",
                                                          "enableEnhancedCivicAnswers",
                                                          "modelSelectionConfig",
                                                          "routingConfig",
                                                          "input_examples"};
  if (field.ends_with("cachedContent")) return false;  // A part of the prompt, which only Google has.
  const std::size_t dot = field.rfind('.');
  if (dot != std::string_view::npos &&
      std::ranges::find(kHarmlessMembers, field.substr(dot + 1)) != std::end(kHarmlessMembers)) {
    return true;
  }
  return std::ranges::find(kHarmless, field) != std::end(kHarmless) ||
         field.find("cache") != std::string_view::npos;
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
