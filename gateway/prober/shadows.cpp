#include "gateway/prober/shadows.h"

#include "config/lookup.h"

#include <boost/asio/post.hpp>

#include <algorithm>

namespace switchyard::prober {

namespace {

constexpr std::chrono::milliseconds kTotal{120'000};
constexpr double kSentinelsWhileMuted = 0.5;  // Of the pairs: it shall have the chance to come back.

}  // namespace

Shadows::Shadows(upstream::Upstream& upstream, telemetry::Metrics& metrics, telemetry::Log& log,
                 const Hooks& hooks, std::uint64_t seed)
    : upstream_(upstream), metrics_(metrics), log_(log), hooks_(hooks), draw_(seed) {}

void Shadows::offer(relay::Mirrored mirrored) {
  const std::size_t bytes = mirrored.bytes;
  const bool is_full = held_.fetch_add(1) >= kWaitingMax || held_bytes_.load() + bytes > kBytesMax;
  if (is_full) {
    held_.fetch_sub(1);
    count(mirrored, "shadow", "left_out");
    return;
  }
  held_bytes_.fetch_add(bytes);
  boost::asio::post(upstream_.context,
                    [this, mirrored = std::move(mirrored)]() mutable { take(std::move(mirrored)); });
}

void Shadows::take(relay::Mirrored mirrored) {
  if (stopping_) return;
  waiting_.push_back(std::move(mirrored));
  start_next();
}

void Shadows::start_next() {
  while (!stopping_ && !waiting_.empty() && pairs_.size() < kAtOnceMax) {
    pairs_.push_back({std::move(waiting_.front())});
    waiting_.pop_front();
    io::spawn(run(std::prev(pairs_.end())));
  }
}

void Shadows::stop() {
  stopping_ = true;
  waiting_.clear();
  for (auto next = pairs_.begin(); next != pairs_.end();) (next++)->interrupt.set();
}

void Shadows::follow(const std::shared_ptr<const relay::Snapshot>& snapshot) {
  snapshot_ = snapshot;
  const auto& judge = snapshot->config.quality.judge;
  const std::string name = judge ? judge->model : std::string();
  if (name == judge_name_) return;
  judge_name_ = name;
  record_ = {};
}

// The first of the judge's targets that serves, in the order of its tiers.
std::optional<Shadows::Judge> Shadows::find_judge() const {
  if (!snapshot_ || judge_name_.empty()) return std::nullopt;
  const relay::Model* model = snapshot_->find(judge_name_);
  if (!model) return std::nullopt;
  const auto scores = hooks_.scores();
  const relay::Target* best = nullptr;
  for (const relay::Target& target : model->targets) {
    const auto state = scores->of(target.score_id).state;
    if (state == scoring::State::drained || state == scoring::State::ejected) continue;
    if (!best || target.config->tier < best->config->tier) best = &target;
  }
  return best ? std::optional(Judge{snapshot_, model, best}) : std::nullopt;
}

void Shadows::count(const relay::Mirrored& mirrored, std::string_view probe, std::string_view result,
                    double tokens) {
  metrics_.probed(mirrored.model->config->name, mirrored.target->provider->name, probe, result, tokens);
}

io::Task<void> Shadows::run(std::list<Pair>::iterator pair) {
  const auto judge = find_judge();
  if (judge) {
    const auto compared = co_await compare(*pair, *judge);
    if (!compared) count(pair->mirrored, "shadow", "error", pair->tokens);
  } else {
    count(pair->mirrored, "shadow", "unknown");
  }
  held_.fetch_sub(1);
  held_bytes_.fetch_sub(pair->mirrored.bytes);
  pairs_.erase(pair);
  start_next();
}

// Asks the shadow, then the judge; or, of a share of the pairs, only the judge.
io::Task<Result<>> Shadows::compare(Pair& pair, const Judge& judge) {
  const relay::Mirrored& mirrored = pair.mirrored;
  const auto question = probing::question_of(mirrored.request);
  if (!question || mirrored.answer.size() > probing::kJudgedBytesMax) {
    count(mirrored, "shadow", "unknown");
    co_return Result<>();
  }
  const double sentinels = judge.snapshot->config.quality.judge->sentinels;
  if (draw_.chance(record_.is_muted() ? std::max(sentinels, kSentinelsWhileMuted) : sentinels)) {
    co_return co_await watch_judge(pair, *question, judge);
  }
  ChatRequest request = mirrored.request;
  request.stream = request.include_usage = false;
  request.user.clear();
  request.metadata.clear();
  auto other = co_await text_of(pair, *mirrored.model->shadow, *mirrored.model, std::move(request));
  if (!other) co_return other.error();
  if (other->empty() || other->size() > probing::kJudgedBytesMax) {
    count(mirrored, "shadow", "unknown", pair.tokens);
    co_return Result<>();
  }
  const auto x = co_await score(pair, *question, *other, judge);
  if (!x) co_return x.error();
  if (!*x || record_.is_muted()) {
    count(mirrored, "shadow", *x ? "muted" : "unknown", pair.tokens);
    co_return Result<>();
  }
  scoring::Observation observation;
  observation.target = mirrored.target->score_id;
  observation.source = scoring::Source::shadow;
  observation.at_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count();
  observation.graded = true;
  observation.graded_signal = scoring::Signal::shadow;
  observation.x = static_cast<float>(**x);
  hooks_.observe(observation);
  count(mirrored, "shadow", **x == 0 ? "won" : **x == 1 ? "lost" : "tie", pair.tokens);
  co_return Result<>();
}

// A pair whose verdict is known: the answer against itself, spoilt.
io::Task<Result<>> Shadows::watch_judge(Pair& pair, std::string_view question, const Judge& judge) {
  const std::string bad = probing::spoilt(pair.mirrored.answer, draw_);
  if (bad.empty() || bad == pair.mirrored.answer) {
    count(pair.mirrored, "sentinel", "unknown");
    co_return Result<>();
  }
  const auto x = co_await score(pair, question, bad, judge);
  if (!x) co_return x.error();
  const bool right = *x && **x == 0;
  const bool was_muted = record_.is_muted();
  record_.on_sentinel(right);
  count(pair.mirrored, "sentinel", right ? "pass" : "fail", pair.tokens);
  if (was_muted != record_.is_muted()) {
    log_.write(config::LogLevel::warning, record_.is_muted() ? "judge_muted" : "judge_trusted",
               {{"model", judge_name_}});
  }
  co_return Result<>();
}

// X of the caller's answer against another one; nothing when the judge did not say.
io::Task<Result<std::optional<double>>> Shadows::score(Pair& pair, std::string_view question,
                                                       std::string_view other, const Judge& judge) {
  const std::string& ours = pair.mirrored.answer;
  auto first = co_await text_of(pair, *judge.target, *judge.model,
                                probing::judge_request(question, ours, other, draw_));
  if (!first) co_return first.error();
  auto second = co_await text_of(pair, *judge.target, *judge.model,
                                 probing::judge_request(question, other, ours, draw_));
  if (!second) co_return second.error();
  const auto when_first = probing::read_preference(*first), when_second = probing::read_preference(*second);
  if (!when_first || !when_second) co_return std::optional<double>();
  co_return std::optional<double>(probing::score_of(*when_first, *when_second));
}

io::Task<Result<std::string>> Shadows::text_of(Pair& pair, const relay::Target& target,
                                               const relay::Model& model, ChatRequest request) {
  AskOptions options;
  options.connect = model.config->timeouts.connect;
  options.total = std::min(model.config->timeouts.total, kTotal);
  options.seed = draw_.bits();
  const std::string named = request.model.empty() ? judge_name_ : request.model;
  const std::string asked(config::upstream_model(*model.config, *target.config, named));
  const auto events =
      co_await ask(upstream_, target, asked, std::move(request), std::move(options), pair.interrupt);
  if (!events) co_return events.error();
  probing::ProbeReply reply = probing::fold(*events);
  pair.tokens += probing::tokens_of(reply);
  co_return std::move(reply.text);
}

}  // namespace switchyard::prober
