#include "gateway/descriptors.h"

#include <sys/resource.h>

#include <algorithm>

namespace switchyard {

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  return limit.rlim_cur;
}

int connections_within(std::uint64_t descriptors, int wanted) {
  const std::uint64_t most = std::max<std::uint64_t>(descriptors / 2, 1);
  return static_cast<int>(std::min<std::uint64_t>(most, static_cast<std::uint64_t>(std::max(wanted, 1))));
}

}  // namespace switchyard
