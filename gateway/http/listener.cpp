#include "gateway/http/listener.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace switchyard::http {

namespace asio = boost::asio;

namespace {

constexpr int kBacklog = 4096;

}  // namespace

Listener::Listener(asio::io_context& context, Server& server, const io::Tcp::endpoint& endpoint,
                   bool share_port)
    : context_(context),
      server_(server),
      acceptor_(context),
      pause_(context),
      spare_descriptor_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {
  acceptor_.open(endpoint.protocol());
  acceptor_.set_option(io::Tcp::acceptor::reuse_address(true));
  if (share_port) {
    const int on = 1;
    ::setsockopt(acceptor_.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  }
  acceptor_.bind(endpoint);
  acceptor_.listen(kBacklog);
  acceptor_.non_blocking(true);
}

Listener::~Listener() {
  if (spare_descriptor_ >= 0) ::close(spare_descriptor_);
}

void Listener::wait() {
  acceptor_.async_wait(io::Tcp::acceptor::wait_read, [this](const boost::system::error_code& error) {
    if (error || !acceptor_.is_open()) return;
    // A bounded batch, so that a flood of connections does not starve those that are open.
    for (int i = 0; i < 64 && accept_one(); ++i) {
    }
    if (acceptor_.is_open() && pause_.expiry() <= asio::steady_timer::clock_type::now()) wait();
  });
}

bool Listener::accept_one() {
  boost::system::error_code error;
  io::Tcp::socket socket = acceptor_.accept(context_, error);
  if (error == asio::error::would_block || error == asio::error::try_again) return false;
  if (error.value() == EMFILE || error.value() == ENFILE || error.value() == ENOBUFS ||
      error.value() == ENOMEM) {
    out_of_descriptors();
    return false;
  }
  if (error) return true;  // That connection broke before it was taken in.
  if (server_.connections_of_all.load(std::memory_order_relaxed) >= server_.limits.connections) {
    turn_away(std::move(socket));
    return true;
  }
  io::spawn(serve_connection(server_, std::move(socket)));
  return true;
}

void Listener::out_of_descriptors() {
  if (spare_descriptor_ >= 0) {
    ::close(spare_descriptor_);
    boost::system::error_code error;
    io::Tcp::socket socket = acceptor_.accept(context_, error);
    if (!error) turn_away(std::move(socket));
    socket = io::Tcp::socket(context_);
    spare_descriptor_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
  pause_.expires_after(std::chrono::milliseconds(100));
  pause_.async_wait([this](const boost::system::error_code& error) {
    if (!error && acceptor_.is_open()) wait();
  });
}

void Listener::drain() {
  if (!acceptor_.is_open()) return;
  // Bounded, so that a flood cannot keep the listener open.
  for (int i = 0; i < 2 * kBacklog && accept_one(); ++i) {
  }
  pause_.cancel();
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

}  // namespace switchyard::http
