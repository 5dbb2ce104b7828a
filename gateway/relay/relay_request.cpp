// The part of Relay that writes the request for a target.
#include "adapters/canonical/json_text.h"
#include "adapters/dialects/own_fields.h"
#include "config/lookup.h"
#include "gateway/relay/relay.h"
#include "gateway/relay/upstream_head.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace switchyard::relay {

namespace {

// memmem hashes its way through a body at a byte a cycle. string_view::find stops at each quote, of which
// JSON is full: ten times slower.
bool contains(std::string_view text, std::string_view part) {
  return memmem(text.data(), text.size(), part.data(), part.size()) != nullptr;
}

// Where the member `model` begins, its name's opening quote: that name is the string before the value.
std::size_t model_member_begin(std::string_view body, const Envelope& envelope) {
  const std::size_t end = body.rfind('"', envelope.model_begin - 1);
  return body.rfind('"', end - 1);
}

}  // namespace

std::string_view Relay::target_model(const Target& target) const {
  const std::string_view asked =
      fallback_name_.empty() ? std::string_view(caller_.envelope.model) : fallback_name_;
  return config::upstream_model(*model_->config, *target.config, asked);
}

const Result<ChatRequest>& Relay::canonical() {
  if (!canonical_) {
    const std::string_view body = exchange_.request().body();
    canonical_ = caller_.counting ? caller_.counting->parse_request(body) : parse_with_earlier(body);
    if (*canonical_) {  // Some dialects say these in the path.
      (*canonical_)->model = caller_.envelope.model;
      (*canonical_)->stream = caller_.envelope.stream;
    }
  }
  return *canonical_;
}

ReplyContext Relay::reply_context() {
  ReplyContext context;
  context.request_id = caller_.request_id;
  context.model = caller_.envelope.model;
  context.created_s = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  context.include_usage = caller_.envelope.include_usage;
  context.json_array = caller_.envelope.json_array;
  if (canonical_ && *canonical_) {
    context.hide_thoughts = (*canonical_)->hide_thoughts;
    for (const Tool& tool : (*canonical_)->tools) {
      if (tool.custom) context.custom_tools.push_back(tool.name);
    }
  }
  begin_keeping(context);
  return context;
}

