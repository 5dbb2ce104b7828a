#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::io {

// Bytes that grow without being cleared first, with room behind the end for a parser that reads past it.
class ByteBuffer {
 public:
  ByteBuffer() = default;

  ByteBuffer(ByteBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}

  ByteBuffer& operator=(ByteBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }

  ~ByteBuffer() { std::free(data_); }

  char* data() { return data_; }

  std::size_t size() const { return size_; }

  std::size_t capacity() const { return capacity_; }

  std::string_view view() const { return {data_, size_}; }

  // Room for at least `bytes` more behind the end; throws std::bad_alloc.
  std::span<char> spare(std::size_t bytes) {
    if (capacity_ - size_ < bytes) {
      std::size_t wanted = capacity_ * 2;
      if (wanted < size_ + bytes) wanted = size_ + bytes;
      void* grown = std::realloc(data_, wanted);
      if (!grown) throw std::bad_alloc();
      data_ = static_cast<char*>(grown);
      capacity_ = wanted;
    }
    return {data_ + size_, capacity_ - size_};
  }

  void commit(std::size_t bytes) { size_ += bytes; }

  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(spare(bytes.size()).data(), bytes.data(), bytes.size());
    size_ += bytes.size();
  }

  void release() {
    std::free(data_);
    data_ = nullptr;
    size_ = capacity_ = 0;
  }

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0, capacity_ = 0;
};

// The read buffers of one event loop. A connection holds one only while it has bytes to look at, so an idle
// connection or a stream between two tokens holds none; the pages stay mapped and warm for the next one.
class BlockPool {
 public:
  static constexpr std::size_t kBlockBytes = 64u << 10;
  static constexpr std::size_t kSpareMax = 64;

  class Block {
   public:
    Block() = default;

    Block(BlockPool& pool, std::unique_ptr<char[]> bytes) : pool_(&pool), bytes_(std::move(bytes)) {}

    Block(Block&&) = default;

    Block& operator=(Block&& other) noexcept {
      release();
      pool_ = other.pool_;
      bytes_ = std::move(other.bytes_);
      return *this;
    }

    ~Block() { release(); }

    void release() {
      if (bytes_ && pool_->spare_.size() < kSpareMax) pool_->spare_.push_back(std::move(bytes_));
      bytes_.reset();
    }

    explicit operator bool() const { return bytes_ != nullptr; }

    std::span<char> span() const { return {bytes_.get(), kBlockBytes}; }

   private:
    BlockPool* pool_ = nullptr;
    std::unique_ptr<char[]> bytes_;
  };

  Block take() {
    if (spare_.empty()) return {*this, std::unique_ptr<char[]>(new char[kBlockBytes])};
    auto bytes = std::move(spare_.back());
    spare_.pop_back();
    return {*this, std::move(bytes)};
  }

 private:
  std::vector<std::unique_ptr<char[]>> spare_;
};

}  // namespace switchyard::io
