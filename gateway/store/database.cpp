#include "gateway/store/database.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace switchyard::store {

namespace {

constexpr std::int64_t kApplicationId = 0x53575944;  // "SWYD"
constexpr std::int64_t kVersion = 2;
constexpr int kBusy_ms = 2000;  // Another process may have the file open: a shell, a backup.

// The texts are last: what comes before them is read without them. The index has all that expiry and totals
// need. `number` grows with each entry.
constexpr const char* kSchema = R"(
CREATE TABLE responses (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  key TEXT NOT NULL,
  previous TEXT NOT NULL,
  model TEXT NOT NULL,
  created_s INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  input TEXT NOT NULL,
  output TEXT NOT NULL,
  response TEXT NOT NULL,
  UNIQUE (key, id)
) STRICT;
CREATE INDEX responses_by_age ON responses (created_s, bytes);
PRAGMA application_id = 1398233412;
)";

// What version 2 adds. Later decisions have higher numbers.
constexpr const char* kRecordsSchema = R"(
CREATE TABLE kept_values (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE decisions (
  number INTEGER PRIMARY KEY,
  request_id TEXT NOT NULL,
  model TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT;
CREATE INDEX decisions_by_request ON decisions (request_id);
CREATE INDEX decisions_by_age ON decisions (at_ms);
PRAGMA user_version = 2;
)";
static_assert(kApplicationId == 1398233412);

// The members of a JSON array that is text.
std::string_view members_of(std::string_view array) {
  const auto begin = array.find('['), end = array.rfind(']');
  if (begin == std::string_view::npos || end == std::string_view::npos || end <= begin) return {};
  const auto members = array.substr(begin + 1, end - begin - 1);
  return members.find_first_not_of(" \t\r\n") == std::string_view::npos ? std::string_view() : members;
}

Error unusable(std::string reason) {
  return fail(ErrorKind::invalid_request, std::move(reason));
}

}  // namespace

std::int64_t Entry::bytes() const {
  return static_cast<std::int64_t>(id.size() + key.size() + previous.size() + model.size() + input.size() +
                                   output.size() + response.size());
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path) {
  std::unique_ptr<Database> database(new Database());
  if (const auto set_up = database->set_up(path); !set_up) return set_up.error();
  return database;
}

Result<> Database::set_up(const std::string& path) {
  // SQLite would make it readable for others, and it holds what was said. Its two files beside it are as it.
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return unusable(std::strerror(errno));
  ::close(file);
  sqlite3* made = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &made, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  connection_.reset(made);
  if (result != SQLITE_OK) return unusable(sqlite3_errstr(result));
  sqlite3_busy_timeout(made, kBusy_ms);
  const auto words = [](const Error& error) { return unusable(error.message); };
  if (const auto owner = check_owner(); !owner) return words(owner.error());
  // What was deleted is overwritten: it is what people said. Incremental: a file that has grown can shrink.
  for (const char* text :
       {"PRAGMA auto_vacuum = INCREMENTAL", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL",
        "PRAGMA secure_delete = ON", "PRAGMA trusted_schema = OFF", "PRAGMA cell_size_check = ON",
        "PRAGMA journal_size_limit = 16777216", "BEGIN IMMEDIATE"}) {
    if (const auto done = execute(text); !done) return words(done.error());
  }
  const auto version = number_of("PRAGMA user_version");
  if (!version) return words(version.error());
  if (*version == 0) {
    if (const auto made_tables = execute(kSchema); !made_tables) return words(made_tables.error());
  }
  if (*version < 2) {
    if (const auto made_tables = execute(kRecordsSchema); !made_tables) return words(made_tables.error());
  }
  if (const auto done = commit(); !done) return words(done.error());
  if (const auto prepared = prepare(); !prepared) return words(prepared.error());
  if (const auto counted = recount(); !counted) return words(counted.error());
  return {};
}

// Nothing is changed in a file that is not the gateway's.
Result<> Database::check_owner() {
  const auto id = number_of("PRAGMA application_id");
  if (!id) return id.error();
  const auto tables = number_of("SELECT count(*) FROM sqlite_schema");
  if (!tables) return tables.error();
  if (*id != kApplicationId && (*id != 0 || *tables > 0)) return unusable("the database of another program");
  const auto version = number_of("PRAGMA user_version");
  if (!version) return version.error();
  if (*version > kVersion) return unusable("written by a later version of switchyard");
  return {};
}

Result<> Database::prepare() {
  sqlite3* connection = connection_.get();
  const bool prepared =
      insert_.prepare(connection,
                      "INSERT INTO responses (id, key, previous, model, created_s, bytes, input, output, "
                      "response) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)") &&
      remove_.prepare(connection, "DELETE FROM responses WHERE key = ? AND id = ? RETURNING bytes") &&
      remove_oldest_.prepare(connection,
                             "DELETE FROM responses WHERE number = (SELECT min(number) FROM responses) "
                             "RETURNING bytes") &&
      expire_.prepare(connection, "DELETE FROM responses WHERE created_s < ? RETURNING bytes") &&
      response_.prepare(connection,
                        "SELECT response FROM responses WHERE key = ? AND id = ? AND created_s >= ?") &&
      turn_.prepare(
          connection,
          "SELECT previous, input, output FROM responses WHERE key = ? AND id = ? AND created_s >= ?");
  if (!prepared) return failure();
  return prepare_records();
}

