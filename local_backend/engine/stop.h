#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::local {

// Watches a text that comes in pieces for the first stop string, and holds back what may turn out to be the
// start of one.
class StopFilter {
 public:
  // Empty strings are ignored.
  explicit StopFilter(std::vector<std::string> stops);

  // The text that may go out now. Once stopped() is set, feed() must not be called again.
  std::string feed(std::string_view text);
  // The text ended without a stop string: what was held.
  std::string finish();

  // The stop string that was met: the one that starts first in the text, the longest of those.
  const std::optional<std::string>& stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  std::optional<std::string> stopped_;
};

}  // namespace switchyard::local
