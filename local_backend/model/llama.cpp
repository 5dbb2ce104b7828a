#include "local_backend/model/llama.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace switchyard::local {
namespace {

// Bounds on what a file may ask for, far above any model that a CPU serves, so that no size below overflows.
constexpr std::uint64_t kSizeMax = 1 << 17, kLayersMax = 1024, kContextMax = 1 << 20;

struct Field {
  const char* key;
  int* into;
  std::uint64_t max;
  std::optional<std::uint64_t> fallback;
};

Result<void> read_field(const Gguf& file, const Field& field) {
  const auto value = file.number(field.key, field.fallback);
  if (!value) return value.error();
  if (*value < 1 || *value > field.max)
    return fail("metadata '" + std::string(field.key) + "': " + std::to_string(*value) +
                " is out of range (1 to " + std::to_string(field.max) + ")");
  *field.into = static_cast<int>(*value);
  return {};
}

Result<void> refuse_scaled_rope(const Gguf& file) {
  const auto scaling = file.text("llama.rope.scaling.type", "none");
  if (!scaling) return scaling.error();
  if (*scaling != "none")
    return fail("metadata 'llama.rope.scaling.type': '" + std::string(scaling->substr(0, 32)) +
                "' is not supported");
  return {};
}

// Without the key a text is the mean of its tokens, as with 0, "a vector a token", which no caller can ask
// for.
Result<Pooling> read_pooling(const Gguf& file) {
  const auto causal = file.metadata.find("llama.attention.causal");
  const auto* is_causal = causal == file.metadata.end() ? nullptr : std::get_if<bool>(&causal->second);
  if (causal != file.metadata.end() && !(is_causal && *is_causal))
    return fail("metadata 'llama.attention.causal': only causal attention is supported");
  const auto type = file.number("llama.pooling_type", 1);
  if (!type) return type.error();
  if (*type > 3)
    return fail("metadata 'llama.pooling_type': " + std::to_string(*type) +
                " is not supported (1, mean, 2, first, and 3, last, are)");
  return *type == 2 ? Pooling::first : *type == 3 ? Pooling::last : Pooling::mean;
}

Result<std::unique_ptr<Weight>> read_weight(const Gguf& file, Device& device, const std::string& name,
                                            int columns, int rows) {
  const auto tensor = file.tensor(name);
  if (!tensor) return tensor.error();
  const Tensor& t = **tensor;
  const bool is_vector = rows == 0;
  const auto size = [](int n) { return static_cast<std::uint64_t>(n); };
  if (t.columns() != size(columns) || t.rows() != (is_vector ? 1 : size(rows)))
    return fail("tensor '" + name + "': its shape is " + std::to_string(t.columns()) + " x " +
                std::to_string(t.rows()) + ", the metadata asks for " + std::to_string(columns) + " x " +
                std::to_string(is_vector ? 1 : rows));
  if (is_vector ? t.type->type != TensorType::f32 : !device.is_supported(t.type->type))
    return fail("tensor '" + name + "': type " + std::string(t.type->name) + " is not supported here (" +
                (is_vector ? "F32 is)" : "F32, F16, Q8_0 and Q4_0 are)"));
  return device.upload(t);
}

}  // namespace

Result<LlamaConfig> read_llama_config(const Gguf& file, int vocabulary) {
  const auto architecture = file.text("general.architecture");
  if (!architecture) return architecture.error();
  if (*architecture != "llama")
    return fail("metadata 'general.architecture': '" + std::string(architecture->substr(0, 64)) +
                "' is not supported ('llama' is)");
  LlamaConfig c;
  int rotated = 0;
  const Field basic[] = {{"llama.block_count", &c.layers, kLayersMax, {}},
                         {"llama.context_length", &c.context, kContextMax, {}},
                         {"llama.embedding_length", &c.dim, kSizeMax, {}},
                         {"llama.feed_forward_length", &c.ffn, kSizeMax, {}},
                         {"llama.attention.head_count", &c.heads, 1024, {}}};
  for (const Field& field : basic)
    if (auto ok = read_field(file, field); !ok) return ok.error();
  const auto heads = static_cast<std::uint64_t>(c.heads);
  if (c.dim % c.heads != 0)
    return fail("metadata 'llama.embedding_length' is no multiple of 'llama.attention.head_count'");
  const auto head_size = static_cast<std::uint64_t>(c.dim / c.heads);
  const Field derived[] = {{"llama.attention.head_count_kv", &c.kv_heads, 1024, heads},
                           {"llama.attention.key_length", &c.head_size, 1024, head_size},
                           {"llama.rope.dimension_count", &rotated, 1024, head_size}};
  for (const Field& field : derived)
    if (auto ok = read_field(file, field); !ok) return ok.error();
  if (c.heads % c.kv_heads != 0)
    return fail("metadata 'llama.attention.head_count' is no multiple of 'llama.attention.head_count_kv'");
  if (c.head_size % 2 != 0 || rotated != c.head_size)
    return fail(
        "metadata 'llama.rope.dimension_count': only the rotation of whole heads of even size is supported");
  const auto value_length =
      file.number("llama.attention.value_length", static_cast<std::uint64_t>(c.head_size));
  if (!value_length) return value_length.error();
  if (*value_length != static_cast<std::uint64_t>(c.head_size))
    return fail("metadata 'llama.attention.value_length' differs from the key's, which is not supported");
  if (file.metadata.contains("llama.expert_count"))
    return fail("metadata 'llama.expert_count': experts are not supported");
  if (auto ok = refuse_scaled_rope(file); !ok) return ok.error();
  const auto pooling = read_pooling(file);
  if (!pooling) return pooling.error();
  c.pooling = *pooling;
  const auto epsilon = file.real("llama.attention.layer_norm_rms_epsilon"),
             base = file.real("llama.rope.freq_base", 10000.0);
  if (!epsilon) return epsilon.error();
  if (!base) return base.error();
  if (!(*epsilon >= 0 && *epsilon < 1))
    return fail("metadata 'llama.attention.layer_norm_rms_epsilon' is out of range");
  if (!(*base >= 1 && *base <= 1e12)) return fail("metadata 'llama.rope.freq_base' is out of range");
  c.norm_epsilon = static_cast<float>(*epsilon);
  c.rope_base = *base;
  c.vocabulary = vocabulary;
  return c;
}

