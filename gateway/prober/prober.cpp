#include "gateway/prober/prober.h"

#include "gateway/prober/shadows.h"

#include <boost/asio/post.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace switchyard::prober {

namespace {

namespace asio = boost::asio;
using config::LogLevel;
using scoring::State;

constexpr std::chrono::milliseconds kTotal{120'000};

std::int64_t steady_ms(TimePoint now) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
}

bool are_alike(const config::Probes& a, const config::Probes& b) {
  return a.budget == b.budget && a.tokens_per_hour == b.tokens_per_hour && a.families == b.families &&
         a.identity == b.identity && a.contract == b.contract;
}

probing::Pace pace_of(State state, bool wants_burst) {
  if (state == State::ejected || state == State::probation) return probing::Pace::recovering;
  return wants_burst ? probing::Pace::burst : probing::Pace::steady;
}

std::map<std::string, std::string, std::less<>> read_saved(const std::string& text) {
  std::map<std::string, std::string, std::less<>> saved;
  const auto parsed = nlohmann::json::parse(text, nullptr, false);
  if (!parsed.is_object()) return saved;
  for (const auto& [key, value] : parsed.items()) {
    if (value.is_string()) saved[key] = value.get<std::string>();
  }
  return saved;
}

}  // namespace

Prober::Prober(telemetry::Metrics& metrics, telemetry::Log& log, Hooks hooks, std::string saved,
               std::uint64_t seed)
    : metrics_(metrics),
      log_(log),
      hooks_(std::move(hooks)),
      work_(context_.get_executor()),
      draw_(seed),
      saved_(read_saved(saved)) {
  shadows_ = std::make_unique<Shadows>(upstream_, metrics_, log_, hooks_, draw_.bits());
}

Prober::~Prober() {
  stop();
}

void Prober::start() {
  asio::post(context_, [this] { tick(); });
  thread_ = std::thread([this] { context_.run(); });
}

void Prober::stop() {
  if (!thread_.joinable()) return;
  asio::post(context_, [this] {
    stopping_ = true;
    for (auto next = interrupts_.begin(); next != interrupts_.end();) (next++)->set();
    shadows_->stop();
    save(true);
    timer_.cancel();
  });
  thread_.join();
}

// True when nothing is left to do: the event loop then runs out of work.
bool Prober::check_stopped() {
  if (!stopping_ || !interrupts_.empty() || !shadows_->is_idle() || !upstream_.stop_tokens()) return false;
  upstream_.pools.clear();
  deadlines_.stop();
  work_.reset();
  return true;
}

void Prober::tick() {
  if (check_stopped()) return;
  if (!stopping_) {
    const auto snapshot = hooks_.snapshot();
    if (snapshot != snapshot_) match(snapshot);
    shadows_->follow(snapshot);
    if (!entries_.empty()) look_at(snapshot, *hooks_.scores());
    if (Clock::now() >= save_at_) save(false);
  }
  timer_.expires_after(kTick);
  timer_.async_wait([this](const boost::system::error_code&) { tick(); });
}

// Entries for the targets of a new configuration; those of targets that stay as they were go on.
void Prober::match(const std::shared_ptr<const relay::Snapshot>& snapshot) {
  const config::Quality& quality = snapshot->config.quality;
  const bool keeps = snapshot_ && are_alike(snapshot_->config.quality.probes, quality.probes);
  for (const auto& [id, entry] : entries_) saved_[entry->key] = entry->probes.save();
  std::map<std::uint32_t, std::shared_ptr<Entry>> entries;
  const bool runs = quality.probes.enabled && quality.mode != config::QualityMode::off;
  for (const scoring::TargetInfo& info :
       runs ? relay::score_targets(*snapshot) : std::vector<scoring::TargetInfo>()) {
    const auto found = entries_.find(info.id);
    if (keeps && found != entries_.end()) {
      entries[info.id] = found->second;
      continue;
    }
    auto entry = std::make_shared<Entry>(Entry{
        info.key, probing::TargetProbes(quality.probes, info.id, draw_.bits(), steady_ms(Clock::now()))});
    if (const auto known = saved_.find(info.key); known != saved_.end()) entry->probes.load(known->second);
    entries[info.id] = std::move(entry);
  }
  entries_ = std::move(entries);
  snapshot_ = snapshot;
}

