#include "local_backend/device/cpu/kernels.h"

#include "local_backend/device/cpu/tiles.h"
#include "local_backend/engine/sampler.h"
#include "local_backend/model/gguf.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <vector>

namespace switchyard::local {
namespace {

// Random weights of a type, and what they stand for.
struct Matrix {
  Matrix(TensorType type, int rows, int columns, Random& random) : rows(rows), columns(columns) {
    tensor.type = find_tensor_type(static_cast<std::uint32_t>(type));
    tensor.shape = {static_cast<std::uint64_t>(columns), static_cast<std::uint64_t>(rows)};
    const auto count = static_cast<std::size_t>(rows) * columns;
    bytes.resize(count / tensor.type->block_weights * tensor.type->block_bytes);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random.next());
    // Random bits are no sensible numbers: scales, halves and floats get values around one.
    const auto put_half = [&](std::size_t at) {
      const std::uint16_t half = float_to_half(static_cast<float>(random.uniform() - 0.5));
      std::memcpy(&bytes[at], &half, sizeof half);
    };
    if (type == TensorType::f32)
      for (std::size_t i = 0; i < count; ++i) {
        const auto value = static_cast<float>(random.uniform() - 0.5);
        std::memcpy(&bytes[4 * i], &value, sizeof value);
      }
    else
      for (std::size_t at = 0; at < bytes.size(); at += tensor.type->block_bytes) put_half(at);
    tensor.data = bytes;
    values.resize(count);
    for (int r = 0; r < rows; ++r)
      dequantise_row(tensor, static_cast<std::size_t>(r), &values[static_cast<std::size_t>(r) * columns]);
  }

  int rows, columns;
  Tensor tensor;
  std::vector<std::byte> bytes;
  std::vector<float> values;
};

std::vector<float> random_rows(int n, int k, Random& random) {
  std::vector<float> x(static_cast<std::size_t>(n) * k);
  for (float& value : x) value = static_cast<float>(random.uniform() * 4 - 2);
  return x;
}

// y(n, rows) in double precision, and the magnitude that rounding errors are relative to.
void expect_product(const Matrix& w, const std::vector<float>& x, int n, const std::vector<float>& y) {
  for (int c = 0; c < n; ++c)
    for (int r = 0; r < w.rows; ++r) {
      double sum = 0, magnitude = 0;
      for (int i = 0; i < w.columns; ++i) {
        const double product = double{w.values[static_cast<std::size_t>(r) * w.columns + i]} *
                               x[static_cast<std::size_t>(c) * w.columns + i];
        sum += product;
        magnitude += std::abs(product);
      }
      ASSERT_NEAR(y[static_cast<std::size_t>(c) * w.rows + r], sum, 1e-6 + 1e-6 * magnitude)
          << w.tensor.type->name << " row " << r << " of " << w.rows << ", input " << c << " of " << n
          << ", k " << w.columns;
    }
}

struct Quantised {
  Quantised(const Kernels& kernels, const std::vector<float>& x, int n, int k)
      : q(x.size()), scale(x.size() / 32), sum(x.size() / 32) {
    for (int r = 0; r < n; ++r)
      kernels.quantise(&x[static_cast<std::size_t>(r) * k], k, &q[static_cast<std::size_t>(r) * k],
                       &scale[static_cast<std::size_t>(r) * k / 32],
                       &sum[static_cast<std::size_t>(r) * k / 32]);
  }

  std::vector<float> values() const {
    std::vector<float> out(q.size());
    for (std::size_t i = 0; i < q.size(); ++i) out[i] = static_cast<float>(q[i]) * scale[i / 32];
    return out;
  }

