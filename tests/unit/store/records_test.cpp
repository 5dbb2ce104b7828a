#include "gateway/store/ledger.h"
#include "tests/unit/store/folder.h"

#include <gtest/gtest.h>

#include <future>

namespace switchyard::store {
namespace {

using test::Folder;

std::unique_ptr<Database> open(const std::string& path) {
  auto database = Database::open(path);
  if (!database) throw std::runtime_error(database.error().message);
  return std::move(*database);
}

DecisionRow row(const std::string& id, const std::string& model, std::int64_t at_ms) {
  return {id, model, at_ms, "{\"request_id\":\"" + id + "\"}"};
}

TEST(Records, AValueReplacesTheOneBefore) {
  const Folder folder;
  {
    const auto database = open(folder.file());
    EXPECT_EQ(*database->value("scores"), std::nullopt);
    ASSERT_TRUE(database->put_value("scores", "one"));
    ASSERT_TRUE(database->put_value("scores", "two"));
    ASSERT_TRUE(database->put_value("other", ""));
  }
  const auto database = open(folder.file());
  EXPECT_EQ(*database->value("scores"), "two");
  EXPECT_EQ(*database->value("other"), "");
}

TEST(Records, DecisionsAreFoundByRequestAndByModelTheNewestFirst) {
  const Folder folder;
  const auto database = open(folder.file());
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(database->put(row("r" + std::to_string(i), i % 2 ? "b" : "a", i)));
  }
  ASSERT_TRUE(database->put(row("r1", "a", 9)));
  EXPECT_EQ(*database->decisions({"r2", "", 10}), "{\"request_id\":\"r2\"}\n");
  EXPECT_EQ(*database->decisions({"r9", "", 10}), "");
  EXPECT_EQ(*database->decisions({"", "b", 10}), "{\"request_id\":\"r3\"}\n{\"request_id\":\"r1\"}\n");
  EXPECT_EQ(*database->decisions({"", "", 2}), "{\"request_id\":\"r1\"}\n{\"request_id\":\"r3\"}\n");
}

TEST(Records, DecisionsGoWhenTheyAreOldOrTooMany) {
  const Folder folder;
  const auto database = open(folder.file());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(database->put(row("r" + std::to_string(i), "a", i)));
  ASSERT_TRUE(database->trim_decisions(2, 100));
  EXPECT_EQ(*database->decisions({"r1", "", 1}), "");
  EXPECT_NE(*database->decisions({"r2", "", 1}), "");
  ASSERT_TRUE(database->trim_decisions(0, 3));
  EXPECT_EQ(*database->decisions({"r6", "", 1}), "");
  EXPECT_NE(*database->decisions({"r7", "", 1}), "");
  ASSERT_TRUE(database->trim_decisions(0, 0));
  EXPECT_EQ(*database->decisions({"", "", 10}), "");
}

// A file of the version before has responses only; they stay.
TEST(Records, AFileOfTheVersionBeforeIsBroughtUpToDate) {
  const Folder folder;
  {
    const auto database = open(folder.file());
    ASSERT_TRUE(database->put(test::entry("a"), {10, 1 << 20}));
  }
  sqlite3* connection = nullptr;
  ASSERT_EQ(sqlite3_open(folder.file().c_str(), &connection), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(connection, "DROP TABLE decisions; DROP TABLE kept_values; PRAGMA user_version = 1",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(connection);
  const auto database = open(folder.file());
  EXPECT_EQ(database->totals().entries, 1);
  ASSERT_TRUE(database->put(row("r", "a", 1)));
  EXPECT_NE(*database->decisions({"r", "", 1}), "");
}

std::string text_of(const Ledger::Found& found) {
  return found ? found->value_or("none") : std::string(name_of(found.error().kind));
}

TEST(Records, TheLedgerFindsWhatWasPutBefore) {
  const Folder folder;
  const auto ledger = *Ledger::open(folder.file(), {}, [] { return 1000; });
  const auto value = [&](const std::string& name) {
    std::promise<std::string> answer;
    ledger->find_value(name, [&](const Ledger::Found& found) { answer.set_value(text_of(found)); });
    return answer.get_future().get();
  };
  const auto decisions = [&](const DecisionQuery& query) {
    std::promise<std::string> answer;
    ledger->find_decisions(query, [&](const Ledger::Found& found) { answer.set_value(text_of(found)); });
    return answer.get_future().get();
  };
  EXPECT_EQ(value("scores"), "none");
  ledger->put_value("scores", "state");
  EXPECT_EQ(value("scores"), "state");
  ledger->put_decisions(2, [] { return std::vector{row("r1", "a", 1), row("r2", "a", 2)}; });
  EXPECT_EQ(decisions({"", "a", 10}), "{\"request_id\":\"r2\"}\n{\"request_id\":\"r1\"}\n");
  ledger->close();
  EXPECT_EQ(value("scores"), "unavailable");
  ledger->put_decisions(2, [] { return std::vector<DecisionRow>(); });
  EXPECT_EQ(ledger->stats().dropped, 2u);
}

}  // namespace
}  // namespace switchyard::store
