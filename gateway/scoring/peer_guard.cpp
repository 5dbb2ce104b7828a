#include "gateway/scoring/peer_guard.h"

#include <algorithm>
#include <cmath>

namespace switchyard::scoring {

double guard_ratio(double bad, double expected) {
  const double ratio = (bad + kGuardPrior) / (expected + kGuardPrior);
  return std::clamp(std::round(ratio * 20) / 20, 1.0, kGuardMax);
}

bool is_workload_shift(std::span<const PeerSuspicion> group) {
  for (const PeerSuspicion& first : group) {
    if (first.suspicious_since_ms == 0) continue;
    std::size_t together = 0;
    bool other_provider = false;
    for (const PeerSuspicion& peer : group) {
      const std::int64_t later = peer.suspicious_since_ms - first.suspicious_since_ms;
      if (peer.suspicious_since_ms == 0 || later < 0 || later > kWorkloadMs) continue;
      ++together;
      other_provider |= peer.provider != first.provider;
    }
    if (other_provider && together >= 2 && 2 * together >= group.size()) return true;
  }
  return false;
}

}  // namespace switchyard::scoring
