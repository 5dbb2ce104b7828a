#pragma once

#include <cstddef>
#include <cstdint>

namespace switchyard::local {

// Activations rounded to 8 bits in blocks of 32: value ≈ q · scale. (n, k), (n, k/32), (n, k/32).
struct QuantisedRows {
  const std::int8_t* q;
  const float* scale;
  const std::int32_t* sum;  // Of the block's q.
};

// Quantised weights are repacked for the kernels into tiles of 16 rows by 32 columns: 16 scales as halves,
// then for Q8_0 eight quads, for Q4_0 four. A quad is 64 bytes: for each of the 16 rows, 4 neighbouring
// columns. Q4_0 holds quad j in the low and quad j + 4 in the high half of each byte, as weight + 8. So a
// lane accumulates one row, and no kernel adds across lanes.
constexpr int kTileRows = 16, kTileColumns = 32;
constexpr std::size_t kTileBytesQ8 = 32 + 512, kTileBytesQ4 = 32 + 256;

// A block whose largest magnitude is no more counts as zero: its inverse would not be finite.
constexpr float kPeakMin = 1e-30F;

// A product y = x · wᵀ of some rows of w. y[c * y_stride + r] for row r and input c. A y is summed in an
// order that does not depend on n: batching does not change results.
struct RowsProduct {
  const void* w;  // Row r at w + r * k, F32 or F16.
  int rows, k;
  const float* x;  // (n, k)
  int n;
  float* y;
  std::size_t y_stride;
};

struct TilesProduct {
  const std::byte* tiles;  // (rows / 16 rounded up, k / 32) tiles
  int rows, k;             // Rows past the last are computed and not written.
  QuantisedRows x;
  int n;
  float* y;
  std::size_t y_stride;
};

// One instruction set's kernels. scalar_kernels() is the reference; the others agree with it up to rounding.
struct Kernels {
  const char* name;
  void (*rows_f32)(const RowsProduct&);
  void (*rows_f16)(const RowsProduct&);
  void (*tiles_q8_0)(const TilesProduct&);
  void (*tiles_q4_0)(const TilesProduct&);
  // q, scale and sum of one row of k values; k is a multiple of 32.
  void (*quantise)(const float* x, int k, std::int8_t* q, float* scale, std::int32_t* sum);
  // out(size) = sum over i of p(i) · v(i, size)
  void (*weighted_sum)(const float* p, const float* v, int count, int size, float* out);
};

const Kernels& scalar_kernels();
const Kernels& avx2_kernels();    // AVX2, FMA and F16C.
const Kernels& avx512_kernels();  // AVX-512 F, BW, DQ, VL and VNNI.

// The kernels that this processor runs, the slowest first: scalar_kernels() is always there.
struct KernelList {
  const Kernels* kernels[3];
  int count;
};

KernelList runnable_kernels();

}  // namespace switchyard::local
