#include "gateway/relay/decisions.h"

#include <algorithm>
#include <cstring>

namespace switchyard::relay {

namespace {

// Copies plain values out of, or into, bytes that are aligned for none of them.
class Cursor {
 public:
  explicit Cursor(const std::byte* from) : from_(from) {}

  template <class T>
  void read(T* values, std::size_t count) {
    if (count > 0) std::memcpy(static_cast<void*>(values), from_, count * sizeof(T));
    from_ += count * sizeof(T);
  }

  std::string_view text(std::size_t bytes) {
    const std::string_view view(reinterpret_cast<const char*>(from_), bytes);
    from_ += bytes;
    return view;
  }

 private:
  const std::byte* from_;
};

template <class T>
std::byte* write(std::byte* to, const T* values, std::size_t count) {
  if (count > 0) std::memcpy(to, values, count * sizeof(T));
  return to + count * sizeof(T);
}

}  // namespace

std::size_t DecisionRing::bytes_of(const DecisionFacts& facts) {
  return sizeof(Head) + facts.input->candidates.size() * sizeof(routing::Candidate) +
         facts.attempts.size() * sizeof(routing::AttemptRecord) + facts.request_id.size() + facts.key.size() +
         facts.fallback_from.size();
}

void DecisionRing::add(const DecisionFacts& facts) {
  const std::size_t bytes = bytes_of(facts);
  if (bytes > kBytes / 8) return;  // Tens of thousands of targets: not worth all the others.
  const std::size_t left = kBytes - written_ % kBytes;
  if (left < bytes) written_ += left;  // No record goes over the end.
  Slot& slot = slots_[count_++ % kSlots];
  slot.begin = written_;
  slot.end = written_ += bytes;
  slot.names = facts.names;
  const routing::PlanInput& input = *facts.input;
  const auto size = [](const auto& range) { return static_cast<std::uint32_t>(range.size()); };
  const Head head{input.strategy,
                  input.objectives,
                  input.facts,
                  input.now,
                  input.seed,
                  facts.scores_version,
                  facts.at_ms,
                  facts.served,
                  facts.outcome,
                  facts.input_tokens,
                  facts.output_tokens,
                  facts.seam_at,
                  size(input.candidates),
                  size(facts.attempts),
                  size(facts.request_id),
                  size(facts.key),
                  size(facts.fallback_from)};
  std::byte* to = bytes_.get() + slot.begin % kBytes;
  to = write(to, &head, 1);
  to = write(to, input.candidates.data(), input.candidates.size());
  to = write(to, facts.attempts.data(), facts.attempts.size());
  to = write(to, facts.request_id.data(), facts.request_id.size());
  to = write(to, facts.key.data(), facts.key.size());
  write(to, facts.fallback_from.data(), facts.fallback_from.size());
}

// The first decision whose bytes nothing has been written over.
std::uint64_t DecisionRing::oldest() const {
  std::uint64_t first = count_ > kSlots ? count_ - kSlots : 0;
  std::uint64_t last = count_;
  const std::uint64_t kept_from = written_ > kBytes ? written_ - kBytes : 0;
  while (first < last) {
    const std::uint64_t middle = first + (last - first) / 2;
    if (slot(middle).begin < kept_from) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  return first;
}

std::string_view DecisionRing::request_id(const Slot& slot) const {
  Head head;
  Cursor cursor(at(slot.begin));
  cursor.read(&head, 1);
  cursor.text(head.candidates * sizeof(routing::Candidate) + head.attempts * sizeof(routing::AttemptRecord));
  return cursor.text(head.id_bytes);
}

routing::Decision DecisionRing::read(const Slot& slot) const {
  Head head;
  Cursor cursor(at(slot.begin));
  cursor.read(&head, 1);
  routing::Decision decision;
  decision.input.candidates.resize(head.candidates);
  cursor.read(decision.input.candidates.data(), head.candidates);
  decision.attempts.resize(head.attempts);
  cursor.read(decision.attempts.data(), head.attempts);
  decision.request_id = cursor.text(head.id_bytes);
  decision.key = cursor.text(head.key_bytes);
  decision.fallback_from = cursor.text(head.fallback_bytes);
  decision.model = slot.names->model;
  decision.config_version = slot.names->config_version;
  decision.providers = slot.names->providers;
  decision.target_models = slot.names->target_models;
  decision.score_ids = slot.names->score_ids;
  decision.at_ms = head.at_ms;
  decision.input.strategy = head.strategy;
  decision.input.objectives = head.objectives;
  decision.input.facts = head.facts;
  decision.input.now = head.now;
  decision.input.seed = head.seed;
  decision.served = head.served;
  decision.outcome = telemetry::name_of(head.outcome);
  decision.scores_version = head.scores_version;
  decision.input_tokens = head.input_tokens;
  decision.output_tokens = head.output_tokens;
  decision.seam_at = head.seam_at;
  return decision;
}

std::vector<routing::Decision> DecisionRing::find(std::string_view request_id, std::string_view model,
                                                  std::size_t limit) const {
  std::vector<routing::Decision> found;
  const std::uint64_t first = oldest();
  for (std::uint64_t number = count_; number > first && found.size() < limit; --number) {
    const Slot& candidate = slot(number - 1);
    if (!model.empty() && candidate.names->model != model) continue;
    if (!request_id.empty() && this->request_id(candidate) != request_id) continue;
    found.push_back(read(candidate));
  }
  return found;
}

std::vector<routing::Decision> DecisionRing::take_new(std::size_t limit) {
  std::vector<routing::Decision> taken;
  const std::uint64_t first = std::max({oldest(), taken_, count_ > limit ? count_ - limit : 0});
  skipped_ += first - std::exchange(taken_, count_);
  for (std::uint64_t number = first; number < count_; ++number) taken.push_back(read(slot(number)));
  return taken;
}

}  // namespace switchyard::relay
