#pragma once

// The forward pass once more, as the papers have it: double precision, a whole sequence at once, no cache, no
// batch, nothing shared with the code under test but the file reader.

#include "local_backend/model/gguf.h"

#include <cmath>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::local::testing {

class ReferenceLlama {
 public:
  using Row = std::vector<double>;
  using Matrix = std::vector<Row>;

  explicit ReferenceLlama(const Gguf& file) : file_(file) {
    dim_ = number("llama.embedding_length");
    layers_ = number("llama.block_count");
    heads_ = number("llama.attention.head_count");
    kv_heads_ = number("llama.attention.head_count_kv");
    epsilon_ = *file.real("llama.attention.layer_norm_rms_epsilon");
    base_ = *file.real("llama.rope.freq_base", 10000.0);
  }

  // The states after the output norm, one a token.
  Matrix hidden(const std::vector<int>& ids) const {
    const Matrix table = matrix("token_embd.weight");
    Matrix x;
    for (const int id : ids) x.push_back(table[static_cast<std::size_t>(id)]);
    for (std::size_t i = 0; i < layers_; ++i) {
      const std::string at = "blk." + std::to_string(i) + ".";
      add(x, attention(at, norm(x, at + "attn_norm.weight")));
      add(x, feed_forward(at, norm(x, at + "ffn_norm.weight")));
    }
    return norm(x, "output_norm.weight");
  }

 private:
  std::size_t number(std::string_view key) const { return *file_.number(key); }

  static double half(const std::byte* from) {
    std::uint16_t bits;
    std::memcpy(&bits, from, sizeof bits);
    return half_to_float(bits);
  }

  static double weight(const Tensor& tensor, std::size_t i) {
    const std::byte* data = tensor.data.data();
    const std::size_t block = i / 32, in_block = i % 32;
    if (tensor.type->type == TensorType::f16) return half(data + 2 * i);
    if (tensor.type->type == TensorType::f32) {
      float value;
      std::memcpy(&value, data + 4 * i, sizeof value);
      return value;
    }
    if (tensor.type->type == TensorType::q8_0)
      return half(data + 34 * block) * static_cast<std::int8_t>(data[34 * block + 2 + in_block]);
    // Q4_0: the low halves of 16 bytes, then the high ones, each less 8.
    const int byte = std::to_integer<int>(data[18 * block + 2 + in_block % 16]);
    return half(data + 18 * block) * ((in_block < 16 ? byte % 16 : byte / 16) - 8);
  }

  Matrix matrix(const std::string& name) const {
    const Tensor& tensor = **file_.tensor(name);
    Matrix out(tensor.rows(), Row(tensor.columns()));
    std::size_t i = 0;
    for (Row& row : out)
      for (double& value : row) value = weight(tensor, i++);
    return out;
  }

  static Matrix times(const Matrix& x, const Matrix& weights) {
    Matrix out;
    for (const Row& row : x) {
      Row& y = out.emplace_back();
      for (const Row& w : weights) {
        double sum = 0;
        for (std::size_t i = 0; i < w.size(); ++i) sum += w[i] * row[i];
        y.push_back(sum);
      }
    }
    return out;
  }

  static void add(Matrix& x, const Matrix& y) {
    for (std::size_t r = 0; r < x.size(); ++r)
      for (std::size_t i = 0; i < x[r].size(); ++i) x[r][i] += y[r][i];
  }

  Matrix norm(const Matrix& x, const std::string& gain_name) const {
    const Row gain = matrix(gain_name)[0];
    Matrix out = x;
    for (Row& row : out) {
      double square = 0;
      for (const double value : row) square += value * value;
      const double scale = 1 / std::sqrt(square / static_cast<double>(dim_) + epsilon_);
      for (std::size_t i = 0; i < row.size(); ++i) row[i] *= scale * gain[i];
    }
    return out;
  }

  // Neighbours are the parts of a complex number; its angle grows with the position.
  void rotate(Matrix& x, std::size_t heads) const {
    const std::size_t size = x[0].size() / heads;
    for (std::size_t position = 0; position < x.size(); ++position)
      for (std::size_t i = 0; i < x[position].size(); i += 2) {
        const double angle = static_cast<double>(position) *
                             std::pow(base_, -static_cast<double>(i % size) / static_cast<double>(size));
        double &re = x[position][i], &im = x[position][i + 1];
        const double turned = re * std::cos(angle) - im * std::sin(angle);
        im = re * std::sin(angle) + im * std::cos(angle);
        re = turned;
      }
  }

  Matrix attention(const std::string& at, const Matrix& x) const {
    Matrix q = times(x, matrix(at + "attn_q.weight")), k = times(x, matrix(at + "attn_k.weight"));
    const Matrix v = times(x, matrix(at + "attn_v.weight"));
    rotate(q, heads_);
    rotate(k, kv_heads_);
    const std::size_t size = q[0].size() / heads_;
    Matrix out(x.size(), Row(q[0].size()));
    for (std::size_t row = 0; row < x.size(); ++row)
      for (std::size_t head = 0; head < heads_; ++head) {
        const std::size_t own = head * size, shared = head / (heads_ / kv_heads_) * size;
        Row weights;
        double total = 0;
        for (std::size_t seen = 0; seen <= row; ++seen) {
          double score = 0;
          for (std::size_t i = 0; i < size; ++i) score += q[row][own + i] * k[seen][shared + i];
          total += weights.emplace_back(std::exp(score / std::sqrt(static_cast<double>(size))));
        }
        for (std::size_t seen = 0; seen <= row; ++seen)
          for (std::size_t i = 0; i < size; ++i)
            out[row][own + i] += weights[seen] / total * v[seen][shared + i];
      }
    return times(out, matrix(at + "attn_output.weight"));
  }

  Matrix feed_forward(const std::string& at, const Matrix& x) const {
    Matrix gate = times(x, matrix(at + "ffn_gate.weight"));
    const Matrix up = times(x, matrix(at + "ffn_up.weight"));
    for (std::size_t r = 0; r < gate.size(); ++r)
      for (std::size_t i = 0; i < gate[r].size(); ++i) {
        double& value = gate[r][i];
        value = value / (1 + std::exp(-value)) * up[r][i];
      }
    return times(gate, matrix(at + "ffn_down.weight"));
  }

  const Gguf& file_;
  std::size_t dim_, layers_, heads_, kv_heads_;
  double epsilon_, base_;
};

}  // namespace switchyard::local::testing
