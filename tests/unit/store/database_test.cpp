#include "gateway/store/database.h"

#include "tests/unit/store/folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

namespace switchyard::store {
namespace {

using test::entry;
using test::Folder;
using testing::HasSubstr;

constexpr Bounds kWide{1000, 1 << 20};

std::unique_ptr<Database> open(const std::string& path) {
  auto database = Database::open(path);
  if (!database) throw std::runtime_error(database.error().message);
  return std::move(*database);
}

void sql(const std::string& path, const char* text) {
  sqlite3* connection = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &connection), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(connection, text, nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(connection);
  sqlite3_close(connection);
}

std::string open_error(const std::string& path) {
  const auto database = Database::open(path);
  return database ? "it opens" : database.error().message;
}

// What is there: the ids among `ids` whose response is given.
std::string present(Database& database, const std::string& ids, std::int64_t since_s = 0) {
  std::string found;
  for (const char id : ids) {
    if (*database.response("app", std::string(1, id), since_s)) found += id;
  }
  return found;
}

TEST(Database, GivesBackWhatWasSent) {
  const Folder folder;
  const auto database = open(folder.file());
  ASSERT_TRUE(database->put(entry("a"), kWide));
  EXPECT_EQ(*database->response("app", "a", 0), "{\"id\":\"a\"}");
  EXPECT_EQ(*database->response("app", "b", 0), std::nullopt);
  EXPECT_EQ(database->totals().entries, 1);
  EXPECT_EQ(database->totals().bytes, entry("a").bytes());
}

TEST(Database, AConversationIsEveryTurnInItsOrder) {
  const Folder folder;
  const auto database = open(folder.file());
  ASSERT_TRUE(database->put(entry("a"), kWide));
  Entry second = entry("b", "a");
  second.output = "[ ]";  // An answer without a word.
  ASSERT_TRUE(database->put(second, kWide));
  ASSERT_TRUE(database->put(entry("c", "b"), kWide));
  ASSERT_TRUE(database->put(entry("d", "a"), kWide));  // Another way from the first on.
  EXPECT_EQ(*database->conversation("app", "a", 0), R"([{"in":"a"},{"out":"a"}])");
  EXPECT_EQ(*database->conversation("app", "c", 0),
            R"([{"in":"a"},{"out":"a"},{"in":"b"},{"in":"c"},{"out":"c"}])");
  EXPECT_EQ(*database->conversation("app", "d", 0), R"([{"in":"a"},{"out":"a"},{"in":"d"},{"out":"d"}])");
}

TEST(Database, AConversationWithoutItsBeginningIsNotThere) {
  const Folder folder;
  const auto database = open(folder.file());
  for (const auto& each : {entry("a"), entry("b", "a"), entry("c", "b")})
    ASSERT_TRUE(database->put(each, kWide));
  EXPECT_TRUE(*database->remove("app", "a"));
  EXPECT_EQ(*database->conversation("app", "c", 0), std::nullopt);
  EXPECT_EQ(present(*database, "abc"), "bc");
}

TEST(Database, AConversationIsOfBoundedLength) {
  const Folder folder;
  const auto database = open(folder.file());
  const Bounds bounds{1 << 20, 1 << 30};
  Entry circle = entry("x", "x");  // A circle has no end.
  ASSERT_TRUE(database->put(circle, bounds));
  const auto found = database->conversation("app", "x", 0);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::invalid_request);
  EXPECT_EQ(found.error().param, "previous_response_id");
  Entry large = entry("y");
  large.input = "[\"" + std::string(Database::kConversationBytesMax, 'x') + "\"]";
  ASSERT_TRUE(database->put(large, bounds));
  EXPECT_FALSE(database->conversation("app", "y", 0));
}

TEST(Database, AResponseIsItsKeysOnly) {
  const Folder folder;
  const auto database = open(folder.file());
  ASSERT_TRUE(database->put(entry("a"), kWide));
  ASSERT_TRUE(database->put(entry("b", "a", 1000, "other"), kWide));
  EXPECT_EQ(*database->response("other", "a", 0), std::nullopt);
  EXPECT_EQ(*database->response("", "a", 0), std::nullopt);
  EXPECT_EQ(*database->conversation("other", "a", 0), std::nullopt);
  EXPECT_EQ(*database->conversation("other", "b", 0), std::nullopt) << "its beginning is another key's";
  EXPECT_FALSE(*database->remove("other", "a"));
  // The same id twice is two responses.
  ASSERT_TRUE(database->put(entry("a", {}, 1000, "other"), kWide));
  EXPECT_TRUE(*database->remove("other", "a"));
  EXPECT_EQ(present(*database, "a"), "a");
}

TEST(Database, TheOldestGoFirst) {
  const Folder folder;
  const auto database = open(folder.file());
  for (const char* id : {"a", "b", "c", "d"}) ASSERT_TRUE(database->put(entry(id), {3, 1 << 20}));
  EXPECT_EQ(present(*database, "abcd"), "bcd");
  const std::int64_t each = entry("a").bytes();
  ASSERT_TRUE(database->put(entry("e"), {100, 2 * each + 1}));
  EXPECT_EQ(present(*database, "abcde"), "de");
  EXPECT_EQ(database->totals().bytes, 2 * each);
  ASSERT_TRUE(database->trim({1, 1 << 20}));
  EXPECT_EQ(present(*database, "abcde"), "e");
}

TEST(Database, WhatIsLargerThanAllIsNotTakenAndTakesNothingAway) {
  const Folder folder;
  const auto database = open(folder.file());
  ASSERT_TRUE(database->put(entry("a"), kWide));
  const auto taken = database->put(entry("b"), {10, 5});
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().kind, ErrorKind::too_large);
  EXPECT_EQ(present(*database, "ab"), "a");
}

