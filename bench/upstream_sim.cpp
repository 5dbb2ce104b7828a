// An OpenAI-compatible provider that costs as little as it can: one thread, epoll, replies built once. It
// answers every POST, as JSON or (with "stream":true in the body) as a stream of --chunks events, one each
// --interval-us.
#include "bench/net.h"

#include <deque>
#include <memory>
#include <vector>

namespace switchyard::bench {
namespace {

struct Connection {
  int fd = -1;
  std::string in, out;     // Bytes of a request that is not complete; bytes that the socket did not take.
  std::size_t skip = 0;    // Bytes of a body still to come.
  bool is_stream = false;  // Of the request whose body is being skipped.
  int chunks_left = 0;     // Of the running stream; the terminator counts as one.
  bool wants_out = false;
  std::uint64_t serial = 0;  // Tells a descriptor's connections apart.
};

class Simulator {
 public:
  explicit Simulator(const Options& options)
      : chunks_(options.number("chunks")), interval_ns_(options.number("interval-us") * 1000LL) {
    build_replies(options.number("reply-bytes"), options.number("chunk-bytes"));
    listen_on(options.number("port"));
  }

  void run() {
    epoll_event events[256];
    for (;;) {
      const int count = epoll_wait(epoll_, events, 256, timeout_ms());
      for (int i = 0; i < count; ++i) {
        const int fd = events[i].data.fd;
        if (fd == listener_) {
          accept_all();
        } else if (Connection* connection = find(fd)) {
          if (events[i].events & EPOLLOUT) write_more(*connection);
          if (find(fd) && (events[i].events & ~static_cast<unsigned>(EPOLLOUT))) read_some(*connection);
        }
      }
      send_due_chunks();
    }
  }

 private:
  struct Due {
    std::int64_t at_ns;
    int fd;
    std::uint64_t serial;
  };

  void build_replies(int reply_bytes, int chunk_bytes) {
    const std::string text(static_cast<std::size_t>(reply_bytes), 'x');
    const std::string body =
        R"({"id":"chatcmpl-sim","object":"chat.completion","created":1700000000,"model":"sim","choices":[{"index":0,)"
        R"("message":{"role":"assistant","content":")" +
        text +
        R"("},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":12,)"
        R"("total_tokens":21}})";
    json_reply_ = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                  std::to_string(body.size()) + "\r\n\r\n" + body;
    stream_head_ =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
        "Transfer-Encoding: chunked\r\n\r\n";
    const std::string begin =
        R"(data: {"id":"chatcmpl-sim","object":"chat.completion.chunk","created":1700000000,)"
        R"("model":"sim","choices":[{"index":0,"delta":)";
    const std::string piece(static_cast<std::size_t>(chunk_bytes), 'y');
    stream_chunk_ = http_chunk(begin + R"({"content":")" + piece + R"("},"finish_reason":null}]})" + "\n\n");
    stream_end_ =
        http_chunk(begin + R"({},"finish_reason":"stop"}]})" + "\n\n") +
        http_chunk(R"(data: {"id":"chatcmpl-sim","object":"chat.completion.chunk","created":1700000000,)"
                   R"("model":"sim","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":12,)"
                   R"("total_tokens":21}})"
                   "\n\n") +
        http_chunk("data: [DONE]\n\n") + "0\r\n\r\n";
  }

  static std::string http_chunk(const std::string& data) {
    char size[32];
    std::snprintf(size, sizeof size, "%zx\r\n", data.size());
    return size + data + "\r\n";
  }

