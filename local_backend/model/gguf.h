#pragma once

#include "local_backend/result.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace switchyard::local {

// How a tensor's weights are stored; the numbers are GGUF's. Blocks are rows of `block_weights` weights.
enum class TensorType : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  bf16 = 30
};

struct TensorTypeInfo {
  TensorType type;
  std::string_view name;
  std::uint32_t block_weights, block_bytes;
};

// nullptr for a type that this reader does not know.
const TensorTypeInfo* find_tensor_type(std::uint32_t type);

struct Tensor {
  std::string_view name;
  const TensorTypeInfo* type = nullptr;
  std::vector<std::uint64_t> shape;  // Innermost first: {columns, rows} for a matrix. 1 to 4, none zero.
  std::span<const std::byte> data;   // Exactly the tensor's bytes.

  std::uint64_t columns() const { return shape[0]; }

  std::uint64_t rows() const;  // Of everything beyond the innermost dimension.
};

// An array of numbers, still encoded: at() decodes one.
struct NumberArray {
  std::uint32_t type = 0;
  std::uint64_t count = 0;
  std::span<const std::byte> data;

  double at(std::uint64_t index) const;
};

using MetaValue = std::variant<std::uint64_t, std::int64_t, double, bool, std::string_view,
                               std::vector<std::string_view>, NumberArray>;

// A parsed GGUF file, version 2 or 3, little endian. Every view points into the bytes given to parse_gguf,
// which must outlive it.
struct Gguf {
  std::map<std::string_view, MetaValue> metadata;
  std::map<std::string_view, Tensor> tensors;

  // Typed access; the failure names the key and what was found.
  Result<std::uint64_t> number(std::string_view key, std::optional<std::uint64_t> fallback = {}) const;
  Result<double> real(std::string_view key, std::optional<double> fallback = {}) const;
  Result<std::string_view> text(std::string_view key, std::optional<std::string_view> fallback = {}) const;
  Result<const std::vector<std::string_view>*> texts(std::string_view key) const;
  Result<const Tensor*> tensor(std::string_view name) const;
};

// Checks every length, offset, count and type against the bytes that are there; bad input is an error, never
// a crash, and never makes it allocate more than a small multiple of the input.
Result<Gguf> parse_gguf(std::span<const std::byte> bytes);

// The float of an IEEE half and back (round to nearest even).
float half_to_float(std::uint16_t half);
std::uint16_t float_to_half(float value);

}  // namespace switchyard::local
