#pragma once

#include "config/config.h"
#include "gateway/http/exchange.h"
#include "gateway/io/buffers.h"

#include <atomic>
#include <functional>
#include <list>
#include <memory>

namespace switchyard::http {

// A connection, as far as the end of the program concerns it.
class Drainable {
 public:
  virtual ~Drainable() = default;
  virtual void on_drain() = 0;
  virtual void on_stop() = 0;
};

// What the connections of one event loop share. Outlives them all.
struct Server {
  io::Deadlines& deadlines;
  io::BlockPool& blocks;
  Handler& handler;
  std::atomic<int>& connections_of_all;  // Of every event loop that serves the same address.
  config::Limits limits = {};
  io::SslContextPtr tls = nullptr;  // Null: plain HTTP.
  std::list<Drainable*> open = {};
  int connections = 0;
  bool draining = false;  // Each reply closes its connection, idle ones close after kDrainIdle.
  // Called for an exception that escaped a handler: a bug.
  std::function<void(const char* what)> on_bug = nullptr;

  static constexpr std::chrono::milliseconds kDrainIdle{1000};

  void drain() {
    draining = true;
    for (Drainable* connection : open) connection->on_drain();
  }

  // Closes every connection: each ends when the loop runs next, unless its handler waits for something else.
  void stop() {
    for (Drainable* connection : open) connection->on_stop();
  }
};

// Serves one client connection from its first byte to its close. Runs by itself on the socket's event loop.
io::Task<void> serve_connection(Server& server, io::Tcp::socket socket);

// Answers 503 and closes: the connection is one too many.
void turn_away(io::Tcp::socket socket);

}  // namespace switchyard::http
