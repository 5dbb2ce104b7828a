#include "local_backend/engine/embedding.h"

#include <cmath>
#include <string>
#include <utility>

namespace switchyard::local {

Embedding::Embedding(std::uint64_t id, std::vector<std::vector<int>> inputs,
                     std::shared_ptr<EmbeddingSink> sink)
    : Job(id), inputs_(std::move(inputs)), sink_(std::move(sink)) {}

int Embedding::pending() const {
  if (feeding_ == inputs_.size() || (fed_ == 0 && begun_.size() == kBegunMax)) return 0;
  return static_cast<int>(inputs_[feeding_].size()) - fed_;
}

void Embedding::feed(int count, const LlamaConfig& config, std::vector<LlamaRow>& rows) {
  if (fed_ == 0 && idle_.empty()) {
    begun_.emplace_back(config);
  } else if (fed_ == 0) {
    begun_.push_back(std::move(idle_.back()));
    idle_.pop_back();
  }
  const auto& input = inputs_[feeding_];
  const int size = static_cast<int>(input.size());
  for (const int end = fed_ + count; fed_ < end; ++fed_) {
    const bool counts =
        config.pooling == Pooling::mean || (config.pooling == Pooling::first ? fed_ == 0 : fed_ + 1 == size);
    rows.push_back({input[static_cast<std::size_t>(fed_)], fed_, &begun_.back(), false, counts});
  }
  if (fed_ < size) return;
  ++feeding_;
  fed_ = 0;
}

void Embedding::receive(int rows, const PassOutput& output) {
  const auto dim = static_cast<std::size_t>(output.config.dim);
  sum_.resize(dim);
  for (std::size_t i = 0; i < output.hidden.size(); ++i) sum_[i % dim] += output.hidden[i];
  received_ += rows;
  if (received_ < static_cast<int>(inputs_[vectors_.size()].size())) return;
  if (!finish_input()) return end(Outcome::Reason::failed, "an input has no vector that can be normalised");
  if (vectors_.size() < inputs_.size()) return;
  EmbeddingOutcome outcome;
  outcome.vectors = std::move(vectors_);
  deliver(std::move(outcome));
}

// The direction of the sum, which is the mean's. False when the weights are such that it has none.
bool Embedding::finish_input() {
  double square = 0;
  for (const double x : sum_) square += x * x;
  if (!(square > 0) || !std::isfinite(square)) return false;
  const double scale = 1 / std::sqrt(square);
  auto& vector = vectors_.emplace_back();
  for (double& x : sum_) vector.push_back(static_cast<float>(std::exchange(x, 0) * scale));
  received_ = 0;
  idle_.push_back(std::move(begun_.front()));
  begun_.pop_front();
  return true;
}

void Embedding::end(Outcome::Reason reason, std::string_view message) {
  EmbeddingOutcome outcome;
  outcome.reason = reason == Outcome::Reason::cancelled ? EmbeddingOutcome::Reason::cancelled
                                                        : EmbeddingOutcome::Reason::failed;
  outcome.message = message;
  deliver(std::move(outcome));
}

void Embedding::deliver(EmbeddingOutcome outcome) {
  ended_ = true;
  begun_.clear();
  idle_.clear();
  for (const auto& input : inputs_) outcome.input_tokens += static_cast<int>(input.size());
  sink_->on_end(std::move(outcome));
  sink_.reset();
}

}  // namespace switchyard::local
