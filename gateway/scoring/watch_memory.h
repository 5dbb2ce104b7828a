#pragma once

#include "adapters/dialects/dialect.h"
#include "gateway/scoring/schema.h"
#include "gateway/scoring/script.h"

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace switchyard::scoring {

// What a request's tools and format ask of its answer. Kept by the hash of their text, since clients send the
// same ones again and again.
class AnswerRules {
 public:
  // Reads them; what cannot be read is not known, and nothing is judged by it.
  AnswerRules(const Dialect& dialect, std::string_view body, const Envelope& envelope);

  enum class CallVerdict { good, bad, unknown };
  // Of one whole call of an answer. A schema is compiled when the first call needs it.
  CallVerdict check_call(std::string_view name, std::string_view arguments);
  JsonSchema::Verdict check_output(std::string_view text);

 private:
  struct Schema {
    std::string text;  // Until it is compiled; empty: none.
    std::shared_ptr<const JsonSchema> compiled;
  };

  struct KnownTool {
    std::string name;
    bool is_custom = false;
    Schema schema;
  };

  static const JsonSchema* compiled(Schema& schema);

  std::vector<KnownTool> tools_;
  bool knows_tools_ = false;  // All that a call may name.
  Schema format_;
};

// What of a request its answers are judged by.
struct RequestTraits {
  std::shared_ptr<AnswerRules> rules;  // Null: none, or not known.
  bool has_tools = false, wants_json = false, has_stop = false, is_single = true;
  std::uint32_t asked_tokens = 0;   // The limit of the answer; 0: none.
  std::uint64_t conversation = 0;   // Hash of who asks and of what was said so far; 0: not known.
  std::uint64_t settings = 0;       // Hash of tools and format.
  std::uint32_t prompt_bytes = 0;   // Of `prompt`.
  std::array<char, 1024> prompt{};  // The conversation's beginning and end, for as long as the request lasts.
};

// What a worker remembers between requests so that their answers can be judged: hashes, counters and
// schemas, no text of a conversation. Bounded. Times are milliseconds of a steady clock.
class WatchMemory {
 public:
  static constexpr std::size_t kRulesMax = 64;  // Sets of tools and formats.
  // So much of tools and formats not met before is read in a second, each set counted with kRulesBytes more.
  // What is over goes unjudged.
  static constexpr std::size_t kNewBytesASecond = 512u << 10, kRulesBytes = 16u << 10;
  static constexpr std::int64_t kAgainMs = 120'000;  // How soon a question asked again says something.

  // `key`: a hash of who asks. Fills in place: the traits are a kilobyte.
  void read(const Dialect& dialect, std::string_view body, const Envelope& envelope, std::uint64_t key,
            std::int64_t now_ms, RequestTraits& traits);

  // The answer of `target` to this request is complete. False: the same target, asked the same before,
  // counted another number of input tokens, though nothing differed; nothing: there is none to compare with.
  std::optional<bool> answered(const RequestTraits& traits, std::uint32_t target, std::int64_t input_tokens,
                               std::int64_t now_ms);
  // The target that has answered this very conversation a moment ago, when its caller now asks again: they
  // did not like the answer. Each answer is blamed once.
  std::optional<std::uint32_t> asked_again(const RequestTraits& traits, std::int64_t now_ms);

  // Whether the reply's model and build are those that this target (with the model it was asked for) had
  // before; nothing while they are being learnt. A name that stays for long is the new one.
  std::optional<bool> is_usual_build(std::uint64_t target_and_model, std::uint64_t build);

  // Scripts that answers of a model have often enough to be usual there, as bits.
  std::uint32_t usual_scripts(std::uint64_t model) const;
  void count_answer(std::uint64_t model, std::uint32_t scripts);

 private:
  static constexpr std::size_t kAnswers = 1024, kBuilds = 256, kModels = 256;
  static constexpr std::uint32_t kLearnBuilds = 20, kNewBuild = 500;
  static constexpr std::uint32_t kUsualAnswers = 20, kUsualShare = 50, kHalve = 4096;

  struct Answer {
    std::uint64_t conversation = 0, settings = 0;
    std::int64_t at_ms = 0, input_tokens = 0;
    std::uint32_t target = 0;
    bool is_blamed = false;
  };

  struct Build {
    std::uint64_t owner = 0;
    std::array<std::uint64_t, 4> known{};
    std::uint64_t candidate = 0;
    std::uint32_t seen = 0, candidate_seen = 0;
  };

  struct ModelScripts {
    std::uint64_t model = 0;
    std::uint32_t answers = 0;
    std::array<std::uint16_t, kScripts> with{};
  };

  std::shared_ptr<AnswerRules> rules_of(const Dialect& dialect, std::string_view body,
                                        const Envelope& envelope, std::uint64_t hash, std::int64_t now_ms);

  std::list<std::pair<std::uint64_t, std::shared_ptr<AnswerRules>>> rules_;  // The latest used first.
  std::unordered_map<std::uint64_t, decltype(rules_)::iterator> rules_by_hash_;
  std::int64_t second_ = 0;
  std::size_t new_bytes_ = 0;  // In that second.
  std::vector<Answer> answers_{kAnswers};
  std::vector<Build> builds_{kBuilds};
  std::vector<ModelScripts> models_{kModels};
};

// A hash of bytes: equal in every process, fast (8 bytes a step), with no claim against an attacker.
std::uint64_t hash_of(std::string_view bytes, std::uint64_t seed = 0);

}  // namespace switchyard::scoring
