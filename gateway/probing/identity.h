#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::probing {

// Is it still the same model? Statistics over short probes, each against a reference that was recorded from
// the target itself. A change is not harm: what these say arms attention and moves no traffic.
//
// All are pure; a draw that breaks ties is an argument. Tokens and replies are known by hash only.

// 64-bit FNV-1a, with 0 kept for "not known".
std::uint64_t hash_of(std::string_view text);
inline constexpr std::uint64_t kUnknown = 0;  // Of a token or a reply: the probe could not run.

// False alarms: one in so many healthy rounds, or probes, at most.
inline constexpr double kRoundsBetweenAlarms = 1e4;

// Evidence of a change, as a Shiryaev-Roberts sum R <- L (1 + R) for each of several bets; evidence() is
// their mean, and an alarm is due at A: healthy observations then last A of them at least, in the mean.
class EvidenceSum {
 public:
  explicit EvidenceSum(std::size_t bets) : sums_(bets, 0.0) {}

  // `factor`: how one bet multiplies its stake; its mean is at most 1 while nothing has changed.
  void multiply(std::size_t bet, double factor);
  double mean() const;
  void restart();

 private:
  std::vector<double> sums_;
};

// Bits (1: not seen before) against the rate that is allowed of them: the mixture of likelihood ratios with
// odds from 1.5 to 32 times those of the allowed rate, eight of them, evenly spaced in the logarithm.
class BitTest {
 public:
  explicit BitTest(double rate_allowed);

  // `bits` were drawn together and count as one step, so that evidence() is in steps.
  void add(std::span<const std::uint8_t> bits);
  void add(bool bit);

  double evidence() const { return sum_.mean(); }

  double rate_allowed() const { return rate_allowed_; }

  void restart() { sum_.restart(); }

 private:
  double rate_allowed_;
  std::vector<double> on_one_, on_zero_;  // The factors, by bet.
  EvidenceSum sum_;
};

// Scores against a fixed set of reference scores: unusual ones at either end, or at the upper one only.
//
// The n references cut the line into n + 1 cells. While new scores are drawn like the references, the cells
// fill like Polya's urn, P(cell j) = (1 + hits so far) / (n + 1 + scores so far), exactly and whatever their
// distribution: the finite reference costs no false alarms. (Conformal p-values against a fixed reference,
// arXiv 2602.13848, without the correction being an approximation.) A bet kappa p^(kappa - 1) on the rank p
// is paid by what the urn expects of it.
class RankTest {
 public:
  enum class Tails { both, upper };

  // `references`: how many, at least one.
  RankTest(std::size_t references, Tails tails);

  // A new score: how many references are below it, and how many are equal to it. `tie` in [0, 1): places it
  // among its equals.
  void add(std::size_t below, std::size_t equal, double tie);
  void add(double score, std::span<const double> references, double tie);

  double evidence() const { return sum_.mean(); }

  // Forgets the evidence and the hits.
  void restart();

 private:
  std::size_t references_;
  std::vector<std::vector<double>> stakes_;  // By bet and cell; of mean 1 over the cells.
  std::vector<double> expected_;             // By bet: the sum over cells of stake times (1 + hits).
  double draws_ = 0;                         // n + 1 + scores so far.
  EvidenceSum sum_;
};

// What one round of probes says.
struct Round {
  bool counted = false;   // Enough of the round's probes could run.
  bool learning = false;  // It became part of the reference.
  double score = 0;       // Mean surprise in nats a token, or mean distance.
  double unseen = 0;      // The share of the tokens that the reference does not have.
  double evidence = 0;    // An alarm is due at kRoundsBetweenAlarms.
  bool alarm = false;
};

// One token a prompt, sampled at temperature 1. The first rounds make the reference (how often each token
// began the answer to each prompt). Later ones are tested two ways, half the evidence each: tokens that the
// reference has never seen, and the round's surprise, the mean of -log q(token), too high or too low.
//
// The surprise of the new round and of each reference round is reckoned against all the others of them,
// itself left out: only so are they alike while nothing has changed, down to the tokens of a target that
// always says the same.
class SamplingTest {
 public:
  explicit SamplingTest(std::size_t prompts, std::size_t baseline_rounds = 100);

