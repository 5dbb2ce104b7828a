#include "gateway/relay/endpoints.h"

#include "adapters/canonical/json_text.h"

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

// Percent-decoding of RFC 3986 2.1; what is no encoding stays.
std::string decode(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? digit(text[i + 1]) : -1;
    const int low = high >= 0 ? digit(text[i + 2]) : -1;
    if (low < 0) {
      out += text[i];
    } else {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

// Takes off what people put before the endpoint: versions, and a prefix that names the dialect.
void strip_base(std::string_view& path, Route& route) {
  for (;;) {
    if (strip_prefix(path, "/v1")) continue;
    if (strip_prefix(path, "/v1beta") || strip_prefix(path, "/v1alpha") || strip_prefix(path, "/gemini")) {
      route.dialect = &gemini();
    } else if (strip_prefix(path, "/anthropic")) {
      route.dialect = &anthropic_messages();
    } else if (strip_prefix(path, "/openai")) {
      route.dialect = &openai_chat();
    } else {
      return;
    }
  }
}

Route chat_route(Route route, const Dialect& dialect) {
  route.kind = Route::Kind::chat;
  route.dialect = &dialect;
  route.name = dialect.name();
  return route;
}

Route embeddings_route(Route route, const Dialect& dialect, const EmbeddingsDialect& embeddings) {
  route.kind = Route::Kind::embeddings;
  route.dialect = &dialect;
  route.embeddings = &embeddings;
  route.name = embeddings.name();
  return route;
}

Route counting_route(Route route, const Dialect& dialect, const TokenCountDialect& counting) {
  route.kind = Route::Kind::count_tokens;
  route.dialect = &dialect;
  route.counting = &counting;
  route.name = counting.name();
  return route;
}

struct Endpoint {
  std::string_view path;
  Route (*make)(Route);
};

constexpr Endpoint kEndpoints[] = {
    {"/chat/completions", [](Route route) { return chat_route(std::move(route), openai_chat()); }},
    {"/responses", [](Route route) { return chat_route(std::move(route), openai_responses()); }},
    {"/completions", [](Route route) { return chat_route(std::move(route), openai_completions()); }},
    {"/embeddings",
     [](Route route) { return embeddings_route(std::move(route), openai_chat(), openai_embeddings()); }},
    {"/feedback",
     [](Route route) {
       route.kind = Route::Kind::feedback;
       return route;
     }},
    {"/messages", [](Route route) { return chat_route(std::move(route), anthropic_messages()); }},
    {"/messages/count_tokens",
     [](Route route) {
       return counting_route(std::move(route), anthropic_messages(), anthropic_count_tokens());
     }},
};

// Gemini's "{model}:{verb}", split at the last colon: a model's name may hold one. False for another path.
bool google_verb(std::string_view id, Route& route) {
  const auto colon = id.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view verb = id.substr(colon + 1);
  if (verb == "generateContent" || verb == "streamGenerateContent") {
    route = chat_route(std::move(route), gemini());
    route.stream = verb == "streamGenerateContent";
  } else if (verb == "countTokens") {
    route = counting_route(std::move(route), gemini(), gemini_count_tokens());
  } else if (verb == "embedContent" || verb == "batchEmbedContents") {
    route = embeddings_route(std::move(route), gemini(), gemini_embeddings());
  } else {
    return false;
  }
  route.model = decode(id.substr(0, colon));
  return true;
}

// The value of the first parameter of that name, as it is; empty when there is none.
std::string_view query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto parameter = query.substr(0, end);
    if (parameter.size() > name.size() && parameter.starts_with(name) && parameter[name.size()] == '=') {
      return parameter.substr(name.size() + 1);
    }
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return {};
}

// Puts the model's name into a chat body, in place of the one there.
void name_model(io::ByteBuffer& body, const Envelope& envelope, std::string_view model) {
  const std::string_view text = body.view();
  std::string named;
  if (envelope.model_end > 0) {
    named = text.substr(0, envelope.model_begin);
    append_json_string(model, named);
    named += text.substr(envelope.model_end);
  } else {
    named = text.substr(0, envelope.object_begin + 1);
    named += "\"model\":";
    append_json_string(model, named);
    const std::string_view rest = text.substr(envelope.object_begin + 1);
    const auto next = rest.find_first_not_of(" \t\r\n");
    if (next != std::string_view::npos && rest[next] != '}') named += ',';
    named += rest;
  }
  body.release();
  body.append(named);
  body.spare(kBodyPadding);
}

RouteHints hints_of(const http::Request& request) {
  return {request.has_header("anthropic-version"),
          request.has_header("x-goog-api-key") || !query_value(request.query(), "key").empty()};
}

}  // namespace

