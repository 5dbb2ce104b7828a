#include "gateway/probing/identity.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace switchyard::probing {

namespace {

constexpr std::size_t kOddsRatios = 8;
constexpr double kOddsLeast = 1.5, kOddsMost = 32;
// Exponents of the bets on ranks: from "it lies outside of all that was seen" to "the whole has moved a bit".
constexpr std::array<double, 6> kKappas{0.02, 0.1, 0.22, 0.4, 0.6, 0.8};
// A reference of a hundred draws cannot promise less.
constexpr double kRateAllowedLeast = 0.005;
constexpr double kRateAllowedMost = 0.9;

// The Wilson score interval's upper end, one-sided at 99 %.
double wilson_upper(double ones, double trials) {
  constexpr double z = 2.3263;
  const double rate = ones / trials;
  const double center = rate + z * z / (2 * trials);
  const double spread = z * std::sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials));
  return (center + spread) / (1 + z * z / trials);
}

double allowed_rate(double ones, double trials) {
  if (trials == 0) return kRateAllowedMost;
  return std::clamp(wilson_upper(ones, trials), kRateAllowedLeast, kRateAllowedMost);
}

// -log q(token), with q = same / all, and half a token for one that was never seen.
double surprise(double same, double all) {
  return -std::log(std::max(same, 0.5) / std::max(all, 1.0));
}

// What a bet of kappa p^(kappa - 1) has on each of `cells` ranks: its mean over the cell.
std::vector<double> stakes_on_low_ranks(double kappa, std::size_t cells) {
  const auto count = static_cast<double>(cells);
  std::vector<double> stakes(cells);
  double below = 0;
  for (std::size_t cell = 0; cell < cells; ++cell) {
    const double up_to = std::pow(static_cast<double>(cell + 1) / count, kappa);
    stakes[cell] = (up_to - below) * count;
    below = up_to;
  }
  return stakes;
}

}  // namespace

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash == kUnknown ? 1 : hash;
}

void EvidenceSum::multiply(std::size_t bet, double factor) {
  sums_[bet] = factor * (1 + sums_[bet]);
}

double EvidenceSum::mean() const {
  return std::accumulate(sums_.begin(), sums_.end(), 0.0) / static_cast<double>(sums_.size());
}

void EvidenceSum::restart() {
  std::ranges::fill(sums_, 0.0);
}

BitTest::BitTest(double rate_allowed) : rate_allowed_(rate_allowed), sum_(kOddsRatios) {
  const double odds = rate_allowed / (1 - rate_allowed);
  const double step = std::log(kOddsMost / kOddsLeast) / (kOddsRatios - 1);
  for (std::size_t bet = 0; bet < kOddsRatios; ++bet) {
    const double raised = odds * kOddsLeast * std::exp(step * static_cast<double>(bet));
    const double rate = raised / (1 + raised);
    on_one_.push_back(rate / rate_allowed);
    on_zero_.push_back((1 - rate) / (1 - rate_allowed));
  }
}

void BitTest::add(std::span<const std::uint8_t> bits) {
  if (bits.empty()) return;
  const auto ones = static_cast<double>(std::ranges::count_if(bits, [](auto bit) { return bit != 0; }));
  const double zeros = static_cast<double>(bits.size()) - ones;
  for (std::size_t bet = 0; bet < kOddsRatios; ++bet) {
    sum_.multiply(bet, std::pow(on_one_[bet], ones) * std::pow(on_zero_[bet], zeros));
  }
}

void BitTest::add(bool bit) {
  for (std::size_t bet = 0; bet < kOddsRatios; ++bet) {
    sum_.multiply(bet, bit ? on_one_[bet] : on_zero_[bet]);
  }
}

RankTest::RankTest(std::size_t references, Tails tails)
    : references_(references), sum_(kKappas.size() * (tails == Tails::both ? 2 : 1)) {
  for (const double kappa : kKappas) {
    auto low = stakes_on_low_ranks(kappa, references + 1);
    stakes_.emplace_back(low.rbegin(), low.rend());  // Cells go upwards: this bets on high scores.
    if (tails == Tails::both) stakes_.push_back(std::move(low));
  }
  restart();
}

void RankTest::restart() {
  draws_ = static_cast<double>(references_ + 1);
  expected_.assign(stakes_.size(), draws_);
  sum_.restart();
}

