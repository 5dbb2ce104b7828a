#include "gateway/scoring/feedback.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace switchyard::scoring {
namespace {

using Ruling = FeedbackGate::Ruling;

TEST(Feedback, Bodies) {
  const struct {
    const char* body;
    double score;
    const char* param;  // Null: it is read.
  } rows[] = {
      {R"({"request_id":"r","score":1})", 1, nullptr},
      {R"({"request_id":"r","score":-0.5})", -0.5, nullptr},
      {R"({"request_id":"r","name":"thumb","value":true})", 1, nullptr},
      {R"({"request_id":"r","name":"thumb","value":false})", -1, nullptr},
      {R"({"request_id":"r","name":"rating","value":0.25})", 0.25, nullptr},
      {R"({"score":1})", 0, "request_id"},
      {R"({"request_id":7,"score":1})", 0, "request_id"},
      {R"({"request_id":"r"})", 0, "score"},
      {R"({"request_id":"r","score":"good"})", 0, "score"},
      {R"({"request_id":"r","score":1.5})", 0, "score"},
      {R"({"request_id":"r","name":"rating","value":5})", 0, "value"},
      {R"({"request_id":"r","value":true})", 0, "name"},
      {R"({"request_id":"r","name":"x","value":true,"score":1})", 0, "value"},
      {R"({"request_id":"r","name":"x","value":[1]})", 0, "value"},
      {"no JSON", 0, ""},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.body);
    const auto read = read_feedback(row.body);
    ASSERT_EQ(read.has_value(), row.param == nullptr);
    if (read) {
      EXPECT_EQ(read->request_id, "r");
      EXPECT_EQ(read->score, row.score);
    } else {
      EXPECT_EQ(read.error().kind, ErrorKind::invalid_request);
      EXPECT_EQ(read.error().param, row.param);
    }
  }
  EXPECT_FALSE(read_feedback(R"({"score":1,"request_id":")" + std::string(200, 'x') + "\"}"));
  EXPECT_EQ(x_of(1), 0);
  EXPECT_EQ(x_of(-1), 1);
  EXPECT_EQ(x_of(0), 0.5F);
}

TEST(Feedback, RequestsAreFoundUntilNewerOnesNeedTheirPlace) {
  ServedRequests served;
  EXPECT_FALSE(served.find(0));
  EXPECT_FALSE(served.find(17));
  served.add(17, {3, 5, 77, 100, 9});
  const auto found = served.find(17);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->target, 3u);
  EXPECT_EQ(found->key, 5u);
  EXPECT_EQ(found->session, 77u);
  EXPECT_EQ(found->at_s, 100u);
  EXPECT_EQ(found->stratum, 9);
  served.add(17, {4, 5, 77, 101, 9});
  EXPECT_EQ(served.find(17)->target, 4u) << "the last of one id counts";
  std::uint32_t found_again = 0;
  for (std::uint64_t id = 1000; id < 1000 + 4 * ServedRequests::kEntries; ++id)
    served.add(id, {1, 0, 0, static_cast<std::uint32_t>(id), 0});
  for (std::uint64_t id = 1000; id < 1000 + 4 * ServedRequests::kEntries; ++id)
    found_again += served.find(id).has_value();
  EXPECT_LE(found_again, ServedRequests::kEntries);
  EXPECT_GT(found_again, ServedRequests::kEntries / 2);
  EXPECT_FALSE(served.find(17)) << "the oldest goes";
  EXPECT_TRUE(served.find(1000 + 4 * ServedRequests::kEntries - 1)) << "the newest stays";
}

// Entries that are written while they are read are whole or not there.
TEST(Feedback, NobodySeesHalfARequest) {
  ServedRequests served;
  std::atomic<bool> stop{false};
  const auto write = [&](std::uint32_t value) {
    while (!stop) served.add(17, {value, value, value, value, static_cast<std::uint8_t>(value)});
  };
  std::thread one(write, 1), two(write, 2);
  for (int i = 0; i < 200'000; ++i) {
    const auto found = served.find(17);
    if (!found) continue;
    ASSERT_EQ(found->target, found->key);
    ASSERT_EQ(found->session, found->key);
    ASSERT_EQ(found->at_s, found->key);
  }
  stop = true;
  one.join();
  two.join();
  // The last of both writers at once may have left a mixture, which is nobody's until the next write.
  served.add(17, {3, 3, 3, 3, 3});
  const auto found = served.find(17);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->key, 3u);
}

TEST(Feedback, ASessionIsHeardOnceAnHour) {
  FeedbackGate gate;
  const ServedRequest session{.target = 1, .key = 1, .session = 42};
  EXPECT_EQ(gate.rule(session, 1, 0), Ruling::counts);
  EXPECT_EQ(gate.rule(session, 2, FeedbackGate::kHourMs - 1), Ruling::same_session);
  EXPECT_EQ(gate.rule(session, 3, FeedbackGate::kHourMs), Ruling::counts);
  const ServedRequest alone{.target = 1, .key = 1};
  gate = FeedbackGate();
  EXPECT_EQ(gate.rule(alone, 9, 0), Ruling::counts);
  EXPECT_EQ(gate.rule(alone, 9, 1), Ruling::same_session) << "one request is judged once";
  EXPECT_EQ(gate.rule(alone, 10, 1), Ruling::counts);
}

TEST(Feedback, NoKeyHasMoreThanItsShare) {
  FeedbackGate gate;
  std::uint64_t request = 0;
  const auto judge = [&](std::uint32_t key, int times, std::uint32_t target = 1) {
    int counted = 0;
    for (int i = 0; i < times; ++i)
      counted += gate.rule({.target = target, .key = key}, ++request, 1000) == Ruling::counts;
    return counted;
  };
  EXPECT_EQ(judge(1, 1000), FeedbackGate::kFreeAnHour) << "alone, a few";
  EXPECT_EQ(judge(1, 1000, 2), FeedbackGate::kFreeAnHour) << "of each target";
  int others = 0;
  for (std::uint32_t key = 2; key <= 50; ++key) others += judge(key, 4);
  EXPECT_EQ(others, 49 * 4);
  const int more = judge(1, 1000);
  const int own = FeedbackGate::kFreeAnHour + more, all = own + others;
  EXPECT_GT(more, 0) << "where others speak too, it may speak more";
  EXPECT_LE(own, FeedbackGate::kShareMax * all);
  EXPECT_GE(own + 1, FeedbackGate::kShareMax * all) << "and has all of its share";
}

TEST(Feedback, ShareOfAnHourAgoCountsHalf) {
  FeedbackGate gate;
  std::uint64_t request = 0;
  for (int i = 0; i < 10; ++i) gate.rule({.target = 1, .key = 1}, ++request, 0);
  EXPECT_EQ(gate.rule({.target = 1, .key = 1}, ++request, 1), Ruling::key_share);
  EXPECT_EQ(gate.rule({.target = 1, .key = 1}, ++request, FeedbackGate::kHourMs), Ruling::counts);
}

}  // namespace
}  // namespace switchyard::scoring
