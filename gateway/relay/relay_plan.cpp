// The part of Relay that asks where a request should go, and tells what came of it.
#include "gateway/relay/plan_input.h"
#include "gateway/relay/relay.h"

#include <algorithm>
#include <cmath>

namespace switchyard::relay {

namespace {

// Up to so many bytes a body is taken for text: what it holds of base64 is not looked for.
constexpr std::size_t kSmallBody = 16u << 10;

std::uint32_t input_tokens_of(std::string_view body) {
  if (body.size() <= kSmallBody) return static_cast<std::uint32_t>(body.size() / 4);
  return routing::estimate_input_tokens(body);
}

float ms(Duration duration) {
  return std::chrono::duration<float, std::milli>(duration).count();
}

std::int64_t steady_ms(TimePoint time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::uint32_t tokens(std::int64_t count) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(count, 0, 1 << 30));
}

scoring::Ending ending_of(const Error& error) {
  switch (routing::effect_of(error)) {
    case routing::Effect::fault:
      return scoring::Ending::fault;
    case routing::Effect::cool:
      return scoring::Ending::limited;
    default:
      return scoring::Ending::no_verdict;
  }
}

}  // namespace

std::size_t Relay::index_of(const Target& target) const {
  return static_cast<std::size_t>(&target - model_->targets.data());
}

const scoring::TargetView& Relay::scores_of(const Target& target) const {
  static const scoring::TargetView unknown;
  return context_.scores ? context_.scores->of(target.score_id) : unknown;
}

// What of the request decides where it goes. Reads the whole body into `read` only where the model's targets
// or its stickiness ask for more than the envelope knows.
routing::RequestFacts Relay::facts(routing::BodyFacts& read) {
  const io::ByteBuffer& body = exchange_.request().body_buffer();
  const auto sticky = model_->config->sticky;
  const std::string_view session_header = exchange_.request().header("x-session-id");
  if (model_->has_conditions || sticky == config::Sticky::prompt) {
    read = routing::read_body_facts(body.view(), body.capacity());
  } else {
    read.session = caller_.envelope.user;
  }
  routing::RequestFacts facts;
  facts.input_tokens = input_tokens_of(body.view());
  if (earlier_) facts.input_tokens += input_tokens_of(*earlier_);
  facts.output_tokens = caller_.envelope.output_tokens_max;
  if (sticky != config::Sticky::none) facts.affinity = routing::affinity_of(sticky, session_header, read);
  const std::string_view session = session_header.empty() ? std::string_view(read.session) : session_header;
  if (!session.empty()) session_ = routing::hash_of(session);
  return facts;
}

void Relay::apply_conditions(const routing::BodyFacts& body) {
  const std::string_view key = caller_.key ? std::string_view(caller_.key->name) : std::string_view();
  const routing::HeaderLookup header = [this](std::string_view name) {
    return exchange_.request().header(name);
  };
  for (std::size_t i = 0; i < model_->targets.size(); ++i) {
    const config::Condition& condition = model_->targets[i].config->when;
    if (condition.empty()) continue;
    record_->input.candidates[i].is_meant = routing::is_met(condition, key, header, body);
  }
}

routing::Plan Relay::plan() {
  routing::PlanInput& input = record_->input;
  record_->attempts.clear();
  routing::BodyFacts body;
  const PlanQuestion question{*model_,       snapshot_->config.quality.mode,          context_.scores.get(),
                              facts(body),   caller_.key ? caller_.key->priority : 2, Clock::now(),
                              context_.rng()};
  fill_plan_input(question, input);
  if (model_->has_conditions) {
    body.stream = caller_.envelope.stream;
    apply_conditions(body);
  }
  // An estimate is no reason to refuse: whoever is asked says so, and with what is right.
  if (model_->config->fallbacks.context_too_long.empty() &&
      std::ranges::none_of(input.candidates, &routing::Candidate::has_room)) {
    for (routing::Candidate& candidate : input.candidates) candidate.has_room = true;
  }
  watch_request(question.now);
  routing::Plan plan = routing::make_plan(input);
  degraded_ = plan.degraded;
  scores_version_ = context_.scores ? context_.scores->version : 0;
  return plan;
}

