#include "gateway/drain.h"

#include <algorithm>

namespace switchyard {

using config::LogLevel;

bool Drain::is_complete() const {
  return std::ranges::all_of(workers_, [](const auto& worker) { return worker->is_done(); });
}

void Drain::start(std::chrono::milliseconds patience) {
  step_ = Step::waiting;
  next_step_at_ = Clock::now() + patience;
  log_.write(LogLevel::info, "drain", {{"seconds", static_cast<double>(patience.count()) / 1000}});
  for (const auto& worker : workers_) worker->drain();
  look();
}

void Drain::look() {
  if (is_complete()) return control_.stop();
  if (Clock::now() >= next_step_at_) {
    if (step_ == Step::ending) return stop();
    step_ = Step::ending;
    next_step_at_ = Clock::now() + kGrace;
    log_.write(LogLevel::warning, "drain_over", {{"message", "open requests end with an error"}});
    for (const auto& worker : workers_) worker->end_requests();
  }
  timer_.expires_after(std::chrono::milliseconds(20));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) look();
  });
}

void Drain::stop() {
  control_.stop();
}

}  // namespace switchyard
