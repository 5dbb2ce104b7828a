// Walks tests/golden/: one folder a dialect, one file a case (golden.h says how to write one).
// UPDATE_GOLDEN=1 rewrites the derived sections; read the difference before keeping it.
#include "tests/unit/dialects/golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace switchyard {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<fs::path> golden_files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(SWITCHYARD_SOURCE_DIR "/tests/golden")) {
    if (entry.is_regular_file() && entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

class Golden : public testing::TestWithParam<fs::path> {};

TEST_P(Golden, HoldsWhatItDid) {
  const fs::path& path = GetParam();
  const std::string dialect = path.parent_path().filename();
  GoldenFile file = split_golden(read_file(path));
  EXPECT_FALSE(file.prose.empty()) << "a golden file begins with what it shows";
  EXPECT_FALSE(file.sections.empty());
  const bool update = std::getenv("UPDATE_GOLDEN") != nullptr;
  std::optional<GoldenSection> given;
  for (GoldenSection& section : file.sections) {
    if (is_given(section.heading)) {
      given = section;
      continue;
    }
    ASSERT_TRUE(given) << section.heading << " has no section to be derived from";
    const auto derived = derive_golden(dialect, *given, section.heading);
    ASSERT_TRUE(derived) << section.heading << " does not follow from " << given->heading;
    if (update) {
      section.body = *derived;
    } else {
      EXPECT_EQ(section.body, *derived) << "=== " << section.heading;
    }
  }
  if (update) std::ofstream(path, std::ios::binary) << join_golden(file);
}

INSTANTIATE_TEST_SUITE_P(Dialects, Golden, testing::ValuesIn(golden_files()), [](const auto& info) {
  std::string name = info.param.parent_path().filename().string() + "_" + info.param.stem().string();
  std::ranges::replace_if(
      name, [](unsigned char c) { return !std::isalnum(c); }, '_');
  return name;
});

}  // namespace
}  // namespace switchyard
