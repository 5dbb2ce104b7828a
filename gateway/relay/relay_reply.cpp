// The part of Relay that hands a reply, or an error, on to the caller.
#include "gateway/relay/head_fields.h"
#include "gateway/relay/relay.h"
#include "gateway/relay/wait_clock.h"

#include <algorithm>

namespace switchyard::relay {

namespace {

using telemetry::Outcome;

bool says_when_to_retry(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::limited:
    case ErrorKind::rate_limited:
    case ErrorKind::quota:
    case ErrorKind::overloaded:
    case ErrorKind::unavailable:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string id_fields(const Dialect& dialect, std::string_view request_id) {
  std::string fields;
  fields.reserve(512);
  append_field(fields, "x-request-id", request_id);
  if (&dialect == &anthropic_messages()) append_field(fields, "request-id", request_id);
  return fields;
}

io::Task<bool> reply_error(http::Exchange& exchange, const Dialect& dialect, const Error& error,
                           std::string_view request_id, std::string fields) {
  if (says_when_to_retry(error.kind)) {
    const auto wait = error.retry_after.value_or(std::chrono::seconds(1));
    const auto seconds = std::clamp<std::int64_t>((wait.count() + 999) / 1000, 1, 60);
    append_field(fields, "retry-after", std::to_string(seconds));
  }
  const WrittenError written = dialect.write_error(error, request_id);
  co_return co_await exchange.reply(written.status, "application/json", fields, written.body);
}

// `with_target`: it is certain that this target's answer, or error, is what follows.
std::string Relay::fields(bool with_target) const {
  std::string fields = id_fields(*caller_.dialect, caller_.request_id);
  append_field(fields, "x-switchyard-config", snapshot_->config.version);
  if (!with_target) return fields;
  if (target_) {
    append_field(fields, "x-switchyard-provider", printable(target_->provider->name));
    append_field(fields, "x-switchyard-model", printable(target_model(*target_)));
    append_field(fields, "x-switchyard-reason", name_of(reason_));
  }
  if (goes_on_) append_field(fields, "x-switchyard-on-break", "continue");
  append_field(fields, "x-switchyard-attempts", std::to_string(attempts_));
  if (degraded_) append_field(fields, "x-switchyard-degraded", "1");
  if (!dropped_.empty()) {
    constexpr std::size_t kNamesBytesMax = 1024;
    std::string names;
    for (const std::string& name : dropped_) {
      if (names.size() + name.size() > kNamesBytesMax) {
        names += ",...";
        break;
      }
      names += (names.empty() ? "" : ",") + printable(name);
    }
    append_field(fields, "x-switchyard-dropped", names);
  }
  return fields;
}

void Relay::begin_stream(bool with_target) {
  if (exchange_.is_streaming()) return;
  exchange_.begin_stream(fields(with_target), caller_.envelope.json_array
                                                  ? http::Exchange::StreamKind::json
                                                  : http::Exchange::StreamKind::server_sent_events);
  exchange_.start_heartbeat(snapshot_->config.server.limits.heartbeat);
  if (ended_) return;
  const Duration limit = time_limit(true);
  if (limit == limit_) return;
  limit_ = limit;
  total_.arm(began_ + limit_);
}

void Relay::record_usage(const Reply& reply) {
  if (!reply.usage()) return;
  usage_ = reply.usage();
  context_.recorder.tokens(target_->route, *usage_);
  record_cost(*target_, *usage_);
}

io::Task<Relay::Step> Relay::relay_whole(Reply& reply) {
  Result<Body> body = fail(ErrorKind::internal, {});
  {
    const WaitClock clock(waited_);
    if (opened_) {
      body = std::move(opened_->body);
    } else {
      body = co_await reply.whole();
    }
  }
  if (!body) co_return fail_with(body.error());
  reply.clear_deadline();
  first_token_ = Clock::now() - began_;
  record_usage(reply);
  if (refusal_.is_refusal()) co_return Step::refused;
  keep(body->view());
  exchange_.request().release_body();
  if (mirroring_) mirroring_->on_whole(body->view());
  const WaitClock clock(waited_);
  const bool sent = co_await exchange_.reply(200, "application/json", fields(true), body->view());
  if (!sent) end(ErrorKind::cancelled);
  co_return Step::served;
}

// Sends on what may be sent: nothing before the commit point, then what was held back with the first content.
io::Task<bool> Relay::forward(Reply& reply, std::vector<std::string_view>& frames) {
  const auto now = Clock::now();
  if (!committed_) {
    std::size_t bytes = held_.size();
    for (const std::string_view frame : frames) bytes += frame.size();
    if (!reply.has_content() && bytes <= kHeldBytesMax) {
      for (const std::string_view frame : frames) held_ += frame;
      co_return true;
    }
    committed_ = true;
    silence_.disarm();
    first_token_ = now - began_;
    note_first_content(now);
    begin_stream(true);
    exchange_.request().release_body();
    if (!goes_on_) canonical_.reset();
    earlier_.reset();
    frames.insert(frames.begin(), held_);
  } else if (first_content_ == TimePoint()) {  // Of a target that goes on with another's answer.
    note_first_content(now);
  } else {
    context_.recorder.inter_token(target_->route, now - last_token_);
    gap_max_ = std::max<Duration>(gap_max_, now - last_token_);
    const float gap_ms = std::chrono::duration<float, std::milli>(now - last_token_).count();
    gap_ms_sum_ += gap_ms;
    gap_ms_squares_ += gap_ms * gap_ms;
    ++gaps_;
  }
  last_token_ = now;
  if (mirroring_) mirroring_->on_frames(frames);
  const WaitClock clock(waited_);
  const bool sent = co_await exchange_.write(frames);
  held_ = std::string();
  co_return sent;
}

io::Task<Relay::Step> Relay::relay_stream(Reply& reply) {
  std::vector<std::string_view> frames;
  held_.clear();
  const bool goes_on = committed_;  // With another's answer: its own first token is still to come.
  for (;;) {
    const bool has_begun = committed_ && (!goes_on || reply.has_content());
    if (has_begun)
      reply.set_deadline(ErrorKind::between_tokens_timeout, model_->config->timeouts.between_tokens);
    Result<bool> more = false;
    if (opened_) {
      held_ = std::move(opened_->held);
      frames = std::move(opened_->frames);
      more = std::exchange(opened_, nullptr)->more;
    } else {
      const WaitClock clock(waited_);
      more = co_await reply.next(frames);
    }
    if (!more) {
      record_usage(reply);
      // What came before the break in the same read is the caller's.
      if (committed_ && !frames.empty() && !ended_) {
        const WaitClock clock(waited_);
        co_await exchange_.write(frames);
      }
      co_return fail_with(more.error());
    }
    if (!*more) break;
    if (has_begun) reply.clear_deadline();
    keep_end_of(frames);
    if (!co_await forward(reply, frames)) {
      end(ErrorKind::cancelled);
      record_usage(reply);
      co_return Step::over;
    }
  }
  reply.clear_deadline();
  record_usage(reply);
  const WaitClock clock(waited_);
  bool sent = true;
  if (!committed_) {  // A complete reply without content.
    if (refusal_.is_refusal()) co_return Step::refused;
    committed_ = true;
    silence_.disarm();
    begin_stream(true);
    const std::vector<std::string_view> all{held_};
    sent = co_await exchange_.write(all);
  }
  if (sent) sent = co_await exchange_.end_stream();
  if (!sent) end(ErrorKind::cancelled);
  co_await reply.settle();
  co_return Step::served;
}

io::Task<void> Relay::finish(const Error& error) {
  outcome_ = committed_ ? Outcome::broken_stream : telemetry::outcome_of(error.kind);
  if (exchange_.is_gone() || error.kind == ErrorKind::cancelled) {
    outcome_ = Outcome::cancelled;
    exchange_.break_stream();
    co_return;
  }
  const WaitClock clock(waited_);
  ended_ = error.kind;
  total_.arm_in(kLastWrite);
  if (exchange_.is_streaming()) {
    const std::string& id = reply_id_.empty() ? caller_.request_id : reply_id_;
    const std::string frame = caller_.envelope.json_array
                                  ? caller_.dialect->write_error_element(error, id, committed_)
                                  : caller_.dialect->write_error_frame(error, id);
    const std::vector<std::string_view> frames{frame};
    // The HTTP body ends properly behind the error frame: a client library that sees the connection break
    // throws away what it has not yet read, the error included.
    if (co_await exchange_.write(frames)) co_await exchange_.end_stream();
    co_return;
  }
  std::string head = fields(true);
  if (attempts_ > 1) append_field(head, "x-should-retry", "false");
  co_await reply_error(exchange_, *caller_.dialect, error, caller_.request_id, std::move(head));
}

void Relay::write_record() {
  const auto duration = Clock::now() - began_;
  const telemetry::RouteId route = target_ ? target_->route : 0;
  auto& recorder = context_.recorder;
  recorder.request_done(route, caller_.dialect_id, outcome_, duration);
  recorder.overhead(duration - waited_);
  if (first_token_ && caller_.envelope.stream) recorder.first_token(route, *first_token_);
  telemetry::AccessRecord record;
  record.request_id = caller_.request_id;
  if (caller_.key) record.key = caller_.key->name;
  record.dialect = caller_.spoken;
  if (model_) record.model = model_->config->name;
  if (target_) {
    record.provider = target_->provider->name;
    record.upstream_model = target_model(*target_);
    record.reason = name_of(reason_);
  }
  if (error_) record.error = name_of(error_->kind);
  record.config_version = snapshot_->config.version;
  record.attempts = attempts_;
  record.status = exchange_.status();
  record.outcome = outcome_;
  record.stream = caller_.envelope.stream;
  record.usage = usage_;
  record.first_token = first_token_;
  record.duration = duration;
  record.bytes_in = exchange_.request().body_bytes_read();
  record.bytes_out = exchange_.bytes_out();
  context_.access_log.write(context_.worker, record);
  record_decision(outcome_);
  end_mirroring();
}

}  // namespace switchyard::relay
