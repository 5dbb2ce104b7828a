#include "gateway/admin/server.h"

#include <boost/asio/post.hpp>

namespace switchyard::admin {

namespace {

// Few and small requests come here; the limits keep a mistake from becoming a burden.
config::Limits limits() {
  config::Limits limits;
  limits.body_bytes = 64u << 10;
  limits.header_bytes = 16u << 10;
  limits.connections = 256;
  return limits;
}

}  // namespace

// What is asked is answered on other threads; the answers come back to this one.
Control AdminServer::on_this_loop(Control control, boost::asio::io_context& context) {
  control.reload = [&context, reload = std::move(control.reload)](std::function<void(std::string)> done) {
    reload([&context, done = std::move(done)](std::string problems) {
      boost::asio::post(context, [done, problems = std::move(problems)] { done(problems); });
    });
  };
  control.set_drained = [&context, ask = std::move(control.set_drained)](
                            std::string provider, bool drained, std::function<void(std::size_t)> done) {
    ask(std::move(provider), drained, [&context, done = std::move(done)](std::size_t targets) {
      boost::asio::post(context, [done, targets] { done(targets); });
    });
  };
  control.decisions = [&context, ask = std::move(control.decisions)](const DecisionQuery& query,
                                                                     DecisionsFound done) {
    ask(query, [&context, done = std::move(done)](std::string lines, std::string problem) {
      boost::asio::post(
          context, [done, lines = std::move(lines), problem = std::move(problem)] { done(lines, problem); });
    });
  };
  return control;
}

AdminServer::AdminServer(const io::Tcp::endpoint& listen, telemetry::Metrics& metrics, telemetry::Log& log,
                         Control control)
    : deadlines_(context_),
      endpoints_(metrics, on_this_loop(std::move(control), context_)),
      server_{deadlines_, blocks_, endpoints_, connections_, limits()},
      listener_(context_, server_, listen, false) {
  server_.on_bug = [&log](const char* what) { log.write(config::LogLevel::error, "bug", {{"what", what}}); };
}

AdminServer::~AdminServer() {
  context_.stop();
  if (thread_.joinable()) thread_.join();
  // A frame that waits is freed by nobody else.
  listener_.drain();
  server_.stop();
  context_.restart();
  context_.poll();
}

void AdminServer::start() {
  listener_.start();
  thread_ = std::thread([this] { context_.run(); });
}

}  // namespace switchyard::admin
