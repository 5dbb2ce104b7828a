#pragma once

#include "local_backend/engine/job.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

namespace switchyard::local {

// One embedding request: its inputs one after the other through the model, each to a vector. A pass takes as
// many inputs as have room in it.
class Embedding : public Job {
 public:
  // There is an input; none is empty or longer than the context.
  Embedding(std::uint64_t id, std::vector<std::vector<int>> inputs, std::shared_ptr<EmbeddingSink> sink);

  bool is_embedding() const override { return true; }

  // Of the input that is its turn.
  int pending() const override;

  bool is_answering() const override { return false; }

  void feed(int count, const LlamaConfig& config, std::vector<LlamaRow>& rows) override;
  void receive(int rows, const PassOutput& output) override;
  void end(Outcome::Reason reason, std::string_view message) override;

 private:
  // Each has keys and values of its own, a page at least: so many inputs share a pass, however short.
  static constexpr std::size_t kBegunMax = 8;

  bool finish_input();
  void deliver(EmbeddingOutcome outcome);

  const std::vector<std::vector<int>> inputs_;
  std::shared_ptr<EmbeddingSink> sink_;
  std::size_t feeding_ = 0;    // The input that is fed next...
  int fed_ = 0;                // ... and how many of its tokens are.
  std::deque<KvCache> begun_;  // Of the inputs from vectors_.size() on that were begun.
  std::vector<KvCache> idle_;
  int received_ = 0;         // Rows of the input vectors_.size() that have passed...
  std::vector<double> sum_;  // ... and the sum of those that count.
  std::vector<std::vector<float>> vectors_;
};

}  // namespace switchyard::local
