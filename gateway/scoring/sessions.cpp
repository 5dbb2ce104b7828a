#include "gateway/scoring/sessions.h"

#include <algorithm>

namespace switchyard::scoring {

namespace {

constexpr std::uint8_t kCountMax = 255;

std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93;
  return x ^ (x >> 32);
}

}  // namespace

void Sessions::count(Entry& entry, const Turn& turn) {
  entry.stratum = turn.stratum;
  entry.waits = true;
  if (entry.turns == 0) entry.first_ms = turn.at_ms;
  if (entry.turns < kCountMax) {
    ++entry.turns;
    if (turn.bad & turn.harmful) ++entry.bad_turns;
  }
  for (std::uint32_t left = turn.seen; left != 0; left &= left - 1) {
    const auto i = static_cast<std::size_t>(__builtin_ctz(left));
    if (entry.seen[i] == kCountMax) continue;
    ++entry.seen[i];
    entry.bad[i] = static_cast<std::uint8_t>(entry.bad[i] + (turn.bad >> i & 1));
  }
}

// Ends the stretch of turns that clustering looks at.
void Sessions::take_cluster(Entry& entry, Observed& out) {
  if (entry.turns >= 3) {
    out.clustered = entry.bad_turns >= 2;
    out.cluster_stratum = entry.turns < 5 ? 0 : entry.turns < 9 ? 1 : 2;
  }
  entry.turns = entry.bad_turns = 0;
}

void Sessions::take(Entry& entry, std::int64_t now_ms, Observed& out) {
  out = Observed();
  out.target = entry.target;
  out.stratum = entry.stratum;
  for (std::size_t i = 0; i < kSignalsMax; ++i) {
    if (entry.seen[i] == 0) continue;
    out.seen |= std::uint32_t{1} << i;
    out.x[i] = static_cast<float>(entry.bad[i]) / static_cast<float>(entry.seen[i]);
  }
  entry.seen.fill(0);
  entry.bad.fill(0);
  entry.waits = false;
  entry.observed_ms = now_ms;
}

Sessions::Outcome Sessions::add(const Turn& turn, Observed& out, Observed& out_evicted) {
  if (entries_.empty()) entries_.resize(kWays * kSets);
  Outcome outcome;
  const std::uint64_t hash = mix(turn.session + turn.target * 0x9e3779b97f4a7c15);
  Entry* const set = entries_.data() + hash % kSets * kWays;
  const auto is_it = [&](const Entry& e) { return e.session == turn.session && e.target == turn.target; };
  Entry* entry = std::find_if(set, set + kWays, is_it);
  if (entry == set + kWays) {
    // A free one, else the one that was observed the longest time ago.
    const auto age = [](const Entry& e) { return e.session == 0 ? INT64_MIN : e.observed_ms; };
    entry =
        std::min_element(set, set + kWays, [&](const Entry& a, const Entry& b) { return age(a) < age(b); });
    if (entry->session != 0 && (entry->waits || entry->turns >= 3)) {
      take(*entry, turn.at_ms, out_evicted);
      take_cluster(*entry, out_evicted);
      outcome.evicted = true;
    }
    *entry = Entry();
    entry->session = turn.session;
    entry->target = turn.target;
    entry->observed_ms = turn.at_ms - kEveryMs;
  }
  const bool stretch_ended = entry->turns > 0 && turn.at_ms - entry->first_ms >= kEveryMs;
  Observed cluster;
  if (stretch_ended) take_cluster(*entry, cluster);
  count(*entry, turn);
  if (turn.at_ms - entry->observed_ms >= kEveryMs) {
    take(*entry, turn.at_ms, out);
    out.clustered = cluster.clustered;
    out.cluster_stratum = cluster.cluster_stratum;
    outcome.observed = true;
  } else if (cluster.clustered) {
    out = cluster;
    out.target = turn.target;
    outcome.observed = true;
  }
  return outcome;
}

void Sessions::begin_sweep() {
  if (sweep_end_ >= entries_.size()) sweep_end_ = 0;
  sweep_at_ = sweep_end_;
  sweep_end_ = std::min(entries_.size(), sweep_at_ + kWays * kSets / kSweeps);
}

bool Sessions::sweep(std::int64_t now_ms, Observed& out) {
  while (sweep_at_ < sweep_end_) {
    Entry& entry = entries_[sweep_at_++];
    if (entry.session == 0) continue;
    const bool waited = entry.waits && now_ms - entry.observed_ms >= kEveryMs;
    const bool ended = entry.turns > 0 && now_ms - entry.first_ms >= kEveryMs;
    if (!waited && !ended) {
      if (!entry.waits && entry.turns == 0 && now_ms - entry.observed_ms >= kEveryMs) entry = Entry();
      continue;
    }
    Observed taken;
    taken.target = entry.target;
    if (waited) take(entry, now_ms, taken);
    if (ended) take_cluster(entry, taken);
    if (taken.seen == 0 && !taken.clustered) continue;
    out = taken;
    return true;
  }
  return false;
}

}  // namespace switchyard::scoring
