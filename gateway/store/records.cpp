// The part of Database that is not of responses: small values under a name, and decision records.
#include "gateway/store/database.h"

namespace switchyard::store {

Result<> Database::prepare_records() {
  sqlite3* connection = connection_.get();
  const bool prepared =
      put_value_.prepare(connection,
                         "INSERT INTO kept_values (name, value) VALUES (?, ?) "
                         "ON CONFLICT (name) DO UPDATE SET value = excluded.value") &&
      value_.prepare(connection, "SELECT value FROM kept_values WHERE name = ?") &&
      put_decision_.prepare(connection,
                            "INSERT INTO decisions (request_id, model, at_ms, record) VALUES (?, ?, ?, ?)") &&
      expire_decisions_.prepare(connection, "DELETE FROM decisions WHERE at_ms < ?") &&
      trim_decisions_.prepare(
          connection, "DELETE FROM decisions WHERE number <= (SELECT max(number) FROM decisions) - ?") &&
      decision_of_.prepare(
          connection, "SELECT record FROM decisions WHERE request_id = ? ORDER BY number DESC LIMIT ?") &&
      decisions_.prepare(
          connection, "SELECT record FROM decisions WHERE ? = '' OR model = ?1 ORDER BY number DESC LIMIT ?");
  if (!prepared) return failure();
  return {};
}

Result<> Database::put_value(const std::string& name, const std::string& value) {
  Query query(put_value_);
  query.bind(name).bind(value);
  if (!query.run()) return failure();
  return {};
}

Result<std::optional<std::string>> Database::value(const std::string& name) {
  Query query(value_);
  query.bind(name);
  if (query.next()) return std::optional<std::string>(query.text(0));
  if (!query.is_done()) return failure();
  return std::optional<std::string>();
}

Result<> Database::put(const DecisionRow& row) {
  Query query(put_decision_);
  query.bind(row.request_id).bind(row.model).bind(row.at_ms).bind(row.record);
  if (!query.run()) return failure();
  return {};
}

Result<> Database::trim_decisions(std::int64_t since_ms, std::int64_t entries_max) {
  {
    Query query(expire_decisions_);
    query.bind(since_ms);
    if (!query.run()) return failure();
  }
  Query query(trim_decisions_);
  query.bind(entries_max);
  if (!query.run()) return failure();
  return {};
}

Result<std::string> Database::decisions(const DecisionQuery& asked) {
  const bool of_request = !asked.request_id.empty();
  Query query(of_request ? decision_of_ : decisions_);
  query.bind(of_request ? asked.request_id : asked.model).bind(static_cast<std::int64_t>(asked.limit));
  std::string lines;
  while (query.next()) {
    lines += query.text(0);
    lines += '\n';
  }
  if (!query.is_done()) return failure();
  return lines;
}

}  // namespace switchyard::store