KvCache::KvCache(const LlamaConfig& config)
    : page_floats_(static_cast<std::size_t>(config.layers) * 2 * config.kv_heads * config.head_size *
                   kPagePositions) {}

void KvCache::reserve(int positions) {
  while (static_cast<int>(pages_.size()) * kPagePositions < positions) {
    pages_.push_back(std::make_unique_for_overwrite<float[]>(page_floats_));
    views_.push_back(pages_.back().get());
  }
}

Llama::Llama(const LlamaConfig& config, Device& device) : config_(config), device_(device) {
  for (int i = 0; i < config.head_size; i += 2)
    frequencies_.push_back(std::pow(config.rope_base, -static_cast<double>(i) / config.head_size));
}

Result<std::unique_ptr<Llama>> Llama::load(const Gguf& file, const LlamaConfig& config, Device& device) {
  std::unique_ptr<Llama> model(new Llama(config, device));
  if (auto ok = model->read_weights(file); !ok) return ok.error();
  if (auto ok = model->read_rope_factors(file); !ok) return ok.error();
  return model;
}

Result<void> Llama::read_weights(const Gguf& file) {
  const LlamaConfig& c = config_;
  const int q_dim = c.heads * c.head_size, kv_dim = c.kv_heads * c.head_size;
  Result<void> result;
  const auto read = [&](std::unique_ptr<Weight>& into, const std::string& name, int columns, int rows) {
    if (!result) return;
    auto weight = read_weight(file, device_, name, columns, rows);
    if (weight)
      into = std::move(*weight);
    else
      result = weight.error();
  };
  read(embedding_, "token_embd.weight", c.dim, c.vocabulary);
  read(output_norm_, "output_norm.weight", c.dim, 0);
  if (file.tensors.contains("output.weight")) read(output_, "output.weight", c.dim, c.vocabulary);
  for (int i = 0; i < c.layers && result; ++i) {
    const std::string at = "blk." + std::to_string(i) + ".";
    Layer& layer = layers_.emplace_back();
    read(layer.attn_norm, at + "attn_norm.weight", c.dim, 0);
    read(layer.q, at + "attn_q.weight", c.dim, q_dim);
    read(layer.k, at + "attn_k.weight", c.dim, kv_dim);
    read(layer.v, at + "attn_v.weight", c.dim, kv_dim);
    read(layer.attn_output, at + "attn_output.weight", q_dim, c.dim);
    read(layer.ffn_norm, at + "ffn_norm.weight", c.dim, 0);
    read(layer.gate, at + "ffn_gate.weight", c.dim, c.ffn);
    read(layer.up, at + "ffn_up.weight", c.dim, c.ffn);
    read(layer.down, at + "ffn_down.weight", c.ffn, c.dim);
    for (const char* bias : {"attn_q.bias", "attn_k.bias", "attn_v.bias", "attn_output.bias"})
      if (file.tensors.contains(at + bias))
        return fail("tensor '" + at + bias + "': biases are not supported");
  }
  return result;
}

// Llama 3.1 and later stretch the slow rotations by a factor each.
Result<void> Llama::read_rope_factors(const Gguf& file) {
  if (!file.tensors.contains("rope_freqs.weight")) return {};
  const Tensor& t = **file.tensor("rope_freqs.weight");
  if (t.type->type != TensorType::f32 || t.columns() != frequencies_.size() || t.rows() != 1)
    return fail("tensor 'rope_freqs.weight': it is not one F32 a pair of a head");
  for (std::size_t i = 0; i < frequencies_.size(); ++i) {
    float factor;
    std::copy_n(t.data.data() + i * sizeof factor, sizeof factor, reinterpret_cast<std::byte*>(&factor));
    if (!(factor > 0)) return fail("tensor 'rope_freqs.weight': a factor is not above 0");
    frequencies_[i] /= factor;
  }
  return {};
}

