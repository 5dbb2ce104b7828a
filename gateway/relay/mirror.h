#pragma once

#include "adapters/dialects/dialect.h"
#include "gateway/relay/snapshot.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::relay {

// A request that was answered, for a shadow's answer to be compared with it (models.*.shadow). Its texts are
// kept until that is done, and nowhere written.
struct Mirrored {
  std::shared_ptr<const Snapshot> snapshot;
  const Model* model = nullptr;    // In the snapshot.
  const Target* target = nullptr;  // Who answered; the same.
  ChatRequest request;
  std::string answer;

  std::size_t bytes = 0;  // About what it holds.
};

// Who compares. Any thread may offer.
class Mirror {
 public:
  virtual ~Mirror() = default;
  // Takes it, or leaves it when there is much to compare already.
  virtual void offer(Mirrored mirrored) = 0;
};

// What is gathered of one request while it is served: a copy of its body, and the answer's text as the caller
// gets it.
class Mirroring {
 public:
  static constexpr std::size_t kBytesMax = 64u
                                           << 10;  // Of the body, and of the answer. Longer ones are left.

  Mirroring(const Dialect& dialect, std::string_view body) : dialect_(dialect), body_(body) {}

  // The next frames of a stream, as they go to the caller.
  void on_frames(const std::vector<std::string_view>& frames);
  void on_whole(std::string_view body);

  // The request that was answered, in the canonical form; nothing when it is not one to compare: it has tools
  // or more than text, its answer is no text, was too long or cannot be read.
  std::optional<Mirrored> finish();

 private:
  void take(const std::vector<Event>& events);

  const Dialect& dialect_;
  std::string body_, answer_;
  std::unique_ptr<EventParser> parser_;
  bool is_text_ = true;  // So far.
};

}  // namespace switchyard::relay