Route find_route(std::string_view path, RouteHints hints) {
  Route route;
  route.dialect = hints.anthropic_version ? &anthropic_messages()
                  : hints.google_key      ? &gemini()
                                          : &openai_chat();
  strip_base(path, route);
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (strip_prefix(path, "/deployments")) {  // Azure's, which name the model.
    const auto end = std::min(path.find('/', 1), path.size());
    route.model = decode(path.substr(std::min<std::size_t>(1, path.size()), end > 0 ? end - 1 : 0));
    path.remove_prefix(end);
    if (route.model.empty()) path = {};
  }
  route.name = route.dialect->name();
  for (const Endpoint& endpoint : kEndpoints) {
    if (path == endpoint.path) return endpoint.make(std::move(route));
  }
  std::string_view rest = path;
  if (strip_prefix(rest, "/responses")) {
    const auto end = std::min(rest.find('/', 1), rest.size());
    route.kind = Route::Kind::stored_response;
    route.dialect = &openai_responses();
    route.name = route.dialect->name();
    route.model = decode(rest.substr(1, end - 1));
    route.action = rest.substr(std::min(end + 1, rest.size()));
    return route;
  }
  while (strip_prefix(rest, "/publishers")) rest.remove_prefix(std::min(rest.find('/', 1), rest.size()));
  if (strip_prefix(rest, "/models") || strip_prefix(rest, "/tunedModels")) {
    const std::string_view id = rest.empty() ? rest : rest.substr(1);
    if (google_verb(id, route)) return route;
    route.kind = Route::Kind::models;
    route.model = decode(id);
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
  return query_value(request.query(), "key");
}

Endpoints::Endpoints(Context& context, telemetry::Metrics& metrics) : context_(context) {
  for (const std::string_view name :
       {openai_chat().name(), openai_responses().name(), openai_completions().name(),
        openai_embeddings().name(), anthropic_messages().name(), anthropic_count_tokens().name(),
        gemini().name(), gemini_count_tokens().name(), gemini_embeddings().name()}) {
    ids_.emplace_back(name, metrics.dialect(name));
  }
}

telemetry::DialectId Endpoints::id_of(std::string_view name) const {
  return std::ranges::find(ids_, name, &std::pair<std::string_view, telemetry::DialectId>::first)->second;
}

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
  const Route route = find_route(path, {});
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
  record.dialect = caller.spoken;
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
  const bool method_fits = route.kind == Route::Kind::models
                               ? method == "GET" || method == "HEAD"
                               : route.kind == Route::Kind::stored_response || method == "POST";
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
  const Route route = find_route(request.path(), hints_of(request));
  const auto snapshot = context_.snapshot;  // The caller's key lives in it.
  Caller caller;
  caller.dialect = route.dialect;
  caller.embeddings = route.embeddings;
  caller.counting = route.counting;
  caller.spoken = route.name;
  caller.dialect_id = id_of(route.name);
  caller.request_id = make_request_id(request);
  if (const auto checked = check(request, route, caller); !checked) {
    co_return co_await refuse(exchange, caller, checked.error());
  }
  if (route.kind == Route::Kind::models) co_return co_await models(exchange, caller, route.model);
  if (route.kind == Route::Kind::stored_response) co_return co_await stored_response(exchange, route, caller);
  if (route.kind == Route::Kind::feedback) co_return co_await feedback(exchange, caller);
  co_await relay(exchange, route, std::move(caller));
}

io::Task<void> Endpoints::relay(http::Exchange& exchange, const Route& route, Caller caller) {
  auto& body = exchange.request().body_buffer();
  auto envelope = read_envelope(body.view(), body.capacity(), route.model.empty());
  if (envelope && !route.model.empty() && route.dialect != &gemini()) {
    // Azure's path has the last word on the model; from here on the body says it.
    name_model(body, *envelope, route.model);
    envelope = read_envelope(body.view(), body.capacity());
  }
  if (!envelope) co_return co_await refuse(exchange, caller, envelope.error());
  caller.envelope = std::move(*envelope);
  if (!route.model.empty()) {
    if (route.dialect == &gemini()) {
      caller.envelope.model = route.model;
      caller.envelope.model_end = 0;
      caller.envelope.stream = route.stream;
      caller.envelope.json_array = route.stream && query_value(exchange.request().query(), "alt") != "sse";
    }
  }
  if (route.kind != Route::Kind::chat) caller.envelope.stream = false;
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
