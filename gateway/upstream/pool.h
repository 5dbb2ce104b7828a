#pragma once

#include "adapters/canonical/result.h"
#include "gateway/io/buffers.h"
#include "gateway/io/deadline.h"
#include "gateway/io/signal.h"
#include "gateway/io/socket.h"

#include <boost/asio/io_context.hpp>

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace switchyard::upstream {

// Where a provider is: what of its configuration makes connections different from each other.
struct Origin {
  std::string host;
  std::uint16_t port = 0;
  io::SslContextPtr tls;   // Null for http.
  std::string key;         // Pools are kept by it: "https://host:port ca=...".
  std::string host_field;  // For the Host field: host, with the port when it is not the scheme's.
  int connections_max = 1024;
};

class Pool;

// One kept-alive connection. It belongs to its pool while idle and to one call while in use.
struct Connection {
  Connection(Pool& pool, io::Tcp::socket socket) : pool(pool), socket(std::move(socket)) {}

  Pool& pool;
  io::Socket socket;
  TimePoint idle_since{};
  bool reused = false;
};

// The connections of one event loop to one origin. The most recently used goes out first, so that the rest
// can go idle and close.
class Pool {
 public:
  static constexpr std::chrono::seconds kIdle{60};
  static constexpr std::size_t kIdleMax = 256;

  Pool(io::Deadlines& deadlines) : idle_deadline_(deadlines, &Pool::close_old, this) {}

  // An idle connection that is still open, or null.
  std::unique_ptr<Connection> take_idle();
  void give_back(std::unique_ptr<Connection> connection);

  int in_use = 0;

  std::size_t idle() const { return idle_.size(); }

 private:
  static void close_old(void* self);
  static void peer_spoke(void* connection);

  std::list<std::unique_ptr<Connection>> idle_;
  io::Deadline idle_deadline_;
};

// Names to addresses, kept for kKept. One look-up at a time a name; a look-up that hangs holds up nobody
// whose deadline has passed.
class Resolver {
 public:
  static constexpr std::chrono::seconds kKept{30};

  explicit Resolver(boost::asio::io_context& context) : resolver_(context) {}

  struct Answer {
    io::error_code error;
    std::vector<io::Tcp::endpoint> endpoints;
    TimePoint expires{};
    bool done = false;
    std::vector<io::Signal*> waiters;
  };

  // Starts a look-up, or finds one. The answer may not be done: `waiter` is set when it is; forget() before
  // the waiter goes.
  std::shared_ptr<Answer> lookup(const std::string& host, std::uint16_t port, io::Signal& waiter);
  static void forget(Answer& answer, io::Signal& waiter);

 private:
  io::Tcp::resolver resolver_;
  std::map<std::pair<std::string, std::uint16_t>, std::shared_ptr<Answer>> answers_;
};

class TokenSource;
struct TokenRequest;

// Everything that the upstream calls of one event loop share. Outlives them all.
struct Upstream {
  Upstream(boost::asio::io_context& context, io::Deadlines& deadlines, io::BlockPool& blocks);
  ~Upstream();
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  Pool& pool(const Origin& origin);

  // The one that serves this request; made when it is first asked for.
  std::shared_ptr<TokenSource> token_source(const std::shared_ptr<const TokenRequest>& request);
  // Ends what fetches tokens. True when nothing does any more: the pools may go.
  bool stop_tokens();

  boost::asio::io_context& context;
  io::Deadlines& deadlines;
  io::BlockPool& blocks;
  Resolver resolver;
  std::map<std::string, std::unique_ptr<Pool>, std::less<>> pools;
  std::map<std::string, std::shared_ptr<TokenSource>> tokens;
};

// A TLS client context that verifies against the system's roots and `ca_file`, when one is named. Fails with
// invalid_request when the file cannot be read.
Result<io::SslContextPtr> make_client_tls(const std::string& ca_file);

}  // namespace switchyard::upstream
