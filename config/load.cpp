#include "config/load.h"

#include "adapters/crypto/sha256.h"
#include "config/build.h"
#include "config/check.h"
#include "config/expand.h"
#include "config/yaml.h"

#include <algorithm>

namespace switchyard::config {

namespace {

std::string version_of(std::string_view text, const std::string& expanded) {
  std::string all(text);
  all += '\0';
  all += expanded;
  return to_hex(sha256(all)).substr(0, 12);
}

void drop_repeated(std::vector<std::string>& files) {
  std::vector<std::string> once;
  for (auto& file : files) {
    if (std::find(once.begin(), once.end(), file) == once.end()) once.push_back(std::move(file));
  }
  files = std::move(once);
}

}  // namespace

LoadResult load_text(std::string_view text, const std::string& name, const Environment& environment) {
  LoadResult result;
  result.files.push_back(name);
  Problems problems(name);
  Document document = parse_yaml(text, problems);
  if (!document.root && problems.none()) problems.add({}, "the file is empty");
  if (document.root) {
    const std::string expanded = expand(document, name, environment, problems, result.files);
    check_fields(*document.root, problems);
    Config config = build(*document.root, name, environment, problems, result.files);
    if (problems.none()) {
      config.version = version_of(text, expanded);
      result.config = std::move(config);
    }
  }
  result.problems = problems.take_errors();
  result.warnings = problems.take_warnings();
  drop_repeated(result.files);
  return result;
}

LoadResult load_file(const std::string& path, const Environment& environment) {
  if (const auto text = environment.read_file(path)) return load_text(*text, path, environment);
  LoadResult result;
  result.files.push_back(path);
  result.problems.push_back({path, 0, 0, "the file cannot be read, or is larger than 1 MiB"});
  return result;
}

}  // namespace switchyard::config
