#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

// What the two ends of a measurement share. Only libc: the ends must never be the slow part.
namespace switchyard::bench {

inline std::int64_t now_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

[[noreturn]] inline void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

// `--name value` pairs; ends the program on anything else, or on a name that is not in the defaults.
class Options {
 public:
  Options(int argc, char** argv, std::map<std::string, std::string> defaults) : values_(std::move(defaults)) {
    for (int i = 1; i < argc; i += 2) {
      const std::string name = std::strncmp(argv[i], "--", 2) == 0 ? argv[i] + 2 : "";
      if (!values_.contains(name) || i + 1 == argc) {
        std::fprintf(stderr, "usage: %s [--name value]..., with these defaults:\n", argv[0]);
        for (const auto& [key, value] : values_)
          std::fprintf(stderr, "  --%s %s\n", key.c_str(), value.c_str());
        std::exit(2);
      }
      values_[name] = argv[i + 1];
    }
  }

  const std::string& text(const char* name) const { return values_.at(name); }

  int number(const char* name) const { return std::atoi(text(name).c_str()); }

  double real(const char* name) const { return std::atof(text(name).c_str()); }

 private:
  std::map<std::string, std::string> values_;
};

inline sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

inline void no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

inline void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// The value of a header in a head whose names may be in any case, or empty.
inline std::string_view header_value(std::string_view head, std::string_view name) {
  for (std::size_t line = head.find("\r\n"); line != std::string_view::npos;
       line = head.find("\r\n", line + 2)) {
    const std::string_view rest = head.substr(line + 2);
    if (rest.size() <= name.size() || rest[name.size()] != ':') continue;
    if (strncasecmp(rest.data(), name.data(), name.size()) != 0) continue;
    std::string_view value = rest.substr(name.size() + 1, rest.find("\r\n") - name.size() - 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    return value;
  }
  return {};
}

}  // namespace switchyard::bench
