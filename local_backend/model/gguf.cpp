// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#include "local_backend/model/gguf.h"

#include <bit>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

namespace switchyard::local {
namespace {

constexpr std::uint64_t kMetadataMax = 1 << 16, kTensorsMax = 1 << 16, kNameBytesMax = 256,
                        kDefaultAlignment = 32;

// GGUF's metadata value types.
enum Kind : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, array, u64, i64, f64 };

constexpr TensorTypeInfo kTypes[] = {
    {TensorType::f32, "F32", 1, 4},       {TensorType::f16, "F16", 1, 2},
    {TensorType::q4_0, "Q4_0", 32, 18},   {TensorType::q4_1, "Q4_1", 32, 20},
    {TensorType::q5_0, "Q5_0", 32, 22},   {TensorType::q5_1, "Q5_1", 32, 24},
    {TensorType::q8_0, "Q8_0", 32, 34},   {TensorType::q2_k, "Q2_K", 256, 84},
    {TensorType::q3_k, "Q3_K", 256, 110}, {TensorType::q4_k, "Q4_K", 256, 144},
    {TensorType::q5_k, "Q5_K", 256, 176}, {TensorType::q6_k, "Q6_K", 256, 210},
    {TensorType::bf16, "BF16", 1, 2},
};

// Bytes of one number; 0 for what is no number.
std::size_t width_of(std::uint32_t kind) {
  switch (kind) {
    case u8:
    case i8:
    case boolean:
      return 1;
    case u16:
    case i16:
      return 2;
    case u32:
    case i32:
    case f32:
      return 4;
    case u64:
    case i64:
    case f64:
      return 8;
    default:
      return 0;
  }
}

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::string quoted(std::string_view name) {
  // Names come from the file: keep a hostile one from breaking a log line.
  std::string out = "'";
  for (const char c : name.substr(0, 64)) out += (c >= ' ' && c < 127) ? c : '?';
  return out + "'";
}

// A cursor that never passes the end: a failed read sets `ok` to false and yields zeros from then on.
struct Reader {
  std::span<const std::byte> bytes;
  std::size_t at = 0;
  bool ok = true;

  std::span<const std::byte> take(std::uint64_t count) {
    if (!ok || count > bytes.size() - at) {
      ok = false;
      return {};
    }
    const auto out = bytes.subspan(at, count);
    at += count;
    return out;
  }

  template <class T>
  T number() {
    const auto raw = take(sizeof(T));
    return ok ? load<T>(raw.data()) : T{};
  }

  std::string_view string() {
    const auto raw = take(number<std::uint64_t>());
    return {reinterpret_cast<const char*>(raw.data()), raw.size()};
  }
};

MetaValue number_value(std::uint32_t kind, const std::byte* at) {
  switch (kind) {
    case u8:
      return std::uint64_t{load<std::uint8_t>(at)};
    case u16:
      return std::uint64_t{load<std::uint16_t>(at)};
    case u32:
      return std::uint64_t{load<std::uint32_t>(at)};
    case u64:
      return load<std::uint64_t>(at);
    case i8:
      return std::int64_t{load<std::int8_t>(at)};
    case i16:
      return std::int64_t{load<std::int16_t>(at)};
    case i32:
      return std::int64_t{load<std::int32_t>(at)};
    case i64:
      return load<std::int64_t>(at);
    case f32:
      return double{load<float>(at)};
    case f64:
      return load<double>(at);
    default:
      return load<std::uint8_t>(at) != 0;
  }
}

Result<MetaValue> read_array(Reader& in, std::string_view key) {
  const auto kind = in.number<std::uint32_t>();
  const auto count = in.number<std::uint64_t>();
  const std::size_t left = in.bytes.size() - in.at;
  if (kind == text) {
    // Each string takes its 8-byte length at least, so the count bounds what is allocated.
    if (!in.ok || count > left / 8)
      return fail("metadata " + quoted(key) + ": the array is longer than the file");
    std::vector<std::string_view> strings;
    strings.reserve(count);
    for (std::uint64_t i = 0; i < count && in.ok; ++i) strings.push_back(in.string());
    if (!in.ok) return fail("metadata " + quoted(key) + ": a string is longer than the file");
    return MetaValue(std::move(strings));
  }
  const std::size_t width = width_of(kind);
  if (width == 0)
    return fail("metadata " + quoted(key) + ": arrays of type " + std::to_string(kind) +
                " are not supported");
  if (!in.ok || count > left / width)
    return fail("metadata " + quoted(key) + ": the array is longer than the file");
  return MetaValue(NumberArray{kind, count, in.take(count * width)});
}

Result<MetaValue> read_value(Reader& in, std::string_view key) {
  const auto kind = in.number<std::uint32_t>();
  if (kind == array) return read_array(in, key);
  if (kind == text) {
    const auto value = in.string();
    if (!in.ok) return fail("metadata " + quoted(key) + ": the string is longer than the file");
    return MetaValue(value);
  }
  const std::size_t width = width_of(kind);
  if (width == 0) return fail("metadata " + quoted(key) + ": unknown value type " + std::to_string(kind));
  const auto raw = in.take(width);
  if (!in.ok) return fail("metadata " + quoted(key) + ": the file ends inside the value");
  return number_value(kind, raw.data());
}

Result<void> read_metadata(Reader& in, std::uint64_t count, Gguf& out) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto key = in.string();
    if (!in.ok)
      return fail("the file ends inside the name of metadata " + std::to_string(i + 1) + " of " +
                  std::to_string(count));
    if (key.empty() || key.size() > kNameBytesMax)
      return fail("metadata " + quoted(key) + ": the key's length is not 1 to 256");
    auto value = read_value(in, key);
    if (!value) return value.error();
    if (!out.metadata.emplace(key, std::move(*value)).second)
      return fail("metadata " + quoted(key) + " occurs twice");
  }
  return {};
}

