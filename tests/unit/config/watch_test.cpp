#include "config/watch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace switchyard::config {
namespace {

namespace fs = std::filesystem;

class Watch : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("switchyard_watch_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }

  void TearDown() override { fs::remove_all(folder_); }

  void write(const fs::path& path, const char* text) {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path) << text;
  }

  FileStamp now(const char* path) { return stamp((folder_ / path).string()); }

  fs::path folder_;
};

TEST_F(Watch, AFileThatAppearsChangesAndGoes) {
  const FileStamp missing = now("c.yaml");
  EXPECT_FALSE(missing.exists);
  EXPECT_EQ(missing, now("c.yaml"));
  write("c.yaml", "a");
  const FileStamp first = now("c.yaml");
  EXPECT_NE(first, missing);
  EXPECT_EQ(first, now("c.yaml"));
  write("c.yaml", "longer");
  EXPECT_NE(now("c.yaml"), first);
  fs::remove(folder_ / "c.yaml");
  EXPECT_EQ(now("c.yaml"), missing);
}

TEST_F(Watch, AnEditorThatReplacesTheFile) {
  write("c.yaml", "a");
  write("new.yaml", "b");
  fs::last_write_time(folder_ / "new.yaml", fs::last_write_time(folder_ / "c.yaml"));
  const FileStamp first = now("c.yaml");
  fs::rename(folder_ / "new.yaml", folder_ / "c.yaml");
  EXPECT_NE(now("c.yaml"), first) << "same size, same time, another file";
}

// A mounted ConfigMap: c.yaml -> ..data/c.yaml, ..data -> a dated folder; a change turns ..data.
TEST_F(Watch, AConfigMapWhoseLinkTurns) {
  write("one/c.yaml", "a");
  write("two/c.yaml", "a");
  fs::last_write_time(folder_ / "two/c.yaml", fs::last_write_time(folder_ / "one/c.yaml"));
  fs::create_directory_symlink("one", folder_ / "..data");
  fs::create_symlink("..data/c.yaml", folder_ / "c.yaml");
  const FileStamp first = now("c.yaml");
  EXPECT_EQ(first.resolved, fs::canonical(folder_ / "one/c.yaml").string());
  fs::create_directory_symlink("two", folder_ / "..data_tmp");
  fs::rename(folder_ / "..data_tmp", folder_ / "..data");
  EXPECT_NE(now("c.yaml"), first);
}

TEST_F(Watch, SeveralFilesAtOnce) {
  write("a", "a");
  const std::vector<std::string> paths{(folder_ / "a").string(), (folder_ / "b").string()};
  const auto first = stamp_all(paths);
  EXPECT_EQ(first.size(), 2u);
  write("b", "b");
  EXPECT_NE(stamp_all(paths), first);
}

}  // namespace
}  // namespace switchyard::config
