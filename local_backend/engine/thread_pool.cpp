#include "local_backend/engine/thread_pool.h"

namespace switchyard::local {

// std::atomic::wait of libstdc++ tries a few times, yields, and then sleeps in the kernel.

ThreadPool::ThreadPool(int width) : width_(width) {
  try {
    for (int i = 1; i < width; ++i) threads_.emplace_back([this, i] { work(i); });
  } catch (...) {
    stop();
    throw;
  }
}

ThreadPool::~ThreadPool() {
  stop();
}

void ThreadPool::stop() {
  part_ = nullptr;
  job_.fetch_add(1, std::memory_order_release);
  job_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void ThreadPool::run(Part part, void* context) {
  part_ = part;
  context_ = context;
  running_.store(width_ - 1, std::memory_order_relaxed);
  job_.fetch_add(1, std::memory_order_release);
  job_.notify_all();
  part(context, 0, width_);
  for (int left = running_.load(std::memory_order_acquire); left != 0;
       left = running_.load(std::memory_order_acquire))
    running_.wait(left, std::memory_order_acquire);
}

void ThreadPool::work(int index) {
  for (unsigned seen = 0;;) {
    job_.wait(seen, std::memory_order_acquire);
    seen = job_.load(std::memory_order_acquire);
    if (!part_) return;
    part_(context_, index, width_);
    if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) running_.notify_one();
  }
}

}  // namespace switchyard::local
