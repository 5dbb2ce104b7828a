#pragma once

#include "adapters/canonical/result.h"
#include "gateway/store/statement.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::store {

// Why a request went where it went, as one line of JSON (routing::to_json).
struct DecisionRow {
  std::string request_id, model;
  std::int64_t at_ms = 0;  // Milliseconds since the epoch.
  std::string record;
};

// Which decisions are asked for: of one request, or the newest of a model; of any where both are empty.
struct DecisionQuery {
  std::string request_id, model;
  int limit = 100;
};

// A response that is kept, with what a later request needs to go on from it.
struct Entry {
  std::string id;        // As the client knows it; unique for the key.
  std::string key;       // The name of the key that made it: nobody else sees it. Empty: an open gateway.
  std::string previous;  // The id of the response that it continues; empty for none.
  std::string model;
  std::int64_t created_s = 0;  // Seconds since the epoch.
  std::string input, output;   // JSON arrays: the items of its own request, and of its answer.
  std::string response;        // The response object as it was sent.

  std::int64_t bytes() const;
};

struct Bounds {
  std::int64_t entries_max = 0, bytes_max = 0;
};

struct Totals {
  std::int64_t entries = 0, bytes = 0;
};

// The ledger's file, by SQLite. Everything blocks on the disk; one thread at a time may use it. `since_s`:
// what was created before it counts as gone.
//
// A response is kept with its own request's items and the id of the one before it, so a conversation takes
// space in the measure of its length, and one that is continued in two ways shares its beginning.
class Database {
 public:
  // The longest conversation that conversation() gives.
  static constexpr int kTurnsMax = 1000;
  static constexpr std::size_t kConversationBytesMax = 32u << 20;

  // Makes the file when there is none. Fails with words for the operator: it cannot be made or written, is no
  // database, is damaged, is another program's, or a later version's.
  static Result<std::unique_ptr<Database>> open(const std::string& path);

  // The following fail with internal, and SQLite's words.

  // Several changes at the price of one. Without it each is written by itself.
  Result<> begin();
  Result<> commit();
  // Replaces the entry of that key and id. What is over the bounds goes, the oldest first; an entry that is
  // over them alone is not taken.
  Result<> put(const Entry& entry, Bounds bounds);
  Result<> trim(Bounds bounds);
  Result<> expire(std::int64_t since_s);
  // False when there is none.
  Result<bool> remove(const std::string& key, const std::string& id);
  // The response object; nothing when there is none.
  Result<std::optional<std::string>> response(const std::string& key, const std::string& id,
                                              std::int64_t since_s);
  // The items, inputs and outputs from the first request on, up to and with this response, as a JSON array.
  // Nothing when a part of them is not there; invalid_request when it has grown too long.
  Result<std::optional<std::string>> conversation(const std::string& key, const std::string& id,
                                                  std::int64_t since_s);

  // A small text under a name, which replaces the one before: what scores have learnt.
  Result<> put_value(const std::string& name, const std::string& value);
  // Nothing when there is none.
  Result<std::optional<std::string>> value(const std::string& name);

  Result<> put(const DecisionRow& row);
  // Removes decisions that are older, and all but the newest `entries_max`.
  Result<> trim_decisions(std::int64_t since_ms, std::int64_t entries_max);
  // The records, the newest first, a line each.
  Result<std::string> decisions(const DecisionQuery& query);

  // Counts again: after a failure of the disk, or for what another process has done.
  Result<> recount();

  Totals totals() const { return totals_; }

 private:
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
  };

  Database() = default;

  Result<> set_up(const std::string& path);
  Result<> check_owner();
  Result<> prepare();
  Result<> prepare_records();
  Result<> execute(const char* text);
  Result<std::int64_t> number_of(const char* text);
  bool drop(Query& query);
  Error failure() const;

  std::unique_ptr<sqlite3, Close> connection_;
  // Go before the connection.
  Statement insert_, remove_, remove_oldest_, expire_, response_, turn_;
  Statement put_value_, value_, put_decision_, expire_decisions_, trim_decisions_, decision_of_, decisions_;
  Totals totals_;
};

}  // namespace switchyard::store
