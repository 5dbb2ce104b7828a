// The part of Relay that asks a target for embeddings or for a count of tokens.
#include "adapters/canonical/json_text.h"
#include "gateway/relay/relay.h"

namespace switchyard::relay {

namespace {

// Errors of a provider are read in the chat dialect of its family.
const Dialect& dialect_of_errors(const Target& target) {
  for (const TargetSurface& surface : target.surfaces) {
    if (surface.dialect) return *surface.dialect;
  }
  return openai_chat();
}

Usage usage_of(const EmbeddingsReply& reply) {
  Usage usage;
  usage.input_tokens = reply.input_tokens;
  return usage;
}

Error no_embeddings() {
  return fail(ErrorKind::unsupported, "the provider has no embeddings", "model");
}

}  // namespace

Result<std::unique_ptr<Reply>> Relay::prepare_embeddings(const Target& target) {
  const EmbeddingsDialect& caller = *caller_.embeddings;
  const std::string_view body = exchange_.request().body();
  auto asked = caller.parse_request(body);
  if (!asked) return asked.error();
  asked->model = caller_.envelope.model;
  if (target.engine) {
    if (const auto noted = note_dropped(asked->unmapped); !noted) return noted.error();
    EmbeddingsRequest request = *asked;
    return make_local_embeddings(context_.io_context, context_.deadlines, *target.engine, std::move(request),
                                 [&caller, asked = std::move(*asked)](const EmbeddingsReply& reply) {
                                   return Converted{caller.write_reply(reply, asked), usage_of(reply)};
                                 });
  }
  const std::string_view model = target_model(target);
  for (const TargetSurface& surface : target.surfaces) {
    if (!surface.embeddings || !surface.declared->serves(model)) continue;
    const EmbeddingsDialect& spoken = *surface.embeddings;
    auto request = std::make_unique<HttpRequest>();
    const bool same = &spoken == &caller && &spoken == &openai_embeddings();
    if (same) {
      append_with_model(body, model, *request);
    } else {
      auto written = spoken.write_request(*asked, model);
      if (!written) return written.error();
      if (const auto noted = note_dropped(std::move(written->dropped)); !noted) return noted.error();
      request->text = std::move(written->body);
      request->body.push_back(request->text);
    }
    write_head(target, surface, *request);
    auto convert = [&caller, &spoken, same,
                    asked = std::move(*asked)](std::string_view sent) -> Result<Converted> {
      auto reply = spoken.parse_reply(sent);
      if (!reply) return reply.error();
      const std::size_t inputs = asked.texts.size() + asked.tokens.size();
      if (reply->vectors.size() != inputs) {
        return fail(ErrorKind::bad_reply, "the provider's answer has another number of vectors");
      }
      // What passes through keeps every field, as long as its vectors are written as the caller asked.
      if (same && has_base64_vectors(sent) == asked.base64) return Converted{{}, usage_of(*reply)};
      return Converted{caller.write_reply(*reply, asked), usage_of(*reply)};
    };
    return make_unary(context_.upstream, *target.origin, dialect_of_errors(target), std::move(request),
                      model_->config->timeouts.connect, std::move(convert));
  }
  return no_embeddings();
}

// The caller's body with another model in it.
void Relay::append_with_model(std::string_view body, std::string_view model, HttpRequest& request) const {
  const Envelope& envelope = caller_.envelope;
  if (model == envelope.model || envelope.model_end == 0) {
    request.body.push_back(body);
    return;
  }
  append_json_string(model, request.text);
  request.body = {body.substr(0, envelope.model_begin), request.text, body.substr(envelope.model_end)};
}

Result<std::unique_ptr<Reply>> Relay::prepare_count(const Target& target) {
  const TokenCountDialect& caller = *caller_.counting;
  const auto& request = canonical();
  if (!request) return request.error();
  const auto answer = [&caller](std::int64_t tokens) { return Converted{caller.write_reply(tokens), {}}; };
  if (target.engine) {
    const auto local = upstream::to_local(*request, 0);
    if (!local) return local.error();
    const auto tokens = target.engine->count_tokens(local->generate.messages);
    return make_ready(answer(tokens ? *tokens : estimate_tokens(*request)));
  }
  const std::string_view model = target_model(target);
  for (const TargetSurface& surface : target.surfaces) {
    if (!surface.counting || !surface.declared->serves(model)) continue;
    const TokenCountDialect& spoken = *surface.counting;
    auto sent = std::make_unique<HttpRequest>();
    if (&spoken == &caller) {
      append_with_model(exchange_.request().body(), model, *sent);
    } else {
      auto written = spoken.write_request(*request, target_traits(*target.type, model));
      if (!written) return written.error();
      sent->text = std::move(written->body);
      sent->body.push_back(sent->text);
    }
    write_head(target, surface, *sent);
    return make_unary(context_.upstream, *target.origin, dialect_of_errors(target), std::move(sent),
                      model_->config->timeouts.connect,
                      [&spoken, answer](std::string_view body) -> Result<Converted> {
                        const auto tokens = spoken.parse_reply(body);
                        if (!tokens) return tokens.error();
                        return answer(*tokens);
                      });
  }
  dropped_.emplace_back("exact_count");  // Nobody there counts: it is a guess.
  return make_ready(answer(estimate_tokens(*request)));
}

}  // namespace switchyard::relay
