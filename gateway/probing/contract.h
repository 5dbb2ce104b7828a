#pragma once

#include "adapters/canonical/request.h"
#include "gateway/probing/graders.h"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace switchyard::probing {

// What an interface promises, whatever the model's wits.
enum class Contract : std::uint8_t {
  usage,       // The same prompt is counted as the same number of tokens.
  max_tokens,  // The limit is kept, and not undercut.
  stop,        // A stop sequence ends the text and is not part of it.
  seed,        // The same seed gives the same text.
  echo,        // 64 random characters come back as they are.
  needle,      // A sentence early, in the middle or late in a long text is found.
};
inline constexpr int kContracts = 6;
std::string_view name_of(Contract contract);

struct ContractProbe {
  Contract contract = Contract::echo;
  std::vector<ChatRequest> requests;  // To be sent one after the other.
  // Of one reply for each request.
  std::function<Grade(const std::vector<ProbeReply>&)> grade;
  std::vector<ProbeReply> reference;  // Replies that pass.
};

// The same seed gives the same probe. A usage probe is compared with earlier ones of the same seed, by
// ContractRecord. `needle_tokens`: about how long the text around the needle is.
ContractProbe make_contract(Contract contract, std::uint64_t seed, int needle_tokens = 0);

// What one target has kept so far. Some never keep a promise (few providers make a seed hold): only one that
// held at first, three times out of three, can be broken.
class ContractRecord {
 public:
  static constexpr int kLearnt = 3;

  // A graded probe becomes what may be held against the target: unknown while it is learnt, and for what the
  // target never kept.
  Grade judge(Contract contract, Grade grade);
  // The same for usage: `input_tokens` of the fixed prompt. Another count that comes three times in a row
  // becomes the one that is expected.
  Grade judge_usage(std::optional<std::int64_t> input_tokens);
  // True for one that the target did not keep while it was learnt: no more to be asked.
  bool is_dropped(Contract contract) const;

 private:
  struct Row {
    int kept = 0;
    bool dropped = false;
  };

  std::array<Row, kContracts> rows_{};
  std::optional<std::int64_t> expected_, other_;
  int others_ = 0;
};

}  // namespace switchyard::probing
