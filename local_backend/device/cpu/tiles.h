#pragma once

#include "local_backend/model/gguf.h"

#include <cstddef>
#include <memory>

namespace switchyard::local {

struct FreeAligned {
  void operator()(std::byte* bytes) const;
};

using Tiles = std::unique_ptr<std::byte[], FreeAligned>;

// A Q8_0 or Q4_0 matrix in the layout of kernels.h.
Tiles pack_tiles(const Tensor& tensor);

// One row of a matrix of a supported type as floats; out(columns).
void dequantise_row(const Tensor& tensor, std::size_t row, float* out);

}  // namespace switchyard::local
