#pragma once

#include "local_backend/result.h"

#include <cstddef>
#include <span>
#include <string>

namespace switchyard::local {

// A file's bytes, mapped for reading. The file must not be cut short while it is mapped: replace a model by
// renaming another over it.
class MappedFile {
 public:
  static Result<MappedFile> open(const std::string& path);
  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

// Gives back the memory of a file mapping's whole pages; a later read brings them in again from the file.
void drop_pages(std::span<const std::byte> mapped);

}  // namespace switchyard::local
