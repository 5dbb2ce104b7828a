#pragma once

namespace switchyard::telemetry {

// This process as /proc tells it; zeros where /proc does not.
struct ProcessStats {
  double resident_bytes = 0, virtual_bytes = 0, cpu_s = 0, start_time_s = 0, open_fds = 0, max_fds = 0,
         threads = 0;
};

ProcessStats read_process_stats();

}  // namespace switchyard::telemetry
