#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace switchyard::local::testing {

template <class T>
std::string raw(T value) {
  std::string out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

inline std::string gguf_string(std::string_view s) {
  return raw<std::uint64_t>(s.size()) + std::string(s);
}

inline std::span<const std::byte> as_bytes(std::string_view s) {
  return {reinterpret_cast<const std::byte*>(s.data()), s.size()};
}

// Writes GGUF files, also wrong ones: counts, offsets and types are what the caller says.
struct GgufBuilder {
  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::uint64_t tensors = 0, entries = 0;
  std::string metadata, infos, data;
  std::size_t alignment = 32;

  GgufBuilder& entry(std::string_view key, std::uint32_t kind, std::string_view value) {
    metadata += gguf_string(key) + raw(kind) + std::string(value);
    ++entries;
    return *this;
  }

  GgufBuilder& tensor(std::string_view name, std::initializer_list<std::uint64_t> shape, std::uint32_t type,
                      std::uint64_t offset) {
    infos += gguf_string(name) + raw(static_cast<std::uint32_t>(shape.size()));
    for (const std::uint64_t size : shape) infos += raw(size);
    infos += raw(type) + raw(offset);
    ++tensors;
    return *this;
  }

  std::string build() const {
    std::string out = magic + raw(version) + raw(tensors) + raw(entries) + metadata + infos;
    if (!data.empty()) out.append((alignment - out.size() % alignment) % alignment, '\0');
    return out + data;
  }
};

// A file that holds one of everything that the reader knows.
inline GgufBuilder small_gguf() {
  GgufBuilder b;
  b.entry("general.architecture", 8, gguf_string("llama"));
  b.entry("count", 4, raw<std::uint32_t>(7)).entry("negative", 5, raw<std::int32_t>(-7));
  b.entry("real", 6, raw(0.5F))
      .entry("flag", 7, raw<std::uint8_t>(1))
      .entry("wide", 10, raw<std::uint64_t>(1));
  b.entry("words", 9, raw<std::uint32_t>(8) + raw<std::uint64_t>(2) + gguf_string("a") + gguf_string("bc"));
  b.entry("numbers", 9,
          raw<std::uint32_t>(5) + raw<std::uint64_t>(2) + raw<std::int32_t>(-1) + raw<std::int32_t>(3));
  b.tensor("norm", {4}, 0, 0).tensor("matrix", {32, 2}, 8, 32);
  b.data = raw(1.0F) + raw(2.0F) + raw(3.0F) + raw(4.0F) + std::string(16, '\0') + std::string(68, '\1');
  return b;
}

}  // namespace switchyard::local::testing