void RankTest::add(std::size_t below, std::size_t equal, double tie) {
  const std::size_t cell = below + static_cast<std::size_t>(tie * static_cast<double>(equal + 1));
  for (std::size_t bet = 0; bet < stakes_.size(); ++bet) {
    const double stake = stakes_[bet][cell];
    sum_.multiply(bet, stake * draws_ / expected_[bet]);
    expected_[bet] += stake;
  }
  draws_ += 1;
}

void RankTest::add(double score, std::span<const double> references, double tie) {
  std::size_t below = 0, equal = 0;
  for (const double reference : references) {
    below += reference < score ? 1 : 0;
    equal += reference == score ? 1 : 0;
  }
  add(below, equal, tie);
}

SamplingTest::SamplingTest(std::size_t prompts, std::size_t baseline_rounds)
    : prompts_(prompts), baseline_rounds_(baseline_rounds), counts_(prompts), totals_(prompts) {}

void SamplingTest::relearn() {
  *this = SamplingTest(prompts_, baseline_rounds_);
}

std::vector<SamplingTest::Others> SamplingTest::others_of(const std::vector<std::uint64_t>& round) const {
  std::vector<Others> others(round.size());
  for (std::size_t i = 0; i < round.size(); ++i) {
    if (round[i] == kUnknown) continue;
    const std::size_t prompt = i % prompts_;
    double own_same = 0, own = 0;
    for (std::size_t j = prompt; j < round.size(); j += prompts_) {
      own_same += round[j] == round[i] ? 1 : 0;
      own += round[j] == kUnknown ? 0 : 1;
    }
    others[i] = {counts_[prompt].at(round[i]) - own_same, totals_[prompt] - own};
  }
  return others;
}

void SamplingTest::finish_learning() {
  double unseen = 0, tokens = 0;
  for (const auto& round : baseline_) {
    others_.push_back(others_of(round));
    for (const Others& others : others_.back()) {
      tokens += others.all >= 0 ? 1 : 0;
      unseen += others.all >= 0 && others.same == 0 ? 1 : 0;
    }
  }
  tests_ = Tests{BitTest(allowed_rate(unseen, tokens)), RankTest(baseline_.size(), RankTest::Tails::both)};
}

double SamplingTest::surprise_of_new(std::span<const std::uint64_t> tokens,
                                     std::vector<std::uint8_t>& unseen) const {
  double sum = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] == kUnknown) continue;
    const std::size_t prompt = i % prompts_;
    const auto found = counts_[prompt].find(tokens[i]);
    const double same = found == counts_[prompt].end() ? 0 : found->second;
    unseen.push_back(same > 0 ? 0 : 1);
    sum += surprise(same, totals_[prompt]);
  }
  return sum / static_cast<double>(unseen.size());
}

// With the new round among the others.
double SamplingTest::surprise_of_reference(std::size_t round, std::span<const std::uint64_t> tokens) const {
  double sum = 0, known = 0;
  for (std::size_t i = 0; i < baseline_[round].size(); ++i) {
    Others others = others_[round][i];
    if (others.all < 0) continue;
    for (std::size_t j = i % prompts_; j < tokens.size(); j += prompts_) {
      others.same += tokens[j] == baseline_[round][i] ? 1 : 0;
      others.all += tokens[j] == kUnknown ? 0 : 1;
    }
    sum += surprise(others.same, others.all);
    known += 1;
  }
  return sum / known;
}

Round SamplingTest::add_round(std::span<const std::uint64_t> tokens, double tie) {
  Round round;
  const auto known = tokens.size() - static_cast<std::size_t>(std::ranges::count(tokens, kUnknown));
  if (known == 0 || known * 2 < tokens.size()) return round;
  round.counted = true;
  if (is_learning()) {
    round.learning = true;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (tokens[i] == kUnknown) continue;
      counts_[i % prompts_][tokens[i]] += 1;
      totals_[i % prompts_] += 1;
    }
    baseline_.emplace_back(tokens.begin(), tokens.end());
    if (baseline_.size() == baseline_rounds_) finish_learning();
    return round;
  }
  std::vector<std::uint8_t> unseen;
  round.score = surprise_of_new(tokens, unseen);
  round.unseen = static_cast<double>(std::ranges::count(unseen, 1)) / static_cast<double>(unseen.size());
  std::vector<double> references;
  for (std::size_t i = 0; i < baseline_.size(); ++i) references.push_back(surprise_of_reference(i, tokens));
  tests_->unseen.add(unseen);
  tests_->surprise.add(round.score, references, tie);
  round.evidence = (tests_->unseen.evidence() + tests_->surprise.evidence()) / 2;
  round.alarm = round.evidence >= kRoundsBetweenAlarms;
  return round;
}