  std::vector<std::int8_t> q;
  std::vector<float> scale;
  std::vector<std::int32_t> sum;
};

std::vector<float> multiply(const Kernels& kernels, const Matrix& w, const std::vector<float>& x,
                            const Quantised* q, int n) {
  std::vector<float> y(static_cast<std::size_t>(n) * w.rows, std::nanf(""));
  const auto stride = static_cast<std::size_t>(w.rows);
  const TensorType type = w.tensor.type->type;
  if (type == TensorType::f32)
    kernels.rows_f32({w.bytes.data(), w.rows, w.columns, x.data(), n, y.data(), stride});
  if (type == TensorType::f16)
    kernels.rows_f16({w.bytes.data(), w.rows, w.columns, x.data(), n, y.data(), stride});
  if (q) {
    const Tiles tiles = pack_tiles(w.tensor);
    const TilesProduct product{
        tiles.get(), w.rows, w.columns, {q->q.data(), q->scale.data(), q->sum.data()}, n, y.data(), stride};
    if (type == TensorType::q8_0) kernels.tiles_q8_0(product);
    if (type == TensorType::q4_0) kernels.tiles_q4_0(product);
  }
  return y;
}

class EveryKernel : public ::testing::TestWithParam<const Kernels*> {};

std::vector<const Kernels*> all_kernels() {
  const KernelList list = runnable_kernels();
  return {list.kernels, list.kernels + list.count};
}

INSTANTIATE_TEST_SUITE_P(Kernels, EveryKernel, ::testing::ValuesIn(all_kernels()),
                         [](const auto& info) { return std::string(info.param->name); });

TEST_P(EveryKernel, FloatProductsAgreeWithDoublePrecision) {
  Random random(1);
  for (const TensorType type : {TensorType::f32, TensorType::f16})
    for (const int k : {1, 2, 7, 15, 16, 17, 31, 33, 63, 64, 65, 100, 256, 771})
      for (const int n : {1, 3, 4, 9}) {
        const Matrix w(type, 1 + static_cast<int>(random.next() % 20), k, random);
        const auto x = random_rows(n, k, random);
        expect_product(w, x, n, multiply(*GetParam(), w, x, nullptr, n));
      }
}

TEST_P(EveryKernel, QuantisedProductsAgreeWithDoublePrecision) {
  Random random(2);
  for (const TensorType type : {TensorType::q8_0, TensorType::q4_0})
    for (const int k : {32, 64, 96, 256, 768, 800})
      for (const int rows : {1, 15, 16, 17, 50})
        for (const int n : {1, 2, 5, 8, 13}) {
          const Matrix w(type, rows, k, random);
          const auto x = random_rows(n, k, random);
          const Quantised q(*GetParam(), x, n, k);
          expect_product(w, q.values(), n, multiply(*GetParam(), w, x, &q, n));
        }
}

TEST_P(EveryKernel, ExtremeBytesDoNotSaturate) {
  Random random(3);
  for (const TensorType type : {TensorType::q8_0, TensorType::q4_0})
    for (const int byte : {0x00, 0x7f, 0x80, 0xff}) {
      Matrix w(type, 16, 64, random);
      for (std::size_t at = 0; at < w.bytes.size(); ++at)
        if (at % w.tensor.type->block_bytes >= 2) w.bytes[at] = static_cast<std::byte>(byte);
      for (int r = 0; r < 16; ++r)
        dequantise_row(w.tensor, static_cast<std::size_t>(r), &w.values[static_cast<std::size_t>(r) * 64]);
      for (const float value : {3.0F, -3.0F}) {
        const std::vector<float> x(64, value);
        const Quantised q(*GetParam(), x, 1, 64);
        expect_product(w, q.values(), 1, multiply(*GetParam(), w, x, &q, 1));
      }
    }
}

TEST_P(EveryKernel, ResultsDoNotDependOnTheBatch) {
  Random random(4);
  for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::q8_0, TensorType::q4_0}) {
    const int k = 160, n = 13;
    const Matrix w(type, 37, k, random);
    const auto x = random_rows(n, k, random);
    const bool tiled = type == TensorType::q8_0 || type == TensorType::q4_0;
    const Quantised q(*GetParam(), x, n, k);
    const auto together = multiply(*GetParam(), w, x, tiled ? &q : nullptr, n);
    for (int c = 0; c < n; ++c) {
      const std::vector<float> one(x.begin() + c * k, x.begin() + (c + 1) * k);
      const Quantised q_one(*GetParam(), one, 1, k);
      const auto alone = multiply(*GetParam(), w, one, tiled ? &q_one : nullptr, 1);
      EXPECT_EQ(alone, std::vector<float>(together.begin() + c * w.rows, together.begin() + (c + 1) * w.rows))
          << w.tensor.type->name;
    }
  }
}

TEST_P(EveryKernel, QuantisationIsWithinHalfAStep) {
  Random random(5);
  auto x = random_rows(1, 256, random);
  std::fill(x.begin() + 32, x.begin() + 64, 0.0F);    // A block of zeros.
  std::fill(x.begin() + 64, x.begin() + 96, 1e-42F);  // A block whose inverse scale would be infinite.
  x[96] = 1e30F;
  const Quantised q(*GetParam(), x, 1, 256);
  const auto values = q.values();
  for (std::size_t i = 0; i < x.size(); ++i)
    EXPECT_NEAR(values[i], x[i], q.scale[i / 32] * 0.5001F + 1e-40F) << i;
  for (std::size_t b = 0; b < q.sum.size(); ++b)
    EXPECT_EQ(q.sum[b], std::accumulate(q.q.begin() + static_cast<std::ptrdiff_t>(32 * b),
                                        q.q.begin() + static_cast<std::ptrdiff_t>(32 * b + 32), 0));
}

TEST_P(EveryKernel, WhatIsNoNumberKeepsTheSumsInRange) {
  for (const float value : {std::nanf(""), std::numeric_limits<float>::infinity(), 3e38F}) {
    std::vector<float> x(64, 1.0F);
    std::fill(x.begin() + 32, x.begin() + 62, value);
    const Quantised q(*GetParam(), x, 1, 64);
    EXPECT_EQ(q.sum[0], 32 * 127);
    EXPECT_LE(std::abs(q.sum[1]), 32 * 128);
    Random random(7);
    for (const TensorType type : {TensorType::q8_0, TensorType::q4_0})
      multiply(*GetParam(), Matrix(type, 16, 64, random), x, &q, 1);
  }
}

TEST_P(EveryKernel, WeightedSumsAgreeWithDoublePrecision) {
  Random random(6);
  for (const int size : {2, 8, 18, 32, 64, 100, 128})
    for (const int count : {1, 5, 64}) {
      const auto p = random_rows(1, count, random), v = random_rows(count, size, random);
      std::vector<float> out(static_cast<std::size_t>(size));
      GetParam()->weighted_sum(p.data(), v.data(), count, size, out.data());
      for (int i = 0; i < size; ++i) {
        double sum = 0;
        for (int t = 0; t < count; ++t)
          sum += double{p[static_cast<std::size_t>(t)]} * v[static_cast<std::size_t>(t) * size + i];
        EXPECT_NEAR(out[static_cast<std::size_t>(i)], sum, 1e-4);
      }
    }
}

}  // namespace
}  // namespace switchyard::local
