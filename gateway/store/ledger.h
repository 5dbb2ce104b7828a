#pragma once

#include "gateway/io/deadline.h"
#include "gateway/io/task.h"
#include "gateway/store/database.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <variant>

namespace switchyard::store {

// How much is kept of responses, and for how long.
struct Limits {
  std::chrono::milliseconds keep{std::chrono::hours(720)};
  std::int64_t entries_max = 100'000;
  std::int64_t bytes_max = std::int64_t{1} << 30;
};

// The event loop of whoever asks.
struct Loop {
  boost::asio::io_context& context;
  io::Deadlines& deadlines;
};

// The ledger database and the one thread that uses it: event loops hand it what is to be written and go on,
// and wait for what they read without blocking. What is asked later sees what was put earlier.
//
// The queue is bounded. When the disk cannot keep up, entries are left out and counted, and questions fail
// with unavailable.
class Ledger {
 public:
  static constexpr std::size_t kQueueJobsMax = 4096;
  static constexpr std::size_t kQueueBytesMax = 64u << 20;
  static constexpr std::chrono::seconds kPatience{5};  // How long a question waits for its answer.
  static constexpr std::chrono::seconds kSweep{60};    // How often what is too old is looked for.

  // Seconds since the epoch.
  using Now = std::function<std::int64_t()>;

  // Fails as Database::open() does.
  static Result<std::shared_ptr<Ledger>> open(const std::string& path, Limits limits, Now now = wall_clock);
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // Writes what is queued and ends the thread. Nothing is taken afterwards.
  void close();

  // Any thread may call what follows.

  const std::string& path() const { return path_; }

  void set_limits(Limits limits);
  // `on_failure` is called on the ledger's thread when the disk begins to fail, with SQLite's words.
  void watch(std::function<void(const std::string& message)> on_failure);

  void put(Entry entry);

  // As Database's. The ledger and the loop outlive the task.
  using Found = Result<std::optional<std::string>>;
  io::Task<Found> response(Loop loop, std::string key, std::string id);
  io::Task<Found> conversation(Loop loop, std::string key, std::string id);
  // Gives an empty text when it was there.
  io::Task<Found> remove(Loop loop, std::string key, std::string id);

  struct Stats {
    std::int64_t entries = 0, bytes = 0;
    std::uint64_t dropped = 0;  // Entries that were not kept: the queue was full, or the disk failed.
  };

  Stats stats() const;

 private:
  class Answer;

  struct Question {
    enum class Kind { response, conversation, remove } kind;
    std::string key, id;
    std::shared_ptr<Answer> answer;
  };

  using Job = std::variant<Entry, Question>;

  Ledger(std::string path, std::unique_ptr<Database> database, Limits limits, Now now);

  static std::int64_t wall_clock();
  static std::size_t bytes_of(const Job& job);
  bool push(Job job);
  io::Task<Found> ask(Question::Kind kind, Loop loop, std::string key, std::string id);
  void run();
  void work(std::deque<Job> jobs, const Limits& limits);
  void sweep(const Limits& limits);
  Found look_up(const Question& question, const Limits& limits);
  void failed(const Error& error);
  void publish();

  const std::string path_;
  const Now now_;
  std::unique_ptr<Database> database_;  // The thread's alone.
  bool is_failing_ = false;             // The thread's alone.
  std::atomic<std::int64_t> entries_{0}, bytes_{0};
  std::atomic<std::uint64_t> dropped_{0};

  std::mutex mutex_;  // Guards what follows.
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::size_t queued_bytes_ = 0;
  Limits limits_;
  bool has_new_limits_ = false, closing_ = false;
  std::function<void(const std::string&)> on_failure_;
  std::thread thread_;
};

}  // namespace switchyard::store
