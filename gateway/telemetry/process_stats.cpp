#include "gateway/telemetry/process_stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace switchyard::telemetry {

namespace {

double boot_time_s() {
  std::ifstream stat("/proc/stat");
  for (std::string line; std::getline(stat, line);) {
    if (line.starts_with("btime ")) return std::stod(line.substr(6));
  }
  return 0;
}

double count_fds() {
  std::error_code error;
  double count = 0;
  for (auto entry = std::filesystem::directory_iterator("/proc/self/fd", error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    ++count;
  }
  return count > 0 ? count - 1 : 0;  // One of them is the directory being read.
}

}  // namespace

ProcessStats read_process_stats() {
  ProcessStats stats;
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  // The second field, the program's name, may hold spaces; the rest begins behind its closing parenthesis.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return stats;
  std::istringstream fields(text.substr(name_end + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;  // state .. cmajflt: fields 3 to 13 of proc(5).
  double user = 0, system = 0, start = 0, resident_pages = 0;
  fields >> user >> system;
  for (int i = 0; i < 4; ++i) fields >> skipped;  // cutime, cstime, priority, nice.
  fields >> stats.threads >> skipped >> start >> stats.virtual_bytes >> resident_pages;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  stats.cpu_s = (user + system) / ticks;
  stats.start_time_s = boot_time_s() + start / ticks;
  stats.resident_bytes = resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE));
  stats.open_fds = count_fds();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.max_fds = static_cast<double>(limit.rlim_cur);
  return stats;
}

}  // namespace switchyard::telemetry
