#include "config/watch.h"

#include <sys/stat.h>

#include <filesystem>

namespace switchyard::config {

FileStamp stamp(const std::string& path) {
  FileStamp result;

  struct stat info {};

  if (::stat(path.c_str(), &info) != 0) return result;
  result.exists = true;
  result.modified_ns = std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  result.device = info.st_dev;
  result.inode = info.st_ino;
  result.size = static_cast<std::uint64_t>(info.st_size);
  std::error_code error;
  result.resolved = std::filesystem::canonical(path, error).string();
  return result;
}

std::vector<FileStamp> stamp_all(const std::vector<std::string>& paths) {
  std::vector<FileStamp> stamps;
  for (const std::string& path : paths) stamps.push_back(stamp(path));
  return stamps;
}

}  // namespace switchyard::config
