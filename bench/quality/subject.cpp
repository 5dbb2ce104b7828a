#include "bench/quality/subject.h"

#include "local_backend/device/cpu/cpu_device.h"
#include "local_backend/device/cpu/parallel.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iostream>
#include <iterator>

namespace switchyard::evaluation {
namespace {

constexpr std::size_t kBlock = 32;

// Reads a matrix that the file holds in half precision, or a vector in single.
std::vector<float> read_floats(const local::Tensor& tensor) {
  std::vector<float> out;
  if (tensor.type->type == local::TensorType::f32) {
    out.resize(tensor.data.size() / sizeof(float));
    std::memcpy(out.data(), tensor.data.data(), tensor.data.size());
    return out;
  }
  out.resize(tensor.data.size() / sizeof(std::uint16_t));
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint16_t half;
    std::memcpy(&half, tensor.data.data() + i * sizeof half, sizeof half);
    out[i] = local::half_to_float(half);
  }
  return out;
}

float through_half(float value) {
  return local::half_to_float(local::float_to_half(value));
}

void round_block_q8(float* x) {
  float peak = 0;
  for (std::size_t i = 0; i < kBlock; ++i) peak = std::max(peak, std::abs(x[i]));
  const float inverse = peak > 0 ? 127 / peak : 0, scale = through_half(peak / 127);
  for (std::size_t i = 0; i < kBlock; ++i) x[i] = std::round(x[i] * inverse) * scale;
}

// `half` levels below zero and half - 1 above: the largest weight is met by the lowest level.
void round_block_signed(float* x, int half) {
  const float peak =
      *std::max_element(x, x + kBlock, [](float a, float b) { return std::abs(a) < std::abs(b); });
  const auto levels = static_cast<float>(half);
  const float exact = -peak / levels, inverse = exact != 0 ? 1 / exact : 0, scale = through_half(exact);
  for (std::size_t i = 0; i < kBlock; ++i)
    x[i] = std::clamp(std::floor(x[i] * inverse + 0.5F), -levels, levels - 1) * scale;
}

bool is_part_of_layer(std::string_view name, int layer) {
  const std::string at = "blk." + std::to_string(layer) + ".";
  return name == at + "attn_output.weight" || name == at + "ffn_down.weight";
}

// What cannot be loaded ends the evaluation: there is nothing to measure then.
template <class T>
T need(local::Result<T> result) {
  if (!result) {
    std::cerr << "quality: " << result.error().message << '\n';
    std::exit(1);
  }
  return std::move(*result);
}

}  // namespace

const char* name_of(Precision precision) {
  static constexpr const char* kNames[] = {
      "f32", "q8_0", "q6", "q5", "q4_0", "3 bit", "2 bit", "q8_0 as served", "q4_0 as served"};
  return kNames[static_cast<int>(precision)];
}

void round_weights(std::vector<float>& weights, Precision precision) {
  for (std::size_t at = 0; at + kBlock <= weights.size(); at += kBlock) {
    float* block = weights.data() + at;
    switch (precision) {
      case Precision::q8_0:
        round_block_q8(block);
        break;
      case Precision::q6:
        round_block_signed(block, 32);
        break;
      case Precision::q5:
        round_block_signed(block, 16);
        break;
      case Precision::q4_0:
        round_block_signed(block, 8);
        break;
      case Precision::three_bits:
        round_block_signed(block, 4);
        break;
      case Precision::two_bits:
        round_block_signed(block, 2);
        break;
      default:
        return;
    }
  }
}

std::unique_ptr<Subject> Subject::load(const std::string& folder, Precision precision, int skipped_layer) {
  std::unique_ptr<Subject> out(new Subject());
  const bool served = precision == Precision::served_q8_0 || precision == Precision::served_q4_0;
  const std::string file = !served                               ? "/mini.f16.gguf"
                           : precision == Precision::served_q8_0 ? "/mini.q8_0.gguf"
                                                                 : "/mini.q4_0.gguf";
  out->file_ = need(local::MappedFile::open(folder + file));
  out->gguf_ = need(local::parse_gguf(out->file_.bytes()));
  if (!served)
    for (auto& [name, tensor] : out->gguf_.tensors) {
      auto& weights = out->owned_.emplace_back(read_floats(tensor));
      if (tensor.rows() > 1) round_weights(weights, precision);
      if (is_part_of_layer(name, skipped_layer)) std::fill(weights.begin(), weights.end(), 0.0F);
      tensor.type = local::find_tensor_type(static_cast<std::uint32_t>(local::TensorType::f32));
      tensor.data = std::as_bytes(std::span(weights));
    }
  out->tokenizer_ = std::make_unique<local::Tokenizer>(need(local::Tokenizer::load(out->gguf_)));
  out->chat_ =
      std::make_unique<local::ChatTemplate>(need(local::ChatTemplate::load(out->gguf_, *out->tokenizer_)));
  const auto config = need(local::read_llama_config(out->gguf_, out->tokenizer_->size()));
  const local::KernelList kernels = local::runnable_kernels();
  out->device_ = std::make_unique<local::CpuDevice>(*kernels.kernels[kernels.count - 1],
                                                    std::make_unique<local::Serial>());
  out->model_ = need(local::Llama::load(out->gguf_, config, *out->device_));
  return out;
}

std::vector<int> Subject::render(const std::vector<local::ChatTurn>& turns) const {
  return chat_->render(turns, *tokenizer_);
}

const float* Subject::extend(local::KvCache& cache, const std::vector<int>& tokens, int position) {
  const float* logits = nullptr;
  for (std::size_t from = 0; from < tokens.size();) {
    rows_.clear();
    for (; from < tokens.size() && rows_.size() < local::Llama::kRowsMax; ++from)
      rows_.push_back({.token = tokens[from],
                       .position = position + static_cast<int>(from),
                       .cache = &cache,
                       .wants_logits = from + 1 == tokens.size()});
    logits = model_->step(rows_);
  }
  return logits;
}

std::vector<float> Subject::all_logits(const std::vector<int>& tokens) {
  auto cache = make_cache();
  std::vector<float> out;
  out.reserve(tokens.size() * static_cast<std::size_t>(vocabulary()));
  for (std::size_t from = 0; from < tokens.size();) {
    rows_.clear();
    for (; from < tokens.size() && rows_.size() < local::Llama::kRowsMax; ++from)
      rows_.push_back(
          {.token = tokens[from], .position = static_cast<int>(from), .cache = &cache, .wants_logits = true});
    const float* logits = model_->step(rows_);
    std::copy_n(logits, rows_.size() * static_cast<std::size_t>(vocabulary()), std::back_inserter(out));
  }
  return out;
}

}  // namespace switchyard::evaluation
