// The reference that the other kernels are held to: plain loops, no intrinsics.
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "local_backend/device/cpu/kernels.h"
#include "local_backend/model/gguf.h"

#include <cmath>
#include <cstring>

namespace switchyard::local {
namespace {

std::uint16_t half_at(const std::byte* at) {
  std::uint16_t half;
  std::memcpy(&half, at, sizeof half);
  return half;
}

void rows_f32(const RowsProduct& p) {
  const auto* w = static_cast<const float*>(p.w);
  for (int r = 0; r < p.rows; ++r, w += p.k)
    for (int c = 0; c < p.n; ++c) {
      const float* x = p.x + static_cast<std::size_t>(c) * p.k;
      float sum = 0;
      for (int i = 0; i < p.k; ++i) sum += w[i] * x[i];
      p.y[c * p.y_stride + r] = sum;
    }
}

void rows_f16(const RowsProduct& p) {
  const auto* w = static_cast<const std::byte*>(p.w);
  for (int r = 0; r < p.rows; ++r, w += 2 * static_cast<std::size_t>(p.k))
    for (int c = 0; c < p.n; ++c) {
      const float* x = p.x + static_cast<std::size_t>(c) * p.k;
      float sum = 0;
      for (int i = 0; i < p.k; ++i) sum += half_to_float(half_at(w + 2 * static_cast<std::size_t>(i))) * x[i];
      p.y[c * p.y_stride + r] = sum;
    }
}

// The weight of row `lane` and column `column` of a tile.
template <int kBits>
int weight_at(const std::byte* tile, int lane, int column) {
  const int quad = column / 4;
  const auto* at = tile + 32 + (kBits == 8 ? quad : quad % 4) * 64 + lane * 4 + column % 4;
  if constexpr (kBits == 8) return static_cast<std::int8_t>(*at);
  const int byte = static_cast<int>(*at);
  return (quad < 4 ? byte & 15 : byte >> 4) - 8;
}

template <int kBits>
void tiles(const TilesProduct& p) {
  constexpr std::size_t kTileBytes = kBits == 8 ? kTileBytesQ8 : kTileBytesQ4;
  const int blocks = p.k / kTileColumns;
  for (int r = 0; r < p.rows; ++r) {
    const std::byte* row = p.tiles + static_cast<std::size_t>(r / kTileRows) * blocks * kTileBytes;
    const int lane = r % kTileRows;
    for (int c = 0; c < p.n; ++c) {
      float sum = 0;
      for (int b = 0; b < blocks; ++b) {
        const std::byte* tile = row + b * kTileBytes;
        const std::int8_t* q = p.x.q + static_cast<std::size_t>(c) * p.k + b * kTileColumns;
        int dot = 0;
        for (int i = 0; i < kTileColumns; ++i) dot += weight_at<kBits>(tile, lane, i) * q[i];
        const float scale =
            half_to_float(half_at(tile + 2 * lane)) * p.x.scale[static_cast<std::size_t>(c) * blocks + b];
        sum += static_cast<float>(dot) * scale;
      }
      p.y[c * p.y_stride + r] = sum;
    }
  }
}

void quantise(const float* x, int k, std::int8_t* q, float* scale, std::int32_t* sum) {
  for (int b = 0; b < k / 32; ++b, x += 32, q += 32) {
    float peak = 0;
    for (int i = 0; i < 32; ++i) peak = std::fmax(peak, std::fabs(x[i]));
    const float inverse = peak > kPeakMin ? 127.0F / peak : 0.0F;
    scale[b] = peak / 127.0F;
    sum[b] = 0;
    for (int i = 0; i < 32; ++i) {
      q[i] = static_cast<std::int8_t>(std::lrint(x[i] * inverse));
      sum[b] += q[i];
    }
  }
}

#if defined(__x86_64__)
// clang 16's __builtin_cpu_supports does not know this one.
bool has_f16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}
#endif

void weighted_sum(const float* p, const float* v, int count, int size, float* out) {
  for (int i = 0; i < size; ++i) out[i] = 0;
  for (int t = 0; t < count; ++t, v += size)
    for (int i = 0; i < size; ++i) out[i] += p[t] * v[i];
}

}  // namespace

const Kernels& scalar_kernels() {
  static constexpr Kernels kKernels{"scalar", rows_f32, rows_f16, tiles<8>, tiles<4>, quantise, weighted_sum};
  return kKernels;
}

KernelList runnable_kernels() {
  KernelList list{{&scalar_kernels()}, 1};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c())
    list.kernels[list.count++] = &avx2_kernels();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512vnni"))
    list.kernels[list.count++] = &avx512_kernels();
#endif
  return list;
}

}  // namespace switchyard::local
