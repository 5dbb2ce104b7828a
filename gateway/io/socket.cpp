#include "gateway/io/socket.h"

#include <boost/asio/error.hpp>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace switchyard::io {

namespace asio = boost::asio;

namespace {

error_code last_error() {
  return {errno, boost::system::system_category()};
}

bool is_would_block(const error_code& error) {
  return error == asio::error::would_block || error == asio::error::try_again;
}

}  // namespace

Socket::Socket(Tcp::socket socket) : socket_(std::move(socket)), read_(std::make_shared<ReadWait>()) {
  error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(Tcp::no_delay(true), ignored);
}

Socket::~Socket() {
  clear_watch();
  close();
}

void Socket::close() {
  error_code ignored;
  if (socket_.is_open()) socket_.close(ignored);
}

void Socket::shutdown_send() {
  error_code ignored;
  if (ssl_) SSL_shutdown(ssl_.get());
  socket_.shutdown(Tcp::socket::shutdown_send, ignored);
}

void Socket::arm_read() {
  if (read_->armed) return;
  read_->armed = true;
  socket_.async_wait(Tcp::socket::wait_read, [wait = read_](const error_code& error) {
    wait->armed = false;
    wait->error = error;
    if (wait->waiter) {
      std::exchange(wait->waiter, nullptr).resume();
      return;
    }
    wait->ready = true;
    if (auto* callback = std::exchange(wait->callback, nullptr)) callback(wait->context);
  });
}

Task<error_code> Socket::wait_readable() {
  struct Awaiter {
    Socket& socket;
    ReadWait& wait;

    bool await_ready() const { return wait.ready; }

    void await_suspend(std::coroutine_handle<> handle) {
      wait.waiter = handle;
      socket.arm_read();
    }

    error_code await_resume() {
      wait.ready = false;
      return wait.error;
    }
  };

  if (!socket_.is_open()) co_return asio::error::operation_aborted;
  if (ssl_ && SSL_pending(ssl_.get()) > 0) co_return error_code{};
  Awaiter awaiter{*this, *read_};
  co_return co_await awaiter;
}

Task<error_code> Socket::wait_writable() {
  struct Awaiter {
    Tcp::socket& socket;
    error_code error;

    bool await_ready() const { return false; }

    void await_suspend(std::coroutine_handle<> handle) {
      socket.async_wait(Tcp::socket::wait_write, [this, handle](const error_code& result) {
        error = result;
        handle.resume();
      });
    }

    error_code await_resume() const { return error; }
  };

  if (!socket_.is_open()) co_return asio::error::operation_aborted;
  Awaiter awaiter{socket_, {}};
  co_return co_await awaiter;
}

void Socket::watch(void (*on_readable)(void*), void* context) {
  read_->callback = on_readable;
  read_->context = context;
  read_->ready = false;  // Arming asks the kernel again.
  arm_read();
}

void Socket::clear_watch() {
  read_->callback = nullptr;
}

Socket::Peer Socket::peek() {
  if (!socket_.is_open()) return Peer::closed;
  char byte;
  if (ssl_) {
    ERR_clear_error();
    errno = 0;
    const Io result = from_ssl(SSL_peek(ssl_.get(), &byte, 1), 1);
    if (!result.error) return Peer::speaking;
    return is_would_block(result.error) ? Peer::silent : Peer::closed;
  }
  const ssize_t got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) return Peer::speaking;
  return got < 0 && (errno == EAGAIN || errno == EINTR) ? Peer::silent : Peer::closed;
}

bool Socket::has_closed_behind() const {
  tcp_info info{};
  socklen_t size = sizeof info;
  const int descriptor = const_cast<Tcp::socket&>(socket_).native_handle();
  return ::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
         info.tcpi_state != TCP_ESTABLISHED;
}

