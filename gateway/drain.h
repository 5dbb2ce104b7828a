#pragma once

#include "gateway/telemetry/log.h"
#include "gateway/worker.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <vector>

namespace switchyard {

// The end of the workers, in order: they stop accepting, open requests go on for `patience`, what is left
// then ends with an error, and what does not take that in either is cut. Stops `control` when it is over.
class Drain {
 public:
  // From the errors to the cut: together with `patience` under a second more than was configured.
  static constexpr std::chrono::milliseconds kGrace{800};

  Drain(boost::asio::io_context& control, std::vector<std::unique_ptr<Worker>>& workers, telemetry::Log& log)
      : control_(control), timer_(control), workers_(workers), log_(log) {}

  void start(std::chrono::milliseconds patience);
  // Ends at once.
  void stop();

  bool has_started() const { return step_ != Step::none; }

  // Every worker has ended by itself.
  bool is_complete() const;

 private:
  enum class Step { none, waiting, ending };

  void look();

  boost::asio::io_context& control_;
  boost::asio::steady_timer timer_;
  std::vector<std::unique_ptr<Worker>>& workers_;
  telemetry::Log& log_;
  Step step_ = Step::none;
  TimePoint next_step_at_{};
};

}  // namespace switchyard
