#pragma once

#include "adapters/canonical/result.h"
#include "gateway/scoring/observation.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::scoring {

// The body of POST /v1/feedback: {"request_id": ..., "score": -1 to 1}, or, for what a score is made of,
// {"request_id": ..., "name": ..., "value": true, false, or -1 to 1}.
struct FeedbackRequest {
  std::string request_id;
  double score = 0;
};

// Fails with invalid_request naming the member.
Result<FeedbackRequest> read_feedback(std::string_view body);

// 1 (bad) for the score -1, 0 for 1.
inline float x_of(double score) {
  return static_cast<float>((1 - score) / 2);
}

// Who answered a request, for what is said of the answer later. No text: hashes and numbers.
struct ServedRequest {
  std::uint32_t target = 0;   // As in Observation.
  std::uint32_t key = 0;      // As in Observation.
  std::uint64_t session = 0;  // 0: none.
  std::uint32_t at_s = 0;     // Of a steady clock.
  std::uint8_t stratum = 0;
};

// The last requests that were served, by the hash of their id: of a process, written and read by any thread
// without a lock. Bounded: a new one takes the place of the oldest of four.
class ServedRequests {
 public:
  static constexpr std::size_t kEntries = 65'536, kWays = 4;

  void add(std::uint64_t id, const ServedRequest& request);
  std::optional<ServedRequest> find(std::uint64_t id) const;

 private:
  // The words of an entry are written one by one, by threads that do not wait for each other. The first is
  // the id combined with the others, so that a mixture of two entries is nobody's (Hyatt and Mann, "A
  // lockless transposition table", 2002).
  struct Entry {
    std::atomic<std::uint64_t> check{0}, who{0}, session{0}, when{0};
  };

  std::vector<Entry> entries_ = std::vector<Entry>(kEntries);
};

// Which of what callers say counts as evidence: one judgement of a session an hour, and no key more than a
// fifth of a target's, so that nobody can talk a target down alone. Of a key's judgements the first few of an
// hour count, whatever the share: else the first of all could not. Times are milliseconds of one clock that
// does not go back. One thread at a time.
class FeedbackGate {
 public:
  static constexpr std::int64_t kHourMs = 3'600'000;
  static constexpr int kFreeAnHour = 4;
  static constexpr double kShareMax = 0.2;

  enum class Ruling { counts, same_session, key_share };
  // `session` 0: the request is a session of its own, `request` its hash.
  Ruling rule(const ServedRequest& served, std::uint64_t request, std::int64_t now_ms);

 private:
  static constexpr std::size_t kSessions = 16'384, kKeys = 4'096, kTargets = 1'024;

  struct Session {
    std::uint64_t id = 0;
    std::int64_t at_ms = 0;
  };

  // A number that halves every hour.
  struct Decaying {
    std::uint64_t owner = 0;
    std::int64_t at_ms = 0;
    double count = 0;

    double at(std::int64_t now_ms) const;
    void add(std::int64_t now_ms);
  };

  // The counter of `owner`; another's place is taken once that has nearly nothing. Null: there is no place.
  static Decaying* find(std::vector<Decaying>& counters, std::uint64_t owner, std::int64_t now_ms);

  std::vector<Session> sessions_ = std::vector<Session>(kSessions);
  std::vector<Decaying> keys_ = std::vector<Decaying>(kKeys);  // Of a key and a target.
  std::vector<Decaying> targets_ = std::vector<Decaying>(kTargets);
};

std::string_view name_of(FeedbackGate::Ruling ruling);

}  // namespace switchyard::scoring
