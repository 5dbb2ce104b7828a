#include "gateway/relay/endpoints.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace switchyard::relay {

namespace {

bool is_bearer(std::string_view value) {
  constexpr std::string_view kScheme = "bearer ";
  return value.size() > kScheme.size() &&
         std::equal(kScheme.begin(), kScheme.end(), value.begin(),
                    [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
}

// Ids go into headers and logs: a caller's own is taken only when it is harmless there.
bool is_harmless_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 && std::ranges::all_of(id, [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == ':';
  });
}

bool strip_prefix(std::string_view& path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return false;
  if (path.size() > prefix.size() && path[prefix.size()] != '/') return false;
  path.remove_prefix(prefix.size());
  return true;
}

}  // namespace

Route find_route(std::string_view path, bool has_anthropic_version) {
  Route route;
  route.dialect = has_anthropic_version ? &anthropic_messages() : &openai_chat();
  if (strip_prefix(path, "/anthropic")) {
    route.dialect = &anthropic_messages();
  } else if (strip_prefix(path, "/openai")) {
    route.dialect = &openai_chat();
  }
  while (strip_prefix(path, "/v1")) {
  }
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (path == "/chat/completions") {
    route.kind = Route::Kind::chat;
    route.dialect = &openai_chat();
  } else if (path == "/messages") {
    route.kind = Route::Kind::chat;
    route.dialect = &anthropic_messages();
  } else if (strip_prefix(path, "/models")) {
    route.kind = Route::Kind::models;
    route.model = path.empty() ? path : path.substr(1);
  }
  return route;
}

std::string_view presented_key(const http::Request& request) {
  if (const auto value = request.header("authorization"); is_bearer(value)) {
    const auto key = value.substr(7);
    return key.substr(std::min(key.find_first_not_of(' '), key.size()));
  }
  for (const std::string_view name : {"x-api-key", "api-key", "x-goog-api-key"}) {
    if (const auto value = request.header(name); !value.empty()) return value;
  }
  std::string_view query = request.query();
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto parameter = query.substr(0, end);
    if (parameter.starts_with("key=")) return parameter.substr(4);
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return {};
}

Endpoints::Endpoints(Context& context, telemetry::Metrics& metrics)
    : context_(context),
      openai_id_(metrics.dialect(openai_chat().name())),
      anthropic_id_(metrics.dialect(anthropic_messages().name())) {}

std::string Endpoints::make_request_id(const http::Request& request) {
  const auto given = request.header("x-request-id");
  if (is_harmless_id(given)) return std::string(given);
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id = "req_";
  for (int half = 0; half < 2; ++half) {
    auto bits = context_.rng();
    for (int i = 0; i < 12; ++i, bits >>= 4) id += kDigits[bits & 15];
  }
  return id;
}

std::string Endpoints::refusal_body(int status, std::string_view path, std::string_view message) const {
  const Route route = find_route(path, false);
  const ErrorKind kind = status == 413   ? ErrorKind::too_large
                         : status >= 500 ? ErrorKind::internal
                                         : ErrorKind::invalid_request;
  return route.dialect->write_error(Error(kind, std::string(message)), {}).body;
}

io::Task<void> Endpoints::refuse(http::Exchange& exchange, const Caller& caller, const Error& error) {
  const auto began = Clock::now();
  std::string fields = id_fields(*caller.dialect, caller.request_id);
  if (error.kind == ErrorKind::method_not_allowed) fields += "allow: GET, HEAD, POST\r\n";
  co_await reply_error(exchange, *caller.dialect, error, caller.request_id, std::move(fields));
  telemetry::AccessRecord record;
  record.request_id = caller.request_id;
  if (caller.key) record.key = caller.key->name;
  record.dialect = caller.dialect->name();
  record.error = name_of(error.kind);
  record.config_version = context_.snapshot->config.version;
  record.status = exchange.status();
  record.outcome = telemetry::outcome_of(error.kind);
  record.duration = Clock::now() - began;
  record.bytes_in = exchange.request().body_bytes_read();
  record.bytes_out = exchange.bytes_out();
  context_.recorder.request_done(0, caller.dialect_id, record.outcome, record.duration);
  context_.access_log.write(context_.worker, record);
}

Result<> Endpoints::check(const http::Request& request, const Route& route, Caller& caller) const {
  if (route.kind == Route::Kind::unknown) return fail(ErrorKind::not_found, "no such endpoint");
  const auto method = request.method();
  const bool method_fits =
      route.kind == Route::Kind::chat ? method == "POST" : method == "GET" || method == "HEAD";
  if (!method_fits) {
    return fail(ErrorKind::method_not_allowed, "this endpoint does not take this method");
  }
  const limits::KeyRing& keys = context_.snapshot->keys;
  if (keys.open()) return {};
  caller.key = keys.find(presented_key(request));
  if (caller.key) return {};
  Error error(ErrorKind::invalid_key, "no valid API key was given");
  error.code = "invalid_api_key";
  return error;
}

io::Task<void> Endpoints::handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const Route route = find_route(request.path(), request.has_header("anthropic-version"));
  const auto snapshot = context_.snapshot;  // The caller's key lives in it.
  Caller caller;
  caller.dialect = route.dialect;
  caller.dialect_id = route.dialect == &openai_chat() ? openai_id_ : anthropic_id_;
  caller.request_id = make_request_id(request);
  if (const auto checked = check(request, route, caller); !checked) {
    co_return co_await refuse(exchange, caller, checked.error());
  }
  if (route.kind == Route::Kind::models) co_return co_await models(exchange, caller, route.model);
  co_await chat(exchange, std::move(caller));
}

io::Task<void> Endpoints::chat(http::Exchange& exchange, Caller caller) {
  auto& body = exchange.request().body_buffer();
  auto envelope = read_envelope(body.view(), body.capacity());
  if (!envelope) co_return co_await refuse(exchange, caller, envelope.error());
  caller.envelope = std::move(*envelope);
  Relay relay(context_, exchange, std::move(caller));
  co_await relay.run();
}

io::Task<void> Endpoints::models(http::Exchange& exchange, const Caller& caller, std::string_view id) {
  const auto snapshot = context_.snapshot;
  const auto may_use = [&](std::string_view name) {
    return !caller.key || limits::KeyRing::may_use(*caller.key, name);
  };
  std::vector<std::string> names;
  for (const std::string& name : snapshot->listed_models) {
    if (may_use(name)) names.push_back(name);
  }
  std::string body;
  if (id.empty()) {
    body = caller.dialect->write_models(names, 0);
  } else if (may_use(id) && snapshot->find(id)) {
    body = caller.dialect->write_model(std::string(id), 0);
  } else {
    Error error(ErrorKind::not_found, "no such model", "model");
    error.code = "model_not_found";
    co_return co_await refuse(exchange, caller, error);
  }
  co_await exchange.reply(200, "application/json", id_fields(*caller.dialect, caller.request_id), body);
}

}  // namespace switchyard::relay
