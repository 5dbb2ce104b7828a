#include "gateway/store/ledger.h"

#include "tests/unit/store/folder.h"
#include "tests/unit/support/net.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

namespace switchyard::store {
namespace {

using test::entry;
using test::Folder;

class LedgerTest : public testing::Test {
 protected:
  std::shared_ptr<Ledger> open(Limits limits = {}) {
    auto ledger = Ledger::open(folder.file(), limits, [this] { return now_s.load(); });
    EXPECT_TRUE(ledger) << ledger.error().message;
    return *ledger;
  }

  // The text that is found, or what there is instead.
  std::string of(const Ledger::Found& found) {
    if (!found) return std::string(name_of(found.error().kind));
    return *found ? **found : "none";
  }

  std::string response(Ledger& ledger, const std::string& id, const std::string& key = "app") {
    return of(loop.run(ledger.response({loop.context, loop.deadlines}, key, id)));
  }

  std::string remove(Ledger& ledger, const std::string& id, const std::string& key = "app") {
    return of(loop.run(ledger.remove({loop.context, loop.deadlines}, key, id)));
  }

  switchyard::test::Loop loop;
  Folder folder;
  std::atomic<std::int64_t> now_s{1000};
};

TEST_F(LedgerTest, WhatIsAskedLaterSeesWhatWasPutEarlier) {
  const auto ledger = open();
  for (int i = 0; i < 100; ++i) {
    const std::string id = std::to_string(i);
    ledger->put(entry(id, i > 0 ? std::to_string(i - 1) : std::string()));
    EXPECT_EQ(response(*ledger, id), "{\"id\":\"" + id + "\"}");
  }
  const auto all = loop.run(ledger->conversation({loop.context, loop.deadlines}, "app", "1"));
  EXPECT_EQ(of(all), R"([{"in":"0"},{"out":"0"},{"in":"1"},{"out":"1"}])");
  EXPECT_EQ(response(*ledger, "1", "other"), "none");
}

TEST_F(LedgerTest, RemovesOnce) {
  const auto ledger = open();
  ledger->put(entry("a"));
  EXPECT_EQ(remove(*ledger, "a", "other"), "none");
  EXPECT_EQ(remove(*ledger, "a"), "");
  EXPECT_EQ(remove(*ledger, "a"), "none");
  EXPECT_EQ(response(*ledger, "a"), "none");
}

TEST_F(LedgerTest, WritesWhatIsQueuedBeforeItEnds) {
  {
    const auto ledger = open();
    for (int i = 0; i < 50; ++i) ledger->put(entry(std::to_string(i)));
  }
  const auto ledger = open();
  EXPECT_EQ(ledger->stats().entries, 50);
  EXPECT_EQ(response(*ledger, "49"), "{\"id\":\"49\"}");
}

TEST_F(LedgerTest, ForgetsWhatIsTooOld) {
  Limits limits;
  limits.keep = std::chrono::seconds(60);
  const auto ledger = open(limits);
  ledger->put(entry("a", {}, 1000));
  EXPECT_EQ(response(*ledger, "a"), "{\"id\":\"a\"}");
  now_s = 1061;
  EXPECT_EQ(response(*ledger, "a"), "none");
}

TEST_F(LedgerTest, NewLimitsHoldForWhatIsThere) {
  const auto ledger = open();
  for (int i = 0; i < 10; ++i) ledger->put(entry(std::to_string(i)));
  EXPECT_EQ(response(*ledger, "0"), "{\"id\":\"0\"}");
  Limits limits;
  limits.entries_max = 2;
  ledger->set_limits(limits);
  EXPECT_TRUE(loop.until([&] { return ledger->stats().entries == 2; }));
  EXPECT_EQ(response(*ledger, "7"), "none");
  EXPECT_EQ(response(*ledger, "8"), "{\"id\":\"8\"}");
}

TEST_F(LedgerTest, CountsWhatItDoesNotKeep) {
  Limits limits;
  limits.bytes_max = 30;
  const auto ledger = open(limits);
  ledger->put(entry("a"));
  EXPECT_EQ(response(*ledger, "a"), "none");
  EXPECT_EQ(ledger->stats().dropped, 1u);
  Entry large = entry("b");
  large.input.assign(Ledger::kQueueBytesMax + 1, ' ');
  ledger->put(std::move(large));
  EXPECT_EQ(ledger->stats().dropped, 2u);
}

TEST_F(LedgerTest, AfterItsEndItTakesNothing) {
  const auto ledger = open();
  ledger->close();
  ledger->put(entry("a"));
  EXPECT_EQ(ledger->stats().dropped, 1u);
  EXPECT_EQ(response(*ledger, "a"), "unavailable");
}

TEST_F(LedgerTest, SaysOnceThatTheDiskFails) {
  const auto ledger = open();
  std::atomic<int> said{0};
  ledger->watch([&](const std::string& message) { said += !message.empty(); });
  ledger->put(entry("a"));
  EXPECT_EQ(response(*ledger, "a"), "{\"id\":\"a\"}");
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(folder.file().c_str(), &other), SQLITE_OK);
  ASSERT_EQ(
      sqlite3_exec(other, "ALTER TABLE responses RENAME COLUMN output TO gone", nullptr, nullptr, nullptr),
      SQLITE_OK);
  for (const char* id : {"b", "c"}) {
    ledger->put(entry(id));
    EXPECT_EQ(response(*ledger, id), "none");
  }
  EXPECT_EQ(said, 1);
  EXPECT_EQ(ledger->stats().dropped, 2u);
  ASSERT_EQ(
      sqlite3_exec(other, "ALTER TABLE responses RENAME COLUMN gone TO output", nullptr, nullptr, nullptr),
      SQLITE_OK);
  sqlite3_close(other);
  ledger->put(entry("d"));
  EXPECT_EQ(response(*ledger, "d"), "{\"id\":\"d\"}");
  EXPECT_EQ(ledger->stats().entries, 2);
}

// An event loop may end while the ledger has its question.
TEST_F(LedgerTest, AnAnswerThatNobodyWaitsForReachesNobody) {
  const auto ledger = open();
  std::optional<Ledger::Found> found;
  io::spawn(loop.store(ledger->response({loop.context, loop.deadlines}, "app", "a"), found));
  loop.pass(Ledger::kPatience + std::chrono::seconds(1));
  EXPECT_TRUE(loop.until([&] { return found.has_value(); }));
  EXPECT_TRUE(of(*found) == "none" || of(*found) == "unavailable");
}

}  // namespace
}  // namespace switchyard::store
