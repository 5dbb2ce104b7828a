#pragma once

#include "gateway/io/task.h"

#include <boost/asio/ip/tcp.hpp>
#include <openssl/ssl.h>

#include <coroutine>
#include <memory>
#include <span>
#include <string_view>

namespace switchyard::io {

using boost::system::error_code;
using Tcp = boost::asio::ip::tcp;

struct SslDeleter {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

struct SslContextDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

using SslPtr = std::unique_ptr<SSL, SslDeleter>;
using SslContextPtr = std::shared_ptr<SSL_CTX>;

// One TCP connection, plain or TLS, of one event loop. Reads and writes are tried first and wait only when
// the kernel has nothing or no room, and no buffer is held while waiting. One reader and one writer at a
// time.
//
// close() ends every wait with operation_aborted; after it each call fails. A Socket may be destroyed while
// nobody awaits on it.
class Socket {
 public:
  struct Io {
    error_code error;       // eof at the peer's end of stream.
    std::size_t bytes = 0;  // Above 0 when there is no error.
  };

  explicit Socket(Tcp::socket socket);
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  bool is_open() const { return socket_.is_open(); }

  bool is_tls() const { return ssl_ != nullptr; }

  Tcp::socket& tcp() { return socket_; }

  // TLS as server or as client; `host` (client) is checked against the certificate and sent as SNI. `host`
  // must live until the task ends. Fails with a TLS error, or operation_aborted.
  Task<error_code> handshake_server(SSL_CTX& context);
  Task<error_code> handshake_client(SSL_CTX& context, const std::string& host);

  // Waits until there may be something to read.
  Task<error_code> wait_readable();
  // Reads what is there, at most `into.size()` bytes; waits for at least one.
  Task<Io> read_some(std::span<char> into);
  // As read_some, but never waits: would_block when there is nothing.
  Io try_read(std::span<char> into);
  // Writes all pieces in order. On an error some of them may have been sent.
  Task<error_code> write_all(std::span<const std::string_view> pieces);
  // Writes what the kernel takes now, without waiting.
  Io try_write(std::string_view bytes);

  // Calls `on_readable(context)` once, when there is something to read or the peer has closed, and nobody
  // waits for it in wait_readable(). Bytes stay unread. clear_watch() ends it.
  void watch(void (*on_readable)(void*), void* context);
  void clear_watch();
  // What reading would find, without reading: nothing yet, bytes, or the peer's end (a reset too).
  enum class Peer { silent, speaking, closed };
  Peer peek();
  // True when the peer has closed or reset behind bytes that are still unread, where peek() sees these only.
  bool has_closed_behind() const;

  void close();
  // Sends FIN, keeps reading: so that the last bytes reach a peer that still sends.
  void shutdown_send();

 private:
  // Outlives the Socket while the kernel's answer to a wait is under way.
  struct ReadWait {
    bool armed = false, ready = false;
    error_code error;
    std::coroutine_handle<> waiter;
    void (*callback)(void*) = nullptr;
    void* context = nullptr;
  };

  void arm_read();
  Task<error_code> handshake(bool server);
  Task<error_code> wait_writable();
  Io from_ssl(int result, std::size_t bytes);
  Task<error_code> write_tls(std::string_view bytes);

  Tcp::socket socket_;
  SslPtr ssl_;
  std::shared_ptr<ReadWait> read_;
  bool ssl_wants_write_ = false;
};

}  // namespace switchyard::io
