#include "local_backend/device/cpu/cpu_device.h"

#include "local_backend/device/cpu/tiles.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace switchyard::local {

class CpuWeight : public Weight {
 public:
  explicit CpuWeight(const Tensor& tensor) : tensor(tensor) {
    if (is_tiled()) tiles = pack_tiles(tensor);
  }

  int rows() const override { return static_cast<int>(tensor.rows()); }

  int columns() const override { return static_cast<int>(tensor.columns()); }

  bool is_tiled() const {
    return tensor.type->type == TensorType::q8_0 || tensor.type->type == TensorType::q4_0;
  }

  Tensor tensor;
  Tiles tiles;
};

namespace {

const CpuWeight& cpu(const Weight& weight) {
  return static_cast<const CpuWeight&>(weight);
}

// Rows begin..end of one product, the part of one thread.
void multiply(const Kernels& kernels, const Linear& product, const float* x, const QuantisedRows& q, int n,
              int begin, int end) {
  const CpuWeight& weight = cpu(*product.weight);
  const int k = weight.columns(), rows = end - begin;
  const auto y_stride = static_cast<std::size_t>(weight.rows());
  const std::size_t blocks = static_cast<std::size_t>(k) / kTileColumns;
  const auto tile_rows = static_cast<std::size_t>(begin / kTileRows);
  const std::size_t row_bytes =
      static_cast<std::size_t>(k) / weight.tensor.type->block_weights * weight.tensor.type->block_bytes;
  const std::byte* raw = weight.tensor.data.data() + begin * row_bytes;
  switch (weight.tensor.type->type) {
    case TensorType::f32:
      return kernels.rows_f32({raw, rows, k, x, n, product.y + begin, y_stride});
    case TensorType::f16:
      return kernels.rows_f16({raw, rows, k, x, n, product.y + begin, y_stride});
    case TensorType::q8_0:
      return kernels.tiles_q8_0({weight.tiles.get() + tile_rows * blocks * kTileBytesQ8, rows, k, q, n,
                                 product.y + begin, y_stride});
    default:
      return kernels.tiles_q4_0({weight.tiles.get() + tile_rows * blocks * kTileBytesQ4, rows, k, q, n,
                                 product.y + begin, y_stride});
  }
}

// The page of a position, and the key (0) or value (1) of a head in it.
float* slot(const AttentionRow& row, const AttentionShape& s, int layer, int which, int kv_head,
            int position) {
  float* page = row.pages[static_cast<std::size_t>(position / s.page_positions)];
  const std::size_t head = (static_cast<std::size_t>(layer) * 2 + which) * s.kv_heads + kv_head;
  return page + (head * s.page_positions + position % s.page_positions) * s.head_size;
}

}  // namespace

CpuDevice::CpuDevice(const Kernels& kernels, std::unique_ptr<Parallel> parallel)
    : kernels_(kernels),
      parallel_(std::move(parallel)),
      scores_(static_cast<std::size_t>(parallel_->width())) {
  const int threads = parallel_->width();
  name_ = std::string("cpu (") + kernels.name + ", " + std::to_string(threads) +
          (threads == 1 ? " thread)" : " threads)");
}

bool CpuDevice::is_supported(TensorType type) const {
  return type == TensorType::f32 || type == TensorType::f16 || type == TensorType::q8_0 ||
         type == TensorType::q4_0;
}

std::unique_ptr<Weight> CpuDevice::upload(const Tensor& tensor) {
  return std::make_unique<CpuWeight>(tensor);
}

void CpuDevice::embed(float* out, const Weight& table, std::span<const int> ids) {
  for (const int id : ids) {
    dequantise_row(cpu(table).tensor, static_cast<std::size_t>(id), out);
    out += table.columns();
  }
}

void CpuDevice::rms_norm(float* out, const float* x, const Weight& gain, int n, float epsilon) {
  const int dim = gain.columns();
  const auto* g = reinterpret_cast<const float*>(cpu(gain).tensor.data.data());
  for (int r = 0; r < n; ++r, x += dim, out += dim) {
    // Eight partial sums, so that the compiler may use vectors.
    float part[8] = {};
    int i = 0;
    for (; i + 8 <= dim; i += 8)
      for (int j = 0; j < 8; ++j) part[j] += x[i + j] * x[i + j];
    for (; i < dim; ++i) part[0] += x[i] * x[i];
    float sum = 0;
    for (const float p : part) sum += p;
    const float inverse = 1.0F / std::sqrt(sum / static_cast<float>(dim) + epsilon);
    for (i = 0; i < dim; ++i) out[i] = x[i] * inverse * g[i];
  }
}

