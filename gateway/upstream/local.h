#pragma once

#include "adapters/canonical/embeddings.h"
#include "adapters/canonical/event.h"
#include "adapters/canonical/request.h"
#include "gateway/io/deadline.h"
#include "gateway/io/task.h"
#include "local_backend/engine/engine.h"

#include <boost/asio/io_context.hpp>

#include <cstdint>
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

// What every request to the model in this process has: deadlines, abort(), and that it is cancelled when its
// owner lets go of it.
class LocalRun {
 public:
  LocalRun(const LocalRun&) = delete;
  LocalRun& operator=(const LocalRun&) = delete;

  // Once the delay is over, read() fails with `kind`. Replaces the deadline before.
  void set_deadline(ErrorKind kind, Duration delay);

  void clear_deadline() { deadline_.disarm(); }

  // read() fails with `kind` from here on.
  void abort(ErrorKind kind);

 protected:
  class Mailbox;

  LocalRun(io::Deadlines& deadlines, local::Engine& engine, std::shared_ptr<Mailbox> mailbox);
  ~LocalRun();

  // The engine took the request.
  void started(std::uint64_t id);
  // Its end arrived.
  void finished();

  local::Engine& engine_;
  bool is_aborted_ = false;
  ErrorKind aborted_ = ErrorKind::internal;

 private:
  void cancel();

  std::shared_ptr<Mailbox> mailbox_;
  io::Deadline deadline_;
  ErrorKind deadline_kind_ = ErrorKind::internal;
  std::uint64_t id_ = 0;  // 0: the engine does not have it, or no more.
};

// One request to the model in this process, seen like a provider: canonical events, deadlines, abort().
class LocalCall : public LocalRun {
 public:
  LocalCall(boost::asio::io_context& context, io::Deadlines& deadlines, local::Engine& engine);
  ~LocalCall();

  // Queues the request. Fails with overloaded when the queue is full, context_too_long when the prompt is.
  Result<> start(local::GenerateRequest request, const std::string& model);
  // Replaces `events` with the next ones; false once the reply is complete.
  io::Task<Result<bool>> read(std::vector<Event>& events);

  // How many tokens the request's prefix has, once the reply is complete. Its usage counts them as input:
  // they were said by somebody else.
  int prefix_tokens() const { return prefix_tokens_; }

 private:
  class Inbox;
  LocalCall(io::Deadlines& deadlines, local::Engine& engine, std::shared_ptr<Inbox> inbox);

  std::shared_ptr<Inbox> inbox_;
  std::vector<Event> pending_;
  int prefix_tokens_ = 0;
  bool done_ = false;
};

// One embeddings request to the model in this process. The request's `user` and `task` mean nothing to it.
class LocalEmbeddings : public LocalRun {
 public:
  LocalEmbeddings(boost::asio::io_context& context, io::Deadlines& deadlines, local::Engine& engine);
  ~LocalEmbeddings();

  // Queues the request. Fails with overloaded when the queue is full, context_too_long for an input that is
  // too long, invalid_request for an empty one, each naming the input ("input[3]", or "input" if it is the
  // only one); with unsupported for dimensions that the model does not have, or for too much at once.
  // `model` is what the reply names.
  Result<> start(EmbeddingsRequest request, std::string model = {});
  // Waits for all vectors. To be called once.
  io::Task<Result<EmbeddingsReply>> read();

 private:
  class Inbox;
  LocalEmbeddings(io::Deadlines& deadlines, local::Engine& engine, std::shared_ptr<Inbox> inbox);

  std::shared_ptr<Inbox> inbox_;
  std::string model_;
};

}  // namespace switchyard::upstream
