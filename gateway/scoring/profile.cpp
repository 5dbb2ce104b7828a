#include "gateway/scoring/profile.h"

#include <algorithm>
#include <cmath>

namespace switchyard::scoring {

namespace {

// Fewer than so many observations make no quantile.
constexpr std::uint64_t kQuantileMin = 50;

void judge_one(Signal signal, bool is_bad, std::uint32_t& seen, std::uint32_t& bad) {
  seen |= bit(signal);
  if (is_bad) bad |= bit(signal);
}

}  // namespace

int SizeHistogram::class_of(float value) {
  if (!(value > 0)) return 0;
  return std::clamp(static_cast<int>(std::floor(8 * std::log2(value))) + 32, 0, kClasses - 1);
}

std::uint64_t SizeHistogram::total() const {
  std::uint64_t sum = 0;
  for (const std::uint32_t count : counts_) sum += count;
  return sum;
}

int SizeHistogram::quantile(double share) const {
  const double wanted = share * static_cast<double>(total());
  std::uint64_t sum = 0;
  for (int i = 0; i < kClasses; ++i) {
    sum += counts_[static_cast<std::size_t>(i)];
    if (static_cast<double>(sum) >= wanted) return i;
  }
  return kClasses - 1;
}

void Profile::judge(const Observation& o, std::uint32_t& seen, std::uint32_t& bad) const {
  if (o.had_tools) {
    judge_one(Signal::tools_high, o.finished_with_tools, seen, bad);
    judge_one(Signal::tools_low, !o.finished_with_tools, seen, bad);
  }
  if (o.asked_to_reason) judge_one(Signal::reasoning_absent, o.reasoning_tokens == 0, seen, bad);
  if (!learnt_) return;
  if (o.output_tokens > 0) {
    const int length = SizeHistogram::class_of(static_cast<float>(o.output_tokens));
    judge_one(Signal::length_low, length < length_low_, seen, bad);
    judge_one(Signal::length_high, length > length_high_, seen, bad);
  }
  if (knows_reasoning_ && o.asked_to_reason) {
    const int reasoning = SizeHistogram::class_of(static_cast<float>(o.reasoning_tokens));
    judge_one(Signal::reasoning_low, reasoning < reasoning_low_, seen, bad);
  }
  if (knows_chunks_ && o.chunk_tokens > 0) {
    const bool unusual = SizeHistogram::class_of(o.chunk_tokens) > chunk_high_ ||
                         SizeHistogram::class_of(o.gap_variation) > gap_high_;
    judge_one(Signal::chunk_pattern, unusual, seen, bad);
  }
}

void Profile::add(const Observation& o) {
  if (learnt_) return;
  block_has_any_ = true;
  if (o.output_tokens > 0) length_.add(static_cast<float>(o.output_tokens));
  if (o.asked_to_reason) reasoning_.add(static_cast<float>(o.reasoning_tokens));
  if (o.chunk_tokens > 0) {
    chunk_.add(o.chunk_tokens);
    gap_.add(o.gap_variation);
  }
}

bool Profile::end_block(const config::Quality& settings, std::int64_t now_ms) {
  if (learnt_ || !block_has_any_) return false;
  block_has_any_ = false;
  if (since_ms_ == 0) since_ms_ = now_ms;
  ++blocks_;
  const std::uint64_t lengths = length_.total();
  if (2 * lengths < static_cast<std::uint64_t>(settings.learn_observations) || lengths < kQuantileMin ||
      2 * blocks_ < settings.learn_blocks || 2 * (now_ms - since_ms_) < settings.learn_for.count())
    return false;
  learnt_ = true;
  length_low_ = length_.quantile(0.1);
  length_high_ = length_.quantile(0.9);
  knows_reasoning_ = reasoning_.total() >= kQuantileMin;
  if (knows_reasoning_) reasoning_low_ = reasoning_.quantile(0.1);
  knows_chunks_ = chunk_.total() >= kQuantileMin;
  if (knows_chunks_) chunk_high_ = chunk_.quantile(0.95), gap_high_ = gap_.quantile(0.95);
  return true;
}

}  // namespace switchyard::scoring
