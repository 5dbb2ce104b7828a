#include "gateway/admin/admin.h"

#include "gateway/io/signal.h"

#include <nlohmann/json.hpp>

namespace switchyard::admin {

namespace {

constexpr std::string_view kJson = "application/json";

io::Task<void> reply_json(http::Exchange& exchange, int status, const nlohmann::json& body) {
  const std::string text = body.dump(2) + "\n";
  co_await exchange.reply(status, kJson, {}, text);
}

}  // namespace

AdminEndpoints::AdminEndpoints(telemetry::Metrics& metrics, Control control)
    : metrics_(metrics), control_(std::move(control)) {}

std::string AdminEndpoints::refusal_body(int, std::string_view, std::string_view message) const {
  return nlohmann::json{{"error", message}}.dump() + "\n";
}

// Each target with the state that routing sees now.
std::string AdminEndpoints::providers() const {
  const auto snapshot = control_.snapshot();
  const auto now = Clock::now();
  auto list = nlohmann::json::array();
  for (const relay::Model& model : snapshot->models) {
    for (const relay::Target& target : model.targets) {
      const auto health = target.health->snapshot(now);
      list.push_back({{"model", model.config->name},
                      {"provider", target.provider->name},
                      {"target_model", target.config->model},
                      {"tier", target.config->tier},
                      {"weight", target.config->weight},
                      {"state", routing::name_of(health.state)}});
    }
  }
  return nlohmann::json{{"config", snapshot->config.version}, {"targets", std::move(list)}}.dump(2) + "\n";
}

io::Task<void> AdminEndpoints::reload(http::Exchange& exchange) {
  struct Answer {
    std::string problems;
    io::Signal arrived;
  };

  const auto answer = std::make_shared<Answer>();
  control_.reload([answer](std::string problems) {
    answer->problems = std::move(problems);
    answer->arrived.set();
  });
  co_await answer->arrived;
  if (answer->problems.empty()) {
    co_return co_await reply_json(exchange, 200,
                                  {{"result", "ok"}, {"config", control_.snapshot()->config.version}});
  }
  co_await reply_json(exchange, 400, {{"result", "error"}, {"error", answer->problems}});
}

io::Task<void> AdminEndpoints::handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const std::string_view path = request.path();
  const bool is_read = request.method() == "GET" || request.method() == "HEAD";
  if (path == "/admin/reload") {
    if (request.method() != "POST") co_return co_await reply_json(exchange, 405, {{"error", "use POST"}});
    co_return co_await reload(exchange);
  }
  if (!is_read) co_return co_await reply_json(exchange, 405, {{"error", "use GET"}});
  if (path == "/metrics") {
    const std::string text = metrics_.scrape();
    co_await exchange.reply(200, "text/plain; version=0.0.4; charset=utf-8", {}, text);
  } else if (path == "/livez" || path == "/healthz") {
    co_await reply_json(exchange, 200, {{"status", "ok"}});
  } else if (path == "/readyz") {
    const bool ready = control_.ready();
    co_await reply_json(exchange, ready ? 200 : 503, {{"status", ready ? "ok" : "draining"}});
  } else if (path == "/admin/providers") {
    const std::string text = providers();
    co_await exchange.reply(200, kJson, {}, text);
  } else {
    co_await reply_json(exchange, 404, {{"error", "no such endpoint"}});
  }
}

}  // namespace switchyard::admin