Error Database::failure() const {
  return fail(ErrorKind::internal, sqlite3_errmsg(connection_.get()));
}

Result<> Database::execute(const char* text) {
  if (sqlite3_exec(connection_.get(), text, nullptr, nullptr, nullptr) != SQLITE_OK) return failure();
  return {};
}

Result<std::int64_t> Database::number_of(const char* text) {
  Statement statement;
  if (!statement.prepare(connection_.get(), text)) return failure();
  Query query(statement);
  if (!query.next()) return failure();
  return query.number(0);
}

Result<> Database::recount() {
  const auto entries = number_of("SELECT count(*) FROM responses INDEXED BY responses_by_age");
  if (!entries) return entries.error();
  const auto bytes = number_of("SELECT coalesce(sum(bytes), 0) FROM responses INDEXED BY responses_by_age");
  if (!bytes) return bytes.error();
  totals_ = {*entries, *bytes};
  return {};
}

Result<> Database::begin() {
  return execute("BEGIN IMMEDIATE");
}

Result<> Database::commit() {
  if (auto done = execute("COMMIT"); !done) {
    sqlite3_exec(connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    return done;
  }
  return {};
}

// Runs a statement that removes entries and gives the bytes of each. False when it failed.
bool Database::drop(Query& query) {
  while (query.next()) {
    --totals_.entries;
    totals_.bytes -= query.number(0);
  }
  return query.is_done();
}

Result<> Database::put(const Entry& entry, Bounds bounds) {
  const std::int64_t bytes = entry.bytes();
  if (bytes > bounds.bytes_max || bounds.entries_max < 1)
    return fail(ErrorKind::too_large, "a response is larger than all that may be kept");
  if (const auto removed = remove(entry.key, entry.id); !removed) return removed.error();
  {
    Query query(insert_);
    query.bind(entry.id).bind(entry.key).bind(entry.previous).bind(entry.model).bind(entry.created_s);
    query.bind(bytes).bind(entry.input).bind(entry.output).bind(entry.response);
    if (!query.run()) return failure();
  }
  ++totals_.entries;
  totals_.bytes += bytes;
  return trim(bounds);
}

Result<> Database::trim(Bounds bounds) {
  while (totals_.entries > bounds.entries_max || totals_.bytes > bounds.bytes_max) {
    const std::int64_t before = totals_.entries;
    Query query(remove_oldest_);
    if (!drop(query)) return failure();
    if (totals_.entries == before) {  // Another process has emptied it.
      totals_ = {};
      break;
    }
  }
  return {};
}

Result<> Database::expire(std::int64_t since_s) {
  const std::int64_t before = totals_.entries;
  {
    Query query(expire_);
    query.bind(since_s);
    if (!drop(query)) return failure();
  }
  if (totals_.entries == before) return {};
  return execute("PRAGMA incremental_vacuum(4096)");
}

Result<bool> Database::remove(const std::string& key, const std::string& id) {
  const std::int64_t before = totals_.entries;
  Query query(remove_);
  query.bind(key).bind(id);
  if (!drop(query)) return failure();
  return totals_.entries != before;
}

Result<std::optional<std::string>> Database::response(const std::string& key, const std::string& id,
                                                      std::int64_t since_s) {
  Query query(response_);
  query.bind(key).bind(id).bind(since_s);
  if (query.next()) return std::optional<std::string>(query.text(0));
  if (!query.is_done()) return failure();
  return std::optional<std::string>();
}

Result<std::optional<std::string>> Database::conversation(const std::string& key, const std::string& id,
                                                          std::int64_t since_s) {
  struct Turn {
    std::string input, output;
  };

  std::vector<Turn> turns;  // The last first.
  std::size_t bytes = 0;
  for (std::string next = id; !next.empty();) {
    Query query(turn_);
    query.bind(key).bind(next).bind(since_s);
    if (!query.next()) {
      if (!query.is_done()) return failure();
      return std::optional<std::string>();
    }
    Turn& turn = turns.emplace_back(Turn{std::string(query.text(1)), std::string(query.text(2))});
    bytes += turn.input.size() + turn.output.size();
    if (turns.size() > static_cast<std::size_t>(kTurnsMax) || bytes > kConversationBytesMax) {
      return fail(ErrorKind::invalid_request, "the conversation behind it has grown too long to be continued",
                  "previous_response_id");
    }
    next = std::string(query.text(0));
  }
  std::string items = "[";
  items.reserve(bytes + 2);
  const auto add = [&](std::string_view array) {
    const std::string_view members = members_of(array);
    if (members.empty()) return;
    if (items.size() > 1) items += ',';
    items += members;
  };
  for (auto turn = turns.rbegin(); turn != turns.rend(); ++turn) {
    add(turn->input);
    add(turn->output);
  }
  items += ']';
  return std::optional<std::string>(std::move(items));
}

}  // namespace switchyard::store
