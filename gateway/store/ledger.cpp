#include "gateway/store/ledger.h"

#include "gateway/io/signal.h"

#include <boost/asio/post.hpp>

#include <utility>

namespace switchyard::store {

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
  const auto* entry = std::get_if<Entry>(&job);
  return entry ? static_cast<std::size_t>(entry->bytes()) : 0;
}

bool Ledger::push(Job job) {
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
  if (!push(std::move(entry))) dropped_.fetch_add(1);
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
  Question question{kind, std::move(key), std::move(id), answer};
  if (!push(std::move(question))) co_return fail(ErrorKind::unavailable, "the store of responses is busy");
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

// Entries that follow each other are written together; what is asked is answered when all before it is on the
// disk.
void Ledger::work(std::deque<Job> jobs, const Limits& limits) {
  const Bounds bounds{limits.entries_max, limits.bytes_max};
  bool is_open = false;
  std::uint64_t pending = 0;  // Entries of the open transaction.
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
  const auto put = [&](const Entry& entry) -> Result<> {
    if (!is_open) {
      if (auto begun = database_->begin(); !begun) return begun;
      is_open = true;
    }
    return database_->put(entry, bounds);
  };
  for (const Job& job : jobs) {
    if (const auto* entry = std::get_if<Entry>(&job)) {
      if (const auto written = put(*entry)) {
        ++pending;
      } else {
        dropped_.fetch_add(1);
        if (written.error().kind != ErrorKind::too_large) failed(written.error());
      }
    } else {
      commit();
      const auto& question = std::get<Question>(job);
      Found found = look_up(question, limits);
      publish();  // Who has the answer sees in stats() what it is an answer to.
      question.answer->give(std::move(found));
    }
  }
  commit();
}

void Ledger::sweep(const Limits& limits) {
  const auto keep_s = std::chrono::duration_cast<std::chrono::seconds>(limits.keep).count();
  const auto all = [&]() -> Result<> {
    if (auto counted = database_->recount(); !counted) return counted;
    if (auto expired = database_->expire(now_() - keep_s); !expired) return expired;
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
