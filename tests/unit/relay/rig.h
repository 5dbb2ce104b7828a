#pragma once

// A worker's data plane on a test's event loop, with providers that the test plays.

#include "config/load.h"
#include "gateway/http/listener.h"
#include "gateway/relay/endpoints.h"
#include "tests/unit/support/net.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace switchyard::relay::test {

using switchyard::test::Listening;
using switchyard::test::Loop;
using switchyard::test::Peer;

inline std::string chunk(std::string_view bytes) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  return size + std::string(bytes) + "\r\n";
}

inline std::string json_reply(const std::string& body, const std::string& status = "200 OK",
                              const std::string& fields = {}) {
  return "HTTP/1.1 " + status + "\r\ncontent-type: application/json\r\n" + fields +
         "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

inline const std::string kStreamHead =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
inline const std::string kLastChunk = "0\r\n\r\n";

// Frames and a whole reply of the OpenAI dialect.
inline std::string openai_frame(const std::string& delta, const std::string& finish = "null") {
  return R"(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":)" +
         delta + R"(,"finish_reason":)" + finish + "}]}\n\n";
}

inline std::string openai_text(const std::string& text) {
  return openai_frame(R"({"content":")" + text + R"("})");
}

inline const std::string kRole = openai_frame(R"({"role":"assistant","content":""})");
inline const std::string kStop = openai_frame("{}", R"("stop")");
inline const std::string kUsage =
    R"(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})"
    "\n\n";
inline const std::string kDone = "data: [DONE]\n\n";
inline const std::string kWhole =
    R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})";

// A proper streamed reply that says "hello".
inline const std::string kStreamed = kStreamHead + chunk(kRole + openai_text("hel")) +
                                     chunk(openai_text("lo")) + chunk(kStop + kUsage + kDone) + kLastChunk;

class Rig : public testing::Test {
 protected:
  static constexpr int kProviders = 3;

  ~Rig() override {
    if (!listener) return;
    listener->drain();
    EXPECT_TRUE(loop.until([&] {
      loop.pass(std::chrono::hours(1));
      return server->connections == 0;
    })) << "a connection is left";
    EXPECT_TRUE(context->open.empty());
  }

