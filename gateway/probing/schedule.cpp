#include "gateway/probing/schedule.h"

#include <algorithm>
#include <cmath>

namespace switchyard::probing {

namespace {

constexpr double kHourMs = 3'600'000;
constexpr double kShares[] = {0.58, 0.34, 0.08};  // Of the budget, by lane.
constexpr double kFirstCosts[] = {300, 18, 250};  // Tokens a probe, until some have been seen.
constexpr double kSavedHours[] = {2, 2, 30};      // What is not used is kept so long: a needle is saved for.
// The part that goes to probes as they come: the rest is slack, so that the budget hardly ever holds one up
// and the waits stay a Poisson process's, and saves for a needle.
constexpr double kSpent[] = {0.88, 0.88, 0.55};
constexpr double kCostMemory = 0.1;  // Of the moving mean.
constexpr double kTrafficHours = 6;  // Of the traffic's moving mean.
constexpr double kFaster = 20;
constexpr std::int64_t kBurstMs = 15 * 60'000, kBurstPeriodMs = 60 * 60'000, kDayMs = 24 * 3'600'000;
constexpr double kBehindMax = 20;
constexpr int kInVainMax = 20;
constexpr std::int64_t kNeedleTokensMin = 1000;

std::vector<Family> families_of(const config::Probes& probes) {
  std::vector<Family> families;
  for (const std::string& name : probes.families) {
    if (const auto family = find_family(name)) families.push_back(*family);
  }
  return families;
}

}  // namespace

std::string_view name_of(Kind kind) {
  static constexpr std::string_view kNames[] = {"canary", "contract", "sampling", "greedy", "logprobs"};
  return kNames[static_cast<std::size_t>(kind)];
}

Families::Families(std::vector<Family> enabled, std::uint64_t seed)
    : enabled_(std::move(enabled)), draw_(seed) {
  for (int i = 0; enabled_.empty() && i < kFamilies; ++i) block_.push_back(static_cast<Family>(i));
  if (enabled_.empty()) enabled_.swap(block_);
}

std::optional<Family> Families::next() {
  std::erase_if(block_, [this](Family family) { return is_left_out(family); });
  if (block_.empty()) {
    std::ranges::copy_if(enabled_, std::back_inserter(block_), [this](Family f) { return !is_left_out(f); });
    draw_.shuffle(block_);
  }
  if (block_.empty()) return std::nullopt;
  const Family family = block_.back();
  block_.pop_back();
  return family;
}

void Families::on_grade(Family family, Grade grade) {
  Tally& tally = tallies_[static_cast<std::size_t>(family)];
  if (grade == Grade::unknown || tally.tried == kTried) return;
  ++tally.tried;
  tally.failed += grade == Grade::fail ? 1 : 0;
  tally.left_out = tally.tried == kTried && tally.failed > kFailedMax;
}

void Families::restore(Family family, int tried, int failed) {
  Tally& tally = tallies_[static_cast<std::size_t>(family)];
  tally.tried = std::clamp(tried, 0, kTried);
  tally.failed = std::clamp(failed, 0, tally.tried);
  tally.left_out = tally.tried == kTried && tally.failed > kFailedMax;
}

Schedule::Schedule(const config::Probes& probes, std::uint64_t seed, std::int64_t now_ms)
    : probes_(probes),
      draw_(seed),
      families_(families_of(probes), draw_.bits()),
      now_ms_(now_ms),
      needle_at_ms_(now_ms + static_cast<std::int64_t>(draw_.unit() * kDayMs)),
      usage_seed_(draw_.bits()) {
  for (int lane = 0; lane < kLanes; ++lane) {
    LaneState& state = lanes_[static_cast<std::size_t>(lane)];
    state.wait = draw_.exponential(1);
    state.cost = kFirstCosts[lane];
    state.balance = probes.tokens_per_hour * kShares[lane] / 2;
  }
}

double Schedule::tokens_per_hour() const {
  return std::max(static_cast<double>(probes_.tokens_per_hour), probes_.budget * traffic_per_hour_);
}

Schedule::Lane Schedule::lane_of(Kind kind) {
  return kind == Kind::canary ? canaries : kind == Kind::contract ? contracts : identity;
}

double Schedule::speed(std::int64_t now_ms, Pace pace) {
  if (pace == Pace::recovering) return kFaster;
  if (bursting_ && now_ms - burst_since_ms_ >= kBurstPeriodMs) bursting_ = false;
  if (pace == Pace::burst && !bursting_) {
    bursting_ = true;
    burst_since_ms_ = now_ms;
  }
  return pace == Pace::burst && now_ms - burst_since_ms_ < kBurstMs ? kFaster : 1;
}

void Schedule::pass_time(std::int64_t now_ms, Pace pace) {
  const double hours = static_cast<double>(std::max<std::int64_t>(now_ms - now_ms_, 0)) / kHourMs;
  now_ms_ = std::max(now_ms_, now_ms);
  const double kept = std::exp(-hours / kTrafficHours);
  traffic_per_hour_ = traffic_per_hour_ * kept + std::exchange(traffic_, 0) / kTrafficHours;
  const double faster = speed(now_ms, pace);
  for (int lane = 0; lane < kLanes; ++lane) {
    LaneState& state = lanes_[static_cast<std::size_t>(lane)];
    const double per_hour = tokens_per_hour() * kShares[lane] * faster;
    // Who asks for the next one too seldom does not let them pile up.
    state.wait = std::max(state.wait - hours * per_hour * kSpent[lane] / state.cost, -kBehindMax);
    // Earned, and kept for a while; a balance that is more already stays as it is.
    const double most = std::max(state.balance, per_hour * kSavedHours[lane]);
    state.balance = std::min(state.balance + hours * per_hour, most);
  }
}

bool Schedule::rests(Kind kind, std::int64_t now_ms) const {
  return now_ms < rests_until_[static_cast<std::size_t>(kind)];
}

std::optional<Due> Schedule::identity_due(std::int64_t now_ms) {
  // Of eight turns; one of a kind that rests goes to the next kind.
  static constexpr Kind kTurns[] = {Kind::sampling, Kind::greedy,   Kind::sampling, Kind::sampling,
                                    Kind::greedy,   Kind::sampling, Kind::logprobs, Kind::sampling};
  for (std::size_t i = 0; i < std::size(kTurns); ++i) {
    const Kind kind = kTurns[static_cast<std::size_t>(turns_++) % std::size(kTurns)];
    if (rests(kind, now_ms)) continue;
    Due due;
    due.kind = kind;
    auto& prompt = prompts_[static_cast<std::size_t>(kind)];
    due.prompt =
        prompt++ % static_cast<std::size_t>(kind == Kind::logprobs ? kLogprobPrompts : kIdentityPrompts);
    due.seed = draw_.bits();
    return due;
  }
  return std::nullopt;
}

// How long a needle's text may be now; 0: none is due.
std::int64_t Schedule::needle_tokens(std::int64_t now_ms) const {
  if (now_ms < needle_at_ms_ || contract_record_.is_dropped(Contract::needle)) return 0;
  const auto tokens = static_cast<std::int64_t>(
      std::min(0.9 * static_cast<double>(context_tokens_), lanes_[contracts].balance));
  return tokens < std::min(kNeedleTokensMin, context_tokens_ / 2) ? 0 : tokens;
}

std::optional<Due> Schedule::contract_due(std::int64_t now_ms) {
  Due due;
  due.kind = Kind::contract;
  due.seed = draw_.bits();
  if (const auto tokens = needle_tokens(now_ms); tokens > 0) {
    needle_at_ms_ = now_ms + kDayMs;
    due.contract = Contract::needle;
    due.needle_tokens = static_cast<int>(tokens);
    return due;
  }
  for (int i = 0; i < kContracts; ++i) {
    due.contract = static_cast<Contract>(contract_turns_++ % kContracts);
    if (due.contract == Contract::needle || contract_record_.is_dropped(due.contract)) continue;
    if (due.contract == Contract::usage) due.seed = usage_seed_;
    return due;
  }
  return std::nullopt;
}

std::optional<Due> Schedule::make_due(Lane lane, std::int64_t now_ms) {
  if (lane == identity) return probes_.identity ? identity_due(now_ms) : std::nullopt;
  if (lane == contracts) {
    return probes_.contract && !rests(Kind::contract, now_ms) ? contract_due(now_ms) : std::nullopt;
  }
  if (rests(Kind::canary, now_ms)) return std::nullopt;
  const auto family = families_.next();
  if (!family) return std::nullopt;
  Due due;
  due.family = *family;
  due.seed = draw_.bits();
  return due;
}

std::optional<Due> Schedule::next(std::int64_t now_ms, Pace pace) {
  pass_time(now_ms, pace);
  for (int turn = 0; turn < kLanes; ++turn) {
    const int lane = next_lane_++ % kLanes;  // None waits for another that has much to ask.
    LaneState& state = lanes_[static_cast<std::size_t>(lane)];
    // One that there is no budget for is left out: held up, they would come like a clock when it is used up.
    while (state.wait <= 0 && state.balance <= 0) state.wait += draw_.exponential(1);
    if (state.wait > 0) continue;
    state.wait += draw_.exponential(1);
    auto due = make_due(static_cast<Lane>(lane), now_ms);
    if (!due) continue;
    // Paid in advance with what it usually costs; on_end() settles the difference.
    due->paid = due->needle_tokens > 0 ? due->needle_tokens : state.cost;
    state.balance -= due->paid;
    return due;
  }
  return std::nullopt;
}

void Schedule::on_end(const Due& due, double tokens, End end, std::int64_t now_ms) {
  LaneState& state = lanes_[static_cast<std::size_t>(lane_of(due.kind))];
  state.balance += due.paid - tokens;
  if (end == End::failed) return;
  if (end == End::ran && due.needle_tokens == 0) {
    const double weight = std::max(kCostMemory, 1.0 / ++state.costs_seen);
    state.cost += weight * (std::max(tokens, 1.0) - state.cost);
  }
  const auto kind = static_cast<std::size_t>(due.kind);
  in_vain_[kind] = end == End::ran ? 0 : in_vain_[kind] + 1;
  if (in_vain_[kind] < kInVainMax) return;
  in_vain_[kind] = 0;
  rests_until_[kind] = now_ms + kDayMs;
}

}  // namespace switchyard::probing
