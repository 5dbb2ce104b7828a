// Compiled with -mavx512{f,bw,dq,vl,vnni}. It includes nothing with inline functions: see kernels_avx2.cpp.
#include "local_backend/device/cpu/kernels.h"

#include <immintrin.h>

namespace switchyard::local {
namespace {

struct F32 {
  using Type = float;

  static __m512 load(const float* w, __mmask16 mask) { return _mm512_maskz_loadu_ps(mask, w); }
};

struct F16 {
  using Type = unsigned short;

  static __m512 load(const unsigned short* w, __mmask16 mask) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, w));
  }
};

constexpr __mmask16 kAll = 0xffff;

// kColumns inputs against one row of weights. Four accumulators an input hide the latency of the addition.
template <class W, int kColumns>
void row(const typename W::Type* w, const float* x, int k, float* y, std::size_t y_stride) {
  __m512 sum[kColumns][4];
  for (int c = 0; c < kColumns; ++c)
    for (int a = 0; a < 4; ++a) sum[c][a] = _mm512_setzero_ps();
  int i = 0;
  for (; i + 64 <= k; i += 64)
    for (int a = 0; a < 4; ++a) {
      const __m512 v = W::load(w + i + 16 * a, kAll);
      for (int c = 0; c < kColumns; ++c)
        sum[c][a] =
            _mm512_fmadd_ps(v, _mm512_loadu_ps(x + static_cast<std::size_t>(c) * k + i + 16 * a), sum[c][a]);
    }
  for (; i < k; i += 16) {
    const auto mask = static_cast<__mmask16>(k - i >= 16 ? 0xffff : (1 << (k - i)) - 1);
    const __m512 v = W::load(w + i, mask);
    for (int c = 0; c < kColumns; ++c)
      sum[c][0] =
          _mm512_fmadd_ps(v, _mm512_maskz_loadu_ps(mask, x + static_cast<std::size_t>(c) * k + i), sum[c][0]);
  }
  for (int c = 0; c < kColumns; ++c)
    y[c * y_stride] = _mm512_reduce_add_ps(
        _mm512_add_ps(_mm512_add_ps(sum[c][0], sum[c][1]), _mm512_add_ps(sum[c][2], sum[c][3])));
}

template <class W>
void rows(const RowsProduct& p) {
  const auto* w = static_cast<const typename W::Type*>(p.w);
  for (int r = 0; r < p.rows; ++r, w += p.k) {
    int c = 0;
    for (; c + 4 <= p.n; c += 4)
      row<W, 4>(w, p.x + static_cast<std::size_t>(c) * p.k, p.k, p.y + c * p.y_stride + r, p.y_stride);
    for (; c < p.n; ++c)
      row<W, 1>(w, p.x + static_cast<std::size_t>(c) * p.k, p.k, p.y + c * p.y_stride + r, p.y_stride);
  }
}

__m512i broadcast_quad(const std::int8_t* q) {
  int quad;
  __builtin_memcpy(&quad, q, sizeof quad);
  return _mm512_set1_epi32(quad);
}

// The dot products of one tile's 16 rows with kColumns blocks of x. vpdpbusd takes unsigned weights: Q8_0
// flips the sign bit, which adds 128, Q4_0 is stored with 8 added; the start value takes that off again.
template <int kBits, int kColumns>
void tile(const std::byte* at, const std::int8_t* const q[kColumns], const std::int32_t x_sum[kColumns],
          __m512i out[kColumns]) {
  __m512i odd[kColumns];
  for (int c = 0; c < kColumns; ++c) {
    out[c] = _mm512_set1_epi32((kBits == 8 ? -128 : -8) * x_sum[c]);
    odd[c] = _mm512_setzero_si512();
  }
  if constexpr (kBits == 8) {
    const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
    for (int j = 0; j < 8; j += 2) {
      const __m512i a = _mm512_xor_si512(_mm512_loadu_si512(at + 32 + 64 * j), flip);
      const __m512i b = _mm512_xor_si512(_mm512_loadu_si512(at + 96 + 64 * j), flip);
      for (int c = 0; c < kColumns; ++c) {
        out[c] = _mm512_dpbusd_epi32(out[c], a, broadcast_quad(q[c] + 4 * j));
        odd[c] = _mm512_dpbusd_epi32(odd[c], b, broadcast_quad(q[c] + 4 * j + 4));
      }
    }
  } else {
    const __m512i low = _mm512_set1_epi8(15);
    for (int j = 0; j < 4; ++j) {
      const __m512i v = _mm512_loadu_si512(at + 32 + 64 * j);
      const __m512i a = _mm512_and_si512(v, low), b = _mm512_and_si512(_mm512_srli_epi16(v, 4), low);
      for (int c = 0; c < kColumns; ++c) {
        out[c] = _mm512_dpbusd_epi32(out[c], a, broadcast_quad(q[c] + 4 * j));
        odd[c] = _mm512_dpbusd_epi32(odd[c], b, broadcast_quad(q[c] + 4 * j + 16));
      }
    }
  }
  for (int c = 0; c < kColumns; ++c) out[c] = _mm512_add_epi32(out[c], odd[c]);
}

