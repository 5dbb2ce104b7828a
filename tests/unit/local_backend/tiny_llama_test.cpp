// Whole models that are made on the spot: what the bundled one does not have, and every kind of damage.
#include "tests/unit/local_backend/tiny_llama.h"

#include "tests/unit/local_backend/mini.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace switchyard::local {
namespace {

using testing::as_bytes, testing::load_parts, testing::TinyLlama;
using ::testing::FloatNear, ::testing::Pointwise;

// The logits after "Hello", or nothing when the file is refused.
std::vector<float> logits_of(const std::string& bytes, const Kernels& kernels = scalar_kernels()) {
  const auto parts = load_parts(as_bytes(bytes), kernels);
  if (!parts) {
    EXPECT_FALSE(parts.error().message.empty());
    return {};
  }
  KvCache cache(parts->model->config());
  std::vector<int> ids;
  parts->tokenizer->encode("Hello", ids);
  std::vector<LlamaRow> rows;
  for (const int id : ids) rows.push_back({id, static_cast<int>(rows.size()), &cache, false});
  rows.back().wants_logits = true;
  const float* logits = parts->model->step(rows);
  return {logits, logits + parts->model->config().vocabulary};
}

TEST(TinyLlama, EveryKernelAndTypeAgreesWithTheScalarOnes) {
  const std::string bytes = TinyLlama().build();
  const auto want = logits_of(bytes);
  ASSERT_EQ(want.size(), 260U);
  const KernelList list = runnable_kernels();
  for (int i = 1; i < list.count; ++i)
    EXPECT_THAT(logits_of(bytes, *list.kernels[i]), Pointwise(FloatNear(0.05F), want))
        << list.kernels[i]->name;
}

TEST(TinyLlama, TheOutputMayBeItsOwnMatrix) {
  EXPECT_EQ(logits_of(TinyLlama{.has_output = true}.build()), logits_of(TinyLlama().build()));
}

TEST(TinyLlama, RotationsAreSlowedByTheFilesFactors) {
  const auto plain = logits_of(TinyLlama().build());
  EXPECT_EQ(logits_of(TinyLlama{.rope_factor = 1}.build()), plain);
  EXPECT_NE(logits_of(TinyLlama{.rope_factor = 8}.build()), plain);
  for (const float factor : {-1.0F, std::nanf("")})
    EXPECT_TRUE(logits_of(TinyLlama{.rope_factor = factor}.build()).empty()) << factor;
}

TEST(TinyLlama, EveryTruncationIsRefused) {
  const std::string bytes = TinyLlama().build();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    ASSERT_TRUE(logits_of(bytes.substr(0, size)).empty()) << size;
}

// Refused or served, with whatever result, but never a fault: the sanitizers watch.
TEST(TinyLlama, NoChangedByteIsAFault) {
  const std::string bytes = TinyLlama{.rope_factor = 2}.build();
  const std::size_t described = bytes.find("rope_freqs.weight") + 64;  // Where the weights start, about.
  for (std::size_t at = 0; at < described; ++at)
    for (const char value : {'\0', '\x01', '\x7f', '\xff'}) {
      std::string changed = bytes;
      changed[at] = value;
      logits_of(changed);
    }
  // Weights that are no numbers, infinite or huge.
  for (const char value : {'\x7c', '\x7f', '\xff'}) {
    std::string changed = bytes;
    std::fill(changed.begin() + static_cast<std::ptrdiff_t>(described), changed.end(), value);
    for (const Kernels* kernels :
         {&scalar_kernels(), runnable_kernels().kernels[runnable_kernels().count - 1]})
      logits_of(changed, *kernels);
  }
}

}  // namespace
}  // namespace switchyard::local
