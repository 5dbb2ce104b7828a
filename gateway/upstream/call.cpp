#include "gateway/upstream/call.h"

#include "adapters/dialects/dialect.h"

#include <boost/asio/error.hpp>

#include <cstring>

namespace switchyard::upstream {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kStreamReadAtOnce = 32u << 10;
constexpr int kInterimMax = 16;  // 1xx replies before the final one.

struct ConnectAwaiter {
  io::Tcp::socket& socket;
  const io::Tcp::endpoint& endpoint;
  io::error_code error;

  bool await_ready() const { return false; }

  void await_suspend(std::coroutine_handle<> handle) {
    socket.async_connect(endpoint, [this, handle](const io::error_code& result) {
      error = result;
      handle.resume();
    });
  }

  io::error_code await_resume() const { return error; }
};

}  // namespace

HttpCall::HttpCall(Upstream& upstream, const Origin& origin)
    : upstream_(upstream),
      origin_(origin),
      pool_(upstream.pool(origin)),
      deadline_(upstream.deadlines, &HttpCall::expired, this) {}

HttpCall::~HttpCall() {
  if (connection_ && parser_ && !is_aborted_ && parser_->is_reusable() && block_begin_ == block_end_) {
    pool_.give_back(std::move(connection_));
  }
  drop_connection();
}

void HttpCall::drop_connection() {
  connection_.reset();
  if (std::exchange(holds_place_, false)) --pool_.in_use;
}

void HttpCall::set_deadline(ErrorKind kind, Duration delay) {
  deadline_kind_ = kind;
  deadline_.arm_in(delay);
}

void HttpCall::expired(void* self) {
  auto& call = *static_cast<HttpCall*>(self);
  call.abort(call.deadline_kind_);
}

void HttpCall::abort(ErrorKind kind) {
  if (is_aborted_) return;
  is_aborted_ = true;
  aborted_ = kind;
  deadline_.disarm();
  io::error_code ignored;
  if (connecting_) connecting_->close(ignored);
  if (connection_) connection_->socket.close();
  resolved_.set();
}

Error HttpCall::failure(ErrorKind kind, std::string message) const {
  if (!is_aborted_) return fail(kind, std::move(message));
  switch (aborted_) {
    case ErrorKind::connect_timeout:
      return fail(aborted_, "no connection to the provider in time");
    case ErrorKind::first_token_timeout:
      return fail(aborted_, "the provider did not begin to answer in time");
    case ErrorKind::between_tokens_timeout:
      return fail(aborted_, "the provider stopped in the middle of its answer");
    case ErrorKind::total_timeout:
      return fail(aborted_, "the request's time is over");
    default:
      return fail(aborted_, "the request was ended");
  }
}

io::Task<Result<>> HttpCall::connect_to(const io::Tcp::endpoint& endpoint) {
  connecting_ = std::make_unique<io::Tcp::socket>(upstream_.context);
  ConnectAwaiter awaiter{*connecting_, endpoint, {}};
  const auto error = co_await awaiter;
  if (is_aborted_) co_return failure(ErrorKind::connect_timeout, {});
  if (error) co_return fail(ErrorKind::unreachable, "the provider cannot be reached: " + error.message());
  connection_ = std::make_unique<Connection>(pool_, std::move(*connecting_));
  connecting_.reset();
  if (!origin_.tls) co_return Result<>();
  const auto tls_error = co_await connection_->socket.handshake_client(*origin_.tls, origin_.host);
  if (!tls_error) co_return Result<>();
  connection_.reset();
  co_return failure(ErrorKind::unreachable, "the provider's TLS certificate or handshake was not accepted");
}

io::Task<Result<>> HttpCall::connect() {
  const auto answer = upstream_.resolver.lookup(origin_.host, origin_.port, resolved_);
  if (!answer->done) co_await resolved_;
  Resolver::forget(*answer, resolved_);
  if (is_aborted_) co_return failure(ErrorKind::connect_timeout, {});
  if (answer->error || answer->endpoints.empty()) {
    co_return fail(ErrorKind::unreachable, "the provider's name does not resolve");
  }
  Result<> result = fail(ErrorKind::unreachable, "the provider cannot be reached");
  const auto endpoints = answer->endpoints;
  for (const auto& endpoint : endpoints) {
    result = co_await connect_to(endpoint);
    if (result || is_aborted_) break;
  }
  co_return result;
}

io::Task<Result<>> HttpCall::start(std::span<const std::string_view> request,
                                   std::chrono::milliseconds connect_timeout) {
  if (is_aborted_) co_return failure(ErrorKind::internal, {});
  if (pool_.in_use >= origin_.connections_max) {
    co_return fail(ErrorKind::overloaded, "all connections to the provider are in use");
  }
  ++pool_.in_use;
  holds_place_ = true;
  connection_ = pool_.take_idle();
  if (connection_) {
    const auto sent = co_await send_and_read_head(request);
    if (!sent) connection_.reset();
    // The provider may close an idle connection in the moment it is used: that says nothing of the provider,
    // as long as not a byte of an answer came.
    if (sent || is_aborted_ || has_received_) co_return sent;
  }
  io::Deadline connecting(
      upstream_.deadlines,
      [](void* self) { static_cast<HttpCall*>(self)->abort(ErrorKind::connect_timeout); }, this);
  connecting.arm_in(connect_timeout);
  const auto connected = co_await connect();
  if (!connected) co_return connected;
  connecting.disarm();
  const auto sent = co_await send_and_read_head(request);
  // An answer that was not accepted may be complete: nothing more is asked on its connection all the same.
  if (!sent) connection_.reset();
  co_return sent;
}

