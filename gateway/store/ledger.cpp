#include "gateway/store/ledger.h"

#include "gateway/io/signal.h"

#include <boost/asio/post.hpp>

#include <utility>

namespace switchyard::store {

namespace {

constexpr std::size_t kDecisionBytes = 2048;  // About what one takes while it waits.

}  // namespace

// Carries an answer from the ledger's thread to the event loop that asked.
class Ledger::Answer : public std::enable_shared_from_this<Answer> {
 public:
  explicit Answer(boost::asio::io_context& context) : context_(context) {}

  // On the ledger's thread.
  void give(Found found) {
    const std::lock_guard lock(mutex_);
    if (is_closed_) return;
    found_ = std::move(found);
    boost::asio::post(context_, [self = shared_from_this()] { self->arrived.set(); });
  }

  // On the event loop: what has arrived so far. Nothing is posted to the loop from here on, so that it may
  // end.
  std::optional<Found> close() {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    return std::exchange(found_, std::nullopt);
  }

  io::Signal arrived;  // The event loop's alone.

 private:
  boost::asio::io_context& context_;
  std::mutex mutex_;
  std::optional<Found> found_;
  bool is_closed_ = false;
};

std::int64_t Ledger::wall_clock() {
  return std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
}

Result<std::shared_ptr<Ledger>> Ledger::open(const std::string& path, Limits limits, Now now) {
  auto database = Database::open(path);
  if (!database) return database.error();
  return std::shared_ptr<Ledger>(new Ledger(path, std::move(*database), limits, std::move(now)));
}

Ledger::Ledger(std::string path, std::unique_ptr<Database> database, Limits limits, Now now)
    : path_(std::move(path)),
      now_(std::move(now)),
      database_(std::move(database)),
      limits_(limits),
      has_new_limits_(true) {
  publish();
  thread_ = std::thread([this] { run(); });
}

Ledger::~Ledger() {
  close();
}

void Ledger::close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Ledger::set_limits(Limits limits) {
  {
    const std::lock_guard lock(mutex_);
    limits_ = limits;
    has_new_limits_ = true;
  }
  changed_.notify_all();
}

void Ledger::watch(std::function<void(const std::string&)> on_failure) {
  const std::lock_guard lock(mutex_);
  on_failure_ = std::move(on_failure);
}

std::size_t Ledger::bytes_of(const Job& job) {
  if (const auto* entry = std::get_if<Entry>(&job)) return static_cast<std::size_t>(entry->bytes());
  if (const auto* value = std::get_if<Value>(&job)) return value->value.size();
  const auto* decisions = std::get_if<Decisions>(&job);
  return decisions ? decisions->count * kDecisionBytes : 0;
}

bool Ledger::push(Job& job) {
  const std::size_t bytes = bytes_of(job);
  {
    const std::lock_guard lock(mutex_);
    const bool is_full = jobs_.size() >= kQueueJobsMax || queued_bytes_ + bytes > kQueueBytesMax;
    if (closing_ || is_full) return false;
    queued_bytes_ += bytes;
    jobs_.push_back(std::move(job));
  }
  changed_.notify_all();
  return true;
}

void Ledger::put(Entry entry) {
  Job job = std::move(entry);
  if (!push(job)) dropped_.fetch_add(1);
}

void Ledger::put_value(std::string name, std::string value) {
  Job job = Value{std::move(name), std::move(value)};
  if (!push(job)) dropped_.fetch_add(1);
}

void Ledger::put_decisions(std::size_t count, std::function<std::vector<DecisionRow>()> render) {
  Job job = Decisions{count, std::move(render)};
  if (!push(job)) dropped_.fetch_add(count);
}

void Ledger::find_value(std::string name, Done done) {
  Job job = Search{std::nullopt, std::move(name), std::move(done)};
  if (!push(job)) std::get<Search>(job).done(fail(ErrorKind::unavailable, "the store is busy"));
}

void Ledger::find_decisions(DecisionQuery query, Done done) {
  Job job = Search{std::move(query), {}, std::move(done)};
  if (!push(job)) std::get<Search>(job).done(fail(ErrorKind::unavailable, "the store is busy"));
}

io::Task<Ledger::Found> Ledger::response(Loop loop, std::string key, std::string id) {
  return ask(Question::Kind::response, loop, std::move(key), std::move(id));
}

io::Task<Ledger::Found> Ledger::conversation(Loop loop, std::string key, std::string id) {
  return ask(Question::Kind::conversation, loop, std::move(key), std::move(id));
}

io::Task<Ledger::Found> Ledger::remove(Loop loop, std::string key, std::string id) {
  return ask(Question::Kind::remove, loop, std::move(key), std::move(id));
}

io::Task<Ledger::Found> Ledger::ask(Question::Kind kind, Loop loop, std::string key, std::string id) {
  const auto answer = std::make_shared<Answer>(loop.context);
  Job job = Question{kind, std::move(key), std::move(id), answer};
  if (!push(job)) co_return fail(ErrorKind::unavailable, "the store of responses is busy");
  io::Deadline patience(
      loop.deadlines, [](void* self) { static_cast<Answer*>(self)->arrived.set(); }, answer.get());
  patience.arm_in(kPatience);
  co_await answer->arrived;
  patience.disarm();
  auto found = answer->close();
  if (!found) co_return fail(ErrorKind::unavailable, "the store of responses did not answer in time");
  co_return std::move(*found);
}

Ledger::Stats Ledger::stats() const {
  return {entries_.load(), bytes_.load(), dropped_.load()};
}

void Ledger::run() {
  std::unique_lock lock(mutex_);
  auto sweep_at = Clock::now();
  for (;;) {
    changed_.wait_until(lock, sweep_at, [&] { return closing_ || has_new_limits_ || !jobs_.empty(); });
    const Limits limits = limits_;
    const bool must_sweep = std::exchange(has_new_limits_, false) || Clock::now() >= sweep_at;
    const bool is_last = closing_;
    auto jobs = std::exchange(jobs_, {});
    queued_bytes_ = 0;
    lock.unlock();
    if (!jobs.empty()) work(std::move(jobs), limits);
    if (must_sweep && !is_last) {
      sweep(limits);
      sweep_at = Clock::now() + kSweep;
    }
    publish();
    lock.lock();
    if (is_last) return;
  }
}

// What is to be written and follows each other is written together; what is asked is answered when all before
// it is on the disk.
void Ledger::work(std::deque<Job> jobs, const Limits& limits) {
  bool is_open = false;
  std::uint64_t pending = 0;  // What the open transaction writes.
  const auto commit = [&] {
    if (!std::exchange(is_open, false)) return;
    if (const auto done = database_->commit(); done) {
      if (pending > 0) is_failing_ = false;
    } else {
      dropped_.fetch_add(pending);
      failed(done.error());
    }
    pending = 0;
  };
  const auto put = [&](const Job& job) -> Result<> {
    if (!is_open) {
      if (auto begun = database_->begin(); !begun) return begun;
      is_open = true;
    }
    return write(job, limits);
  };
  for (const Job& job : jobs) {
    const auto* question = std::get_if<Question>(&job);
    const auto* asked = std::get_if<Search>(&job);
    if (!question && !asked) {
      const auto* decisions = std::get_if<Decisions>(&job);
      const std::uint64_t count = decisions ? decisions->count : 1;
      if (const auto written = put(job)) {
        pending += count;
      } else {
        dropped_.fetch_add(count);
        if (written.error().kind != ErrorKind::too_large) failed(written.error());
      }
      continue;
    }
    commit();
    Found found = question ? look_up(*question, limits) : search(*asked);
    publish();  // Who has the answer sees in stats() what it is an answer to.
    if (question) {
      question->answer->give(std::move(found));
    } else {
      asked->done(std::move(found));
    }
  }
  commit();
}

// In the open transaction.
Result<> Ledger::write(const Job& job, const Limits& limits) {
  if (const auto* entry = std::get_if<Entry>(&job)) {
    return database_->put(*entry, {limits.entries_max, limits.bytes_max});
  }
  if (const auto* value = std::get_if<Value>(&job)) return database_->put_value(value->name, value->value);
  for (const DecisionRow& row : std::get<Decisions>(job).render()) {
    if (auto written = database_->put(row); !written) return written;
  }
  return {};
}

Ledger::Found Ledger::search(const Search& asked) {
  Found found = std::optional<std::string>();
  if (asked.decisions) {
    auto lines = database_->decisions(*asked.decisions);
    found = lines ? Found(std::move(*lines)) : Found(lines.error());
  } else {
    found = database_->value(asked.name);
  }
  if (!found) failed(found.error());
  return found;
}

void Ledger::sweep(const Limits& limits) {
  const auto keep_s = std::chrono::duration_cast<std::chrono::seconds>(limits.keep).count();
  const auto all = [&]() -> Result<> {
    if (auto counted = database_->recount(); !counted) return counted;
    if (auto expired = database_->expire(now_() - keep_s); !expired) return expired;
    const std::int64_t since_ms = now_() * 1000 - limits.decisions_keep.count();
    if (auto trimmed = database_->trim_decisions(since_ms, limits.decisions_max); !trimmed) return trimmed;
    return database_->trim({limits.entries_max, limits.bytes_max});
  };
  if (const auto swept = all(); !swept) failed(swept.error());
}

Ledger::Found Ledger::look_up(const Question& question, const Limits& limits) {
  const auto since_s = now_() - std::chrono::duration_cast<std::chrono::seconds>(limits.keep).count();
  Found found = std::optional<std::string>();
  switch (question.kind) {
    case Question::Kind::response:
      found = database_->response(question.key, question.id, since_s);
      break;
    case Question::Kind::conversation:
      found = database_->conversation(question.key, question.id, since_s);
      break;
    case Question::Kind::remove: {
      const auto removed = database_->remove(question.key, question.id);
      if (!removed) {
        found = removed.error();
      } else if (*removed) {
        found = std::optional<std::string>(std::in_place);
      }
      break;
    }
  }
  if (found || found.error().kind != ErrorKind::internal) return found;
  failed(found.error());
  return fail(ErrorKind::unavailable, "the store of responses cannot be read");
}

// Says once that the disk fails, until something is written again.
void Ledger::failed(const Error& error) {
  if (std::exchange(is_failing_, true)) return;
  // What was rolled back was counted.
  (void)database_->recount();
  std::function<void(const std::string&)> on_failure;
  {
    const std::lock_guard lock(mutex_);
    on_failure = on_failure_;
  }
  if (on_failure) on_failure(error.message);
}

void Ledger::publish() {
  const Totals totals = database_->totals();
  entries_.store(totals.entries);
  bytes_.store(totals.bytes);
}

}  // namespace switchyard::store
