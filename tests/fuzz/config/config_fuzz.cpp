// Properties: the loader never throws; it gives a configuration or says what is wrong, never both or neither;
// every place is inside the file; what the environment holds is in no message; and an accepted configuration
// resolves.
#include "config/load.h"
#include "config/lookup.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace switchyard::config;

constexpr std::string_view kHidden = "0hidden0";

Environment environment() {
  const auto anything = [](const std::string& name) -> std::optional<std::string> {
    if (name.size() % 2) return std::nullopt;
    return std::string(kHidden);
  };
  return {anything, anything, [](const std::string& path) { return path.size() % 2 == 0; }};
}

void check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto result = load_text(text, "/c.yaml", environment());
  check(result.config.has_value() == result.problems.empty());
  for (const auto* list : {&result.problems, &result.warnings}) {
    for (const Problem& problem : *list) {
      check(problem.line >= 0 && problem.line <= static_cast<int>(size) + 1 && !problem.message.empty());
      check(text.find(kHidden) != std::string_view::npos ||
            problem.message.find(kHidden) == std::string::npos);
    }
  }
  if (!result.config) return 0;
  check(result.config->version.size() == 12 && !result.config->models.empty());
  for (const Model& model : result.config->models) {
    check(!model.targets.empty());
    if (model.name.find('*') == std::string::npos) check(find_model(*result.config, model.name) == &model);
  }
  return 0;
}
