#include "local_backend/device/cpu/tiles.h"

#include "local_backend/device/cpu/kernels.h"

#include <cstring>
#include <new>

namespace switchyard::local {
namespace {

constexpr std::align_val_t kAlignment{64};

// One block of 32 weights, as the file has it: a half, then 32 bytes (Q8_0), or 16 bytes of which the low
// halves are columns 0 to 15 and the high halves columns 16 to 31 (Q4_0).
void pack_block(const std::byte* block, bool is_q8, int lane, std::byte* tile) {
  std::memcpy(tile + 2 * lane, block, 2);
  const int quads = is_q8 ? 8 : 4;
  for (int j = 0; j < quads; ++j) std::memcpy(tile + 32 + 64 * j + 4 * lane, block + 2 + 4 * j, 4);
}

float half_at(const std::byte* at) {
  std::uint16_t half;
  std::memcpy(&half, at, sizeof half);
  return half_to_float(half);
}

}  // namespace

void FreeAligned::operator()(std::byte* bytes) const {
  ::operator delete[](bytes, kAlignment);
}

Tiles pack_tiles(const Tensor& tensor) {
  const bool is_q8 = tensor.type->type == TensorType::q8_0;
  const std::size_t tile_bytes = is_q8 ? kTileBytesQ8 : kTileBytesQ4, block_bytes = tensor.type->block_bytes;
  const std::size_t rows = tensor.rows(), blocks = tensor.columns() / kTileColumns;
  const std::size_t bytes = (rows + kTileRows - 1) / kTileRows * blocks * tile_bytes;
  Tiles tiles(static_cast<std::byte*>(::operator new[](bytes, kAlignment)));
  std::memset(tiles.get(), 0, bytes);
  const std::byte* at = tensor.data.data();
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t b = 0; b < blocks; ++b, at += block_bytes)
      pack_block(at, is_q8, static_cast<int>(r % kTileRows),
                 tiles.get() + (r / kTileRows * blocks + b) * tile_bytes);
  return tiles;
}

void dequantise_row(const Tensor& tensor, std::size_t row, float* out) {
  const std::size_t columns = tensor.columns(), block_weights = tensor.type->block_weights;
  const std::size_t block_bytes = tensor.type->block_bytes;
  const std::byte* at = tensor.data.data() + row * (columns / block_weights) * block_bytes;
  switch (tensor.type->type) {
    case TensorType::f32:
      std::memcpy(out, at, columns * sizeof(float));
      return;
    case TensorType::f16:
      for (std::size_t i = 0; i < columns; ++i) out[i] = half_at(at + 2 * i);
      return;
    case TensorType::q8_0:
      for (std::size_t b = 0; b < columns; b += 32, at += block_bytes)
        for (std::size_t i = 0; i < 32; ++i)
          out[b + i] = half_at(at) * static_cast<float>(static_cast<std::int8_t>(at[2 + i]));
      return;
    default:  // Q4_0: the device takes no other type.
      for (std::size_t b = 0; b < columns; b += 32, at += block_bytes)
        for (std::size_t i = 0; i < 16; ++i) {
          const int byte = static_cast<int>(at[2 + i]);
          out[b + i] = half_at(at) * static_cast<float>((byte & 15) - 8);
          out[b + 16 + i] = half_at(at) * static_cast<float>((byte >> 4) - 8);
        }
  }
}

}  // namespace switchyard::local