void Prober::look_at(const std::shared_ptr<const relay::Snapshot>& snapshot,
                     const scoring::BoardView& scores) {
  for (const relay::Model& model : snapshot->models) {
    for (const relay::Target& target : model.targets) {
      const auto found = entries_.find(target.score_id);
      const State state = scores.of(target.score_id).state;
      if (found == entries_.end() || state == State::drained || name_for(model, target).empty()) continue;
      Entry& entry = *found->second;
      const double tokens = metrics_.tokens(target.route);
      // The first look only says where the counter stands.
      if (entry.tokens_seen > 0) entry.probes.schedule().on_traffic(tokens - entry.tokens_seen);
      entry.tokens_seen = tokens;
      entry.probes.schedule().set_context(target.context_tokens);
      send_due(entry, snapshot, model, target, pace_of(state, hooks_.wants_burst(target.score_id)));
    }
  }
}

void Prober::send_due(Entry& entry, const std::shared_ptr<const relay::Snapshot>& snapshot,
                      const relay::Model& model, const relay::Target& target, probing::Pace pace) {
  while (entry.running < kAtOnceATargetMax && interrupts_.size() < kAtOnceMax) {
    auto probe = entry.probes.next(steady_ms(Clock::now()), pace);
    if (!probe) return;
    io::spawn(run(entries_.at(target.score_id), std::move(*probe), snapshot, model, target));
  }
}

// `model` and `target` live in the snapshot.
io::Task<void> Prober::run(std::shared_ptr<Entry> entry, probing::Probe probe,
                           std::shared_ptr<const relay::Snapshot> snapshot, const relay::Model& model,
                           const relay::Target& target) {
  ++entry->running;
  const auto interrupt = interrupts_.emplace(interrupts_.end());
  std::vector<probing::ProbeReply> replies;
  std::optional<Error> error;
  for (const ChatRequest& request : probe.requests) {
    AskOptions options;
    options.needs = probe.needs;
    options.connect = model.config->timeouts.connect;
    options.total = std::min(model.config->timeouts.total, kTotal);
    options.seed = draw_.bits();
    const auto events =
        co_await ask(upstream_, target, name_for(model, target), request, std::move(options), *interrupt);
    if (!events) {
      error = events.error();
      break;
    }
    replies.push_back(probing::fold(*events));
  }
  const auto now = steady_ms(Clock::now());
  tell(error ? entry->probes.on_error(probe, *error, now) : entry->probes.on_replies(probe, replies, now),
       model, target);
  interrupts_.erase(interrupt);
  --entry->running;
}

void Prober::tell(const probing::Verdict& verdict, const relay::Model& model, const relay::Target& target) {
  if (verdict.observation) hooks_.observe(*verdict.observation);
  metrics_.probed(model.config->name, target.provider->name, verdict.probe, verdict.result, verdict.tokens);
  log_.write(LogLevel::debug, "probe",
             {{"model", model.config->name},
              {"provider", target.provider->name},
              {"probe", verdict.probe},
              {"result", verdict.result}});
}

void Prober::save(bool is_end) {
  save_at_ = Clock::now() + kSave;
  if (!hooks_.save) return;
  for (const auto& [id, entry] : entries_) saved_[entry->key] = entry->probes.save();
  if (saved_.empty()) return;
  std::string text = nlohmann::json(saved_).dump();
  if (text == last_saved_ && !is_end) return;
  last_saved_ = text;
  hooks_.save(std::move(text));
}

}  // namespace switchyard::prober
