#include "gateway/prober/ask.h"

#include "adapters/providers/provider.h"
#include "config/lookup.h"
#include "gateway/relay/hide.h"
#include "gateway/relay/http_reply.h"
#include "gateway/relay/upstream_head.h"
#include "gateway/upstream/local.h"

#include <algorithm>

namespace switchyard::prober {

namespace {

std::size_t text_bytes(const std::vector<Event>& events) {
  std::size_t bytes = 0;
  for (const Event& event : events) {
    if (const auto* text = std::get_if<TextDelta>(&event)) bytes += text->text.size();
    if (const auto* thought = std::get_if<ThinkingDelta>(&event)) bytes += thought->text.size();
    if (const auto* call = std::get_if<ToolCallDelta>(&event)) bytes += call->arguments.size();
  }
  return bytes;
}

// A reply that stays events: nobody is given it.
class Gathered final : public relay::HttpReply {
 public:
  using HttpReply::HttpReply;

  // After start().
  io::Task<Result<std::vector<Event>>> gather(bool stream, std::size_t bytes_max) {
    std::vector<Event> events;
    if (!stream) {
      const auto body = co_await call_.read_all(relay::kReplyBytesMax);
      if (!body) co_return body.error();
      if (const auto parsed = dialect_.parse_reply(body->view(), events); !parsed) co_return parsed.error();
      co_return events;
    }
    if (const auto checked = expect_stream(); !checked) co_return checked.error();
    const auto parser = dialect_.make_event_parser();
    std::vector<std::string_view> pieces;
    for (bool more = true; more;) {
      const auto read = co_await call_.read(pieces);
      Result<> parsed;
      more = read && *read;
      for (std::size_t i = 0; more && i < pieces.size() && parsed; ++i)
        parsed = parser->feed(pieces[i], events);
      if (!more) {
        parsed = parser->finish(events);
        if (!read && !parsed)
          parsed = read.error();  // A whole answer whose body does not end in order serves.
      }
      if (!parsed) co_return parsed.error();
      if (text_bytes(events) > bytes_max) co_return fail(ErrorKind::bad_reply, "the answer has no end");
    }
    co_return events;
  }

  io::Task<Result<bool>> next(std::vector<std::string_view>& frames) override {
    frames.clear();
    co_return false;
  }

  io::Task<Result<relay::Body>> whole() override { co_return relay::Body{}; }

  bool has_content() const override { return false; }

  const std::optional<Usage>& usage() const override { return usage_; }

 private:
  std::optional<Usage> usage_;
};

class Interruptible {
 public:
  Interruptible(Interrupt& interrupt, std::function<void()> end) : interrupt_(interrupt) {
    interrupt_.end = std::move(end);
  }

  ~Interruptible() { interrupt_.end = nullptr; }

  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

 private:
  Interrupt& interrupt_;
};

Result<> check_needs(const std::vector<std::string_view>& needs, const std::vector<std::string>& dropped) {
  for (const std::string_view need : needs) {
    if (std::ranges::find(dropped, need) == dropped.end()) continue;
    return fail(ErrorKind::unsupported, "the target cannot express " + std::string(need), std::string(need));
  }
  return {};
}

// Puts what a provider wants in place of the model's name into a body (Surface::instead_of_model).
Result<> replace_model(std::string_view instead, std::string& body) {
  if (instead.empty()) return {};
  body.reserve(body.size() + kBodyPadding);
  const auto envelope = read_envelope(body, body.capacity());
  if (!envelope) return envelope.error();
  const std::size_t name_end = body.rfind('"', envelope->model_begin - 1);
  const std::size_t begin = body.rfind('"', name_end - 1);
  body.replace(begin, envelope->model_end - begin, instead);
  return {};
}

Result<std::unique_ptr<relay::HttpRequest>> write(upstream::Upstream& upstream, const relay::Target& target,
                                                  const relay::TargetSurface& surface, std::string_view model,
                                                  const ChatRequest& request, const AskOptions& options) {
  auto written = surface.dialect->write_request(request, target_traits(*target.type, model));
  if (!written) return written.error();
  if (const auto kept = check_needs(options.needs, written->dropped); !kept) return kept.error();
  auto http = std::make_unique<relay::HttpRequest>();
  http->text = std::move(written->body);
  if (const auto done = replace_model(surface.declared->instead_of_model, http->text); !done)
    return done.error();
  http->body.push_back(http->text);
  const std::string path = request_path(request.stream ? surface.stream_path : surface.path, model);
  const bool is_aws = surface.dialect->framing() == Framing::aws_event_stream;
  relay::HeadInput head{target, surface.declared->dialect, path, "application/json", {}};
  if (request.stream) head.accept = is_aws ? "application/vnd.amazon.eventstream" : "text/event-stream";
  relay::write_head(head, upstream, *http);
  return http;
}

io::Task<Result<std::vector<Event>>> ask_local(upstream::Upstream& upstream, const relay::Target& target,
                                               std::string_view model, const ChatRequest& request,
                                               const AskOptions& options, Interrupt& interrupt) {
  auto local = upstream::to_local(request, options.seed);
  if (!local) co_return local.error();
  if (const auto kept = check_needs(options.needs, local->dropped); !kept) co_return kept.error();
  upstream::LocalCall call(upstream.context, upstream.deadlines, *target.engine);
  call.set_deadline(ErrorKind::total_timeout, options.total);
  const Interruptible guard(interrupt, [&call] { call.abort(ErrorKind::cancelled); });
  if (const auto started = call.start(std::move(local->generate), std::string(model)); !started) {
    co_return started.error();
  }
  std::vector<Event> all, events;
  for (;;) {
    const auto more = co_await call.read(events);
    if (!more) co_return more.error();
    if (!*more) co_return all;
    all.insert(all.end(), std::make_move_iterator(events.begin()), std::make_move_iterator(events.end()));
  }
}

}  // namespace

std::string_view name_for(const relay::Model& model, const relay::Target& target) {
  const std::string_view name = config::upstream_model(*model.config, *target.config, model.config->name);
  return name.find('*') == std::string_view::npos ? name : std::string_view();
}

io::Task<Result<std::vector<Event>>> ask(upstream::Upstream& upstream, const relay::Target& target,
                                         std::string_view model, ChatRequest request, AskOptions options,
                                         Interrupt& interrupt) {
  if (interrupt.is_set) co_return fail(ErrorKind::cancelled, "the gateway is stopping");
  request.model = std::string(model);
  if (target.engine) co_return co_await ask_local(upstream, target, model, request, options, interrupt);
  const auto surface = std::ranges::find_if(target.surfaces, [&](const relay::TargetSurface& each) {
    return each.dialect && each.declared->serves(model);
  });
  if (surface == target.surfaces.end())
    co_return fail(ErrorKind::unsupported, "no such model there", "model");
  auto http = write(upstream, target, *surface, model, request, options);
  if (!http) co_return http.error();
  Gathered reply(upstream, *target.origin, *surface->dialect, std::move(*http), options.connect);
  reply.set_deadline(ErrorKind::total_timeout, options.total);
  const Interruptible guard(interrupt, [&reply] { reply.abort(ErrorKind::cancelled); });
  const auto started = co_await reply.start();
  Result<std::vector<Event>> events = fail(ErrorKind::internal, {});
  if (started) {
    events = co_await reply.gather(request.stream, options.reply_bytes_max);
  } else {
    events = started.error();
  }
  if (events) {
    for (const Event& event : *events) {
      if (const auto* failed = std::get_if<ReplyFailed>(&event)) co_return failed->error;
    }
  }
  co_return events;
}

}  // namespace switchyard::prober