QuantisedRows CpuDevice::quantise(const float* x, int n, int k) {
  const std::size_t blocks = static_cast<std::size_t>(k) / kTileColumns;
  q_.resize(static_cast<std::size_t>(n) * k);
  q_scale_.resize(n * blocks);
  q_sum_.resize(n * blocks);
  for (int r = 0; r < n; ++r)
    kernels_.quantise(x + static_cast<std::size_t>(r) * k, k, q_.data() + static_cast<std::size_t>(r) * k,
                      q_scale_.data() + r * blocks, q_sum_.data() + r * blocks);
  return {q_.data(), q_scale_.data(), q_sum_.data()};
}

void CpuDevice::linear(std::span<const Linear> products, const float* x, int n) {
  QuantisedRows q{};
  for (const Linear& product : products)
    if (cpu(*product.weight).is_tiled() && !q.q) q = quantise(x, n, product.weight->columns());
  auto job = [&](int part, int parts) {
    for (const Linear& product : products) {
      // Whole tiles to each part.
      const int rows = product.weight->rows(), tiles = (rows + kTileRows - 1) / kTileRows;
      const int begin = tiles * part / parts * kTileRows,
                end = std::min(rows, tiles * (part + 1) / parts * kTileRows);
      if (begin < end) multiply(kernels_, product, x, q, n, begin, end);
    }
  };
  parallel_->run(job);
}

void CpuDevice::rope(float* x, const float* rotation, int n, int heads, int head_size) {
  for (int r = 0; r < n; ++r, rotation += head_size)
    for (int h = 0; h < heads; ++h, x += head_size)
      for (int i = 0; i < head_size; i += 2) {
        const float a = x[i], b = x[i + 1], cosine = rotation[i], sine = rotation[i + 1];
        x[i] = a * cosine - b * sine;
        x[i + 1] = a * sine + b * cosine;
      }
}

void CpuDevice::store(std::span<const AttentionRow> rows, const AttentionShape& shape, int layer,
                      const float* key, const float* value) {
  const std::size_t bytes = sizeof(float) * static_cast<std::size_t>(shape.head_size);
  for (const AttentionRow& row : rows)
    for (int h = 0; h < shape.kv_heads; ++h, key += shape.head_size, value += shape.head_size) {
      std::memcpy(slot(row, shape, layer, 0, h, row.position), key, bytes);
      std::memcpy(slot(row, shape, layer, 1, h, row.position), value, bytes);
    }
}

// The query heads that share one key-value head: out, query are (heads / kv heads, head size).
void CpuDevice::attend_head(float* out, const float* query, const AttentionRow& row,
                            const AttentionShape& shape, int layer, int kv_head,
                            std::vector<float>& scores) const {
  const int group = shape.heads / shape.kv_heads, count = row.position + 1, size = shape.head_size;
  const auto stride = static_cast<std::size_t>(count);
  scores.resize(stride * group + static_cast<std::size_t>(size));
  float* part = scores.data() + stride * group;  // (head size): what one page adds.
  for (int at = 0; at < count; at += shape.page_positions)
    kernels_.rows_f32({slot(row, shape, layer, 0, kv_head, at), std::min(count - at, shape.page_positions),
                       size, query, group, scores.data() + at, stride});
  const float scale = 1.0F / std::sqrt(static_cast<float>(size));
  for (int g = 0; g < group; ++g, out += size) {
    float* p = scores.data() + stride * g;
    const float peak = *std::max_element(p, p + count);
    float sum = 0;
    for (int i = 0; i < count; ++i) sum += p[i] = std::exp((p[i] - peak) * scale);
    std::fill(out, out + size, 0.0F);
    for (int at = 0; at < count; at += shape.page_positions) {
      kernels_.weighted_sum(p + at, slot(row, shape, layer, 1, kv_head, at),
                            std::min(count - at, shape.page_positions), size, part);
      for (int i = 0; i < size; ++i) out[i] += part[i];
    }
    for (int i = 0; i < size; ++i) out[i] /= sum;
  }
}

void CpuDevice::attend(float* out, const float* query, std::span<const AttentionRow> rows,
                       const AttentionShape& shape, int layer) {
  const int group_size = shape.heads / shape.kv_heads * shape.head_size;
  const int jobs = static_cast<int>(rows.size()) * shape.kv_heads;
  auto job = [&](int part, int parts) {
    // Interleaved: later rows of a prompt see more positions and cost more.
    for (int j = part; j < jobs; j += parts) {
      const std::size_t at = static_cast<std::size_t>(j) * group_size;
      attend_head(out + at, query + at, rows[static_cast<std::size_t>(j / shape.kv_heads)], shape, layer,
                  j % shape.kv_heads, scores_[static_cast<std::size_t>(part)]);
    }
  };
  parallel_->run(job);
}

void CpuDevice::swiglu(float* gate, const float* up, int count) {
  for (int i = 0; i < count; ++i) gate[i] = gate[i] / (1.0F + std::exp(-gate[i])) * up[i];
}

void CpuDevice::add(float* x, const float* y, int count) {
  for (int i = 0; i < count; ++i) x[i] += y[i];
}

}  // namespace switchyard::local
