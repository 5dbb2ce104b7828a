// Compiled with -mavx2 -mfma -mf16c. It includes nothing with inline functions: the linker could pick this
// file's copy of one for the whole program, which then runs only on processors with AVX2.
#include "local_backend/device/cpu/kernels.h"

#include <immintrin.h>

namespace switchyard::local {
namespace {

float sum_of(__m256 v) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

struct F32 {
  using Type = float;

  static __m256 load(const float* w) { return _mm256_loadu_ps(w); }

  static float one(const float* w) { return *w; }
};

struct F16 {
  using Type = unsigned short;

  static __m256 load(const unsigned short* w) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w)));
  }

  static float one(const unsigned short* w) { return _cvtsh_ss(*w); }
};

// kColumns inputs against one row of weights. Two accumulators an input hide the latency of the addition.
template <class W, int kColumns>
void row(const typename W::Type* w, const float* x, int k, float* y, std::size_t y_stride) {
  __m256 even[kColumns], odd[kColumns];
  for (int c = 0; c < kColumns; ++c) even[c] = odd[c] = _mm256_setzero_ps();
  int i = 0;
  for (; i + 16 <= k; i += 16) {
    const __m256 a = W::load(w + i), b = W::load(w + i + 8);
    for (int c = 0; c < kColumns; ++c) {
      const float* at = x + static_cast<std::size_t>(c) * k + i;
      even[c] = _mm256_fmadd_ps(a, _mm256_loadu_ps(at), even[c]);
      odd[c] = _mm256_fmadd_ps(b, _mm256_loadu_ps(at + 8), odd[c]);
    }
  }
  for (int c = 0; c < kColumns; ++c) {
    float sum = sum_of(_mm256_add_ps(even[c], odd[c]));
    for (int j = i; j < k; ++j) sum += W::one(w + j) * x[static_cast<std::size_t>(c) * k + j];
    y[c * y_stride] = sum;
  }
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

// Adds, lane by lane, four products of unsigned u (at most 128) and signed s bytes; 128 · 127 · 2 fits 16
// bits.
__m256i add_products(__m256i sum, __m256i u, __m256i s) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(u, s), _mm256_set1_epi16(1)));
}

// Eight rows of a quad, Q8_0: the weight's sign moves over to x, since one factor must be unsigned.
__m256i add_signed(__m256i sum, __m256i w, __m256i x) {
  return add_products(sum, _mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
}

int load_quad(const std::int8_t* q) {
  int quad;
  __builtin_memcpy(&quad, q, sizeof quad);
  return quad;
}

// The dot products of one tile's 16 rows with one block of x, in two vectors of 8.
template <int kBits>
void tile(const std::byte* at, const std::int8_t* q, int x_sum, __m256i out[2]) {
  const auto* w = reinterpret_cast<const __m256i*>(at + 32);
  if constexpr (kBits == 8) {
    out[0] = out[1] = _mm256_setzero_si256();
    for (int j = 0; j < 8; ++j) {
      const __m256i x = _mm256_set1_epi32(load_quad(q + 4 * j));
      out[0] = add_signed(out[0], _mm256_loadu_si256(w + 2 * j), x);
      out[1] = add_signed(out[1], _mm256_loadu_si256(w + 2 * j + 1), x);
    }
  } else {
    const __m256i low = _mm256_set1_epi8(15);
    out[0] = out[1] = _mm256_set1_epi32(-8 * x_sum);
    for (int j = 0; j < 4; ++j) {
      const __m256i x = _mm256_set1_epi32(load_quad(q + 4 * j)),
                    x4 = _mm256_set1_epi32(load_quad(q + 4 * j + 16));
      for (int half = 0; half < 2; ++half) {
        const __m256i v = _mm256_loadu_si256(w + 2 * j + half);
        out[half] = add_products(out[half], _mm256_and_si256(v, low), x);
        out[half] = add_products(out[half], _mm256_and_si256(_mm256_srli_epi16(v, 4), low), x4);
      }
    }
  }
}

template <int kBits>
void tiles(const TilesProduct& p) {
  constexpr std::size_t kTileBytes = kBits == 8 ? kTileBytesQ8 : kTileBytesQ4;
  const int blocks = p.k / kTileColumns;
  const std::byte* row_of_tiles = p.tiles;
  for (int r = 0; r < p.rows; r += kTileRows, row_of_tiles += blocks * kTileBytes)
    for (int c = 0; c < p.n; ++c) {
      __m256 sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
      for (int b = 0; b < blocks; ++b) {
        const std::byte* at = row_of_tiles + b * kTileBytes;
        const std::size_t block = static_cast<std::size_t>(c) * blocks + b;
        __m256i dot[2];
        tile<kBits>(at, p.x.q + block * kTileColumns, p.x.sum[block], dot);
        const __m256 x_scale = _mm256_set1_ps(p.x.scale[block]);
        for (int half = 0; half < 2; ++half) {
          const __m256 scale = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at) + half));
          sum[half] =
              _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot[half]), _mm256_mul_ps(scale, x_scale), sum[half]);
        }
      }
      float out[kTileRows];
      _mm256_storeu_ps(out, sum[0]);
      _mm256_storeu_ps(out + 8, sum[1]);
      float* y = p.y + c * p.y_stride + r;
      for (int i = 0; i < kTileRows && r + i < p.rows; ++i) y[i] = out[i];
    }
}