  void listen_on(int port) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in address = loopback(port);
    if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address)) die("bind");
    if (listen(listener_, 4096)) die("listen");
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    watch(listener_, EPOLL_CTL_ADD, EPOLLIN);
  }

  void watch(int fd, int operation, unsigned events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    epoll_ctl(epoll_, operation, fd, &event);
  }

  Connection* find(int fd) {
    return static_cast<std::size_t>(fd) < connections_.size()
               ? connections_[static_cast<std::size_t>(fd)].get()
               : nullptr;
  }

  void accept_all() {
    for (int fd; (fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
      no_delay(fd);
      const auto slot = static_cast<std::size_t>(fd);
      if (slot >= connections_.size()) connections_.resize(slot + 1);
      connections_[slot] = std::make_unique<Connection>();
      connections_[slot]->fd = fd;
      connections_[slot]->serial = ++serial_;
      watch(fd, EPOLL_CTL_ADD, EPOLLIN | EPOLLRDHUP);
    }
  }

  void close_connection(Connection& connection) {
    close(connection.fd);
    connections_[static_cast<std::size_t>(connection.fd)].reset();
  }

  void read_some(Connection& connection) {
    static char buffer[256 * 1024];
    const ssize_t n = recv(connection.fd, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return close_connection(connection);
    const std::uint64_t serial = connection.serial;
    const int fd = connection.fd;
    std::string_view bytes(buffer, static_cast<std::size_t>(n));
    while (!bytes.empty()) {
      bytes = take(connection, bytes);
      if (!find(fd) || find(fd)->serial != serial) return;
    }
  }

  // Takes one step through `bytes`: the rest of a body, or a head.
  std::string_view take(Connection& connection, std::string_view bytes) {
    if (connection.skip > 0) {
      const std::size_t n = std::min(connection.skip, bytes.size());
      if (!connection.is_stream) {
        connection.is_stream = bytes.substr(0, n).find("\"stream\":true") != std::string_view::npos;
      }
      connection.skip -= n;
      if (connection.skip == 0) answer(connection);
      return bytes.substr(n);
    }
    connection.in.append(bytes);
    const std::size_t end = connection.in.find("\r\n\r\n");
    if (end == std::string::npos) return {};
    const std::string_view head(connection.in.data(), end + 2);
    const std::string_view length = header_value(head, "content-length");
    connection.skip = length.empty() ? 0 : std::strtoull(length.data(), nullptr, 10);
    connection.is_stream = false;
    const std::size_t left = connection.in.size() - (end + 4);
    connection.in.clear();
    if (connection.skip == 0) answer(connection);
    return bytes.substr(bytes.size() - left);
  }

  void answer(Connection& connection) {
    if (!connection.is_stream) return send_bytes(connection, json_reply_);
    connection.chunks_left = chunks_ + 1;
    send_bytes(connection, stream_head_);
    if (find(connection.fd)) next_chunk(connection);
  }

  // Sends the stream's next event; without an interval as many as the socket takes.
  void next_chunk(Connection& connection) {
    const int fd = connection.fd;
    while (connection.chunks_left > 0 && connection.out.empty()) {
      --connection.chunks_left;
      send_bytes(connection, connection.chunks_left == 0 ? stream_end_ : stream_chunk_);
      if (!find(fd)) return;
      if (interval_ns_ > 0 && connection.chunks_left > 0) {
        due_.push_back({now_ns() + interval_ns_, fd, connection.serial});
        return;
      }
    }
  }

  void send_bytes(Connection& connection, const std::string& bytes) {
    if (!connection.out.empty()) {
      connection.out += bytes;
      return;
    }
    const ssize_t n = send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) return close_connection(connection);
    const std::size_t sent = n < 0 ? 0 : static_cast<std::size_t>(n);
    if (sent == bytes.size()) return;
    connection.out.assign(bytes, sent);
    connection.wants_out = true;
    watch(connection.fd, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
  }

  void write_more(Connection& connection) {
    const ssize_t n = send(connection.fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) return close_connection(connection);
    connection.out.erase(0, static_cast<std::size_t>(n));
    if (!connection.out.empty()) return;
    watch(connection.fd, EPOLL_CTL_MOD, EPOLLIN | EPOLLRDHUP);
    if (connection.chunks_left > 0 && interval_ns_ == 0) next_chunk(connection);
  }

  // All intervals are equal, so the queue is in order of time.
  void send_due_chunks() {
    const std::int64_t now = now_ns();
    while (!due_.empty() && due_.front().at_ns <= now) {
      const Due due = due_.front();
      due_.pop_front();
      Connection* connection = find(due.fd);
      if (!connection || connection->serial != due.serial) continue;
      if (connection->out.empty()) {
        next_chunk(*connection);
      } else {
        due_.push_back({now + interval_ns_, due.fd, due.serial});  // The reader is slow: later.
      }
    }
  }

  int timeout_ms() const {
    if (due_.empty()) return -1;
    const std::int64_t wait = due_.front().at_ns - now_ns();
    return wait <= 0 ? 0 : static_cast<int>((wait + 999'999) / 1'000'000);
  }

  const int chunks_;
  const std::int64_t interval_ns_;
  std::string json_reply_, stream_head_, stream_chunk_, stream_end_;
  int listener_ = -1, epoll_ = -1;
  std::uint64_t serial_ = 0;
  std::vector<std::unique_ptr<Connection>> connections_;  // By descriptor.
  std::deque<Due> due_;
};

}  // namespace
}  // namespace switchyard::bench

int main(int argc, char** argv) {
  using namespace switchyard::bench;
  const Options options(argc, argv,
                        {{"port", "19000"},
                         {"reply-bytes", "60"},
                         {"chunks", "20"},
                         {"chunk-bytes", "8"},
                         {"interval-us", "0"}});
  raise_descriptor_limit();
  Simulator(options).run();
}
