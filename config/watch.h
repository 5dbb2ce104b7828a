#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace switchyard::config {

// What identifies a file's content without reading it. The path is followed through its symbolic links, so
// that a mounted Kubernetes ConfigMap, which is changed by turning a link to another folder, is seen to
// change.
struct FileStamp {
  bool exists = false;
  std::int64_t modified_ns = 0;
  std::uint64_t device = 0, inode = 0, size = 0;
  std::string resolved;  // The path without symbolic links.

  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

FileStamp stamp(const std::string& path);

// The stamps of the configuration file and of every file that it read (LoadResult::files). Compare with an
// older one to see a change.
std::vector<FileStamp> stamp_all(const std::vector<std::string>& paths);

}  // namespace switchyard::config