bool Relay::is_watched() const {
  return context_.observations && snapshot_->config.quality.mode != config::QualityMode::off;
}

// What of the request its answer will be judged by. Somebody who asks the same again did not like the answer
// that they had.
void Relay::watch_request(TimePoint now) {
  if (!is_watched() || caller_.embeddings || caller_.counting) return;
  scoring::WatchMemory& memory = *context_.watch_memory;
  scoring::RequestTraits& traits = record_->traits;
  const std::int64_t now_ms = steady_ms(now);
  const std::uint64_t key = caller_.key ? snapshot_->keys.index_of(*caller_.key) + 1 : 0;
  memory.read(*caller_.dialect, exchange_.request().body(), caller_.envelope, key ^ session_, now_ms, traits);
  const auto blamed = memory.asked_again(traits, now_ms);
  if (!blamed) return;
  scoring::Observation again;
  again.target = *blamed;
  again.ending = scoring::Ending::no_verdict;
  again.seen = again.bad = scoring::bit(scoring::Signal::regenerated);
  again.stratum = scoring::stratum_of(record_->input.facts.input_tokens, caller_.envelope.has_tools,
                                      caller_.envelope.stream);
  again.at_ms = now_ms;
  again.session = session_;
  again.key = static_cast<std::uint32_t>(key);
  context_.observations->push(again);
}

// From here on the reply is judged while it passes.
void Relay::watch(Reply& reply) {
  if (caller_.embeddings || caller_.counting) return;
  if (committed_)
    return;  // The rest of another's answer can be judged by nothing that an answer is judged by.
  const bool can_be_refused = !model_->config->fallbacks.refusal.empty() && fallback_from_.empty();
  if (can_be_refused) {
    refusal_.begin(is_watched() ? &record_->watch : nullptr);
    reply.set_tap(&refusal_);
  } else if (is_watched()) {
    reply.set_tap(&record_->watch);
  }
  if (!is_watched()) return;
  const std::uint64_t model =
      scoring::hash_of(target_model(*target_), scoring::hash_of(model_->config->name));
  record_->watch.begin(*context_.watch_memory, record_->traits, target_->score_id, model);
}

// The first content of an attempt's stream.
void Relay::note_first_content(TimePoint now) {
  first_content_ = now;
  const auto bucket = scoring::size_bucket(record_->input.facts.input_tokens);
  const auto usual = scores_of(*target_).latency[static_cast<std::size_t>(bucket)].ttft_ms_p50;
  target_->load->on_first_token(now, static_cast<double>(ms(now - attempt_began_)),
                                static_cast<double>(usual));
}