  // `tokens`: hashes, in the order of the prompts, once round or several times; kUnknown where the probe
  // could not run. A round with less than half of its tokens does not count.
  Round add_round(std::span<const std::uint64_t> tokens, double tie);

  bool is_learning() const { return !tests_; }

  std::size_t baseline_rounds() const { return baseline_rounds_; }

  // The rate of unseen tokens that is allowed; 0 while learning.
  double unseen_allowed() const { return tests_ ? tests_->unseen.rate_allowed() : 0; }

  // Starts anew: what comes is the reference of what is there now.
  void relearn();

 private:
  struct Tests {
    BitTest unseen;
    RankTest surprise;
  };

  // Of one token of the reference: how many tokens of other rounds its prompt has, and how many of those are
  // the same. Below zero: it is not known.
  struct Others {
    double same = 0, all = -1;
  };

  std::vector<Others> others_of(const std::vector<std::uint64_t>& round) const;
  double surprise_of_new(std::span<const std::uint64_t> tokens, std::vector<std::uint8_t>& unseen) const;
  double surprise_of_reference(std::size_t round, std::span<const std::uint64_t> tokens) const;
  void finish_learning();

  std::size_t prompts_, baseline_rounds_;
  std::vector<std::vector<std::uint64_t>> baseline_;     // The reference rounds.
  std::vector<std::map<std::uint64_t, double>> counts_;  // By prompt.
  std::vector<double> totals_;                           // By prompt.
  std::vector<std::vector<Others>> others_;              // By reference round and token.
  std::optional<Tests> tests_;                           // Once the reference is complete.
};

// Whole greedy replies (the first 16 tokens of each prompt's), by hash. A reply is suspicious when the
// reference does not have it. The first `baseline_rounds` replies to each prompt make the reference.
class ReplyTest {
 public:
  explicit ReplyTest(std::size_t prompts, std::size_t baseline_rounds = 20);

  struct Verdict {
    bool counted = false, learning = false;
    bool is_new = false;  // The observation X.
    double evidence = 0;  // In probes, not in rounds.
    bool alarm = false;
  };

  Verdict add(std::size_t prompt, std::uint64_t reply);

  bool is_learning() const { return !test_; }

  void relearn();

 private:
  void finish_learning();

  std::size_t baseline_rounds_;
  std::vector<std::map<std::uint64_t, int>> seen_;  // By prompt.
  std::vector<std::size_t> replies_;                // By prompt.
  std::optional<BitTest> test_;
};

// The first token's log-probabilities: by token hash, the most likely first (the providers' top 20).
using Logprobs = std::vector<std::pair<std::uint64_t, double>>;

// Log-probabilities of the first token of a few prompts: the round's score is the mean distance from the
// reference's means, a token that a reply does not list having the least that it lists (Chauvin et al.,
// arXiv 2512.03816). Tested at the upper end.
class LogprobTest {
 public:
  explicit LogprobTest(std::size_t prompts, std::size_t baseline_rounds = 100);

  // One list a prompt; an empty one is unknown.
  Round add_round(std::span<const Logprobs> round, double tie);

  bool is_learning() const { return !test_; }

  void relearn();

 private:
  // Over lists: a token's mean is (least + above[token]) / lists.
  struct Mean {
    double lists = 0, least = 0;            // How many, and the sum of the least value of each.
    std::map<std::uint64_t, double> above;  // The sum of what a token had more than its list's least.
  };

  double distance(std::size_t prompt, const Logprobs& list, bool is_in_reference) const;
  double score(std::span<const Logprobs> round, bool is_in_reference) const;
  void finish_learning();

  std::size_t baseline_rounds_;
  std::vector<std::vector<Logprobs>> baseline_;
  std::vector<Mean> means_;        // By prompt.
  std::vector<double> distances_;  // Of the reference's rounds, each from the others.
  std::optional<RankTest> test_;
};

}  // namespace switchyard::probing
