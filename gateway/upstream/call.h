#pragma once

#include "adapters/canonical/result.h"
#include "gateway/io/task.h"
#include "gateway/upstream/pool.h"
#include "gateway/upstream/response_parser.h"

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::upstream {

// One HTTP request to one provider, and its reply. Every wait ends at a deadline or with abort(). Redirects
// are a reply like any other: never followed. Destroying the call gives its connection back when the reply
// was read to its end, and closes it otherwise.
class HttpCall {
 public:
  HttpCall(Upstream& upstream, const Origin& origin);
  ~HttpCall();
  HttpCall(const HttpCall&) = delete;
  HttpCall& operator=(const HttpCall&) = delete;

  // Connects (or takes an idle connection), writes the pieces, and reads the reply's final head. The pieces
  // must live until it returns. Fails with unreachable, connect_timeout, bad_reply, overloaded (the pool is
  // full), or what abort() was given.
  io::Task<Result<>> start(std::span<const std::string_view> request,
                           std::chrono::milliseconds connect_timeout);

  // The final head has been read.
  bool has_head() const { return parser_ && parser_->is_head_done(); }

  const ResponseHead& head() const { return parser_->head(); }

  // Replaces `pieces` with the next pieces of the body, valid until the next call; false at the body's end.
  // Fails with bad_reply when the connection ends first.
  io::Task<Result<bool>> read(std::vector<std::string_view>& pieces);

  // The pieces of the last read() are not needed any more: their buffer serves others while this call waits.
  void release_pieces() {
    if (block_begin_ == block_end_) block_.release();
  }

  // The whole body, with kBodyPadding readable behind it; fails with bad_reply over `bytes_max`.
  io::Task<Result<io::ByteBuffer>> read_all(std::size_t bytes_max);

  // The next deadline: when it passes the call is aborted with `kind`. It replaces the one before.
  void set_deadline(ErrorKind kind, Duration delay);

  void clear_deadline() { deadline_.disarm(); }

  // Set by abort(). For one who waits for something else before start(), so that the call's end ends that
  // wait.
  io::Signal& interrupt() { return resolved_; }

  bool is_aborted() const { return is_aborted_; }

  // Ends the call: what waits fails with `kind`, and so does every later step.
  void abort(ErrorKind kind);

 private:
  io::Task<Result<>> connect();
  io::Task<Result<>> connect_to(const io::Tcp::endpoint& endpoint);
  io::Task<Result<>> send_and_read_head(std::span<const std::string_view> request);
  io::Task<Result<>> read_block();
  Error failure(ErrorKind kind, std::string message) const;
  void drop_connection();
  static void expired(void* self);

  Upstream& upstream_;
  const Origin& origin_;
  Pool& pool_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<io::Tcp::socket> connecting_;
  std::unique_ptr<ResponseParser> parser_;
  io::Deadline deadline_;
  ErrorKind deadline_kind_ = ErrorKind::internal;
  io::BlockPool::Block block_;
  std::size_t block_begin_ = 0, block_end_ = 0;  // The bytes of the block that the parser has not used.
  io::Signal resolved_;
  ErrorKind aborted_ = ErrorKind::internal;
  bool is_aborted_ = false, holds_place_ = false;
  bool has_received_ = false;  // A byte came on this connection.
  bool has_ended_ = false;     // The provider has closed its side in order.
};

}  // namespace switchyard::upstream