// What an attempt's end says to the scores.
void Relay::observe(const Target& target, Step step, TimePoint now) {
  if (!is_watched()) return;
  const bool served = step == Step::served || step == Step::refused;
  scoring::Observation seen;
  seen.target = target.score_id;
  seen.ending = served ? scoring::Ending::ok : ending_of(*error_);
  seen.streamed = caller_.envelope.stream;
  seen.had_tools = caller_.envelope.has_tools;
  seen.input_tokens = record_->input.facts.input_tokens;
  seen.stratum = scoring::stratum_of(seen.input_tokens, seen.had_tools, seen.streamed);
  seen.at_ms = steady_ms(now);
  seen.session = session_;
  if (caller_.key) seen.key = static_cast<std::uint32_t>(snapshot_->keys.index_of(*caller_.key)) + 1;
  seen.asked_to_reason = caller_.envelope.asks_to_reason;
  seen.asked_tokens = caller_.envelope.output_tokens_max;
  seen.duration_ms = ms(now - attempt_began_);
  if (usage_ && (served || committed_)) {
    seen.input_tokens = tokens(usage_->input_tokens);
    seen.cached_tokens = tokens(usage_->cached_tokens);
    seen.output_tokens = tokens(usage_->output_tokens);
    seen.reasoning_tokens = tokens(usage_->reasoning_tokens);
  }
  if (first_content_ != TimePoint()) {
    seen.ttft_ms = ms(first_content_ - attempt_began_);
    seen.gap_ms_max = ms(gap_max_);
    if (gaps_ > 1 && gap_ms_sum_ > 0) {
      const float mean = gap_ms_sum_ / static_cast<float>(gaps_);
      const float variance = gap_ms_squares_ / static_cast<float>(gaps_) - mean * mean;
      seen.gap_variation = std::sqrt(std::max(variance, 0.0F)) / mean;
    }
    if (seen.output_tokens > 1) {
      seen.inter_token_ms = ms(last_token_ - first_content_) / static_cast<float>(seen.output_tokens - 1);
    }
  }
  if (record_->watch.is_on()) {
    using End = scoring::ReplyWatch::End;
    const bool has_begun = first_content_ != TimePoint() || served;
    const bool left = ended_ == ErrorKind::cancelled;
    // What ended for reasons of this side says nothing of the answer.
    if (has_begun && (served || left || step == Step::broken)) {
      record_->watch.end(served ? End::complete : left ? End::left : End::broken, usage_, seen.at_ms, seen);
    } else {
      record_->watch.stop();
    }
  }
  seen.request = routing::hash_of(caller_.request_id);
  context_.observations->push(seen);
  if (served && model_->config->allow_feedback) {
    snapshot_->inheritance.feedback->note(
        caller_.request_id,
        {seen.target, seen.key, seen.session, static_cast<std::uint32_t>(seen.at_ms / 1000), seen.stratum});
  }
}

float Relay::since_began_ms(TimePoint time) const {
  return ms(time - began_);
}

void Relay::record_cost(const Target& target, const Usage& usage) {
  if (!target.prices) return;
  const auto& keys = snapshot_->key_ids;
  const telemetry::KeyId key = caller_.key ? keys[snapshot_->keys.index_of(*caller_.key)] : 0;
  context_.recorder.cost(target.route, key, cost_usd(target.prices, usage));
}

void Relay::note_attempt(const Target& target, Step step, TimePoint now) {
  routing::AttemptRecord& attempt = record_->attempts.emplace_back();
  attempt.target = static_cast<int>(index_of(target));
  attempt.reason = reason_;
  attempt.ok = step == Step::served || step == Step::refused;
  if (!attempt.ok) {
    attempt.error = error_->kind;
    attempt.upstream_status = static_cast<std::uint32_t>(error_->upstream_status);
  }
  attempt.began_ms = ms(attempt_began_ - began_);
  if (first_content_ != TimePoint()) attempt.first_token_ms = ms(first_content_ - began_);
  attempt.ended_ms = ms(now - began_);
}

void Relay::record_decision(telemetry::Outcome outcome) {
  if (record_->input.candidates.empty()) return;  // It was refused before there was a plan.
  DecisionFacts facts;
  facts.request_id = caller_.request_id;
  if (caller_.key) facts.key = caller_.key->name;
  facts.fallback_from = fallback_from_;
  facts.names = model_->names;
  facts.input = &record_->input;
  facts.attempts = record_->attempts;
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  facts.at_ms = std::chrono::duration_cast<std::chrono::milliseconds>(wall).count();
  if (!record_->attempts.empty() && record_->attempts.back().ok)
    facts.served = record_->attempts.back().target;
  facts.outcome = outcome;
  facts.scores_version = scores_version_;
  facts.seam_at = seam_at_;
  if (usage_) {
    facts.input_tokens = tokens(usage_->input_tokens);
    facts.output_tokens = tokens(usage_->output_tokens);
  }
  context_.decisions->add(facts);
}

}  // namespace switchyard::relay
