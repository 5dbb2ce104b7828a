#pragma once

#include "adapters/canonical/event.h"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::probing {

// A probe's verdict. `unknown`: it could not be judged; that is never a pass.
enum class Grade { pass, fail, unknown };
std::string_view name_of(Grade grade);

// A reply as graders see it.
struct ProbeReply {
  struct Call {
    std::string name, arguments;
  };

  std::string text;
  std::string logprobs;  // OpenAI's, of the first text: a JSON array; or empty.
  std::vector<Call> calls;
  FinishReason finish = FinishReason::stop;
  bool refused = false;  // In a field of its own, or by a filter.
  std::optional<Usage> usage;
  std::string model;  // What the provider says answered.
};

// A whole reply's events, folded.
ProbeReply fold(const std::vector<Event>& events);

// True when nothing of the answer came because it ended before: all tokens went into thinking.
bool ended_while_thinking(const ProbeReply& reply);

// What a reply used, input and output; about, where it does not say.
double tokens_of(const ProbeReply& reply);

// What graders are made of. Each is exact about what was asked for and lenient about nothing else but white
// space around the answer and one final full stop.

std::string trimmed(std::string_view text);
// The answer is `expected` and nothing else.
bool is_exactly(std::string_view text, std::string_view expected);
// The answer is a list of exactly these, separated by `separator` with white space around.
bool is_list_of(std::string_view text, char separator, std::span<const std::string> expected);
// The pieces between separators, trimmed; empty ones at the end are left out.
std::vector<std::string> pieces_of(std::string_view text, char separator);
// The answer is JSON, alone or in one fenced code block, and equal to `expected` down to the types.
bool is_json(std::string_view text, const nlohmann::json& expected);
// The calls are exactly these, in any order, with arguments equal as JSON.
bool are_calls(std::span<const ProbeReply::Call> calls, std::span<const ProbeReply::Call> expected);
// Words: runs of letters, digits, apostrophes and hyphens; bytes of other scripts are letters.
std::vector<std::string> words_of(std::string_view text);
// ASCII letters made lower-case.
std::string lower(std::string_view text);

}  // namespace switchyard::probing
