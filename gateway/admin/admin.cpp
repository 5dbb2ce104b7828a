#include "gateway/admin/admin.h"

#include "gateway/admin/reports.h"
#include "gateway/io/signal.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace switchyard::admin {

namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::uint32_t kInputTokensShown = 1000;  // Of the request that /admin/routes tells of.
constexpr std::size_t kDecisionsMax = 1000;

// Percent-decoding of RFC 3986 2.1; what is no encoding stays.
std::string decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    const char* const digits = text.data() + i + 1;
    const bool has_digits = text[i] == '%' && i + 2 < text.size();
    if (has_digits && std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// The value of the first parameter of that name, decoded; empty when there is none.
std::string query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto parameter = query.substr(0, end);
    if (parameter.size() > name.size() && parameter.starts_with(name) && parameter[name.size()] == '=') {
      return decode(parameter.substr(name.size() + 1));
    }
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return {};
}

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

std::string AdminEndpoints::providers() const {
  return providers_report(*control_.snapshot(), *control_.scores(), Clock::now()).dump(2) + "\n";
}

std::string AdminEndpoints::routes(std::string_view query) const {
  std::uint32_t input_tokens = kInputTokensShown;
  const std::string text = query_value(query, "input_tokens");
  std::from_chars(text.data(), text.data() + text.size(), input_tokens);
  return routes_report(*control_.snapshot(), *control_.scores(), Clock::now(), input_tokens).dump(2) + "\n";
}

// Out by hand, or back: every target of the provider, whatever the model.
io::Task<void> AdminEndpoints::set_drained(http::Exchange& exchange, std::string_view name, bool drained) {
  struct Answer {
    std::size_t targets = 0;
    io::Signal arrived;
  };

  const auto answer = std::make_shared<Answer>();
  control_.set_drained(decode(name), drained, [answer](std::size_t targets) {
    answer->targets = targets;
    answer->arrived.set();
  });
  co_await answer->arrived;
  if (answer->targets == 0) {
    const nlohmann::json body = {{"error", "no model has a target at this provider"}};
    co_return co_await reply_json(exchange, 404, body);
  }
  const nlohmann::json body = {{"result", drained ? "drained" : "restored"}, {"targets", answer->targets}};
  co_await reply_json(exchange, 200, body);
}

io::Task<void> AdminEndpoints::decisions(http::Exchange& exchange) {
  struct Answer {
    std::string lines, problem;
    io::Signal arrived;
  };

  const std::string_view query = exchange.request().query();
  DecisionQuery asked;
  asked.request_id = query_value(query, "request_id");
  asked.model = query_value(query, "model");
  asked.as_text = query_value(query, "format") == "text";
  const std::string limit = query_value(query, "limit");
  std::from_chars(limit.data(), limit.data() + limit.size(), asked.limit);
  asked.limit = std::clamp<std::size_t>(asked.limit, 1, kDecisionsMax);
  const auto answer = std::make_shared<Answer>();
  control_.decisions(asked, [answer](std::string lines, std::string problem) {
    answer->lines = std::move(lines);
    answer->problem = std::move(problem);
    answer->arrived.set();
  });
  co_await answer->arrived;
  if (answer->lines.empty() && !answer->problem.empty()) {
    const nlohmann::json body = {{"error", answer->problem}};
    co_return co_await reply_json(exchange, 503, body);
  }
  if (answer->lines.empty() && !asked.request_id.empty()) {
    const nlohmann::json body = {{"error", "no decision is known for this request id"}};
    co_return co_await reply_json(exchange, 404, body);
  }
  const std::string_view type = asked.as_text ? "text/plain; charset=utf-8" : "application/x-ndjson";
  co_await exchange.reply(200, type, {}, answer->lines);
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
  constexpr std::string_view kProviders = "/admin/providers/";
  if (path.starts_with(kProviders)) {
    const std::string_view rest = path.substr(kProviders.size());
    const auto slash = rest.rfind('/');
    const std::string_view verb = slash == std::string_view::npos ? "" : rest.substr(slash + 1);
    if (verb == "drain" || verb == "restore") {
      if (request.method() != "POST") co_return co_await reply_json(exchange, 405, {{"error", "use POST"}});
      co_return co_await set_drained(exchange, rest.substr(0, slash), verb == "drain");
    }
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
  } else if (path == "/admin/routes") {
    const std::string text = routes(request.query());
    co_await exchange.reply(200, kJson, {}, text);
  } else if (path == "/admin/decisions") {
    co_await decisions(exchange);
  } else {
    co_await reply_json(exchange, 404, {{"error", "no such endpoint"}});
  }
}

}  // namespace switchyard::admin
