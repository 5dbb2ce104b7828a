#include "gateway/relay/relay.h"

#include "gateway/relay/hide.h"
#include "gateway/relay/wait_clock.h"

#include <algorithm>
#include <charconv>

namespace switchyard::relay {

using telemetry::Outcome;

Relay::Relay(Context& context, http::Exchange& exchange, Caller caller)
    : context_(context),
      exchange_(exchange),
      caller_(std::move(caller)),
      snapshot_(context.snapshot),
      position_(context.open.insert(context.open.end(), this)),
      began_(Clock::now()),
      total_(
          context.deadlines, [](void* self) { static_cast<Relay*>(self)->end(ErrorKind::total_timeout); },
          this),
      silence_(
          context.deadlines,
          [](void* self) {
            auto& relay = *static_cast<Relay*>(self);
            relay.begin_stream(false);  // Another target may yet be the one that answers.
            relay.exchange_.send_comment();
          },
          this) {
  context_.recorder.request_opened();
  if (context_.plan_records.empty()) {
    record_ = std::make_unique<PlanRecord>();
  } else {
    record_ = std::move(context_.plan_records.back());
    context_.plan_records.pop_back();
    record_->input.candidates.clear();
    record_->attempts.clear();
  }
}

Relay::~Relay() {
  context_.recorder.request_closed();
  context_.open.erase(position_);
  if (context_.plan_records.size() < kPlanRecordsKept) context_.plan_records.push_back(std::move(record_));
}

void Relay::end(ErrorKind kind) {
  if (ended_) {
    if (exchange_.is_writing()) exchange_.abandon();
    return;
  }
  ended_ = kind;
  if (exchange_.is_writing()) total_.arm_in(kLastWrite);
  // Either may end the request, and this object with it.
  Reply* const hedge = hedge_reply_;
  if (reply_) reply_->abort(kind);
  if (hedge) hedge->abort(kind);
}

// Why the request ended before a target had served it.
Error Relay::end_error() const {
  switch (*ended_) {
    case ErrorKind::total_timeout:
      return fail(*ended_, "the request's time is over");
    case ErrorKind::unavailable:
      return fail(*ended_, "the gateway is stopping");
    default:
      return fail(*ended_, "the client left");
  }
}

Relay::Step Relay::fail_with(Error error) {
  if (ended_) error.kind = *ended_;
  hide(*target_->provider, error);
  error_ = std::move(error);
  if (ended_) return Step::over;
  return committed_ ? Step::broken : Step::failed;
}

// A stream must begin soon. A reply that is not streamed says nothing until it is whole, however long it is:
// an attempt gets its share of the time that is left, so that a stalled target leaves some to the others.
void Relay::set_first_token_deadline(Reply& reply, const Target& target, int targets_left) const {
  Duration time = (limit_ - (Clock::now() - began_)) / std::max(targets_left, 1);
  if (caller_.envelope.stream) {
    const auto bucket = scoring::size_bucket(record_->input.facts.input_tokens);
    const auto& times = scores_of(target).latency[static_cast<std::size_t>(bucket)];
    time = routing::first_token_timeout(model_->config->timeouts.first_token, times);
  }
  reply.set_deadline(ErrorKind::first_token_timeout, time);
}

void Relay::begin_attempt(Reply& reply, int targets_left) {
  ++attempts_;
  attempt_began_ = Clock::now();
  first_content_ = {};
  gap_max_ = {};
  gap_ms_sum_ = gap_ms_squares_ = 0;
  gaps_ = 0;
  watch(reply);
  set_first_token_deadline(reply, *target_, targets_left);
}

io::Task<Relay::Step> Relay::attempt(Reply& reply, int targets_left) {
  reply_ = &reply;
  begin_attempt(reply, targets_left);
  Result<> started;
  {
    const WaitClock clock(waited_);
    started = co_await reply.start();
  }
  if (const auto* rate = reply.rate_headers()) target_->load->on_headers(Clock::now(), *rate);
  Step step = Step::failed;
  if (!started) {
    step = fail_with(started.error());
  } else if (caller_.envelope.stream) {
    step = co_await relay_stream(reply);
  } else {
    step = co_await relay_whole(reply);
  }
  reply_ = nullptr;
  co_return step;
}

// What an attempt's end says of its target: the metrics and its health hear of each attempt exactly once.
void Relay::judge(const Target& target, Step step, Duration took) {
  using routing::State;
  const auto now = Clock::now();
  const bool answered = step == Step::served || step == Step::refused;
  target.load->on_end(now, answered ? nullptr : &*error_);
  observe(target, step, now);
  note_attempt(target, step, now);
  const bool was_out = target.health->snapshot(now).state != State::serving;
  if (answered) {
    context_.recorder.attempt_ok(target.provider_id);
    target.health->on_success(now);
    if (was_out && target.health->snapshot(now).state == State::serving) {
      context_.log.write(config::LogLevel::info, "target_back",
                         {{"model", model_->config->name}, {"provider", target.provider->name}});
    }
    return;
  }
  context_.recorder.attempt_failed(target.provider_id, error_->kind);
  Error error = *error_;
  const auto& timeouts = model_->config->timeouts;
  const auto fair = std::min<Duration>(timeouts.first_token, timeouts.total / model_->config->retry.attempts);
  // The last target of a request gets all the time that is left: silence until then is its fault.
  if (error.kind == ErrorKind::total_timeout && !committed_ && took >= fair) {
    error.kind = ErrorKind::first_token_timeout;
  }
  target.health->on_failure(error, now);
  if (was_out || target.health->snapshot(now).state == State::serving) return;
  context_.log.write(config::LogLevel::warning, "target_out",
                     {{"model", model_->config->name},
                      {"provider", target.provider->name},
                      {"reason", name_of(error.kind)},
                      {"upstream_status", error.upstream_status}});
}

// True when the target may be called now: its trial is free, it has room, and for a retry there is budget.
bool Relay::take_turn(const Target& target, routing::Reason reason, const std::vector<Error>& errors) {
  const auto now = Clock::now();
  const bool admitted = target.health->on_attempt(now);
  if (!admitted && reason != routing::Reason::last_resort) return false;
  const routing::RequestFacts& facts = record_->input.facts;
  const routing::Candidate& candidate = record_->input.candidates[index_of(target)];
  const bool is_retry = !errors.empty();
  const bool is_out = candidate.health.state != routing::State::serving;
  const bool needs_budget = is_retry || (is_out && reason == routing::Reason::last_resort);
  if ((needs_budget && context_.retry_budget.balance(now) < 1) ||
      !target.load->on_start(now, facts.input_tokens, facts.output_tokens, candidate.in_flight_max)) {
    target.health->on_abandoned(now);
    return false;
  }
  if (needs_budget) context_.retry_budget.try_retry(now);
  if (is_retry) {
    context_.recorder.failover(
        target_->route, target.route, errors.back().kind,
        committed_ ? telemetry::Phase::mid_stream : telemetry::Phase::before_first_token);
  }
  target_ = &target;
  reason_ = reason;
  return true;
}

// Tries the plan's targets in turn. Afterwards error_ is what to answer with; it is empty when one served.
io::Task<void> Relay::try_targets(const routing::Plan& plan) {
  std::vector<Error> errors;
  std::optional<Error> unsupported;
  const int attempts_max = model_->config->retry.attempts;
  for (std::size_t i = 0; i < plan.attempts.size() && attempts_ - attempts_before_ < attempts_max; ++i) {
    const auto& planned = plan.attempts[i];
    const Target& target = model_->targets[static_cast<std::size_t>(planned.target)];
    auto prepared = prepare(target);
    if (!prepared) {
      error_ = prepared.error();
      if (error_->kind != ErrorKind::unsupported) co_return;
      if (!unsupported) unsupported = error_;
      continue;
    }
    const bool is_first_of_fallback = !fallback_from_.empty() && errors.empty();
    const auto reason = is_first_of_fallback ? routing::Reason::fallback : planned.reason;
    if (!take_turn(target, reason, errors)) continue;
    error_.reset();
    const int targets_left =
        std::min(static_cast<int>(plan.attempts.size() - i), attempts_max - (attempts_ - attempts_before_));
    const routing::HedgeAdvice advice = hedge_advice(plan, i);
    Step step = Step::failed;
    if (advice.starts) {
      step = co_await attempt_hedged(plan, i, *prepared, targets_left, advice, errors);
    } else {
      step = co_await attempt(**prepared, targets_left);
    }
    if (step == Step::over) error_ = end_error();
    judge(*target_, step, Clock::now() - attempt_began_);
    if (step == Step::broken) co_await go_on(plan, i + 1, (*prepared)->events());
    if (step != Step::failed) co_return;
    errors.push_back(*error_);
    if (!routing::may_try_another(error_->kind)) co_return;
  }
  error_ = errors.empty() && unsupported ? *unsupported : routing::final_error(errors);
}

// Whether the model is there and the caller may use it; sets error_ otherwise.
bool Relay::may_ask() {
  model_ = snapshot_->find(caller_.envelope.model);
  if (!model_) {
    error_ = fail(ErrorKind::not_found, "no such model", "model");
    error_->code = "model_not_found";
  } else if (caller_.key && !limits::KeyRing::may_use(*caller_.key, caller_.envelope.model)) {
    error_ = fail(ErrorKind::forbidden, "the key may not use this model", "model");
  }
  return !error_;
}

// The model's, or less when the caller waits no longer: its SDK says so, in seconds. Google's waits that long
// for all of a reply; OpenAI's and Anthropic's for its head, so that a stream which has begun may take
// longer.
Duration Relay::time_limit(bool has_begun) const {
  Duration limit = model_->config->timeouts.total;
  for (const std::string_view name :
       {"x-server-timeout", "x-stainless-timeout", "x-stainless-read-timeout"}) {
    if (has_begun && name.starts_with("x-stainless")) continue;
    const std::string_view text = exchange_.request().header(name);
    double seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) continue;
    if (!(seconds >= 0.001 && seconds < 86400)) continue;
    limit = std::min(limit, std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)));
  }
  return limit;
}

io::Task<void> Relay::run() {
  if (may_ask()) {
    limit_ = time_limit(false);
    total_.arm(began_ + limit_);
    if (caller_.envelope.stream) silence_.arm_in(snapshot_->config.server.limits.heartbeat);
    exchange_.on_gone([](void* self) { static_cast<Relay*>(self)->end(ErrorKind::cancelled); }, this);
    context_.retry_budget.on_request(Clock::now(), model_->config->retry.budget);
    co_await find_earlier();
    if (!error_) begin_mirroring();
    if (!error_) co_await serve();  // Else the conversation that it continues cannot be had.
    total_.disarm();
    silence_.disarm();
    exchange_.clear_on_gone();
  }
  if (error_) {
    co_await finish(*error_);
  } else if (exchange_.is_gone()) {
    outcome_ = Outcome::cancelled;
  }
  write_record();
}

}  // namespace switchyard::relay
