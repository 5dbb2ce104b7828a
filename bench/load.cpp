// The load of a measurement: one thread, epoll. Prints one line of JSON.
//
//   --mode closed    --connections N: each sends its next request when the last was answered
//   --mode open      --rate R: requests start at fixed times whatever the answers do; latency counts from the
//   time
//                    at which a request was due, so that a stall is not hidden by the requests it kept from
//                    starting
//   --mode streams   --connections N streams at a time; what is counted is events
//
// Beside any of them: --idle N connections that have had one answer and now say nothing, --stalled N that
// asked for a stream and never read it (use --stalled-delay S to let their buffers fill before measuring).
// With --pid the CPU time and the memory of that process over the measured window are printed too.
#include "bench/net.h"
#include "bench/process_cost.h"
#include "bench/response_reader.h"

#include <deque>
#include <memory>
#include <vector>

namespace switchyard::bench {
namespace {

enum class Part { load, idle, stalled };

struct Client {
  int fd = -1;
  Part part = Part::load;
  std::size_t sent = 0;  // Of the request.
  std::int64_t due_ns = 0, last_event_ns = 0;
  bool busy = false, watches_out = false;
  int events = 0;
  ResponseReader reader;
};

struct Totals {
  std::uint64_t done = 0, errors = 0, events = 0, streams = 0;
  std::vector<float> latency_us, first_event_us, gap_us;
};

double percentile(std::vector<float>& values, double p) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::size_t>(p * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return static_cast<double>(values[at]);
}

class Load {
 public:
  explicit Load(const Options& options)
      : mode_(options.text("mode")),
        connections_(options.number("connections")),
        pid_(options.number("pid")),
        interval_ns_(mode_ == "open" ? 1e9 / options.real("rate") : 0),
        address_(loopback(options.number("port"))) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    const bool streams = mode_ == "streams";
    request_ = make_request(options, streams);
    stalled_request_ = make_request(options, true);
  }

  void run(const Options& options) {
    hold(Part::idle, options.number("idle"));
    hold(Part::stalled, options.number("stalled"));
    run_until(now_ns() + static_cast<std::int64_t>(options.real("stalled-delay") * 1e9));
    if (mode_ == "open") {
      next_due_ns_ = static_cast<double>(now_ns());
    } else {
      for (int i = 0; i < connections_; ++i) start(*open_client(Part::load), now_ns());
    }
    run_until(now_ns() + static_cast<std::int64_t>(options.real("warmup") * 1e9));
    totals_ = {};
    const double cpu_before_us = process_cpu_us(pid_);
    const std::int64_t begin = now_ns();
    run_until(begin + static_cast<std::int64_t>(options.real("duration") * 1e9));
    print(static_cast<double>(now_ns() - begin) / 1e9, process_cpu_us(pid_) - cpu_before_us);
  }