TEST(Database, TheSameIdAgainReplaces) {
  const Folder folder;
  const auto database = open(folder.file());
  ASSERT_TRUE(database->put(entry("a"), kWide));
  Entry again = entry("a");
  again.response = "{}";
  ASSERT_TRUE(database->put(again, kWide));
  EXPECT_EQ(*database->response("app", "a", 0), "{}");
  EXPECT_EQ(database->totals().entries, 1);
  EXPECT_EQ(database->totals().bytes, again.bytes());
}

TEST(Database, WhatIsTooOldIsNotGivenAndGoes) {
  const Folder folder;
  const auto database = open(folder.file());
  ASSERT_TRUE(database->put(entry("a", {}, 100), kWide));
  ASSERT_TRUE(database->put(entry("b", "a", 200), kWide));
  EXPECT_EQ(present(*database, "ab", 150), "b");
  EXPECT_EQ(*database->conversation("app", "b", 150), std::nullopt);
  ASSERT_TRUE(database->expire(150));
  EXPECT_EQ(present(*database, "ab"), "b");
  EXPECT_EQ(database->totals().entries, 1);
}

TEST(Database, OutlivesTheProcess) {
  const Folder folder;
  {
    const auto database = open(folder.file());
    ASSERT_TRUE(database->begin());
    ASSERT_TRUE(database->put(entry("a"), kWide));
    ASSERT_TRUE(database->put(entry("b", "a"), kWide));
    ASSERT_TRUE(database->commit());
  }
  const auto database = open(folder.file());
  EXPECT_EQ(database->totals().entries, 2);
  EXPECT_EQ(database->totals().bytes, entry("a").bytes() + entry("b", "a").bytes());
  EXPECT_EQ(*database->conversation("app", "b", 0), R"([{"in":"a"},{"out":"a"},{"in":"b"},{"out":"b"}])");
}

TEST(Database, IsForItsOwnerOnly) {
  const Folder folder;
  const auto database = open(folder.file());
  ASSERT_TRUE(database->put(entry("a"), kWide));
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat status {};

    ASSERT_EQ(::stat((folder.file() + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_mode & 0777, 0600u) << suffix;
  }
}

TEST(Database, SaysWhyItCannotBeHad) {
  const Folder folder;
  EXPECT_EQ(open_error(folder.file("no/such/folder.db")), "No such file or directory");
  std::filesystem::create_directory(folder.file("folder.db"));
  EXPECT_EQ(open_error(folder.file("folder.db")), "Is a directory");
  std::ofstream(folder.file("text.db")) << std::string(5000, 'x');
  EXPECT_EQ(open_error(folder.file("text.db")), "file is not a database");
  sql(folder.file("foreign.db"), "CREATE TABLE theirs (a)");
  EXPECT_EQ(open_error(folder.file("foreign.db")), "the database of another program");
  { const auto database = open(folder.file("later.db")); }
  sql(folder.file("later.db"), "PRAGMA user_version = 3");
  EXPECT_EQ(open_error(folder.file("later.db")), "written by a later version of switchyard");
  std::ofstream(folder.file("empty.db")).flush();
  EXPECT_EQ(open_error(folder.file("empty.db")), "it opens");
}

TEST(Database, ADamagedFileIsRefusedAtTheStart) {
  const Folder folder;
  {
    const auto database = open(folder.file());
    for (int i = 0; i < 500; ++i) ASSERT_TRUE(database->put(entry(std::to_string(i)), kWide));
  }
  const auto size = std::filesystem::file_size(folder.file());
  ASSERT_GT(size, 40'000u);
  {
    std::fstream file(folder.file(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(size - 4096, '\x5a');
  }
  EXPECT_THAT(open_error(folder.file()), HasSubstr("malformed"));
}

}  // namespace
}  // namespace switchyard::store