struct Placed {
  Tensor tensor;
  std::uint64_t offset = 0, bytes = 0;
};

Result<Placed> read_tensor(Reader& in) {
  Placed p;
  p.tensor.name = in.string();
  if (!in.ok) return fail("the file ends inside the list of tensors");
  const std::string who = "tensor " + quoted(p.tensor.name) + ": ";
  if (p.tensor.name.empty() || p.tensor.name.size() > kNameBytesMax)
    return fail(who + "the name's length is not 1 to 256");
  const auto dimensions = in.number<std::uint32_t>();
  if (in.ok && (dimensions < 1 || dimensions > 4))
    return fail(who + std::to_string(dimensions) + " dimensions");
  std::uint64_t weights = 1;
  for (std::uint32_t d = 0; d < dimensions && in.ok; ++d) {
    const auto size = in.number<std::uint64_t>();
    if (in.ok && (size == 0 || size > std::numeric_limits<std::int64_t>::max() / 8 / weights))
      return fail(who + "dimension " + std::to_string(d + 1) + " is " + std::to_string(size));
    weights *= size;
    p.tensor.shape.push_back(size);
  }
  const auto type = in.number<std::uint32_t>();
  p.offset = in.number<std::uint64_t>();
  if (!in.ok) return fail(who + "the file ends inside its description");
  p.tensor.type = find_tensor_type(type);
  if (!p.tensor.type) return fail(who + "unknown type " + std::to_string(type));
  if (p.tensor.columns() % p.tensor.type->block_weights != 0)
    return fail(who + "rows of " + std::to_string(p.tensor.columns()) + " weights do not fit " +
                std::string(p.tensor.type->name) + "'s blocks of " +
                std::to_string(p.tensor.type->block_weights));
  p.bytes = weights / p.tensor.type->block_weights * p.tensor.type->block_bytes;
  return p;
}

Result<std::uint64_t> alignment_of(const Gguf& file) {
  const auto alignment = file.number("general.alignment", kDefaultAlignment);
  if (!alignment) return alignment.error();
  if (!std::has_single_bit(*alignment) || *alignment < 8 || *alignment > (1 << 20))
    return fail("metadata 'general.alignment': " + std::to_string(*alignment) +
                " is no power of two from 8 to 1048576");
  return alignment;
}

Result<void> read_tensors(Reader& in, std::uint64_t count, Gguf& out) {
  std::vector<Placed> placed;
  for (std::uint64_t i = 0; i < count; ++i) {
    auto one = read_tensor(in);
    if (!one) return one.error();
    placed.push_back(std::move(*one));
  }
  const auto alignment = alignment_of(out);
  if (!alignment) return alignment.error();
  const std::uint64_t start = (in.at + *alignment - 1) / *alignment * *alignment;
  const std::uint64_t room = start < in.bytes.size() ? in.bytes.size() - start : 0;
  for (Placed& p : placed) {
    const std::string who = "tensor " + quoted(p.tensor.name) + ": ";
    if (p.offset % *alignment != 0)
      return fail(who + "its offset " + std::to_string(p.offset) + " is not aligned");
    if (p.offset > room || p.bytes > room - p.offset)
      return fail(who + "its data lies beyond the end of the file");
    p.tensor.data = in.bytes.subspan(start + p.offset, p.bytes);
    const auto name = p.tensor.name;
    if (!out.tensors.emplace(name, std::move(p.tensor)).second)
      return fail("tensor " + quoted(name) + " occurs twice");
  }
  return {};
}

std::string missing(std::string_view key) {
  return "metadata " + quoted(key) + " is missing";
}

