#include "local_backend/model/llama.h"

#include "local_backend/engine/thread_pool.h"
#include "tests/unit/local_backend/mini.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace switchyard::local {
namespace {

using testing::as_bytes, testing::load_parts, testing::mini_json, testing::mini_path, testing::Parts,
    testing::patched_mini;
using ::testing::HasSubstr;

int best(std::span<const float> logits) {
  return static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

std::vector<int> continue_greedily(const Parts& parts, const std::vector<int>& prompt, int max) {
  const auto vocabulary = static_cast<std::size_t>(parts.model->config().vocabulary);
  KvCache cache(parts.model->config());
  std::vector<LlamaRow> rows;
  std::vector<int> out;
  for (const int token : prompt) rows.push_back({token, static_cast<int>(rows.size()), &cache, false});
  rows.back().wants_logits = true;
  int position = static_cast<int>(prompt.size());
  while (static_cast<int>(out.size()) < max) {
    const int token = best({parts.model->step(rows), vocabulary});
    if (parts.tokenizer->ends_turn(token)) break;
    out.push_back(token);
    rows = {{token, position++, &cache, true}};
  }
  return out;
}

std::vector<const Kernels*> all_kernels() {
  const KernelList list = runnable_kernels();
  return {list.kernels, list.kernels + list.count};
}

TEST(Llama, ContinuesAsTheReferenceOnEveryKernel) {
  constexpr int kReferenceTokens = 40;  // Where the reference cut its answers.
#ifdef SWITCHYARD_SANITIZED
  constexpr int kEvery = 10;  // All of them take a minute, and every kernel has run after one.
#else
  constexpr int kEvery = 1;
#endif
  const auto reference = mini_json("reference_greedy.json");
  for (const char* file : {"mini.f16.gguf", "mini.q8_0.gguf"}) {
    const std::string bytes = testing::read_file(mini_path(file));
    for (const Kernels* kernels : all_kernels()) {
      const auto parts = load_parts(as_bytes(bytes), *kernels);
      ASSERT_TRUE(parts) << parts.error().message;
      int prompts = 0;
      for (const auto& row : reference) {
        if (row["file"] != file) continue;
        if (prompts++ % kEvery != 0) continue;
        EXPECT_EQ(continue_greedily(*parts, row["prompt_ids"], kReferenceTokens),
                  row["greedy_ids"].get<std::vector<int>>())
            << file << " " << kernels->name << " " << row["prompt"];
      }
      EXPECT_EQ(prompts, 20);
    }
  }
}

// A sequence's logits are the same bits, alone or with others, its prompt whole or in parts, on one thread or
// more.
TEST(Llama, ARowDoesNotDependOnItsCompany) {
  const std::string q4 = testing::read_file(mini_path("mini.q4_0.gguf")),
                    f16 = testing::read_file(mini_path("mini.f16.gguf"));
  for (const auto bytes : {bundled_model(), as_bytes(q4), as_bytes(f16)}) {
    const KernelList kernels = runnable_kernels();
    const Kernels& fastest = *kernels.kernels[kernels.count - 1];
    const auto alone = load_parts(bytes, fastest),
               threaded = load_parts(bytes, fastest, std::make_unique<ThreadPool>(3));
    ASSERT_TRUE(alone);
    ASSERT_TRUE(threaded);
    const LlamaConfig& config = alone->model->config();
    const auto vocabulary = static_cast<std::size_t>(config.vocabulary);
    const std::vector<int> prompt = alone->chat.render({{"user", "What is 23 + 45?"}}, *alone->tokenizer);
    KvCache whole(config), parts(config), other(config);
    std::vector<LlamaRow> rows;
    for (const int token : prompt) rows.push_back({token, static_cast<int>(rows.size()), &whole, false});
    rows.back().wants_logits = true;
    const float* logits = alone->model->step(rows);
    const std::vector<float> want(logits, logits + vocabulary);
    for (std::size_t i = 0; i < prompt.size(); ++i) {
      const bool last = i + 1 == prompt.size();
      const std::vector<LlamaRow> mixed = {{40, static_cast<int>(2 * i), &other, true},
                                           {prompt[i], static_cast<int>(i), &parts, last},
                                           {41, static_cast<int>(2 * i + 1), &other, true}};
      logits = threaded->model->step(mixed);
    }
    EXPECT_EQ(std::vector<float>(logits + vocabulary, logits + 2 * vocabulary), want);
  }
}

TEST(Llama, RefusesFilesThatItCannotServe) {
  const std::string q2 = testing::read_file(mini_path("mini.q2_k.gguf"));
  const auto number = [](const char* key, std::uint32_t value) {
    return key + testing::raw(4U) + testing::raw(value);
  };

  const struct {
    const char* why;
    std::string bytes;
    const char* message;
  } rows[] = {
      {"a type without kernels", q2, "tensor 'token_embd.weight': type Q2_K is not supported"},
      {"a missing tensor", patched_mini("blk.4.ffn_down.weight", "blk.4.ffn_dowm.weight"),
       "tensor 'blk.4.ffn_down.weight' is missing"},
      {"an unsupported architecture",
       patched_mini(std::string("\x05\0\0\0\0\0\0\0llama", 13), std::string("\x05\0\0\0\0\0\0\0gemma", 13)),
       "'gemma' is not supported"},
      {"a missing key", patched_mini("llama.block_count", "llama.block_coumt"),
       "'llama.block_count' is missing"},
      {"more layers than tensors",
       patched_mini(number("llama.block_count", 5), number("llama.block_count", 6)),
       "tensor 'blk.5.attn_norm.weight' is missing"},
      {"a width that is not the tensors'",
       patched_mini(number("llama.feed_forward_length", 768), number("llama.feed_forward_length", 512)),
       "shape"},
      {"a width that heads do not divide",
       patched_mini(number("llama.attention.head_count", 8), number("llama.attention.head_count", 7)),
       "multiple"},
      {"heads that groups do not divide",
       patched_mini(number("llama.attention.head_count_kv", 4), number("llama.attention.head_count_kv", 3)),
       "multiple"},
      {"no heads",
       patched_mini(number("llama.attention.head_count", 8), number("llama.attention.head_count", 0)),
       "out of range"},
      {"an absurd context",
       patched_mini(number("llama.context_length", 512), number("llama.context_length", 0xffffffff)),
       "'llama.context_length'"},
      {"heads rotated in part",
       patched_mini(number("llama.rope.dimension_count", 32), number("llama.rope.dimension_count", 16)),
       "'llama.rope.dimension_count'"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const auto parts = load_parts(as_bytes(row.bytes));
    ASSERT_FALSE(parts);
    EXPECT_THAT(parts.error().message, HasSubstr(row.message));
  }
}

}  // namespace
}  // namespace switchyard::local
