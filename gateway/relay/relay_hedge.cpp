// The part of Relay that lets a second target try beside one that is slow to begin (docs/routing.md). The
// first content wins; the other attempt is closed before any of it reaches the caller.
#include "gateway/io/signal.h"
#include "gateway/relay/plan_input.h"
#include "gateway/relay/relay.h"
#include "gateway/relay/wait_clock.h"

#include <array>
#include <exception>
#include <utility>

namespace switchyard::relay {

// One of the two attempts, up to its first content.
struct Relay::Contestant {
  const Target* target = nullptr;
  routing::Reason reason = routing::Reason::priority;
  std::unique_ptr<Reply> reply;
  // What prepare() leaves behind for this target.
  std::vector<std::string> dropped;
  bool keeps = false, goes_on = false;

  TimePoint began{};
  bool is_done = false;
  std::optional<Error> error = {};  // How it failed.
  Opened opened = {};
};

struct Relay::Race {
  io::Signal wake;
  std::array<Contestant, 2> contestants;
  bool is_late = false;  // The first has had its time.

  Contestant& first() { return contestants[0]; }

  Contestant& second() { return contestants[1]; }

  // The one that has content, or null.
  Contestant* winner() {
    for (Contestant& contestant : contestants) {
      if (contestant.is_done && !contestant.error) return &contestant;
    }
    return nullptr;
  }