io::Task<Result<>> HttpCall::send_and_read_head(std::span<const std::string_view> request) {
  parser_ = std::make_unique<ResponseParser>();
  block_begin_ = block_end_ = 0;
  has_received_ = has_ended_ = false;
  // A provider that refuses early (413, 401) may close its side while the body is still being written: its
  // answer counts, so a failed write is looked at only when there is none.
  const auto write_error = co_await connection_->socket.write_all(request);
  if (is_aborted_) co_return failure(ErrorKind::unreachable, {});
  for (int interim = 0;; ++interim) {
    std::vector<std::string_view> nothing;
    while (!parser_->is_head_done()) {
      if (block_begin_ == block_end_) {
        const auto read = co_await read_block();
        if (!read) {
          if (write_error && !is_aborted_) {
            co_return fail(ErrorKind::unreachable, "the connection to the provider broke");
          }
          co_return read;
        }
      }
      const std::string_view bytes(block_.span().data() + block_begin_, block_end_ - block_begin_);
      const std::size_t used = parser_->feed(bytes, nothing);
      block_begin_ += used;
      // Body pieces that came with the head are read again by read(): the parser stops behind the head.
      if (parser_->has_failed()) co_return fail(ErrorKind::bad_reply, "the provider's answer is not HTTP");
      if (!parser_->is_head_done() && block_begin_ < block_end_) {
        const auto more = co_await read_block();
        if (!more) co_return more;
      }
    }
    const int status = parser_->head().status;
    if (status >= 200) break;
    if (status == 101 || interim >= kInterimMax)
      co_return fail(ErrorKind::bad_reply, "too many interim answers");
    parser_ = std::make_unique<ResponseParser>();
  }
  if (parser_->head().is_encoded)
    co_return fail(ErrorKind::bad_reply, "the provider encoded its answer unasked");
  co_return Result<>();
}

// Reads more behind the unused bytes of the block.
io::Task<Result<>> HttpCall::read_block() {
  if (block_begin_ == block_end_) {
    block_begin_ = block_end_ = 0;
    // No buffer is held while there is nothing to read.
    block_.release();
    const auto waited = co_await connection_->socket.wait_readable();
    if (waited || is_aborted_)
      co_return failure(ErrorKind::unreachable, "the connection to the provider broke");
    block_ = upstream_.blocks.take();
  } else if (block_begin_ > 0) {
    std::memmove(block_.span().data(), block_.span().data() + block_begin_, block_end_ - block_begin_);
    block_end_ -= block_begin_;
    block_begin_ = 0;
  }
  auto room = block_.span().subspan(block_end_);
  // While a client stalls in the middle of a large event, what came of the next one is held too: no more of
  // it than this.
  if (parser_->is_head_done() && (parser_->head().is_event_stream || parser_->head().is_aws_event_stream))
    room = room.first(std::min(room.size(), kStreamReadAtOnce));
  if (room.empty())
    co_return fail(ErrorKind::bad_reply, "the provider's answer has a head or chunk line too long");
  const auto io = co_await connection_->socket.read_some(room);
  if (is_aborted_) co_return failure(ErrorKind::unreachable, {});
  if (io.error) {
    has_ended_ = io.error == asio::error::eof;
    const auto kind = has_received_ ? ErrorKind::bad_reply : ErrorKind::unreachable;
    co_return fail(kind, kind == ErrorKind::bad_reply
                             ? "the provider's answer broke off"
                             : "the provider closed the connection without an answer");
  }
  block_end_ += io.bytes;
  has_received_ = true;
  co_return Result<>();
}

io::Task<Result<bool>> HttpCall::read(std::vector<std::string_view>& pieces) {
  pieces.clear();
  if (is_aborted_) co_return failure(ErrorKind::internal, {});
  for (bool must_read = block_begin_ == block_end_;; must_read = true) {
    if (parser_->is_done()) {
      deadline_.disarm();
      co_return false;
    }
    if (must_read) {
      const auto read = co_await read_block();
      if (!read) {
        if (!is_aborted_ && has_ended_ && parser_->finish()) {
          deadline_.disarm();
          co_return false;
        }
        co_return read.error();
      }
    }
    const std::string_view bytes(block_.span().data() + block_begin_, block_end_ - block_begin_);
    block_begin_ += parser_->feed(bytes, pieces);
    if (parser_->has_failed()) co_return fail(ErrorKind::bad_reply, "the provider's answer is not HTTP");
    if (!pieces.empty()) co_return true;
  }
}

io::Task<Result<io::ByteBuffer>> HttpCall::read_all(std::size_t bytes_max) {
  io::ByteBuffer body;
  std::vector<std::string_view> pieces;
  for (;;) {
    const auto more = co_await read(pieces);
    if (!more) co_return more.error();
    if (!*more) break;
    for (const std::string_view piece : pieces) {
      if (piece.size() > bytes_max - body.size()) {
        co_return fail(ErrorKind::bad_reply, "the provider's answer is too large");
      }
      body.append(piece);
    }
  }
  block_.release();
  body.spare(kBodyPadding);
  co_return body;
}

}  // namespace switchyard::upstream
