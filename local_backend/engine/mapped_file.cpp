#include "local_backend/engine/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

namespace switchyard::local {
namespace {

Failure failed(const std::string& path, int error) {
  return fail(path + ": " + std::generic_category().message(error));
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::string& path) {
  // O_NONBLOCK: to open a pipe would wait for its writer. It means nothing to a regular file.
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return failed(path, errno);

  struct stat info {};

  const bool known = ::fstat(file, &info) == 0;
  const int error = errno;
  if (!known || !S_ISREG(info.st_mode) || info.st_size <= 0) {
    ::close(file);
    if (!known) return failed(path, error);
    return fail(path + (S_ISREG(info.st_mode) ? ": the file is empty" : ": not a regular file"));
  }
  const auto size = static_cast<std::size_t>(info.st_size);
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  const int map_error = errno;
  ::close(file);  // The mapping stays.
  if (at == MAP_FAILED) return failed(path, map_error);
  MappedFile out;
  out.bytes_ = {static_cast<const std::byte*>(at), size};
  return out;
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void drop_pages(std::span<const std::byte> mapped) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto start = reinterpret_cast<std::uintptr_t>(mapped.data());
  const std::uintptr_t begin = (start + page - 1) / page * page, end = (start + mapped.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace switchyard::local
