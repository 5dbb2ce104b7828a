#include "gateway/http/connection.h"

#include "gateway/http/request_parser.h"

#include <boost/asio/error.hpp>
#include <sys/socket.h>

#include <optional>

namespace switchyard::http {

namespace {

namespace asio = boost::asio;

class Connection final : public Drainable {
 public:
  Connection(Server& server, io::Tcp::socket socket)
      : server_(server), socket_(std::move(socket)), deadline_(server.deadlines, &Connection::expired, this) {
    server_.open.push_front(this);
    position_ = server_.open.begin();
    ++server_.connections;
    server_.connections_of_all.fetch_add(1, std::memory_order_relaxed);
  }

  ~Connection() override {
    server_.open.erase(position_);
    --server_.connections;
    server_.connections_of_all.fetch_sub(1, std::memory_order_relaxed);
  }

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void on_drain() override {
    if (state_ == State::idle) deadline_.arm_in(Server::kDrainIdle);
  }

  void on_stop() override { socket_.close(); }

  io::Task<void> run() {
    if (const auto tls = server_.tls) {  // Kept: a reload may replace it meanwhile.
      deadline_.arm_in(server_.limits.request_read);
      const auto error = co_await socket_.handshake_server(*tls);
      if (error) co_return;
    }
    while (co_await serve_one()) {
    }
    deadline_.disarm();
  }