std::string wrong(std::string_view key, const char* wanted) {
  return "metadata " + quoted(key) + " is not " + wanted;
}

}  // namespace

const TensorTypeInfo* find_tensor_type(std::uint32_t type) {
  for (const auto& info : kTypes)
    if (static_cast<std::uint32_t>(info.type) == type) return &info;
  return nullptr;
}

std::uint64_t Tensor::rows() const {
  std::uint64_t rows = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) rows *= shape[i];
  return rows;
}

double NumberArray::at(std::uint64_t index) const {
  const auto value = number_value(type, data.data() + index * width_of(type));
  if (const auto* u = std::get_if<std::uint64_t>(&value)) return static_cast<double>(*u);
  if (const auto* i = std::get_if<std::int64_t>(&value)) return static_cast<double>(*i);
  if (const auto* b = std::get_if<bool>(&value)) return *b ? 1 : 0;
  return std::get<double>(value);
}

Result<std::uint64_t> Gguf::number(std::string_view key, std::optional<std::uint64_t> fallback) const {
  const auto found = metadata.find(key);
  if (found == metadata.end()) {
    if (fallback) return *fallback;
    return fail(missing(key));
  }
  if (const auto* u = std::get_if<std::uint64_t>(&found->second)) return *u;
  if (const auto* i = std::get_if<std::int64_t>(&found->second); i && *i >= 0)
    return static_cast<std::uint64_t>(*i);
  return fail(wrong(key, "a whole number"));
}

Result<double> Gguf::real(std::string_view key, std::optional<double> fallback) const {
  const auto found = metadata.find(key);
  if (found == metadata.end()) {
    if (fallback) return *fallback;
    return fail(missing(key));
  }
  if (const auto* d = std::get_if<double>(&found->second)) return *d;
  return fail(wrong(key, "a number with a fraction"));
}

Result<std::string_view> Gguf::text(std::string_view key, std::optional<std::string_view> fallback) const {
  const auto found = metadata.find(key);
  if (found == metadata.end()) {
    if (fallback) return *fallback;
    return fail(missing(key));
  }
  if (const auto* s = std::get_if<std::string_view>(&found->second)) return *s;
  return fail(wrong(key, "a string"));
}

Result<const std::vector<std::string_view>*> Gguf::texts(std::string_view key) const {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return fail(missing(key));
  if (const auto* s = std::get_if<std::vector<std::string_view>>(&found->second)) return s;
  return fail(wrong(key, "a list of strings"));
}

Result<const Tensor*> Gguf::tensor(std::string_view name) const {
  const auto found = tensors.find(name);
  if (found == tensors.end()) return fail("tensor " + quoted(name) + " is missing");
  return &found->second;
}

Result<Gguf> parse_gguf(std::span<const std::byte> bytes) {
  Reader in{bytes};
  const auto magic = in.take(4);
  if (!in.ok || std::memcmp(magic.data(), "GGUF", 4) != 0) return fail("not a GGUF file");
  const auto version = in.number<std::uint32_t>();
  if (version != 2 && version != 3)
    return fail("GGUF version " + std::to_string(version) + " is not supported (2 and 3 are; little endian)");
  const auto tensor_count = in.number<std::uint64_t>();
  const auto metadata_count = in.number<std::uint64_t>();
  if (!in.ok) return fail("the file ends inside its header");
  if (tensor_count > kTensorsMax) return fail("the file claims " + std::to_string(tensor_count) + " tensors");
  if (metadata_count > kMetadataMax)
    return fail("the file claims " + std::to_string(metadata_count) + " metadata entries");
  Gguf out;
  if (auto ok = read_metadata(in, metadata_count, out); !ok) return ok.error();
  if (auto ok = read_tensors(in, tensor_count, out); !ok) return ok.error();
  return out;
}

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half & 0x8000U} << 16;
  std::uint32_t exponent = (half >> 10) & 31U, mantissa = half & 0x3ffU;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000U | (mantissa << 13));
  if (exponent == 0) {
    // Subnormal: mantissa * 2^-24, exact in a float.
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

std::uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return static_cast<std::uint16_t>(sign | 0x7e00U);
  if (magnitude >= 0x477ff000U)
    return static_cast<std::uint16_t>(sign | 0x7c00U);  // 65520 and up round to infinity.
  if (magnitude < 0x38800000U) {
    // Subnormal half: adding 0.5 leaves the rounded multiple of 2^-24 in the low mantissa bits.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000U));
  }
  const std::uint32_t rounded = magnitude + 0xfffU + ((magnitude >> 13) & 1U) - 0x38000000U;
  return static_cast<std::uint16_t>(sign | (rounded >> 13));
}

}  // namespace switchyard::local
