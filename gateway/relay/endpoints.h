#pragma once

#include "gateway/http/exchange.h"
#include "gateway/relay/context.h"
#include "gateway/relay/relay.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::relay {

// A path as its dialect names it: people put base URLs with and without /v1, with it twice, and with a
// dialect's prefix; "/openai/v1/v1/chat/completions" and "/chat/completions" are one endpoint.
struct Route {
  enum class Kind {
    chat,
    embeddings,
    count_tokens,
    models,
    stored_response,
    feedback,
    unknown
  } kind = Kind::unknown;
  const Dialect* dialect = nullptr;  // Never null: errors are written in it.
  const EmbeddingsDialect* embeddings = nullptr;
  const TokenCountDialect* counting = nullptr;
  std::string model;  // Where the path names it: /models/{id}, Gemini's and Azure's paths. Decoded. Or the id
                      // of a stored response.
  std::string_view action;     // What is to be done with that response: the path behind its id.
  bool stream = false;         // Gemini's streamGenerateContent.
  std::string_view name = {};  // The label of metrics and logs: what is spoken.
};

// What tells the dialect where the path does not.
struct RouteHints {
  bool anthropic_version = false;  // The field anthropic-version is there.
  bool google_key = false;         // x-goog-api-key, or ?key=.
};

Route find_route(std::string_view path, RouteHints hints);

// The key that a request presents, however it does: Authorization: Bearer, x-api-key, api-key,
// x-goog-api-key, or ?key=. Empty when none.
std::string_view presented_key(const http::Request& request);

// The endpoints of the application port: which dialect a path speaks, who may call, and what answers.
class Endpoints final : public http::Handler {
 public:
  Endpoints(Context& context, telemetry::Metrics& metrics);

  io::Task<void> handle(http::Exchange& exchange) override;
  std::string refusal_body(int status, std::string_view path, std::string_view message) const override;

 private:
  // What is wrong with a request before its body is looked at; sets caller.key.
  Result<> check(const http::Request& request, const Route& route, Caller& caller) const;
  io::Task<void> relay(http::Exchange& exchange, const Route& route, Caller caller);
  io::Task<void> models(http::Exchange& exchange, const Caller& caller, std::string_view id);
  io::Task<void> stored_response(http::Exchange& exchange, const Route& route, const Caller& caller);
  io::Task<void> feedback(http::Exchange& exchange, const Caller& caller);
  io::Task<void> refuse(http::Exchange& exchange, const Caller& caller, const Error& error);
  std::string make_request_id(const http::Request& request);

  Context& context_;
  telemetry::DialectId id_of(std::string_view name) const;

  std::vector<std::pair<std::string_view, telemetry::DialectId>> ids_;
};

}  // namespace switchyard::relay