 private:
  static void expired(void* self) {
    auto& connection = *static_cast<Connection*>(self);
    if (connection.state_ == State::idle && connection.socket_.peek() == io::Socket::Peer::speaking) {
      return;  // A request arrived in the last moment: it is served.
    }
    connection.timed_out_ = true;
    if (connection.state_ == State::reading) {
      connection.socket_.try_write(
          "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    }
    connection.socket_.close();
  }

  // Waits for the first byte of the next request. False: the connection is over.
  io::Task<bool> wait_for_request() {
    if (!leftover_.empty()) co_return true;
    state_ = State::idle;
    deadline_.arm_in(server_.draining ? Server::kDrainIdle : server_.limits.idle);
    const auto error = co_await socket_.wait_readable();
    co_return !error;
  }

  // Reads more of the request behind `held` bytes of the block, which goes back to its pool while a slow
  // client has nothing to give. False: the connection is over.
  io::Task<bool> read_more(io::BlockPool::Block& block, std::size_t& held) {
    // A body's first bytes that come along are copied to their place: no more of them than a head is likely
    // to leave room for. The rest goes there straight from the kernel.
    const auto room = [&] {
      const auto free = block.span().subspan(held);
      return free.first(std::min(free.size(), kReadAtOnce));
    };
    auto io = socket_.try_read(room());
    if (io.error == asio::error::would_block || io.error == asio::error::try_again) {
      const std::string kept(block.span().data(), held);
      block.release();
      const auto error = co_await socket_.wait_readable();
      if (error) co_return false;
      block = server_.blocks.take();
      std::copy(kept.begin(), kept.end(), block.span().begin());
      io = co_await socket_.read_some(room());
    }
    held += io.bytes;
    co_return !io.error;
  }

  enum class Read { request, refused, closed };

  io::Task<Read> read_request(Request& request, RequestParser& parser) {
    auto block = server_.blocks.take();
    std::size_t held = std::min(leftover_.size(), block.span().size());
    std::copy_n(leftover_.data(), held, block.span().data());
    leftover_.clear();
    bool continued = false;
    for (bool must_read = held == 0;; must_read = true) {
      if (must_read && !co_await read_more(block, held)) co_return Read::closed;
      const auto bytes = block.span();
      const std::size_t used = parser.feed({bytes.data(), held});
      if (parser.refused()) co_return Read::refused;
      held -= used;
      if (held > 0 && used > 0) std::memmove(bytes.data(), bytes.data() + used, held);
      if (parser.is_head_done() && parser.has_content_length()) break;
      if (parser.is_done()) break;
      if (parser.is_head_done() && parser.expects_continue() && !continued && held == 0) {
        continued = true;
        socket_.try_write(kContinue);
      }
      if (held == bytes.size()) co_return Read::refused;  // A head or chunk line that fills the whole block.
    }
    const std::string_view rest(block.span().data(), held);
    const std::size_t mine = std::min<std::uint64_t>(held, parser.body_bytes_left());
    begin_body(request, parser, rest.substr(0, mine));
    leftover_ = rest.substr(mine);
    block.release();
    co_return co_await read_counted_body(request, parser) ? Read::request : Read::closed;
  }

  // Takes over what of a body with a Content-Length came with the head.
  void begin_body(Request& request, RequestParser& parser, std::string_view came_along) {
    const auto left = parser.body_bytes_left();
    if (left == 0) return;
    // No more than a client has sent is ever allocated for it ahead, beyond this much.
    request.body_buffer().spare(std::min<std::uint64_t>(left, 256u << 10) + kBodySpare);
    request.body_buffer().append(came_along);
    if (parser.expects_continue() && came_along.empty()) socket_.try_write(kContinue);
  }

  // The body with a Content-Length goes from the kernel straight to its place.
  io::Task<bool> read_counted_body(Request& request, RequestParser& parser) {
    auto& body = request.body_buffer();
    while (const auto left = parser.body_bytes_left()) {
      const auto room = body.spare(std::min<std::uint64_t>(left, 64u << 10));
      const auto io = co_await socket_.read_some(room.first(std::min<std::uint64_t>(left, room.size())));
      if (io.error) co_return false;
      body.commit(io.bytes);
    }
    co_return true;
  }

  // One request and its reply. False: the connection is over.
  io::Task<bool> serve_one() {
    if (!co_await wait_for_request()) co_return false;
    state_ = State::reading;
    deadline_.arm_in(server_.limits.request_read);
    Request request;
    auto parser = std::make_unique<RequestParser>(
        request, static_cast<std::uint32_t>(server_.limits.header_bytes), server_.limits.body_bytes);
    const Read read = co_await read_request(request, *parser);
    if (read == Read::closed || timed_out_) co_return false;
    state_ = State::answering;
    deadline_.disarm();
    if (read == Read::refused) {
      const auto refusal =
          parser->refused().value_or(RequestParser::Refusal{431, "the request head is too large"});
      parser.reset();
      co_await refuse(request, refusal.status, refusal.message);
      co_return false;
    }
    parser.reset();
    request.body_buffer().spare(kBodySpare);
    co_return co_await answer(request);
  }

  io::Task<bool> answer(Request& request) {
    Exchange exchange(socket_, server_.deadlines, request, server_.draining);
    const char* bug = nullptr;
    try {
      co_await server_.handler.handle(exchange);
    } catch (const std::exception& exception) {
      bug = exception.what();
      if (server_.on_bug) server_.on_bug(bug);
    }
    if (!exchange.has_replied() && !exchange.is_gone()) {
      const std::string body = server_.handler.refusal_body(500, request.path(), "internal error");
      co_await exchange.reply(500, "application/json", {}, body);
    }
    if (bug || exchange.must_close()) {
      if (!exchange.is_gone()) co_await linger();
      co_return false;
    }
    co_return true;
  }

  io::Task<void> refuse(Request& request, int status, std::string_view message) {
    Exchange exchange(socket_, server_.deadlines, request, true);
    const std::string body = server_.handler.refusal_body(status, request.path(), message);
    co_await exchange.reply(status, "application/json", {}, body);
    co_await linger();
  }

  // Closes so that the reply survives a client that still sends: FIN first, then read until it has seen it.
  io::Task<void> linger() {
    socket_.shutdown_send();
    deadline_.arm_in(std::chrono::seconds(1));
    auto block = server_.blocks.take();
    for (;;) {
      const auto io = co_await socket_.read_some(block.span());
      if (io.error) break;
    }
    socket_.close();
  }

  enum class State { opening, idle, reading, answering };

  static constexpr std::size_t kReadAtOnce = 16u << 10;
  static constexpr std::size_t kBodySpare = 64;  // What the JSON reader may read past a body's end.
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

  Server& server_;
  io::Socket socket_;
  io::Deadline deadline_;
  std::list<Drainable*>::iterator position_;
  std::string leftover_;  // The start of a pipelined request.
  State state_ = State::opening;
  bool timed_out_ = false;
};

}  // namespace

io::Task<void> serve_connection(Server& server, io::Tcp::socket socket) {
  Connection connection(server, std::move(socket));
  co_await connection.run();
}

void turn_away(io::Tcp::socket socket) {
  static constexpr std::string_view kReply =
      "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
  ::send(socket.native_handle(), kReply.data(), kReply.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace switchyard::http