void Llama::rotations(std::span<const LlamaRow> rows) {
  rotation_.clear();
  for (const LlamaRow& row : rows)
    for (const double frequency : frequencies_) {
      rotation_.push_back(static_cast<float>(std::cos(frequency * row.position)));
      rotation_.push_back(static_cast<float>(std::sin(frequency * row.position)));
    }
}

// x += output(attend(rope(q), rope(k), v))
void Llama::attention(const Layer& layer, int index, int n) {
  const LlamaConfig& c = config_;
  const AttentionShape shape{c.heads, c.kv_heads, c.head_size, KvCache::kPagePositions};
  device_.rms_norm(normed_.data(), x_.data(), *layer.attn_norm, n, c.norm_epsilon);
  const Linear qkv[] = {{q_.data(), layer.q.get()}, {k_.data(), layer.k.get()}, {v_.data(), layer.v.get()}};
  device_.linear(qkv, normed_.data(), n);
  device_.rope(q_.data(), rotation_.data(), n, c.heads, c.head_size);
  device_.rope(k_.data(), rotation_.data(), n, c.kv_heads, c.head_size);
  device_.store(attention_rows_, shape, index, k_.data(), v_.data());
  device_.attend(attended_.data(), q_.data(), attention_rows_, shape, index);
  const Linear output[] = {{added_.data(), layer.attn_output.get()}};
  device_.linear(output, attended_.data(), n);
  device_.add(x_.data(), added_.data(), n * c.dim);
}

// x += down(silu(gate) · up)
void Llama::feed_forward(const Layer& layer, int n) {
  device_.rms_norm(normed_.data(), x_.data(), *layer.ffn_norm, n, config_.norm_epsilon);
  const Linear gate_up[] = {{gate_.data(), layer.gate.get()}, {up_.data(), layer.up.get()}};
  device_.linear(gate_up, normed_.data(), n);
  device_.swiglu(gate_.data(), up_.data(), n * config_.ffn);
  const Linear down[] = {{added_.data(), layer.down.get()}};
  device_.linear(down, gate_.data(), n);
  device_.add(x_.data(), added_.data(), n * config_.dim);
}

// Puts what the output reads of the rows that are asked for into hidden_, and to the front of normed_ for
// those whose logits are: only they go through the output, the widest product. Returns how many these are.
int Llama::gather(std::span<const LlamaRow> rows) {
  const auto dim = static_cast<std::size_t>(config_.dim);
  hidden_.clear();
  std::size_t wanted = 0, with_logits = 0, r = 0;
  for (const LlamaRow& row : rows) {
    const float* from = x_.data() + r++ * dim;
    if (row.wants_logits || row.wants_hidden) std::copy_n(from, dim, x_.data() + wanted++ * dim);
  }
  if (wanted == 0) return 0;
  device_.rms_norm(normed_.data(), x_.data(), *output_norm_, static_cast<int>(wanted), config_.norm_epsilon);
  r = 0;
  for (const LlamaRow& row : rows) {
    if (!row.wants_logits && !row.wants_hidden) continue;
    const float* from = normed_.data() + r++ * dim;
    if (row.wants_hidden) hidden_.insert(hidden_.end(), from, from + dim);
    if (row.wants_logits) std::copy_n(from, dim, normed_.data() + with_logits++ * dim);
  }
  return static_cast<int>(with_logits);
}

const float* Llama::step(std::span<const LlamaRow> rows) {
  const LlamaConfig& c = config_;
  const int n = static_cast<int>(rows.size());
  const auto size = [&](int width) { return static_cast<std::size_t>(n) * width; };
  for (auto* buffer : {&x_, &normed_, &added_}) buffer->resize(size(c.dim));
  for (auto* buffer : {&q_, &attended_}) buffer->resize(size(c.heads * c.head_size));
  for (auto* buffer : {&k_, &v_}) buffer->resize(size(c.kv_heads * c.head_size));
  for (auto* buffer : {&gate_, &up_}) buffer->resize(size(c.ffn));
  tokens_.clear();
  attention_rows_.clear();
  for (const LlamaRow& row : rows) row.cache->reserve(row.position + 1);
  for (const LlamaRow& row : rows) {
    tokens_.push_back(row.token);
    attention_rows_.push_back({row.cache->pages(), row.position});
  }
  rotations(rows);
  device_.embed(x_.data(), *embedding_, tokens_);
  for (int i = 0; i < c.layers; ++i) {
    attention(layers_[static_cast<std::size_t>(i)], i, n);
    feed_forward(layers_[static_cast<std::size_t>(i)], n);
  }
  const int wanted = gather(rows);
  if (wanted == 0) return nullptr;
  logits_.resize(static_cast<std::size_t>(wanted) * c.vocabulary);
  const Linear output[] = {{logits_.data(), output_ ? output_.get() : embedding_.get()}};
  device_.linear(output, normed_.data(), wanted);
  return logits_.data();
}

}  // namespace switchyard::local
