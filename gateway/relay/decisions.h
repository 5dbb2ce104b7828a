#pragma once

#include "gateway/routing/decision.h"
#include "gateway/telemetry/recorder.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace switchyard::relay {

// The names behind a decision's numbers: one a model and configuration, shared by its decisions.
struct DecisionNames {
  std::string model, config_version;
  std::vector<std::string> providers, target_models;  // By target, and so
  std::vector<std::uint32_t> score_ids;
};

// What is known of a request at its end. The views must live during DecisionRing::add() only.
struct DecisionFacts {
  std::string_view request_id, key, fallback_from;
  std::shared_ptr<const DecisionNames> names;
  const routing::PlanInput* input = nullptr;
  std::span<const routing::AttemptRecord> attempts;
  std::int64_t at_ms = 0;  // Wall clock.
  int served = -1;
  telemetry::Outcome outcome = telemetry::Outcome::ok;
  std::uint64_t scores_version = 0;
  std::uint32_t input_tokens = 0, output_tokens = 0;
  double seam_at = -1;
};

// The newest decisions of one worker, in memory of a fixed size: numbers and texts are copied into a ring of
// bytes, so that a request costs a few hundred bytes copied, and no allocation. The oldest go first, when
// there are more than kSlots of them or kBytes of theirs. Used on its worker's thread only.
class DecisionRing {
 public:
  static constexpr std::size_t kSlots = 4096;
  static constexpr std::size_t kBytes = std::size_t{8} << 20;

  void add(const DecisionFacts& facts);

  // The newest first. `request_id` empty: any; `model` empty: any.
  std::vector<routing::Decision> find(std::string_view request_id, std::string_view model,
                                      std::size_t limit) const;
  // Those that were added since the last call, the oldest first: the newest `limit` of them. The others are
  // counted in skipped().
  std::vector<routing::Decision> take_new(std::size_t limit);

  std::uint64_t skipped() const { return skipped_; }

 private:
  // The fixed part of a record; then follow the candidates, the attempts and the texts.
  struct Head {
    config::Strategy strategy;
    config::Objectives objectives;
    routing::RequestFacts facts;
    TimePoint now;
    std::uint64_t seed, scores_version;
    std::int64_t at_ms;
    int served;
    telemetry::Outcome outcome;
    std::uint32_t input_tokens, output_tokens;
    double seam_at;
    std::uint32_t candidates, attempts, id_bytes, key_bytes, fallback_bytes;
  };

  static_assert(std::is_trivially_copyable_v<Head>);
  static_assert(std::is_trivially_copyable_v<routing::Candidate>);
  static_assert(std::is_trivially_copyable_v<routing::AttemptRecord>);

  struct Slot {
    std::uint64_t begin = 0, end = 0;  // Bytes written before it, and with it, since the beginning.
    std::shared_ptr<const DecisionNames> names;
  };

  static std::size_t bytes_of(const DecisionFacts& facts);

  const Slot& slot(std::uint64_t number) const { return slots_[number % kSlots]; }

  std::uint64_t oldest() const;

  const std::byte* at(std::uint64_t position) const { return bytes_.get() + position % kBytes; }

  std::string_view request_id(const Slot& slot) const;
  routing::Decision read(const Slot& slot) const;

  std::vector<Slot> slots_ = std::vector<Slot>(kSlots);
  std::unique_ptr<std::byte[]> bytes_ = std::make_unique_for_overwrite<std::byte[]>(kBytes);
  std::uint64_t written_ = 0;  // Bytes, since the beginning.
  std::uint64_t count_ = 0;    // Decisions, since the beginning.
  std::uint64_t taken_ = 0;    // Of those, the ones that take_new() has given or skipped.
  std::uint64_t skipped_ = 0;
};

}  // namespace switchyard::relay
