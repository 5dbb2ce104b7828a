#pragma once

#include "gateway/admin/admin.h"
#include "gateway/http/listener.h"
#include "gateway/telemetry/log.h"

#include <boost/asio/io_context.hpp>

#include <atomic>
#include <thread>

namespace switchyard::admin {

// The admin port, on a thread of its own: a scrape or a stalled operator never holds up an application.
class AdminServer {
 public:
  // Binds at once; throws boost::system::system_error when the address cannot be had.
  AdminServer(const io::Tcp::endpoint& listen, telemetry::Metrics& metrics, telemetry::Log& log,
              Control control);
  // Ends at once, and what is open with it.
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

  void start();

  io::Tcp::endpoint endpoint() const { return listener_.endpoint(); }

 private:
  static Control on_this_loop(Control control, boost::asio::io_context& context);

  boost::asio::io_context context_{1};
  io::Deadlines deadlines_;
  io::BlockPool blocks_;
  AdminEndpoints endpoints_;
  std::atomic<int> connections_{0};
  http::Server server_;
  http::Listener listener_;
  std::thread thread_;
};

}  // namespace switchyard::admin
