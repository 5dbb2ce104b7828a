#pragma once

#include "gateway/http/connection.h"

#include <boost/asio/steady_timer.hpp>

#include <memory>

namespace switchyard::http {

// One event loop's listening socket; every worker has its own on the same address (SO_REUSEPORT). A reload
// never closes it. When descriptors run out, accepting pauses and one spare descriptor answers 503.
class Listener {
 public:
  // Binds at once; throws boost::system::system_error when the address cannot be had.
  Listener(boost::asio::io_context& context, Server& server, const io::Tcp::endpoint& endpoint,
           bool share_port);
  ~Listener();

  void start() { wait(); }

  // Takes in every connection that waits in the kernel's queue, then closes.
  void drain();

  io::Tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }

 private:
  void wait();
  // False: nothing more waits.
  bool accept_one();
  void out_of_descriptors();

  boost::asio::io_context& context_;
  Server& server_;
  io::Tcp::acceptor acceptor_;
  boost::asio::steady_timer pause_;
  int spare_descriptor_ = -1;
};

}  // namespace switchyard::http
