#include "gateway/upstream/pool.h"

#include <openssl/err.h>

#include <algorithm>

namespace switchyard::upstream {

namespace asio = boost::asio;

std::unique_ptr<Connection> Pool::take_idle() {
  while (!idle_.empty()) {
    auto connection = std::move(idle_.front());
    idle_.pop_front();
    connection->socket.clear_watch();
    if (!connection->socket.is_open()) continue;
    connection->reused = true;
    return connection;
  }
  return nullptr;
}

void Pool::give_back(std::unique_ptr<Connection> connection) {
  if (!connection->socket.is_open() || idle_.size() >= kIdleMax) return;
  connection->idle_since = Clock::now();
  connection->socket.watch(&Pool::peer_spoke, connection.get());
  idle_.push_front(std::move(connection));
  if (!idle_deadline_.is_armed()) idle_deadline_.arm_in(kIdle);
}

// An idle connection has nothing to say: the provider closes it, or breaks the protocol.
void Pool::peer_spoke(void* raw) {
  auto& connection = *static_cast<Connection*>(raw);
  std::erase_if(connection.pool.idle_, [&](const auto& idle) { return idle.get() == &connection; });
}

void Pool::close_old(void* self) {
  auto& pool = *static_cast<Pool*>(self);
  const auto now = Clock::now();
  while (!pool.idle_.empty() && now - pool.idle_.back()->idle_since >= kIdle) pool.idle_.pop_back();
  if (!pool.idle_.empty()) pool.idle_deadline_.arm(pool.idle_.back()->idle_since + kIdle);
}

std::shared_ptr<Resolver::Answer> Resolver::lookup(const std::string& host, std::uint16_t port,
                                                   io::Signal& waiter) {
  io::error_code not_an_address;
  const auto address = asio::ip::make_address(host, not_an_address);
  if (!not_an_address) {
    auto answer = std::make_shared<Answer>();
    answer->endpoints = {{address, port}};
    answer->done = true;
    return answer;
  }
  auto& slot = answers_[{host, port}];
  if (slot && slot->done && (slot->error || slot->expires <= Clock::now())) slot.reset();
  if (slot) {
    if (!slot->done) slot->waiters.push_back(&waiter);
    return slot;
  }
  slot = std::make_shared<Answer>();
  slot->waiters.push_back(&waiter);
  resolver_.async_resolve(
      host, std::to_string(port),
      [answer = slot](const io::error_code& error, const io::Tcp::resolver::results_type& found) {
        answer->error = error;
        for (const auto& entry : found) answer->endpoints.push_back(entry.endpoint());
        answer->expires = Clock::now() + kKept;
        answer->done = true;
        // A waiter that goes on may end another one's call, which then takes itself off the list.
        while (!answer->waiters.empty()) {
          io::Signal* signal = answer->waiters.back();
          answer->waiters.pop_back();
          signal->set();
        }
      });
  return slot;
}

void Resolver::forget(Answer& answer, io::Signal& waiter) {
  std::erase(answer.waiters, &waiter);
}

Pool& Upstream::pool(const Origin& origin) {
  const auto found = pools.find(origin.key);
  if (found != pools.end()) return *found->second;
  return *pools.emplace(origin.key, std::make_unique<Pool>(deadlines)).first->second;
}

Result<io::SslContextPtr> make_client_tls(const std::string& ca_file) {
  io::SslContextPtr context(SSL_CTX_new(TLS_client_method()), io::SslContextDeleter());
  if (!context) return fail(ErrorKind::internal, "no TLS context");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_default_verify_paths(context.get());
  if (!ca_file.empty() && SSL_CTX_load_verify_file(context.get(), ca_file.c_str()) != 1) {
    ERR_clear_error();
    return fail(ErrorKind::invalid_request, "cannot read certificates from " + ca_file);
  }
  return context;
}

}  // namespace switchyard::upstream
