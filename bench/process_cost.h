#pragma once

#include "bench/net.h"

#include <dirent.h>

#include <fstream>
#include <string>

namespace switchyard::bench {

// CPU time of all threads that `pid` has now, to the nanosecond (/proc/PID/task/*/schedstat); stat's clock
// ticks of 10 ms would need minutes for the same precision.
inline double process_cpu_us(int pid) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/task";
  DIR* tasks = opendir(folder.c_str());
  if (!tasks) return 0;
  double total_ns = 0;
  while (const dirent* task = readdir(tasks)) {
    double ns = 0;
    if (task->d_name[0] != '.' && std::ifstream(folder + "/" + task->d_name + "/schedstat") >> ns)
      total_ns += ns;
  }
  closedir(tasks);
  return total_ns / 1000;
}

// Resident memory, in KiB.
inline double process_rss_kib(int pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::atof(line.c_str() + 6);
  }
  return 0;
}

}  // namespace switchyard::bench
