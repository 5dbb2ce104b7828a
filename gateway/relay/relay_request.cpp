// The part of Relay that writes the request for a target.
#include "gateway/relay/head_fields.h"
#include "gateway/relay/relay.h"

namespace switchyard::relay {

std::string_view Relay::target_model(const Target& target) const {
  return target.config->model.empty() ? std::string_view(caller_.envelope.model)
                                      : std::string_view(target.config->model);
}

const Result<ChatRequest>& Relay::canonical() {
  if (!canonical_) canonical_ = caller_.dialect->parse_request(exchange_.request().body());
  return *canonical_;
}

ReplyContext Relay::reply_context() const {
  ReplyContext context;
  context.request_id = caller_.request_id;
  context.model = caller_.envelope.model;
  context.created_s = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  context.include_usage = caller_.envelope.include_usage;
  return context;
}

std::string Relay::upstream_head(const Target& target, std::size_t body_bytes, bool same_dialect) const {
  std::string head;
  head.reserve(768);
  head += "POST ";
  head += target.path;
  head += " HTTP/1.1\r\n";
  append_field(head, "host", target.origin->host_field);
  Headers from_caller;
  if (same_dialect) {
    for (const std::string_view name : forwarded_headers(*target.type)) {
      const auto value = exchange_.request().header(name);
      if (!value.empty()) from_caller.emplace_back(name, value);
    }
  }
  for (const auto& [name, value] :
       request_headers(*target.type, target.provider->api_key.reveal(), from_caller)) {
    append_field(head, name, value);
  }
  append_field(head, "accept", caller_.envelope.stream ? "text/event-stream" : "application/json");
  append_field(head, "content-length", std::to_string(body_bytes));
  head += "\r\n";
  return head;
}

Result<> Relay::note_dropped(std::vector<std::string> dropped) {
  if (model_->config->strict && !dropped.empty()) {
    return fail(ErrorKind::unsupported,
                "the target cannot express " + dropped.front() + ", and the model is strict",
                dropped.front());
  }
  dropped_ = std::move(dropped);
  return {};
}

Result<std::unique_ptr<Reply>> Relay::prepare(const Target& target) {
  dropped_.clear();
  if (target.engine) return prepare_local(target);
  return target.dialect == caller_.dialect ? prepare_pass_through(target) : prepare_translated(target);
}

Result<std::unique_ptr<Reply>> Relay::prepare_local(const Target& target) {
  const auto& request = canonical();
  if (!request) return request.error();
  auto local = upstream::to_local(*request, context_.rng());
  if (!local) return local.error();
  if (const auto noted = note_dropped(std::move(local->dropped)); !noted) return noted.error();
  return make_local(context_.io_context, context_.deadlines, *target.engine, std::move(local->generate),
                    std::string(target_model(target)), *caller_.dialect, reply_context());
}

Result<std::unique_ptr<Reply>> Relay::prepare_pass_through(const Target& target) {
  static constexpr std::string_view kAskForUsage = R"("stream_options":{"include_usage":true},)";
  const Envelope& envelope = caller_.envelope;
  const std::string_view body = exchange_.request().body();
  auto request = std::make_unique<HttpRequest>();
  // Usage is wanted for the accounts even when the caller did not ask: its chunk is taken out again.
  const bool ask_for_usage = envelope.stream && !envelope.has_stream_options && target.type->stream_usage &&
                             target.dialect == &openai_chat();
  std::size_t sent = 0;
  const auto keep = [&](std::size_t end) {
    request->body.push_back(body.substr(sent, end - sent));
    sent = end;
  };
  const auto insert_options = [&] {
    keep(envelope.object_begin + 1);
    request->body.push_back(kAskForUsage);
  };
  if (ask_for_usage) insert_options();
  if (!target.config->model.empty() && target.config->model != envelope.model) {
    keep(envelope.model_begin);
    request->body.push_back(target.model_json);
    sent = envelope.model_end;
  }
  keep(body.size());
  std::size_t bytes = 0;
  for (const std::string_view piece : request->body) bytes += piece.size();
  request->head = upstream_head(target, bytes, true);
  return make_pass_through(context_.upstream, *target.origin, *target.dialect, std::move(request),
                           model_->config->timeouts.connect, ask_for_usage);
}

Result<std::unique_ptr<Reply>> Relay::prepare_translated(const Target& target) {
  const auto& canonical_request = canonical();
  if (!canonical_request) return canonical_request.error();
  auto written =
      target.dialect->write_request(*canonical_request, target_traits(*target.type, target_model(target)));
  if (!written) return written.error();
  if (const auto noted = note_dropped(std::move(written->dropped)); !noted) return noted.error();
  auto request = std::make_unique<HttpRequest>();
  request->text = std::move(written->body);
  request->body.push_back(request->text);
  request->head = upstream_head(target, request->text.size(), false);
  return make_translated(context_.upstream, *target.origin, *target.dialect, *caller_.dialect,
                         reply_context(), std::move(request), model_->config->timeouts.connect);
}

}  // namespace switchyard::relay