void Relay::write_head(const Target& target, const TargetSurface& surface, HttpRequest& request) const {
  const bool stream = caller_.envelope.stream;
  const std::string path = request_path(stream ? surface.stream_path : surface.path, target_model(target));
  const bool is_aws = surface.dialect && surface.dialect->framing() == Framing::aws_event_stream;
  HeadInput input{target, surface.declared->dialect, path, "application/json", {}};
  if (stream) input.accept = is_aws ? "application/vnd.amazon.eventstream" : "text/event-stream";
  const bool is_same = surface.dialect ? surface.dialect == caller_.dialect
                                       : (surface.embeddings && surface.embeddings == caller_.embeddings) ||
                                             (surface.counting && surface.counting == caller_.counting);
  if (is_same) {
    for (const std::string_view name : forwarded_headers(*target.type, surface.declared->dialect)) {
      const auto value = exchange_.request().header(name);
      if (!value.empty()) input.from_caller.emplace_back(name, value);
    }
  }
  relay::write_head(input, context_.upstream, request);
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

// True when the body holds a signature's tag (canonical/signature.h), as text or, for Gemini's clients, in
// base64.
bool Relay::carries_foreign_signature() const {
  const std::string_view tag = caller_.dialect == &gemini() ? "\"c3dpdGNoeWFy" : "\"switchyard/";
  return contains(exchange_.request().body(), tag);
}

// True for OpenAI's chat with reasoning in its history, which a client was given by another provider.
bool Relay::carries_refused_reasoning(const Target& target) const {
  if (caller_.dialect != &openai_chat()) return false;
  const std::string_view body = exchange_.request().body();
  if (!contains(body, "\"assistant\"")) return false;  // What these belong to: mostly one search does.
  const bool has = std::ranges::any_of(
      std::initializer_list<std::string_view>{"\"reasoning_content\"", "\"reasoning_details\"",
                                              "\"extra_content\""},
      [&](std::string_view member) { return contains(body, member); });
  return has && !target_traits(*target.type, target_model(target)).reasoning_history;
}

Result<std::unique_ptr<Reply>> Relay::prepare(const Target& target) {
  dropped_.clear();
  keeps_ = false;
  if (caller_.embeddings) return prepare_embeddings(target);
  if (caller_.counting) return prepare_count(target);
  goes_on_ = can_be_continued(nullptr);
  if (target.engine) return prepare_local(target);
  const std::string_view model = target_model(target);
  const TargetSurface* preferred = nullptr;
  for (const TargetSurface& surface : target.surfaces) {
    if (!surface.dialect || !surface.declared->serves(model)) continue;
    if (surface.dialect == caller_.dialect) {
      // A signature that another provider made must not reach this one, which would refuse it.
      if (carries_foreign_signature() || carries_refused_reasoning(target))
        return prepare_translated(target, surface);
      // What this gateway keeps no provider knows.
      if (earlier_ || names_kept_items_) return prepare_translated(target, surface);
      // A provider that refuses what others of its dialect take gets a request written for it.
      if (target.type->rewrite && surface.dialect == &openai_chat())
        return prepare_translated(target, surface);
      return prepare_pass_through(target, surface);
    }
    if (!preferred) preferred = &surface;
  }
  if (preferred) return prepare_translated(target, *preferred);
  return fail(ErrorKind::unsupported, "the provider does not serve this model", "model");
}

Result<std::unique_ptr<Reply>> Relay::prepare_local(const Target& target) {
  const auto& request = canonical();
  if (!request) return request.error();
  auto local = upstream::to_local(*request, context_.rng());
  if (!local) return local.error();
  if (const auto noted = note_dropped(std::move(local->dropped)); !noted) return noted.error();
  return make_local(context_.io_context, context_.deadlines, *target.engine, std::move(local->generate),
                    std::string(target_model(target)), make_events());
}

Result<std::unique_ptr<Reply>> Relay::prepare_pass_through(const Target& target,
                                                           const TargetSurface& surface) {
  static constexpr std::string_view kAskForUsage = R"("stream_options":{"include_usage":true},)";
  const Envelope& envelope = caller_.envelope;
  const std::string_view body = exchange_.request().body();
  auto request = std::make_unique<HttpRequest>();
  // Usage is wanted for the accounts even when the caller did not ask: its chunk is taken out again.
  const bool ask_for_usage = envelope.stream && !envelope.has_stream_options &&
                             target.type->quirks.stream_usage.value_or(true) &&
                             (surface.dialect == &openai_chat() || surface.dialect == &openai_completions());
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
  const std::string_view model = target_model(target);
  if (envelope.model_end > 0 && !surface.declared->instead_of_model.empty()) {
    keep(model_member_begin(body, envelope));
    request->body.push_back(surface.declared->instead_of_model);
    sent = envelope.model_end;
  } else if (envelope.model_end > 0 && model != envelope.model) {
    keep(envelope.model_begin);
    if (model == target.config->model) {
      request->body.push_back(target.model_json);
    } else {
      append_json_string(model, request->text);
      request->body.push_back(request->text);
    }
    sent = envelope.model_end;
  }
  keep(body.size());
  write_head(target, surface, *request);
  goes_on_ = goes_on_ && can_be_continued(&surface);
  if (goes_on_) {
    return make_translated(context_.upstream, *target.origin, *surface.dialect, make_events(),
                           std::move(request), model_->config->timeouts.connect);
  }
  return make_pass_through(context_.upstream, *target.origin, *surface.dialect, std::move(request),
                           model_->config->timeouts.connect,
                           {.drop_usage = ask_for_usage, .json_array = envelope.json_array});
}

// Writes the request in the surface's dialect, which may be the caller's own: what of it the canonical
// request cannot hold is named then, and the provider's own fields stay.
Result<WrittenRequest> Relay::write_request(const Target& target, const TargetSurface& surface) {
  const TargetTraits traits = target_traits(*target.type, target_model(target));
  ChatRequest& request = **canonical_;
  if (surface.dialect != caller_.dialect) return surface.dialect->write_request(request, traits);
  const std::vector<std::string> unmapped = std::exchange(request.unmapped, {});
  auto written = surface.dialect->write_request(request, traits);
  request.unmapped = unmapped;
  if (!written) return written;
  std::vector<std::string> own;
  for (const std::string& field : unmapped) {
    const bool is_written = field == traits.seed_field && request.seed;
    const bool is_own = std::ranges::find(target.type->own_fields, field) != target.type->own_fields.end();
    (is_own && !is_written ? own : written->dropped).push_back(field);
  }
  if (!own.empty()) copy_members(exchange_.request().body(), own, written->body);
  return written;
}

Result<std::unique_ptr<Reply>> Relay::prepare_translated(const Target& target, const TargetSurface& surface) {
  const auto& canonical_request = canonical();
  if (!canonical_request) return canonical_request.error();
  auto written = write_request(target, surface);
  if (!written) return written.error();
  if (const auto noted = note_dropped(std::move(written->dropped)); !noted) return noted.error();
  auto request = finish_request(target, surface, std::move(written->body));
  if (!request) return request.error();
  return make_translated(context_.upstream, *target.origin, *surface.dialect, make_events(),
                         std::move(*request), model_->config->timeouts.connect);
}

// The request around a body that was written for the target.
Result<std::unique_ptr<HttpRequest>> Relay::finish_request(const Target& target, const TargetSurface& surface,
                                                           std::string body) const {
  auto request = std::make_unique<HttpRequest>();
  request->text = std::move(body);
  if (const std::string& instead = surface.declared->instead_of_model; !instead.empty()) {
    request->text.reserve(request->text.size() + kBodyPadding);
    const auto envelope = read_envelope(request->text, request->text.capacity());
    if (!envelope) return envelope.error();
    const std::size_t begin = model_member_begin(request->text, *envelope);
    request->text.replace(begin, envelope->model_end - begin, instead);
  }
  request->body.push_back(request->text);
  write_head(target, surface, *request);
  return request;
}

}  // namespace switchyard::relay
