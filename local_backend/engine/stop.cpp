#include "local_backend/engine/stop.h"

#include <algorithm>
#include <utility>

namespace switchyard::local {

StopFilter::StopFilter(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& s) { return s.empty(); });
  // Longest first, so that the first that matches at a place is the longest.
  std::stable_sort(stops_.begin(), stops_.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

std::string StopFilter::feed(std::string_view text) {
  held_ += text;
  if (stops_.empty()) return std::exchange(held_, {});
  // From the left: at each place a whole stop string ends it, and the possible start of one ends what may go
  // out.
  for (std::size_t at = 0; at < held_.size(); ++at) {
    const std::string_view rest = std::string_view(held_).substr(at);
    bool may_become = false;
    for (const auto& stop : stops_) {
      if (rest.starts_with(stop)) {
        // A longer one that may still come at the same place changes only the name: the text before is the
        // same.
        stopped_ = stop;
        std::string out = held_.substr(0, at);
        held_.clear();
        return out;
      }
      may_become = may_become || std::string_view(stop).starts_with(rest);
    }
    if (may_become) {
      std::string out = held_.substr(0, at);
      held_.erase(0, at);
      return out;
    }
  }
  return std::exchange(held_, {});
}

std::string StopFilter::finish() {
  return std::exchange(held_, {});
}

}  // namespace switchyard::local
