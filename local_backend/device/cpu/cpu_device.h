#pragma once

#include "local_backend/device/cpu/kernels.h"
#include "local_backend/device/cpu/parallel.h"
#include "local_backend/device/device.h"

#include <memory>
#include <string>
#include <vector>

namespace switchyard::local {

class CpuWeight;

// The processor itself. Device memory is ordinary memory.
class CpuDevice : public Device {
 public:
  // `kernels` is one of runnable_kernels().
  CpuDevice(const Kernels& kernels, std::unique_ptr<Parallel> parallel);

  std::string_view name() const override { return name_; }

  std::unique_ptr<Weight> upload(const Tensor& tensor) override;
  bool is_supported(TensorType type) const override;
  void embed(float* out, const Weight& table, std::span<const int> ids) override;
  void rms_norm(float* out, const float* x, const Weight& gain, int n, float epsilon) override;
  void linear(std::span<const Linear> products, const float* x, int n) override;
  void rope(float* x, const float* rotation, int n, int heads, int head_size) override;
  void store(std::span<const AttentionRow> rows, const AttentionShape& shape, int layer, const float* key,
             const float* value) override;
  void attend(float* out, const float* query, std::span<const AttentionRow> rows, const AttentionShape& shape,
              int layer) override;
  void swiglu(float* gate, const float* up, int count) override;
  void add(float* x, const float* y, int count) override;

 private:
  QuantisedRows quantise(const float* x, int n, int k);
  void attend_head(float* out, const float* query, const AttentionRow& row, const AttentionShape& shape,
                   int layer, int kv_head, std::vector<float>& scores) const;

  const Kernels& kernels_;
  std::unique_ptr<Parallel> parallel_;
  std::string name_;
  std::vector<std::int8_t> q_;
  std::vector<float> q_scale_;
  std::vector<std::int32_t> q_sum_;
  std::vector<std::vector<float>> scores_;  // One a part.
};

}  // namespace switchyard::local