  bool is_over() { return winner() || (first().is_done && (!second().reply || second().is_done)); }
};

// Reads up to the first content of a stream, or the whole of another reply. Runs beside the request's own
// coroutine; the signal is its last act, behind which nothing here may be touched.
io::Task<void> Relay::open(Contestant& contestant, io::Signal& wake) {
  try {
    Reply& reply = *contestant.reply;
    Opened& opened = contestant.opened;
    auto started = co_await reply.start();
    if (!started) {
      contestant.error = started.error();
    } else if (!caller_.envelope.stream) {
      auto body = co_await reply.whole();
      if (!body) contestant.error = body.error();
      if (body) opened.body = std::move(*body);
    } else {
      for (;;) {
        auto more = co_await reply.next(opened.frames);
        if (!more) contestant.error = more.error();
        opened.more = more && *more;
        if (!opened.more || reply.has_content() || opened.held.size() > kHeldBytesMax) break;
        for (const std::string_view frame : opened.frames) opened.held += frame;
      }
    }
  } catch (const std::exception&) {
    contestant.error = fail(ErrorKind::internal, "the attempt could not be made");
  }
  contestant.is_done = true;
  wake.set();
}

// When a second attempt may start beside the one of plan.attempts[at], and whether at all.
routing::HedgeAdvice Relay::hedge_advice(const routing::Plan& plan, std::size_t at) const {
  const auto& settings = model_->config->hedge;
  const bool is_chat = !caller_.embeddings && !caller_.counting;
  const bool has_second = at + 1 < plan.attempts.size() && model_->config->retry.attempts > 1;
  if (!settings || attempts_ > 0 || !is_chat || !has_second) return {};
  const auto& facts = record_->input.facts;
  const auto bucket = static_cast<std::size_t>(scoring::size_bucket(facts.input_tokens));
  const auto primary = static_cast<std::size_t>(plan.attempts[at].target);
  const auto backup = static_cast<std::size_t>(plan.attempts[at + 1].target);
  routing::HedgeInput input;
  input.settings = *settings;
  input.primary = scores_of(model_->targets[primary]).latency[bucket];
  input.backup = scores_of(model_->targets[backup]).latency[bucket];
  input.backup_quota = record_->input.candidates[backup].quota;
  input.keeps_cache = model_->config->sticky == config::Sticky::prompt && facts.affinity != 0;
  routing::HedgeAdvice advice = routing::advise_hedge(input);
  if (caller_.envelope.stream || settings->after) return advice;
  // A reply that is not streamed shows its first token with its last.
  const auto& view = scores_of(model_->targets[primary]);
  const auto tokens = routing::expected_output_tokens(facts.output_tokens, view.output_tokens_mean);
  advice.delay += std::chrono::milliseconds(static_cast<std::int64_t>(view.inter_token_ms * tokens));
  return advice;
}

// Admits and prepares the second attempt. False: it does not run.
bool Relay::enter_second(Race& race, const routing::PlannedAttempt& planned) {
  routing::HedgeGate& gate = context_.hedge_gates[model_->config->name];
  const Target& target = model_->targets[static_cast<std::size_t>(planned.target)];
  auto prepared = prepare(target);
  Contestant& second = race.second();
  if (prepared) {
    second.dropped = std::exchange(dropped_, {});
    second.keeps = keeps_;
    second.goes_on = goes_on_;
  }
  const auto now = Clock::now();
  if (!prepared || !target.health->on_attempt(now)) return false;
  const auto& input = record_->input;
  const int limit = input.candidates[static_cast<std::size_t>(planned.target)].in_flight_max;
  if (!gate.try_hedge().empty() ||
      !target.load->on_start(now, input.facts.input_tokens, input.facts.output_tokens, limit)) {
    target.health->on_abandoned(now);
    return false;
  }
  second.target = &target;
  second.reason = routing::Reason::hedge;
  second.reply = std::move(*prepared);
  second.began = now;
  ++attempts_;
  return true;
}

// The attempt that the other one beat: closed, and no fault of anybody.
void Relay::note_lost(Contestant& loser) {
  const auto now = Clock::now();
  loser.target->health->on_abandoned(now);
  loser.target->load->on_end(now, nullptr);
  context_.recorder.hedge_lost(loser.target->provider_id);
  Usage usage;  // Providers charge for the prompt of a request that is closed.
  usage.input_tokens = record_->input.facts.input_tokens;
  record_cost(*loser.target, usage);
  routing::AttemptRecord& attempt = record_->attempts.emplace_back();
  attempt.target = static_cast<int>(index_of(*loser.target));
  attempt.reason = loser.reason;
  attempt.error = ErrorKind::cancelled;
  attempt.began_ms = since_began_ms(loser.began);
  attempt.ended_ms = since_began_ms(now);
}

// What Relay knows of the attempt under way is from here on that of this one.
void Relay::adopt(Contestant& contestant) {
  if (target_ != contestant.target) record_->watch.stop();  // It has heard the other one.
  target_ = contestant.target;
  reason_ = contestant.reason;
  attempt_began_ = contestant.began;
  dropped_ = std::move(contestant.dropped);
  keeps_ = contestant.keeps;
  goes_on_ = contestant.goes_on;
}

// As attempt(), of the reply to plan.attempts[at]. When a second attempt ran, `at` is its place afterwards;
// `reply` is then the one that won. An attempt that failed while the other went on is judged here, and its
// error is added to `errors`.
io::Task<Relay::Step> Relay::attempt_hedged(const routing::Plan& plan, std::size_t& at,
                                            std::unique_ptr<Reply>& reply, int targets_left,
                                            routing::HedgeAdvice advice, std::vector<Error>& errors) {
  routing::HedgeGate& gate = context_.hedge_gates[model_->config->name];
  gate.on_request(model_->config->hedge->budget);
  begin_attempt(*reply, targets_left);
  Race race;
  Contestant& first = race.first();
  first = {target_, reason_, std::move(reply), std::move(dropped_), keeps_, goes_on_, attempt_began_};
  reply_ = first.reply.get();
  io::Deadline timer(
      context_.deadlines,
      [](void* self) {
        static_cast<Race*>(self)->is_late = true;
        static_cast<Race*>(self)->wake.set();
      },
      &race);
  timer.arm_in(advice.delay);
  {
    const WaitClock clock(waited_);
    io::spawn(open(first, race.wake));
    while (!first.is_done && !race.is_late) co_await race.wake;
    timer.disarm();
    gate.on_first_token(race.is_late);
    if (!first.is_done && !ended_ && enter_second(race, plan.attempts[at + 1])) {
      ++at;
      set_first_token_deadline(*race.second().reply, *race.second().target, targets_left);
      hedge_reply_ = race.second().reply.get();
      io::spawn(open(race.second(), race.wake));
    }
    while (!race.is_over()) co_await race.wake;
    hedge_reply_ = nullptr;
    for (Contestant& contestant : race.contestants) {
      if (!contestant.reply || contestant.is_done) continue;
      contestant.reply->abort(ErrorKind::cancelled);
      while (!contestant.is_done) co_await race.wake;
    }
  }
  co_return co_await finish_race(race, reply, errors);
}

io::Task<Relay::Step> Relay::finish_race(Race& race, std::unique_ptr<Reply>& reply,
                                         std::vector<Error>& errors) {
  routing::HedgeGate& gate = context_.hedge_gates[model_->config->name];
  Contestant* const winner = race.winner();
  // Without a winner the first one's failure is this attempt's own, and goes back to the caller.
  Contestant& own = winner ? *winner : race.first();
  for (Contestant& other : race.contestants) {
    if (&other == &own || !other.reply) continue;
    const bool was_closed = !other.error || other.error->kind == ErrorKind::cancelled;
    gate.on_attempt_end(was_closed);
    if (was_closed || ended_) {
      note_lost(other);
      continue;
    }
    adopt(other);
    const Step failed = fail_with(*other.error);
    judge(*other.target, failed, Clock::now() - other.began);
    errors.push_back(*error_);
    error_.reset();
  }
  adopt(own);
  for (Contestant& each : race.contestants) {
    if (!each.reply) continue;
    if (const auto* rate = each.reply->rate_headers()) each.target->load->on_headers(Clock::now(), *rate);
  }
  reply = std::move(own.reply);
  reply_ = reply.get();
  Step step = Step::failed;
  if (!winner) {
    step = fail_with(*own.error);
  } else {
    opened_ = &own.opened;
    step = caller_.envelope.stream ? co_await relay_stream(*reply) : co_await relay_whole(*reply);
    opened_ = nullptr;
  }
  gate.on_attempt_end(step != Step::failed);
  reply_ = nullptr;
  co_return step;
}

}  // namespace switchyard::relay
