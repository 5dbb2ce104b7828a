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
#include <vector>

namespace switchyard::store {

// How much is kept of responses, and for how long.
struct Limits {
  std::chrono::milliseconds keep{std::chrono::hours(720)};
  std::int64_t entries_max = 100'000;
  std::int64_t bytes_max = std::int64_t{1} << 30;
  // Of decisions; no entries: none is kept.
  std::chrono::milliseconds decisions_keep{std::chrono::hours(24 * 7)};
  std::int64_t decisions_max = 100'000;
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

  // A small text under a name, which replaces the one before.
  void put_value(std::string name, std::string value);
  // So many decisions, the oldest first, which `render` makes on the ledger's thread: writing them out is
  // work that no event loop should do. Those that the disk is too slow for are left out, and counted as
  // dropped.
  void put_decisions(std::size_t count, std::function<std::vector<DecisionRow>()> render);
  // Both call `done` on the ledger's thread, or at once with unavailable when there is no room for the
  // question. Nothing: no such value. Decisions come as lines, the newest first.
  using Done = std::function<void(Found)>;
  void find_value(std::string name, Done done);
  void find_decisions(DecisionQuery query, Done done);

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

  struct Value {
    std::string name, value;
  };

  struct Decisions {
    std::size_t count = 0;
    std::function<std::vector<DecisionRow>()> render;
  };

  struct Search {
    std::optional<DecisionQuery> decisions;  // Without it the value of that name is asked for.
    std::string name;
    Done done;
  };

  using Job = std::variant<Entry, Question, Value, Decisions, Search>;

  Ledger(std::string path, std::unique_ptr<Database> database, Limits limits, Now now);

  static std::int64_t wall_clock();
  static std::size_t bytes_of(const Job& job);
  bool push(Job& job);  // Leaves the job as it is when it is not taken.
  io::Task<Found> ask(Question::Kind kind, Loop loop, std::string key, std::string id);
  void run();
  void work(std::deque<Job> jobs, const Limits& limits);
  Result<> write(const Job& job, const Limits& limits);
  void sweep(const Limits& limits);
  Found look_up(const Question& question, const Limits& limits);
  Found search(const Search& search);
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
