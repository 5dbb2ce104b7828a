// The part of Endpoints that gives out responses which were kept, and forgets them.
#include "gateway/relay/endpoints.h"

namespace switchyard::relay {

namespace {

// What is wrong with a request that no store could answer.
Result<> check_kept(const http::Request& request, const Route& route) {
  const auto method = request.method();
  if (!route.action.empty() || (method != "GET" && method != "HEAD" && method != "DELETE")) {
    if (route.action == "cancel") {
      Error error(ErrorKind::invalid_request,
                  "a response cannot be cancelled: none is made in the background here");
      error.code = "unsupported_operation";
      return error;
    }
    return fail(ErrorKind::not_found, "no such endpoint: a response that is kept has GET and DELETE only");
  }
  if (request.query().find("stream=true") != std::string_view::npos) {
    return fail(ErrorKind::invalid_request, "a response that is kept is not streamed again", "stream");
  }
  return {};
}

}  // namespace

io::Task<void> Endpoints::stored_response(http::Exchange& exchange, const Route& route,
                                          const Caller& caller) {
  const auto snapshot = context_.snapshot;  // The ledger lives in it.
  const http::Request& request = exchange.request();
  if (const auto checked = check_kept(request, route); !checked)
    co_return co_await refuse(exchange, caller, checked.error());
  if (!snapshot->ledger) {
    Error error = responses::response_not_found(route.model);
    error.message += " Responses are not kept here.";
    co_return co_await refuse(exchange, caller, error);
  }
  const store::Loop loop{context_.io_context, context_.deadlines};
  const std::string key = caller.key ? caller.key->name : std::string();
  const bool removes = request.method() == "DELETE";
  store::Ledger::Found found = std::optional<std::string>();
  if (removes) {
    found = co_await snapshot->ledger->remove(loop, key, route.model);
  } else {
    found = co_await snapshot->ledger->response(loop, key, route.model);
  }
  if (!found) co_return co_await refuse(exchange, caller, found.error());
  if (!*found) co_return co_await refuse(exchange, caller, responses::response_not_found(route.model));
  const std::string body = removes ? responses::write_deleted(route.model) : std::move(**found);
  co_await exchange.reply(200, "application/json", id_fields(*caller.dialect, caller.request_id), body);
}

}  // namespace switchyard::relay