// 16 rows (the first `valid` are written) against kColumns inputs, from input c on.
template <int kBits, int kColumns>
void tile_row(const TilesProduct& p, const std::byte* tiles, int c, float* y, __mmask16 valid) {
  constexpr std::size_t kTileBytes = kBits == 8 ? kTileBytesQ8 : kTileBytesQ4;
  const int blocks = p.k / kTileColumns;
  __m512 sum[kColumns];
  for (int j = 0; j < kColumns; ++j) sum[j] = _mm512_setzero_ps();
  for (int b = 0; b < blocks; ++b, tiles += kTileBytes) {
    const std::int8_t* q[kColumns];
    std::int32_t x_sum[kColumns];
    __m512i dot[kColumns];
    for (int j = 0; j < kColumns; ++j) {
      const std::size_t block = static_cast<std::size_t>(c + j) * blocks + b;
      q[j] = p.x.q + block * kTileColumns;
      x_sum[j] = p.x.sum[block];
    }
    tile<kBits, kColumns>(tiles, q, x_sum, dot);
    const __m512 scale = _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(tiles)));
    for (int j = 0; j < kColumns; ++j) {
      const float x_scale = p.x.scale[static_cast<std::size_t>(c + j) * blocks + b];
      sum[j] =
          _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[j]), _mm512_mul_ps(scale, _mm512_set1_ps(x_scale)), sum[j]);
    }
  }
  for (int j = 0; j < kColumns; ++j) _mm512_mask_storeu_ps(y + j * p.y_stride, valid, sum[j]);
}

template <int kBits>
void tiles(const TilesProduct& p) {
  constexpr std::size_t kTileBytes = kBits == 8 ? kTileBytesQ8 : kTileBytesQ4;
  const std::byte* at = p.tiles;
  for (int r = 0; r < p.rows; r += kTileRows, at += p.k / kTileColumns * kTileBytes) {
    const auto valid = static_cast<__mmask16>(p.rows - r >= kTileRows ? 0xffff : (1 << (p.rows - r)) - 1);
    int c = 0;
    for (; c + 8 <= p.n; c += 8) tile_row<kBits, 8>(p, at, c, p.y + c * p.y_stride + r, valid);
    for (; c + 2 <= p.n; c += 2) tile_row<kBits, 2>(p, at, c, p.y + c * p.y_stride + r, valid);
    for (; c < p.n; ++c) tile_row<kBits, 1>(p, at, c, p.y + c * p.y_stride + r, valid);
  }
}

void quantise(const float* x, int k, std::int8_t* q, float* scale, std::int32_t* sum) {
  for (int b = 0; b < k / 32; ++b, x += 32, q += 32) {
    const __m512 low = _mm512_loadu_ps(x), high = _mm512_loadu_ps(x + 16);
    const float peak = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(low), _mm512_abs_ps(high)));
    const __m512 inverse = _mm512_set1_ps(peak > kPeakMin ? 127.0F / peak : 0.0F);
    scale[b] = peak / 127.0F;
    // What is no number becomes the smallest int: the limit keeps the sum of even those in range.
    const __m512i least = _mm512_set1_epi32(-128);
    const __m512i a = _mm512_max_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(low, inverse)), least);
    const __m512i c = _mm512_max_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(high, inverse)), least);
    sum[b] = _mm512_reduce_add_epi32(_mm512_add_epi32(a, c));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(q), _mm512_cvtsepi32_epi8(a));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(q) + 1, _mm512_cvtsepi32_epi8(c));
  }
}

void weighted_sum(const float* p, const float* v, int count, int size, float* out) {
  for (int i = 0; i < size; i += 16) {
    const auto mask = static_cast<__mmask16>(size - i >= 16 ? 0xffff : (1 << (size - i)) - 1);
    __m512 sum = _mm512_setzero_ps();
    for (int t = 0; t < count; ++t)
      sum = _mm512_fmadd_ps(_mm512_set1_ps(p[t]),
                            _mm512_maskz_loadu_ps(mask, v + static_cast<std::size_t>(t) * size + i), sum);
    _mm512_mask_storeu_ps(out + i, mask, sum);
  }
}

}  // namespace

const Kernels& avx512_kernels() {
  static constexpr Kernels kKernels{"avx512", rows<F32>, rows<F16>,   tiles<8>,
                                    tiles<4>, quantise,  weighted_sum};
  return kKernels;
}

}  // namespace switchyard::local
