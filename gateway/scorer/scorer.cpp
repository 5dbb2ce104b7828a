#include "gateway/scorer/scorer.h"

#include <algorithm>

namespace switchyard::scorer {

namespace {

using scoring::Notice;

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count();
}

std::int64_t wall_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::string_view name_of(Notice::Kind kind) {
  switch (kind) {
    case Notice::Kind::state_changed:
      return "state_changed";
    case Notice::Kind::baseline_learnt:
      return "baseline_learnt";
    case Notice::Kind::baseline_proposed:
      return "baseline_proposed";
    case Notice::Kind::identity_armed:
      return "identity_armed";
    case Notice::Kind::workload_shift:
      return "workload_shift";
    case Notice::Kind::latency_alarm:
      return "latency_alarm";
  }
  return "unknown";
}

// Worse answers, and what hides them, are for people to look at.
config::LogLevel level_of(const Notice& notice) {
  switch (notice.kind) {
    case Notice::Kind::state_changed:
      return notice.to == scoring::State::ejected || notice.to == scoring::State::reduced
                 ? config::LogLevel::warning
                 : config::LogLevel::info;
    case Notice::Kind::baseline_learnt:
    case Notice::Kind::baseline_proposed:
      return config::LogLevel::info;
    default:
      return config::LogLevel::warning;
  }
}

}  // namespace

Scorer::Scorer(int workers, telemetry::Log& log, Hooks hooks)
    : log_(log), hooks_(std::move(hooks)), view_(std::make_shared<const scoring::BoardView>()) {
  for (int i = 0; i < workers; ++i) rings_.push_back(std::make_unique<ObservationRing>());
}

Scorer::~Scorer() {
  stop();
}

void Scorer::start() {
  thread_ = std::thread([this] { run(); });
}

void Scorer::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopping_, true)) return;
  }
  changed_.notify_all();
  if (!thread_.joinable()) return;
  thread_.join();
  hooks_.publish = nullptr;
  pass_now();
  if (hooks_.save) hooks_.save(board_.save());
}

void Scorer::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    pass_now();
    lock.lock();
    changed_.wait_for(lock, kPass, [this] { return stopping_ || !wanted_.commands.empty(); });
  }
}

void Scorer::pass_now() {
  pass(steady_ms(), wall_ms());
}

void Scorer::pass(std::int64_t now_ms, std::int64_t wall_ms) {
  Wanted wanted;
  {
    const std::lock_guard lock(mutex_);
    std::swap(wanted, wanted_);
  }
  if (wanted.configuration) {
    targets_ = wanted.configuration->second;
    board_.configure(wanted.configuration->first, std::move(wanted.configuration->second), now_ms);
  }
  scoring::Observation observation;
  for (const auto& ring : rings_) {
    // Bounded, so that a writer that never rests cannot hold up the tick.
    for (std::size_t i = 0; i < 2 * kWaitingMax && ring->pop(observation); ++i) {
      board_.observe(observation);
      has_news_ = true;
    }
  }
  for (const scoring::Observation& each : wanted.observations) board_.observe(each);
  has_news_ |= wanted.configuration || !wanted.observations.empty() || !wanted.commands.empty();
  board_.tick(now_ms, wall_ms);
  std::vector<std::size_t> found;
  for (const Command& command : wanted.commands) found.push_back(apply(command, now_ms));
  publish(now_ms);
  tell(board_.take_notices());
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (wanted.commands[i].done) wanted.commands[i].done(found[i]);
  }
}

std::size_t Scorer::apply(const Command& command, std::int64_t now_ms) {
  std::size_t count = 0;
  for (const scoring::TargetInfo& target : targets_) {
    if (target.provider != command.provider) continue;
    if (command.drained) {
      board_.drain(target.id, now_ms);
    } else {
      board_.restore(target.id, now_ms);
    }
    ++count;
  }
  return count;
}

void Scorer::publish(std::int64_t now_ms) {
  scoring::BoardViewPtr view = board_.view();
  std::vector<bool> wants_burst(view->targets.size());
  for (const scoring::TargetInfo& target : targets_) {
    if (target.id < wants_burst.size()) wants_burst[target.id] = board_.wants_burst(target.id);
  }
  bool is_new = false;
  {
    const std::lock_guard lock(mutex_);
    is_new = view->version != view_->version;
    view_ = view;
    wants_burst_ = std::move(wants_burst);
  }
  if (is_new && hooks_.publish) hooks_.publish(view);
  // Time alone changes nothing that a restart would lose.
  if (has_news_ && now_ms - saved_at_ms_ >= std::chrono::milliseconds(kSave).count()) save(now_ms);
}

void Scorer::save(std::int64_t now_ms) {
  saved_at_ms_ = now_ms;
  has_news_ = false;
  if (hooks_.save) hooks_.save(board_.save());
}

void Scorer::tell(const std::vector<Notice>& notices) {
  for (const Notice& notice : notices) {
    const auto target = std::ranges::find(targets_, notice.target, &scoring::TargetInfo::id);
    if (target == targets_.end()) continue;
    if (notice.kind == Notice::Kind::state_changed) {
      log_.write(level_of(notice), "quality_state",
                 {{"model", target->model},
                  {"provider", target->provider},
                  {"target_model", target->target_model},
                  {"from", scoring::name_of(notice.from)},
                  {"to", scoring::name_of(notice.to)},
                  {"message", notice.text}});
    } else {
      log_.write(level_of(notice), "quality",
                 {{"model", target->model},
                  {"provider", target->provider},
                  {"target_model", target->target_model},
                  {"kind", name_of(notice.kind)},
                  {"message", notice.text}});
    }
    const std::lock_guard lock(mutex_);
    ++notices_[{target->model, target->provider, std::string(name_of(notice.kind))}];
  }
}

void Scorer::configure(const config::Quality& settings, std::vector<scoring::TargetInfo> targets) {
  const std::lock_guard lock(mutex_);
  wanted_.configuration.emplace(settings, std::move(targets));
}

void Scorer::observe(const scoring::Observation& observation) {
  const std::lock_guard lock(mutex_);
  if (wanted_.observations.size() >= kWaitingMax) {
    ++refused_;
    return;
  }
  wanted_.observations.push_back(observation);
}

void Scorer::set_drained(std::string provider, bool drained, std::function<void(std::size_t)> done) {
  {
    const std::lock_guard lock(mutex_);
    wanted_.commands.push_back({std::move(provider), drained, std::move(done)});
  }
  changed_.notify_all();
}

scoring::BoardViewPtr Scorer::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

bool Scorer::wants_burst(std::uint32_t target) const {
  const std::lock_guard lock(mutex_);
  return target < wants_burst_.size() && wants_burst_[target];
}

void Scorer::collect(telemetry::Samples& samples) const {
  std::uint64_t dropped = 0;
  for (const auto& ring : rings_) dropped += ring->dropped();
  const std::lock_guard lock(mutex_);
  samples.counter("switchyard_observations_dropped_total",
                  "Observations that the scorer had no room for: scores know less than they could.", {},
                  static_cast<double>(dropped + refused_));
  for (const auto& [labels, count] : notices_) {
    samples.counter(
        "switchyard_quality_notices_total",
        "What the scores noticed: state changes, baselines, shifts and alarms.",
        {{"model", std::get<0>(labels)}, {"provider", std::get<1>(labels)}, {"kind", std::get<2>(labels)}},
        static_cast<double>(count));
  }
}

}  // namespace switchyard::scorer
