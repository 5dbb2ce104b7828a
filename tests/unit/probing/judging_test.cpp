#include "gateway/probing/judging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace switchyard::probing {
namespace {

ChatRequest request_with(Part part) {
  ChatRequest request;
  request.messages.emplace_back();
  request.messages.back().parts.push_back(std::move(part));
  return request;
}

TEST(Judging, AQuestionIsAllTextAndNotTooLong) {
  ChatRequest request = request_with(TextPart{"How far is it?", {}});
  EXPECT_THAT(*question_of(request), testing::HasSubstr("[user] How far is it?"));
  EXPECT_EQ(question_of(request_with(ImagePart{"image/png", "AA==", "", "", ""})), std::nullopt);
  EXPECT_EQ(question_of(request_with(TextPart{std::string(kJudgedBytesMax + 1, 'x'), {}})), std::nullopt);
  EXPECT_EQ(question_of(ChatRequest()), std::nullopt);
}

TEST(Judging, TheRequestShowsBothAnswersInOrderBetweenMarksThatNoAnswerCanKnow) {
  Draw draw(1), other(2);
  const auto text_of = [](const ChatRequest& request) {
    return std::get<TextPart>(request.messages.at(0).parts.at(0)).text;
  };
  const std::string text = text_of(judge_request("The question", "One answer", "Another answer", draw));
  EXPECT_LT(text.find("The question"), text.find("One answer"));
  EXPECT_LT(text.find("One answer"), text.find("Another answer"));
  const auto mark = [](const std::string& from) { return from.substr(from.find("<request-") + 9, 8); };
  EXPECT_NE(mark(text), mark(text_of(judge_request("q", "a", "b", other))));
}

TEST(Judging, ReadsOneWordAndNothingElse) {
  EXPECT_EQ(read_preference("A"), Preference::first);
  EXPECT_EQ(read_preference(" b.\n"), Preference::second);
  EXPECT_EQ(read_preference("**Tie**"), Preference::neither);
  EXPECT_EQ(read_preference("A, because it is right"), Preference::first);
  EXPECT_EQ(read_preference("a tie"), std::nullopt);
  EXPECT_EQ(read_preference("Both are good"), std::nullopt);
  EXPECT_EQ(read_preference(""), std::nullopt);
}

TEST(Judging, APairCountsOnlyWhenBothOrdersAgree) {
  using enum Preference;
  EXPECT_EQ(score_of(second, first), 1) << "lost both";
  EXPECT_EQ(score_of(first, second), 0) << "won both";
  EXPECT_EQ(score_of(first, first), 0.5) << "the place won";
  EXPECT_EQ(score_of(second, second), 0.5);
  EXPECT_EQ(score_of(neither, second), 0.5);
}

TEST(Judging, ASpoiltAnswerIsAnotherAndAShortOneIsLeft) {
  const std::string answer =
      "The bridge of 1932 is 503 metres long, and steel arches carry its roadway over the harbour.";
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Draw draw(seed);
    const std::string bad = spoilt(answer, draw);
    EXPECT_FALSE(bad.empty());
    EXPECT_NE(bad, answer);
  }
  Draw draw(1);
  EXPECT_EQ(spoilt("42", draw), "");
  const std::string umlauts = "äöüäöüäöüäöüäöüäöüäöüäöüäöüäöü";
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Draw each(seed);
    EXPECT_EQ(spoilt(umlauts, each).size() % 2, 0u) << "cut inside a character";
  }
}

TEST(JudgeRecord, AJudgeThatErrsIsMutedAndComesBack) {
  JudgeRecord record;
  for (int i = 0; i < 500; ++i) {
    record.on_sentinel(i % 8 != 0);
    ASSERT_FALSE(record.is_muted()) << i;
  }
  int wrong = 0;
  while (!record.is_muted()) {
    record.on_sentinel(false);
    ASSERT_LT(++wrong, 20);
  }
  for (int i = 1; i < JudgeRecord::kRightInRow; ++i) record.on_sentinel(true);
  EXPECT_TRUE(record.is_muted());
  record.on_sentinel(true);
  EXPECT_FALSE(record.is_muted());
  record.on_sentinel(false);
  EXPECT_FALSE(record.is_muted());
}

}  // namespace
}  // namespace switchyard::probing