ReplyTest::ReplyTest(std::size_t prompts, std::size_t baseline_rounds)
    : baseline_rounds_(baseline_rounds), seen_(prompts), replies_(prompts) {}

void ReplyTest::relearn() {
  *this = ReplyTest(seen_.size(), baseline_rounds_);
}

// The chance that a reply is new is that of one reference reply without the others: those seen once.
void ReplyTest::finish_learning() {
  double once = 0, all = 0;
  for (const auto& replies : seen_) {
    for (const auto& [reply, times] : replies) {
      once += times == 1 ? 1 : 0;
      all += times;
    }
  }
  test_.emplace(allowed_rate(once, all));
}

ReplyTest::Verdict ReplyTest::add(std::size_t prompt, std::uint64_t reply) {
  Verdict verdict;
  if (reply == kUnknown) return verdict;
  if (is_learning()) {
    // A prompt that has its share already waits for the others.
    if (replies_[prompt] == baseline_rounds_) return verdict;
    verdict.counted = verdict.learning = true;
    seen_[prompt][reply] += 1;
    replies_[prompt] += 1;
    const auto is_complete = [this](std::size_t replies) { return replies == baseline_rounds_; };
    if (std::ranges::all_of(replies_, is_complete)) finish_learning();
    return verdict;
  }
  verdict.counted = true;
  verdict.is_new = !seen_[prompt].contains(reply);
  test_->add(verdict.is_new);
  verdict.evidence = test_->evidence();
  verdict.alarm = verdict.evidence >= kRoundsBetweenAlarms;
  return verdict;
}

LogprobTest::LogprobTest(std::size_t prompts, std::size_t baseline_rounds)
    : baseline_rounds_(baseline_rounds), means_(prompts) {}

void LogprobTest::relearn() {
  *this = LogprobTest(means_.size(), baseline_rounds_);
}

// The mean absolute difference between a list and the reference's means, over the tokens of both. A list that
// is part of the reference is taken out of it first.
double LogprobTest::distance(std::size_t prompt, const Logprobs& list, bool is_in_reference) const {
  const Mean& mean = means_[prompt];
  const double least = list.back().second;
  const double lists = mean.lists - (is_in_reference ? 1 : 0);
  const double least_mean = (mean.least - (is_in_reference ? least : 0)) / lists;
  const std::map<std::uint64_t, double> values(list.begin(), list.end());
  double sum = 0, tokens = 0;
  const auto compare = [&](double above, double value) {
    if (is_in_reference) above -= value - least;
    sum += std::abs(value - (least_mean + above / lists));
    tokens += 1;
  };
  for (const auto& [token, above] : mean.above) {
    const auto found = values.find(token);
    compare(above, found == values.end() ? least : found->second);
  }
  for (const auto& [token, value] : values) {
    if (!mean.above.contains(token)) compare(0, value);
  }
  return sum / tokens;
}

double LogprobTest::score(std::span<const Logprobs> round, bool is_in_reference) const {
  double sum = 0, known = 0;
  for (std::size_t prompt = 0; prompt < round.size(); ++prompt) {
    if (round[prompt].empty() || means_[prompt].lists < 2) continue;
    sum += distance(prompt, round[prompt], is_in_reference);
    known += 1;
  }
  return known == 0 ? 0 : sum / known;
}

void LogprobTest::finish_learning() {
  for (const auto& round : baseline_) distances_.push_back(score(round, true));
  test_.emplace(baseline_.size(), RankTest::Tails::upper);
  baseline_ = {};
}

Round LogprobTest::add_round(std::span<const Logprobs> lists, double tie) {
  Round round;
  // Rounds without one of their prompts are not alike: the distances of prompts differ.
  if (std::ranges::any_of(lists, [](const Logprobs& list) { return list.empty(); })) return round;
  round.counted = true;
  if (is_learning()) {
    round.learning = true;
    for (std::size_t prompt = 0; prompt < lists.size(); ++prompt) {
      Mean& mean = means_[prompt];
      const double least = lists[prompt].back().second;
      mean.lists += 1;
      mean.least += least;
      for (const auto& [token, value] : lists[prompt]) mean.above[token] += value - least;
    }
    baseline_.emplace_back(lists.begin(), lists.end());
    if (baseline_.size() == baseline_rounds_) finish_learning();
    return round;
  }
  round.score = score(lists, false);
  test_->add(round.score, distances_, tie);
  round.evidence = test_->evidence();
  round.alarm = round.evidence >= kRoundsBetweenAlarms;
  return round;
}

}  // namespace switchyard::probing