 private:
  static std::string make_request(const Options& options, bool stream) {
    const std::string head = R"({"model":")" + options.text("model") + R"(","stream":)" +
                             (stream ? "true" : "false") +
                             R"(,"max_tokens":1024,"messages":[{"role":"user","content":")";
    const std::string tail = R"("}]})";
    const int filler = options.number("body-bytes") - static_cast<int>(head.size() + tail.size());
    const std::string words = "The quick brown fox jumps over the lazy dog. ";
    std::string text;
    while (static_cast<int>(text.size()) < filler) text += words;
    text.resize(static_cast<std::size_t>(std::max(filler, 1)));
    const std::string body = head + text + tail;
    return "POST " + options.text("path") + " HTTP/1.1\r\nHost: 127.0.0.1:" + options.text("port") +
           "\r\nAuthorization: Bearer " + options.text("key") +
           "\r\nContent-Type: application/json\r\nUser-Agent: bench\r\nAccept: */*\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  const std::string& request_of(const Client& client) const {
    return client.part == Part::stalled ? stalled_request_ : request_;
  }

  Client* open_client(Part part) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) die("socket");
    no_delay(fd);
    if (part == Part::stalled) {
      const int small = 4096;
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    }
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address_), sizeof address_)) die("connect");
    auto client = std::make_unique<Client>();
    client->fd = fd;
    client->part = part;
    epoll_event event{};
    event.events = part == Part::stalled ? 0u : EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    if (static_cast<std::size_t>(fd) >= clients_.size()) clients_.resize(static_cast<std::size_t>(fd) + 1);
    clients_[static_cast<std::size_t>(fd)] = std::move(client);
    if (part == Part::load) ++open_;
    return clients_[static_cast<std::size_t>(fd)].get();
  }

  void hold(Part part, int count) {
    for (int i = 0; i < count; ++i) {
      start(*open_client(part), now_ns());
      if (i % 100 == 99) run_until(now_ns() + 5'000'000);  // Not faster than the listener's queue is emptied.
    }
  }

  void start(Client& client, std::int64_t due_ns) {
    client.reader.reset();
    client.sent = 0;
    client.events = 0;
    client.due_ns = client.last_event_ns = due_ns;
    client.busy = true;
    send_more(client);
  }

  void send_more(Client& client) {
    const std::string& request = request_of(client);
    const ssize_t n = send(client.fd, request.data() + client.sent, request.size() - client.sent,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) return fail(client);
    client.sent += n < 0 ? 0 : static_cast<std::size_t>(n);
    const bool wants_out = client.sent < request.size();
    if (wants_out == client.watches_out) return;
    client.watches_out = wants_out;
    epoll_event event{};
    event.events = (client.part == Part::stalled ? 0u : EPOLLIN) | (wants_out ? EPOLLOUT : 0u);
    event.data.fd = client.fd;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, client.fd, &event);
  }

  void fail(Client& client) {
    ++totals_.errors;
    const Part part = client.part;
    const int fd = client.fd;
    const bool was_busy = client.busy;
    close(fd);
    clients_[static_cast<std::size_t>(fd)].reset();
    std::erase(free_, fd);
    if (part != Part::load) return;
    --open_;
    if (mode_ != "open" && was_busy) start(*open_client(Part::load), now_ns());
  }

  void read_some(Client& client) {
    static char buffer[256 * 1024];
    const ssize_t n = recv(client.fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return fail(client);
    client.reader.feed({buffer, static_cast<std::size_t>(n)});
    if (client.reader.is_broken()) return fail(client);
    const std::int64_t now = now_ns();
    count_events(client, now);
    if (!client.reader.is_done()) return;
    client.busy = false;
    if (client.reader.status() != 200 || !client.reader.ended_well()) ++totals_.errors;
    if (client.part != Part::load) return;
    ++totals_.done;
    totals_.latency_us.push_back(static_cast<float>(now - client.due_ns) / 1000);
    finished(client, now);
  }

  void count_events(Client& client, std::int64_t now) {
    const int fresh = client.reader.events() - client.events;
    if (fresh == 0 || client.part != Part::load) return;
    totals_.events += static_cast<std::uint64_t>(fresh);
    auto& times = client.events == 0 ? totals_.first_event_us : totals_.gap_us;
    times.push_back(static_cast<float>(now - client.last_event_ns) / 1000);
    client.events += fresh;
    client.last_event_ns = now;
  }

  void finished(Client& client, std::int64_t now) {
    if (mode_ != "open") return start(client, now);
    if (waiting_.empty()) {
      free_.push_back(client.fd);
      return;
    }
    const std::int64_t due = waiting_.front();
    waiting_.pop_front();
    start(client, due);
  }

  void start_due(std::int64_t now) {
    while (next_due_ns_ > 0 && static_cast<std::int64_t>(next_due_ns_) <= now) {
      const auto due = static_cast<std::int64_t>(next_due_ns_);
      next_due_ns_ += interval_ns_;
      if (!free_.empty()) {
        const int fd = free_.back();
        free_.pop_back();
        start(*clients_[static_cast<std::size_t>(fd)], due);
      } else if (open_ < connections_) {
        start(*open_client(Part::load), due);
      } else {
        waiting_.push_back(due);
      }
    }
  }

  // epoll_wait's milliseconds are too coarse for due times, so those are met with epoll_pwait2.
  void wait_until(std::int64_t until, epoll_event (&events)[512], int& count) {
    std::int64_t target = until;
    if (next_due_ns_ > 0) target = std::min(target, static_cast<std::int64_t>(next_due_ns_));
    const std::int64_t wait = std::max<std::int64_t>(target - now_ns(), 0);
    const timespec timeout{wait / 1'000'000'000, wait % 1'000'000'000};
    count = epoll_pwait2(epoll_, events, 512, &timeout, nullptr);
  }

  void run_until(std::int64_t until) {
    epoll_event events[512];
    for (std::int64_t now = now_ns(); now < until; now = now_ns()) {
      start_due(now);
      int count = 0;
      wait_until(until, events, count);
      for (int i = 0; i < count; ++i) {
        const auto slot = static_cast<std::size_t>(events[i].data.fd);
        if (clients_[slot] && (events[i].events & EPOLLOUT)) send_more(*clients_[slot]);
        if (clients_[slot] && (events[i].events & ~static_cast<unsigned>(EPOLLOUT)))
          handle_input(*clients_[slot]);
      }
    }
  }

  void handle_input(Client& client) {
    if (client.part == Part::stalled) return fail(client);  // Nothing is read of these: they were closed.
    read_some(client);
  }

  void print(double seconds, double cpu_us) {
    const auto done = static_cast<double>(totals_.done), events = static_cast<double>(totals_.events);
    std::printf("{\"mode\":\"%s\",\"seconds\":%.2f,\"requests\":%llu,\"errors\":%llu,\"per_s\":%.1f,",
                mode_.c_str(), seconds, static_cast<unsigned long long>(totals_.done),
                static_cast<unsigned long long>(totals_.errors), done / seconds);
    print_times("latency", totals_.latency_us);
    if (totals_.events > 0) {
      std::printf("\"events\":%llu,\"events_per_s\":%.1f,", static_cast<unsigned long long>(totals_.events),
                  events / seconds);
      print_times("first_event", totals_.first_event_us);
      print_times("gap", totals_.gap_us);
    }
    if (pid_ > 0) {
      const double units = totals_.events > 0 ? events : done;
      std::printf("\"cpu_us\":%.0f,\"cpu_us_each\":%.3f,\"cpu_share\":%.4f,\"rss_kib\":%.0f,", cpu_us,
                  units > 0 ? cpu_us / units : 0, cpu_us / seconds / 1e6, process_rss_kib(pid_));
    }
    std::printf("\"waiting\":%zu}\n", waiting_.size());
  }

  static void print_times(const char* name, std::vector<float>& values) {
    std::printf("\"%s_us\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f},", name,
                percentile(values, 0.5), percentile(values, 0.9), percentile(values, 0.99),
                percentile(values, 0.999), percentile(values, 1));
  }

  const std::string mode_;
  const int connections_, pid_;
  const double interval_ns_;
  const sockaddr_in address_;
  int epoll_ = -1, open_ = 0;
  std::string request_, stalled_request_;
  std::vector<std::unique_ptr<Client>> clients_;  // By descriptor.
  std::vector<int> free_;
  std::deque<std::int64_t> waiting_;  // Due times of requests that found no connection.
  double next_due_ns_ = 0;
  Totals totals_;
};

}  // namespace
}  // namespace switchyard::bench

int main(int argc, char** argv) {
  using namespace switchyard::bench;
  const Options options(argc, argv,
                        {{"mode", "closed"},
                         {"port", "19000"},
                         {"path", "/v1/chat/completions"},
                         {"model", "bench"},
                         {"key", "bench-key"},
                         {"body-bytes", "300"},
                         {"connections", "32"},
                         {"rate", "500"},
                         {"warmup", "1"},
                         {"duration", "5"},
                         {"idle", "0"},
                         {"stalled", "0"},
                         {"stalled-delay", "0"},
                         {"pid", "0"}});
  raise_descriptor_limit();
  Load(options).run(options);
}
