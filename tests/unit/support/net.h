#pragma once

// What the tests of socket code share: an event loop that a test turns by hand, and peers that do just what
// the test says. Everything happens on one thread; real time decides nothing but when a hang is given up.

#include "gateway/io/buffers.h"
#include "gateway/io/deadline.h"
#include "gateway/io/socket.h"
#include "gateway/io/task.h"

#include <arpa/inet.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace switchyard::test {

class Loop {
 public:
  boost::asio::io_context context{1};
  io::Deadlines deadlines{context};
  io::BlockPool blocks;

  // Turns the loop until `done()`. False: it hangs.
  template <class Done>
  bool until(Done done) {
    const auto guard = Clock::now() + std::chrono::seconds(20);
    for (;;) {
      context.restart();
      context.poll();
      if (done()) return true;
      if (Clock::now() > guard) return false;
      context.run_one_for(std::chrono::milliseconds(1));
    }
  }

  // Lets happen what can: for what a test wants to see not happening.
  void settle() {
    for (int i = 0; i < 20; ++i) {
      context.restart();
      context.poll();
    }
  }

  // Time passes for the deadlines, and for nothing else.
  void pass(Duration duration) { deadlines.expire(Clock::now() + duration); }

  template <class T>
  T run(io::Task<T> task) {
    std::optional<T> result;
    io::spawn(store(std::move(task), result));
    if (!until([&] { return result.has_value(); })) throw std::runtime_error("the task hangs");
    return std::move(*result);
  }

  // Starts a task whose result comes later, or never: `result` must outlive it.
  template <class T>
  static io::Task<void> store(io::Task<T> task, std::optional<T>& result) {
    result.emplace(co_await task);
  }
};

// The other end of a connection.
class Peer {
 public:
  Peer() = default;

  explicit Peer(int descriptor) : descriptor_(descriptor) {}

  Peer(Peer&& other) noexcept
      : received(std::move(other.received)),
        ended(other.ended),
        descriptor_(std::exchange(other.descriptor_, -1)) {}

  Peer& operator=(Peer&& other) noexcept {
    close();
    received = std::move(other.received);
    ended = other.ended;
    descriptor_ = std::exchange(other.descriptor_, -1);
    return *this;
  }

  ~Peer() { close(); }

  // `receive_buffer`: bytes, 0 for the system's own.
  static Peer connect(std::uint16_t port, int receive_buffer = 0) {
    Peer peer(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (receive_buffer > 0) {
      ::setsockopt(peer.descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(peer.descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot connect");
    }
    return peer;
  }

  // Returns how much the kernel took.
  std::size_t try_send(std::string_view bytes) {
    const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
  }

  void send(Loop& loop, std::string_view bytes) {
    const bool all = loop.until([&] {
      bytes.remove_prefix(try_send(bytes));
      return bytes.empty();
    });
    if (!all) throw std::runtime_error("the peer does not read");
  }

  // Takes in what has arrived.
  void poll() {
    char bytes[65536];
    while (descriptor_ >= 0 && !ended) {
      const auto got = ::recv(descriptor_, bytes, sizeof bytes, MSG_DONTWAIT);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (got <= 0) {
        ended = true;
        return;
      }
      received.append(bytes, static_cast<std::size_t>(got));
    }
  }

  bool wait_for(Loop& loop, std::string_view text) {
    return loop.until([&] {
      poll();
      return received.find(text) != std::string::npos;
    });
  }

  bool wait_for_end(Loop& loop) {
    return loop.until([&] {
      poll();
      return ended;
    });
  }

  bool wait_for_bytes(Loop& loop, std::size_t count) {
    return loop.until([&] {
      poll();
      return received.size() >= count;
    });
  }

  // What arrived since the last call.
  std::string take() { return std::exchange(received, {}); }

  void finish_sending() { ::shutdown(descriptor_, SHUT_WR); }

  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }

  // Closes so that the other side sees a reset.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }

  int descriptor() const { return descriptor_; }

  std::string received;
  bool ended = false;

 private:
  int descriptor_ = -1;
};

// Listens on a free port of the loopback interface.
class Listening {
 public:
  Listening() : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(descriptor_, 64) != 0 ||
        ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("cannot listen");
    }
    port_ = ntohs(address.sin_port);
  }

  ~Listening() { close(); }

  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

  std::uint16_t port() const { return port_; }

  std::optional<Peer> try_accept() {
    const int accepted = ::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC);
    if (accepted < 0) return std::nullopt;
    return Peer(accepted);
  }

  Peer accept(Loop& loop) {
    std::optional<Peer> peer;
    if (!loop.until([&] { return (peer = try_accept()).has_value(); })) {
      throw std::runtime_error("nobody connects");
    }
    return std::move(*peer);
  }

  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }

 private:
  int descriptor_;
  std::uint16_t port_ = 0;
};

// A connection: one end as the code under test sees it, the other in the test's hands.
struct Pair {
  explicit Pair(Loop& loop, int receive_buffer = 0)
      : peer(Peer::connect(listening.port(), receive_buffer)), socket(adopt(loop, listening)) {}

  static io::Tcp::socket adopt(Loop& loop, Listening& listening) {
    auto accepted = listening.accept(loop);
    return io::Tcp::socket(loop.context, io::Tcp::v4(), ::dup(accepted.descriptor()));
  }

  Listening listening;
  Peer peer;
  io::Socket socket;
};

}  // namespace switchyard::test
