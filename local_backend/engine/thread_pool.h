#pragma once

#include "local_backend/device/cpu/parallel.h"

#include <atomic>
#include <thread>
#include <vector>

namespace switchyard::local {

// Parts of a job on threads of its own; the caller's thread does part 0. A waiting thread spins for a few
// microseconds only, then sleeps: the gateway's workers share the cores.
class ThreadPool : public Parallel {
 public:
  // Throws std::system_error when the system has no more threads.
  explicit ThreadPool(int width);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int width() const override { return width_; }

  using Parallel::run;
  void run(Part part, void* context) override;

 private:
  void work(int index);
  void stop();

  const int width_;
  Part part_ = nullptr;  // Null tells the threads to end. Written before `job_` is raised, read after.
  void* context_ = nullptr;
  std::atomic<unsigned> job_{0};  // The job's number.
  std::atomic<int> running_{0};   // Parts of the job that other threads have not finished.
  std::vector<std::thread> threads_;
};

}  // namespace switchyard::local
