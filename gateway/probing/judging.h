#pragma once

#include "adapters/canonical/request.h"
#include "gateway/probing/draw.h"
#include "gateway/probing/identity.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::probing {

// Two answers to one request, compared by a third model. Alone, its verdicts are noise (they flip on one pair
// in seven): each pair is shown in both orders, and pairs with a known verdict watch the judge itself.

inline constexpr std::size_t kJudgedBytesMax = 16u << 10;  // Of the question, and of each answer.

// What was asked, as text for a judge; nothing when it is not all text, or longer than it reads.
std::optional<std::string> question_of(const ChatRequest& request);

// Asks which answer is better, `first` or `second`. The words vary by draw.
ChatRequest judge_request(std::string_view question, std::string_view first, std::string_view second,
                          Draw& draw);

enum class Preference { first, second, neither };
// A judge's reply: "A", "B" or "tie", alone or as its first word. Nothing when it is something else.
std::optional<Preference> read_preference(std::string_view reply);

// X of one pair: 1 when the target's answer lost in both orders, 0 when it won both, else 1/2. The first
// preference is of the order (target, other), the second of (other, target).
double score_of(Preference target_first, Preference target_second);

// An answer made worse beyond doubt: its words shuffled, its end cut off, or its numbers changed.
std::string spoilt(std::string_view answer, Draw& draw);

// How far the judge is to be trusted: it must prefer an answer to its spoilt copy in both orders. It may be
// wrong one time in five; when it is more often (evidence 1000:1) it is muted, until twenty in a row are
// right.
class JudgeRecord {
 public:
  static constexpr double kWrongAllowed = 0.2, kMutesAt = 1000;
  static constexpr int kRightInRow = 20;

  void on_sentinel(bool right);

  bool is_muted() const { return muted_; }

 private:
  BitTest wrong_{kWrongAllowed};
  bool muted_ = false;
  int right_in_row_ = 0;
};

}  // namespace switchyard::probing
