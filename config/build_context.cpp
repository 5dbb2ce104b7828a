#include "config/build_context.h"

#include "config/expand.h"
#include "config/read.h"
#include "config/suggest.h"
#include "config/values.h"

namespace switchyard::config {

std::string shown(const Node& node) {
  return node.expanded ? "the expanded value" : "\"" + node.text.substr(0, 64) + "\"";
}

// Comparing with every name takes a while: not for what would not be shown, and not for very many names.
std::string BuildContext::suggestion(const Node& given, const std::vector<std::string_view>& names) const {
  constexpr std::size_t kNamesMax = 1000;
  if (given.expanded || problems.full() || names.size() > kNamesMax) return {};
  return did_you_mean(given.text, names);
}

std::string BuildContext::existing_file(const Node& node) {
  std::string path = resolve_path(config_path, node.text);
  if (!environment.is_file(path)) {
    problems.add(node.place,
                 node.expanded ? "the file cannot be read" : "the file " + path + " cannot be read");
  }
  return path;
}

std::string BuildContext::pem_file(const Node& record, std::string_view name) {
  const Node* node = usable(record, name);
  if (!node || node->text.empty()) return {};
  std::string path = existing_file(*node);
  files.push_back(path);
  return path;
}

bool BuildContext::check_secret(const Node& node, const std::string& name) {
  if (node.text.empty()) return false;
  if (!is_field_text(node.text, 8192)) {
    problems.add(node.place,
                 "`" + name + "` is too long, or holds blanks or characters that an HTTP field cannot");
    return false;
  }
  if (!node.expanded && !node.text.starts_with("sha256:")) {
    problems.warn(node.place, "a literal secret in the file; ${NAME} or ${file:PATH} keep it out");
  }
  return true;
}

}  // namespace switchyard::config