  // Serves `models`, lines of YAML below "models:". The providers p0, p1, p2 speak the OpenAI dialect, a0 is
  // at p0's address and speaks Anthropic's, `here` is the model in this process.
  void serve(const std::string& models, const std::string& rest = {}) {
    std::string yaml = "version: 1\nproviders:\n";
    for (int i = 0; i < kProviders; ++i) {
      yaml += "  p" + std::to_string(i) + ": { type: openai_compatible, api_key: \"sk-of-p" +
              std::to_string(i) + "\", base_url: \"http://127.0.0.1:" + std::to_string(providers[i].port()) +
              "/v1\" }\n";
    }
    yaml += "  a0: { type: anthropic, api_key: sk-of-a0, base_url: \"http://127.0.0.1:" +
            std::to_string(providers[0].port()) + "\" }\n";
    yaml += "  here: { type: local, models: { mini: bundled } }\n";
    yaml += "models:\n" + models + rest;
    auto read = config::load_text(yaml, "test.yaml", config::system_environment());
    ASSERT_TRUE(read.config) << (read.problems.empty() ? "" : read.problems.front().text());
    const auto compiled = compile(std::move(*read.config), nullptr, metrics);
    ASSERT_TRUE(compiled) << compiled.error().message;
    context.emplace(Context{loop.context,
                            loop.deadlines,
                            upstream,
                            metrics.recorder(0),
                            access_log,
                            log,
                            0,
                            *compiled,
                            std::mt19937_64(1),
                            {},
                            {}});
    endpoints.emplace(*context, metrics);
    server.emplace(http::Server{loop.deadlines, loop.blocks, *endpoints, connections,
                                context->snapshot->config.server.limits});
    server->on_bug = [](const char* what) { ADD_FAILURE() << what; };
    listener.emplace(loop.context, *server, io::Tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0),
                     false);
    listener->start();
  }

  Peer connect(int receive_buffer = 0) { return Peer::connect(listener->endpoint().port(), receive_buffer); }

  void send(Peer& peer, const std::string& path, const std::string& body, const std::string& fields = {}) {
    peer.send(loop, "POST " + path + " HTTP/1.1\r\nhost: gateway\r\n" + fields +
                        "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }

  static std::string question(const std::string& model, bool stream, const std::string& more = {}) {
    return R"({"model":")" + model + R"(","messages":[{"role":"user","content":"hi"}])" + more +
           (stream ? R"(,"stream":true})" : "}");
  }

  // A caller of the OpenAI dialect, its question sent.
  Peer ask(const std::string& model, bool stream, const std::string& more = {}) {
    Peer peer = connect();
    send(peer, "/v1/chat/completions", question(model, stream, more));
    return peer;
  }

  // Reads one whole request at a provider's end.
  std::string read_request(Peer& peer) {
    EXPECT_TRUE(loop.until([&] {
      peer.poll();
      const auto head_end = peer.received.find("\r\n\r\n");
      const auto length = peer.received.find("content-length: ");
      if (head_end == std::string::npos || length == std::string::npos) return false;
      return peer.received.size() >= head_end + 4 + std::stoul(peer.received.substr(length + 16));
    })) << peer.received;
    return peer.take();
  }

  // The next connection to provider p`index`, with its request read into `last_request`.
  Peer provider(int index) {
    Peer peer = providers[static_cast<std::size_t>(index)].accept(loop);
    last_request = read_request(peer);
    return peer;
  }

  bool nobody_called(int index) {
    loop.settle();
    return !providers[static_cast<std::size_t>(index)].try_accept();
  }

  // Waits for a whole answer, streamed or not, and returns it.
  std::string answer(Peer& peer) {
    EXPECT_TRUE(loop.until([&] {
      peer.poll();
      const auto head_end = peer.received.find("\r\n\r\n");
      if (head_end == std::string::npos) return peer.ended;
      const auto length = peer.received.find("content-length: ");
      if (length == std::string::npos || length > head_end)
        return peer.received.ends_with("0\r\n\r\n") || peer.ended;
      return peer.received.size() >= head_end + 4 + std::stoul(peer.received.substr(length + 16));
    })) << peer.received;
    return peer.take();
  }

  // The body of an answer, without chunks' framing.
  static std::string body_of(const std::string& answer) {
    std::string_view rest = std::string_view(answer).substr(answer.find("\r\n\r\n") + 4);
    if (answer.find("transfer-encoding: chunked\r\n") == std::string::npos) return std::string(rest);
    std::string body;
    while (!rest.empty()) {
      const auto size = std::stoul(std::string(rest.substr(0, rest.find("\r\n"))), nullptr, 16);
      rest.remove_prefix(rest.find("\r\n") + 2);
      body += rest.substr(0, size);
      rest.remove_prefix(std::min(size + 2, rest.size()));
    }
    return body;
  }

  // Takes the failures of model "a"'s targets so far back.
  void reset_health() {
    for (const Target& target : context->snapshot->find("a")->targets) {
      for (int i = 0; i < 3; ++i) target.health->on_success(Clock::now());
    }
  }

  bool counted(const std::string& series) { return metrics.scrape().find(series) != std::string::npos; }

  routing::State state(const char* model, std::size_t target = 0) {
    return context->snapshot->find(model)->targets[target].health->snapshot(Clock::now()).state;
  }

  Loop loop;
  std::array<Listening, kProviders> providers;
  telemetry::Metrics metrics{1, "test"};
  telemetry::Log log{config::LogLevel::error};
  telemetry::AccessLog access_log{::open("/dev/null", O_WRONLY | O_CLOEXEC), 1};
  upstream::Upstream upstream{loop.context, loop.deadlines, loop.blocks};
  std::optional<Context> context;
  std::optional<Endpoints> endpoints;
  std::atomic<int> connections{0};
  std::optional<http::Server> server;
  std::optional<http::Listener> listener;
  std::string last_request;
};

}  // namespace switchyard::relay::test
