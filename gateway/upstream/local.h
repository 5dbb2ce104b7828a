#pragma once

#include "adapters/canonical/event.h"
#include "adapters/canonical/request.h"
#include "gateway/io/deadline.h"
#include "gateway/io/task.h"
#include "local_backend/engine/engine.h"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>
#include <vector>

namespace switchyard::upstream {

// A chat request in the local engine's terms, with the names of what was left out because it only tunes.
// Fails with unsupported naming the field for what the local model cannot do: tools, images, several choices,
// log-probabilities, JSON modes.
struct LocalRequest {
  local::GenerateRequest generate;
  std::vector<std::string> dropped;
};

Result<LocalRequest> to_local(const ChatRequest& request, std::uint64_t seed);

// One request to the model in this process, seen like a provider: canonical events, deadlines, abort().
class LocalCall {
 public:
  LocalCall(boost::asio::io_context& context, io::Deadlines& deadlines, local::Engine& engine);
  ~LocalCall();
  LocalCall(const LocalCall&) = delete;
  LocalCall& operator=(const LocalCall&) = delete;

  // Queues the request. Fails with overloaded when the queue is full, context_too_long when the prompt is.
  Result<> start(local::GenerateRequest request, const std::string& model);
  // Replaces `events` with the next ones; false once the reply is complete.
  io::Task<Result<bool>> read(std::vector<Event>& events);
  void set_deadline(ErrorKind kind, Duration delay);

  void clear_deadline() { deadline_.disarm(); }

  void abort(ErrorKind kind);

 private:
  class Inbox;

  Event to_event(const local::Outcome& outcome);

  local::Engine& engine_;
  io::Deadline deadline_;
  ErrorKind deadline_kind_ = ErrorKind::internal, aborted_ = ErrorKind::internal;
  std::shared_ptr<Inbox> inbox_;
  std::vector<Event> pending_;
  std::uint64_t id_ = 0;
  bool is_aborted_ = false, started_ = false, done_ = false;
};

}  // namespace switchyard::upstream