void quantise(const float* x, int k, std::int8_t* q, float* scale, std::int32_t* sum) {
  const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
  for (int b = 0; b < k / 32; ++b, x += 32, q += 32) {
    __m256 v[4], peaks = _mm256_setzero_ps();
    for (int i = 0; i < 4; ++i) {
      v[i] = _mm256_loadu_ps(x + 8 * i);
      peaks = _mm256_max_ps(peaks, _mm256_and_ps(v[i], magnitude));
    }
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(peaks), _mm256_extractf128_ps(peaks, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    const float peak = _mm_cvtss_f32(_mm_max_ss(four, _mm_shuffle_ps(four, four, 1)));
    const __m256 inverse = _mm256_set1_ps(peak > kPeakMin ? 127.0F / peak : 0.0F);
    scale[b] = peak / 127.0F;
    __m256i total = _mm256_setzero_si256(), whole[4];
    for (int i = 0; i < 4; ++i) {
      // What is no number becomes the smallest int: the limit keeps the sum of even those in range.
      whole[i] = _mm256_max_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(v[i], inverse)), _mm256_set1_epi32(-128));
      total = _mm256_add_epi32(total, whole[i]);
    }
    alignas(32) std::int32_t parts[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(parts), total);
    sum[b] = parts[0] + parts[1] + parts[2] + parts[3] + parts[4] + parts[5] + parts[6] + parts[7];
    // Packing works within 128-bit halves: the last step puts the eight groups of four back in order.
    const __m256i bytes =
        _mm256_packs_epi16(_mm256_packs_epi32(whole[0], whole[1]), _mm256_packs_epi32(whole[2], whole[3]));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(q),
                        _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)));
  }
}

void weighted_sum(const float* p, const float* v, int count, int size, float* out) {
  int i = 0;
  for (; i + 8 <= size; i += 8) {
    __m256 sum = _mm256_setzero_ps();
    for (int t = 0; t < count; ++t)
      sum = _mm256_fmadd_ps(_mm256_set1_ps(p[t]), _mm256_loadu_ps(v + static_cast<std::size_t>(t) * size + i),
                            sum);
    _mm256_storeu_ps(out + i, sum);
  }
  for (; i < size; ++i) {
    out[i] = 0;
    for (int t = 0; t < count; ++t) out[i] += p[t] * v[static_cast<std::size_t>(t) * size + i];
  }
}

}  // namespace

const Kernels& avx2_kernels() {
  static constexpr Kernels kKernels{"avx2", rows<F32>, rows<F16>, tiles<8>, tiles<4>, quantise, weighted_sum};
  return kKernels;
}

}  // namespace switchyard::local
