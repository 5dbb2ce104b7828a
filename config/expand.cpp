#include "config/expand.h"

#include <filesystem>
#include <optional>
#include <system_error>

namespace switchyard::config {

namespace {

// All that expansions may add: a few certificates, not a file read a thousand times.
constexpr std::size_t kExpandedMax = 4 << 20;

class Expander {
 public:
  Expander(const std::string& config_path, const Environment& environment, Problems& problems,
           std::vector<std::string>& files)
      : config_path_(config_path), environment_(environment), problems_(problems), files_(files) {}

  void expand(Node& node) {
    std::string_view rest = node.text;
    if (rest.find("${") == std::string_view::npos) return;
    std::string result;
    for (auto at = rest.find("${"); at != std::string_view::npos; at = rest.find("${")) {
      if (at > 0 && rest[at - 1] == '$') {
        result += rest.substr(0, at - 1);
        result += "${";
        rest.remove_prefix(at + 2);
        continue;
      }
      result += rest.substr(0, at);
      const auto end = rest.find('}', at);
      if (end == std::string_view::npos) {
        problems_.add(node.place, "a ${ without its }; $${ stands for ${ itself");
        node.broken = true;
        return;
      }
      const auto value = look_up(std::string(rest.substr(at + 2, end - at - 2)), node.place);
      if (!value) {
        node.broken = true;
        return;
      }
      result += *value;
      node.expanded = true;
      rest.remove_prefix(end + 1);
    }
    result += rest;
    node.text = std::move(result);
  }

  std::string take_values() { return std::move(values_); }

 private:
  std::optional<std::string> look_up(const std::string& name, Place place) {
    constexpr std::string_view kFile = "file:";
    auto value = name.starts_with(kFile) ? read(name.substr(kFile.size()), place) : get(name, place);
    if (!value) return value;
    if (values_.size() + value->size() > kExpandedMax) {
      problems_.add(place, "the file expands to more than 4 MiB");
      return std::nullopt;
    }
    values_ += *value;
    values_ += '\0';
    return value;
  }

  std::optional<std::string> get(const std::string& name, Place place) {
    const bool is_name =
        !name.empty() && name.size() <= 128 &&
        name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") ==
            std::string::npos;
    if (!is_name) {
      problems_.add(place, "${...} takes the name of an environment variable, or file:PATH");
      return std::nullopt;
    }
    auto value = environment_.get(name);
    if (!value) problems_.add(place, "the environment variable " + name + " is not set");
    return value;
  }

  std::optional<std::string> read(const std::string& path, Place place) {
    if (path.empty()) {
      problems_.add(place, "${file:} names no file");
      return std::nullopt;
    }
    const std::string resolved = resolve_path(config_path_, path);
    files_.push_back(resolved);
    auto content = environment_.read_file(resolved);
    if (!content) {
      problems_.add(place, "the file " + resolved + " cannot be read");
      return std::nullopt;
    }
    // The newline that every editor leaves is not part of a secret.
    if (content->ends_with('\n')) content->pop_back();
    if (content->ends_with('\r')) content->pop_back();
    return content;
  }

  const std::string& config_path_;
  const Environment& environment_;
  Problems& problems_;
  std::vector<std::string>& files_;
  std::string values_;
};

}  // namespace

std::string resolve_path(const std::string& config_path, const std::string& path) {
  const auto joined = std::filesystem::path(config_path).parent_path() / path;
  std::error_code error;
  const auto absolute = std::filesystem::absolute(joined, error);
  return (error ? joined : absolute).lexically_normal().string();
}

std::string expand(Document& document, const std::string& config_path, const Environment& environment,
                   Problems& problems, std::vector<std::string>& files) {
  Expander expander(config_path, environment, problems, files);
  for (Node& node : document.nodes) expander.expand(node);
  return expander.take_values();
}

}  // namespace switchyard::config
