#include "config/environment.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace switchyard::config {

namespace {

constexpr std::streamsize kFileMax = 1 << 20;

std::optional<std::string> read_small_file(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string content(static_cast<std::size_t>(kFileMax + 1), '\0');
  file.read(content.data(), kFileMax + 1);
  if (file.bad() || file.gcount() > kFileMax) return std::nullopt;
  content.resize(static_cast<std::size_t>(file.gcount()));
  return content;
}

}  // namespace

Environment system_environment() {
  return {
      [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value ? std::optional<std::string>(value) : std::nullopt;
      },
      read_small_file,
      [](const std::string& path) {
        std::error_code error;
        return std::filesystem::is_regular_file(path, error) && ::access(path.c_str(), R_OK) == 0;
      },
  };
}

}  // namespace switchyard::config