Socket::Io Socket::from_ssl(int result, std::size_t bytes) {
  ssl_wants_write_ = false;
  if (result > 0) return {{}, bytes};
  const int reason = SSL_get_error(ssl_.get(), result);
  const int saved_errno = errno;
  ERR_clear_error();
  switch (reason) {
    case SSL_ERROR_WANT_READ:
      return {asio::error::would_block, 0};
    case SSL_ERROR_WANT_WRITE:
      ssl_wants_write_ = true;
      return {asio::error::would_block, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {asio::error::eof, 0};
    case SSL_ERROR_SYSCALL:
      if (saved_errno != 0) return {error_code(saved_errno, boost::system::system_category()), 0};
      return {asio::error::connection_reset, 0};
    default:
      return {error_code(boost::system::errc::protocol_error, boost::system::generic_category()), 0};
  }
}

Socket::Io Socket::try_read(std::span<char> into) {
  if (!socket_.is_open()) return {asio::error::operation_aborted, 0};
  if (ssl_) {
    std::size_t got = 0;
    ERR_clear_error();
    errno = 0;
    const int result = SSL_read_ex(ssl_.get(), into.data(), into.size(), &got);
    return from_ssl(result, got);
  }
  const ssize_t got = ::recv(socket_.native_handle(), into.data(), into.size(), 0);
  if (got > 0) return {{}, static_cast<std::size_t>(got)};
  if (got == 0) return {asio::error::eof, 0};
  return {last_error(), 0};
}

Task<Socket::Io> Socket::read_some(std::span<char> into) {
  for (;;) {
    const Io result = try_read(into);
    if (!is_would_block(result.error)) co_return result;
    const error_code error = ssl_wants_write_ ? co_await wait_writable() : co_await wait_readable();
    if (error) co_return Io{error, 0};
  }
}

Socket::Io Socket::try_write(std::string_view bytes) {
  if (!socket_.is_open()) return {asio::error::operation_aborted, 0};
  if (ssl_) {
    std::size_t sent = 0;
    ERR_clear_error();
    errno = 0;
    const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &sent);
    return from_ssl(result, sent);
  }
  const ssize_t sent = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent >= 0) return {{}, static_cast<std::size_t>(sent)};
  return {last_error(), 0};
}

Task<error_code> Socket::write_tls(std::string_view bytes) {
  while (!bytes.empty()) {
    const Io result = try_write(bytes);
    if (!result.error) {
      bytes.remove_prefix(result.bytes);
      continue;
    }
    if (!is_would_block(result.error)) co_return result.error;
    const error_code error = ssl_wants_write_ ? co_await wait_writable() : co_await wait_readable();
    if (error) co_return error;
  }
  co_return error_code{};
}

Task<error_code> Socket::write_all(std::span<const std::string_view> pieces) {
  if (ssl_) {
    std::string joined;  // One record for a head with its body, instead of one each.
    for (const std::string_view piece : pieces) joined += piece;
    co_return co_await write_tls(joined);
  }
  constexpr std::size_t kBatch = 16;
  std::size_t next = 0, offset = 0;  // The first piece that is not all sent, and how much of it is.
  while (next < pieces.size()) {
    std::array<iovec, kBatch> parts;
    std::size_t count = 0, wanted = 0;
    for (std::size_t i = next; i < pieces.size() && count < kBatch; ++i) {
      const std::string_view piece = i == next ? pieces[i].substr(offset) : pieces[i];
      if (piece.empty()) continue;
      parts[count++] = {const_cast<char*>(piece.data()), piece.size()};
      wanted += piece.size();
    }
    if (wanted == 0) break;
    if (!socket_.is_open()) co_return asio::error::operation_aborted;
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL);
    if (sent < 0) {
      const error_code error = last_error();
      if (error == asio::error::interrupted) continue;
      if (!is_would_block(error)) co_return error;
      const error_code waited = co_await wait_writable();
      if (waited) co_return waited;
      continue;
    }
    for (auto left = static_cast<std::size_t>(sent); next < pieces.size();) {
      const std::size_t rest = pieces[next].size() - offset;
      if (left < rest) {
        offset += left;
        break;
      }
      left -= rest;
      offset = 0;
      ++next;
      if (left == 0 && next < pieces.size() && !pieces[next].empty()) break;
    }
  }
  co_return error_code{};
}

Task<error_code> Socket::handshake(bool server) {
  for (;;) {
    ERR_clear_error();
    errno = 0;
    const int result = server ? SSL_accept(ssl_.get()) : SSL_connect(ssl_.get());
    const Io io = from_ssl(result, 1);
    if (!io.error) co_return error_code{};
    if (!is_would_block(io.error)) co_return io.error;
    const error_code error = ssl_wants_write_ ? co_await wait_writable() : co_await wait_readable();
    if (error) co_return error;
  }
}

Task<error_code> Socket::handshake_server(SSL_CTX& context) {
  ssl_.reset(SSL_new(&context));
  if (!ssl_ || !SSL_set_fd(ssl_.get(), socket_.native_handle())) co_return asio::error::no_memory;
  co_return co_await handshake(true);
}

Task<error_code> Socket::handshake_client(SSL_CTX& context, const std::string& host) {
  ssl_.reset(SSL_new(&context));
  if (!ssl_ || !SSL_set_fd(ssl_.get(), socket_.native_handle())) co_return asio::error::no_memory;
  error_code not_an_address;
  asio::ip::make_address(host, not_an_address);
  if (not_an_address) {
    SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
    SSL_set1_host(ssl_.get(), host.c_str());
  } else {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str());
  }
  SSL_set_verify(ssl_.get(), SSL_VERIFY_PEER, nullptr);
  co_return co_await handshake(false);
}

}  // namespace switchyard::io
