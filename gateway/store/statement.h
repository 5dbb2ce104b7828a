#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string_view>

namespace switchyard::store {

// A prepared statement of one connection, run by Query.
class Statement {
 public:
  Statement() = default;

  // False when SQLite refuses the text: the connection says why.
  bool prepare(sqlite3* connection, std::string_view text) {
    sqlite3_stmt* made = nullptr;
    const int result = sqlite3_prepare_v3(connection, text.data(), static_cast<int>(text.size()),
                                          SQLITE_PREPARE_PERSISTENT, &made, nullptr);
    statement_.reset(made);
    return result == SQLITE_OK;
  }

 private:
  friend class Query;

  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// One run of a statement, which is ready for the next when this goes out of scope. Texts that are bound must
// live as long.
class Query {
 public:
  explicit Query(Statement& statement) : statement_(statement.statement_.get()) {}

  ~Query() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }

  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  Query& bind(std::string_view text) {
    // A null pointer would bind NULL.
    sqlite3_bind_text64(statement_, ++bound_, text.empty() ? "" : text.data(), text.size(), SQLITE_STATIC,
                        SQLITE_UTF8);
    return *this;
  }

  Query& bind(std::int64_t number) {
    sqlite3_bind_int64(statement_, ++bound_, number);
    return *this;
  }

  // True for a row; false at the end, and when it failed.
  bool next() {
    result_ = sqlite3_step(statement_);
    return result_ == SQLITE_ROW;
  }

  // Runs it to its end. False when it failed.
  bool run() {
    while (next()) {
    }
    return is_done();
  }

  bool is_done() const { return result_ == SQLITE_DONE; }

  std::int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }

  // Valid until next().
  std::string_view text(int column) const {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return bytes ? std::string_view(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)))
                 : std::string_view();
  }

 private:
  sqlite3_stmt* statement_;
  int bound_ = 0, result_ = SQLITE_OK;
};

}  // namespace switchyard::store
