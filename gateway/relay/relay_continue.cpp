// The part of Relay that lets another target go on with a stream that broke behind its commit point
// (docs/failover.md).
#include "adapters/dialects/losses.h"
#include "gateway/relay/head_fields.h"
#include "gateway/relay/relay.h"
#include "gateway/upstream/local.h"

#include <algorithm>
#include <utility>

namespace switchyard::relay {

namespace {

bool is_plain_text(const ChatRequest& request) {
  const bool has_format =
      request.response_format && request.response_format->kind != ResponseFormat::Kind::text;
  const bool must_call = request.tool_choice && (request.tool_choice->mode == ToolChoice::Mode::required ||
                                                 request.tool_choice->mode == ToolChoice::Mode::named);
  // What this model of a request cannot hold may well be a format by another name.
  const bool is_all_known = std::ranges::all_of(request.unmapped, is_harmless_loss);
  return !has_format && !must_call && is_all_known && request.choices.value_or(1) == 1 &&
         !request.logprobs.value_or(false) && request.hosted_tools.empty();
}

bool ends_with_assistant(const ChatRequest& request) {
  return !request.messages.empty() && request.messages.back().role == Role::assistant;
}

bool thinks(const ChatRequest& request) {
  const auto& reasoning = request.reasoning;
  return reasoning && (reasoning->adaptive || reasoning->budget_tokens.value_or(0) > 0 ||
                       (!reasoning->effort.empty() && reasoning->effort != "none"));
}

// A stop string that stands across the seam ends the answer, and a provider that has only one side of it does
// not see that.
bool may_end_in_a_stop(std::string_view given, const std::vector<std::string>& stops) {
  return std::ranges::any_of(stops, [&](std::string_view stop) {
    for (std::size_t n = 1; n < stop.size(); ++n) {
      if (given.ends_with(stop.substr(0, n))) return true;
    }
    return false;
  });
}

void append_to_answer(std::string text, ChatRequest& request) {
  if (!ends_with_assistant(request)) request.messages.push_back({Role::assistant, {}, {}});
  std::vector<Part>& parts = request.messages.back().parts;
  if (auto* last = parts.empty() ? nullptr : std::get_if<TextPart>(&parts.back())) {
    last->text += text;
  } else {
    parts.emplace_back(TextPart{std::move(text), {}});
  }
}

std::int64_t estimated_tokens(std::string_view text) {
  return (static_cast<std::int64_t>(text.size()) + 3) / 4;
}

std::size_t characters_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](unsigned char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

// Whether another target may go on with this stream should it break, as far as the request says: it is kept
// for that, and its reply is read as events whatever the target speaks.
bool Relay::can_be_continued(const TargetSurface* surface) {
  if (model_->config->on_break != config::OnBreak::go_on || !caller_.envelope.stream) return false;
  if (caller_.embeddings || caller_.counting) return false;
  const auto& request = canonical();
  if (!request || !is_plain_text(*request)) return false;
  const bool is_own = surface && surface->dialect == caller_.dialect;
  if (!is_own || caller_.dialect != &openai_responses()) return true;
  // A response that its provider keeps is the provider's own object, which nobody else can finish.
  const io::ByteBuffer& body = exchange_.request().body_buffer();
  const auto state = responses::read_state(body.view(), body.capacity());
  return state && !state->store;
}

std::shared_ptr<EventRelay> Relay::make_events() {
  return std::make_shared<EventRelay>(*caller_.dialect, reply_context(), goes_on_);
}

std::string Relay::seam_mark(const Target& target, const EventRelay& events) const {
  if (!model_->config->mark_seam || events.is_json_array()) return {};  // JSON has no comments.
  return ": switchyard: continued by " + printable(target.provider->name) + "\n\n";
}

// The request for a target that goes on from the caller's text as the beginning of its own answer. Fails with
// unsupported when this target cannot, or would not do it exactly.
Result<std::unique_ptr<Reply>> Relay::prepare_continuation(const Target& target,
                                                           const std::shared_ptr<EventRelay>& events) {
  if (target.engine) return prepare_local_continuation(target, events);
  const std::string& given = events->given().text;
  const std::string_view model = target_model(target);
  const TargetTraits traits = target_traits(*target.type, model);
  ChatRequest request = **canonical_;
  if (!traits.prefill || thinks(request) || may_end_in_a_stop(given, request.stop)) {
    return fail(ErrorKind::unsupported, "the target does not go on with an answer that was begun");
  }
  if (auto prefill = std::string(Seam::prefill_of(given)); !prefill.empty()) {
    append_to_answer(std::move(prefill), request);
  }
  const std::int64_t tokens = estimated_tokens(given);
  if (request.max_output_tokens) {
    request.max_output_tokens = std::max<std::int64_t>(*request.max_output_tokens - tokens, 1);
  }
  for (const TargetSurface& surface : target.surfaces) {
    if (!surface.dialect || surface.dialect == &openai_completions() || !surface.declared->serves(model))
      continue;
    auto written = surface.dialect->write_request(request, traits);
    if (!written) return written.error();
    if (const auto noted = note_dropped(std::move(written->dropped)); !noted) return noted.error();
    auto sent = finish_request(target, surface, std::move(written->body));
    if (!sent) return sent.error();
    events->go_on(Seam::prefilled(given), seam_mark(target, *events));
    events->count_given(tokens);
    return make_translated(context_.upstream, *target.origin, *surface.dialect, events, std::move(*sent),
                           model_->config->timeouts.connect);
  }
  return fail(ErrorKind::unsupported, "the provider does not serve this model", "model");
}

Result<std::unique_ptr<Reply>> Relay::prepare_local_continuation(const Target& target,
                                                                 const std::shared_ptr<EventRelay>& events) {
  if (ends_with_assistant(**canonical_)) {
    return fail(ErrorKind::unsupported, "the local model begins a turn of its own", "messages");
  }
  auto local = upstream::to_local(**canonical_, context_.rng());
  if (!local) return local.error();
  if (const auto noted = note_dropped(std::move(local->dropped)); !noted) return noted.error();
  local->generate.prefix = events->given().text;
  events->go_on(Seam::exact(), seam_mark(target, *events));
  return make_local(context_.io_context, context_.deadlines, *target.engine, std::move(local->generate),
                    std::string(target_model(target)), events);
}

// Lets the plan's targets from `next` on go on with a stream that broke: the first that gives something new
// is the last. Afterwards error_ is empty when the answer is whole; else it says how the stream ends.
io::Task<void> Relay::go_on(const routing::Plan& plan, std::size_t next, std::shared_ptr<EventRelay> events) {
  if (!goes_on_ || !events || !canonical_ || !*canonical_) co_return;
  const Given& given = events->given();
  if (!given.is_plain || given.is_finished || given.text.empty()) co_return;
  const Error broken = *error_;
  const Target& from = *target_;
  const std::size_t seam_at = characters_of(given.text);
  const std::vector<Error> errors{broken};
  const int attempts_max = attempts_before_ + model_->config->retry.attempts;
  for (; next < plan.attempts.size() && attempts_ < attempts_max && !ended_; ++next) {
    const Target& target = model_->targets[static_cast<std::size_t>(plan.attempts[next].target)];
    if (&target == &from) continue;  // It had come to its turn before, as the hedge.
    const auto prepared = prepare_continuation(target, events);
    if (!prepared || !take_turn(target, routing::Reason::continuation, errors)) continue;
    error_.reset();
    const auto began = Clock::now();
    const Step step = co_await attempt(**prepared, 1);
    if (step == Step::over) error_ = end_error();
    judge(target, step, Clock::now() - began);
    if (events->has_content() || step == Step::served) {
      seam_at_ = static_cast<double>(seam_at);
      usage_ = events->total_usage();
      context_.log.write(config::LogLevel::info, "stream_continued",
                         {{"request_id", caller_.request_id},
                          {"model", model_->config->name},
                          {"from", from.provider->name},
                          {"to", target.provider->name},
                          {"reason", name_of(broken.kind)},
                          {"characters", static_cast<std::int64_t>(seam_at)}});
    }
    if (step == Step::served || step == Step::over || events->has_content()) co_return;
    error_ = broken;
  }
}

}  // namespace switchyard::relay
