#pragma once

#include "local_backend/model/gguf.h"

#include <memory>
#include <span>
#include <string_view>

namespace switchyard::local {

// A tensor that a device holds in the layout that its kernels read.
class Weight {
 public:
  virtual ~Weight() = default;
  virtual int rows() const = 0;
  virtual int columns() const = 0;
};

// y(n, weight rows) = x(n, weight columns) · weightᵀ
struct Linear {
  float* y;
  const Weight* weight;
};

// One row of a step: where its keys and values are. A page holds page_positions consecutive positions as
// (layers, key then value, kv heads, page_positions, head size) floats.
struct AttentionRow {
  std::span<float* const> pages;
  int position;  // The row sees positions 0 to this one.
};

struct AttentionShape {
  int heads, kv_heads, head_size, page_positions;
};

// What a model's graph needs from a processor. Pointers are to the device's memory; rows are contiguous. A
// row's results do not depend on which other rows are in the step. Used by one thread.
class Device {
 public:
  virtual ~Device() = default;
  virtual std::string_view name() const = 0;

  // A matrix or a vector for the calls below. `tensor` must outlive it; its type is one that is_supported().
  virtual std::unique_ptr<Weight> upload(const Tensor& tensor) = 0;
  virtual bool is_supported(TensorType type) const = 0;

  // out(n, columns): the table's rows of these ids.
  virtual void embed(float* out, const Weight& table, std::span<const int> ids) = 0;
  // out = x / sqrt(mean(x²) + epsilon) · gain, row by row (Zhang & Sennrich 2019, eq. 4). x, out: (n, dim).
  virtual void rms_norm(float* out, const float* x, const Weight& gain, int n, float epsilon) = 0;
  // All products of one input: it is prepared once.
  virtual void linear(std::span<const Linear> products, const float* x, int n) = 0;
  // Rotates neighbouring pairs of each head. x: (n, heads, head size); rotation: (n, head size / 2, cos and
  // sin).
  virtual void rope(float* x, const float* rotation, int n, int heads, int head_size) = 0;
  // Writes each row's key and value, (n, kv heads, head size), into its own page.
  virtual void store(std::span<const AttentionRow> rows, const AttentionShape& shape, int layer,
                     const float* key, const float* value) = 0;
  // out, query: (n, heads, head size). After store() of the same rows.
  virtual void attend(float* out, const float* query, std::span<const AttentionRow> rows,
                      const AttentionShape& shape, int layer) = 0;
  // gate = silu(gate) · up
  virtual void swiglu(float* gate, const float* up, int count) = 0;
  // x += y
  virtual void add(float* x, const float* y, int count) = 0;
};

}  // namespace switchyard::local
