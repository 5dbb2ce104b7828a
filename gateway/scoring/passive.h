#pragma once

#include "adapters/dialects/reply_tap.h"
#include "gateway/scoring/observation.h"
#include "gateway/scoring/text_signs.h"
#include "gateway/scoring/watch_memory.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::scoring {

// Judges one reply while it passes, from what its reader sees of it anyway (docs/quality.md): which signals
// could be judged, and which were bad. It looks at the text in the reply's own time and keeps none of it
// behind the reply; it allocates only for replies whose calls or whose JSON must be checked as a whole.
class ReplyWatch final : public ReplyTap {
 public:
  enum class End {
    complete,
    left,   // The client left after the first content.
    broken  // It ended without its end, after the first content.
  };

  // A new reply. `memory` and `traits` must live until end(). `target`: as in Observation. `model`: a hash of
  // the gateway's model and of the provider's name of it.
  void begin(WatchMemory& memory, const RequestTraits& traits, std::uint32_t target, std::uint64_t model);

  bool is_on() const { return memory_ != nullptr; }

  void on_model(std::string_view model, std::string_view build) override;
  void on_text(std::string_view piece) override;
  void on_refusal(std::string_view piece) override;
  void on_thought() override;
  void on_tool_call(std::int64_t index, std::string_view id, std::string_view name,
                    std::string_view arguments) override;
  void on_finish(FinishReason reason) override;

  // The reply is over. Sets `seen`, `bad`, `finished_with_tools`, `had_tools`, `asked_tokens`, `text_bytes`
  // and `chunk_tokens` of the observation. Nothing may be told until the next begin(). A reply that failed
  // before its first content is not to be judged: stop().
  void end(End how, const std::optional<Usage>& usage, std::int64_t now_ms, Observation& out);

  void stop() { memory_ = nullptr; }

 private:
  static constexpr std::size_t kTail = 2048, kBatch = 512, kRoom = 2 * kTail;
  static constexpr std::size_t kKeptBytesMax = JsonSchema::kTextBytesMax + 1;  // Of calls, of JSON output.
  static constexpr std::size_t kCallsMax = 64;

  struct Call {
    std::int64_t index = 0;
    std::uint64_t id = 0;  // A hash; 0: none.
    std::string name, arguments;
  };

  void look(bool at_end);
  void look_at(std::string_view text);
  void judge(Signal signal, bool is_bad);
  void judge_calls(End how);
  void judge_output(End how);
  void judge_text(End how);
  void judge_scripts();
  void judge_end(End how, const std::optional<Usage>& usage);
  void judge_usage(const std::optional<Usage>& usage, std::int64_t now_ms);

  WatchMemory* memory_ = nullptr;
  const RequestTraits* traits_ = nullptr;
  std::uint64_t model_ = 0, build_ = 0;
  std::uint32_t target_ = 0, seen_ = 0, bad_ = 0;
  std::uint32_t chunks_ = 0, text_bytes_ = 0, call_bytes_ = 0, letters_ = 0, strange_letters_ = 0;
  std::int32_t brackets_ = 0;  // Opened less closed, of [] and {}.
  std::array<std::uint32_t, kScripts> scripts_{};
  std::optional<FinishReason> finish_;
  bool has_refusal_ = false, refuses_ = false, has_thought_ = false, is_json_ = false, too_many_ = false,
       has_looked_ = false;
  Fences fences_;
  std::vector<Call> calls_;
  std::string output_;                 // With a format, the whole of it.
  std::size_t size_ = 0, looked_ = 0;  // Of room_: how much there is, how much has been looked at.
  std::size_t next_look_ = kBatch;     // From this size on.
  std::array<char, kRoom> room_;       // The text's last bytes, at least kTail of them.
};

}  // namespace switchyard::scoring
