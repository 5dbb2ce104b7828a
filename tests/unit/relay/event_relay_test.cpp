// What the caller is given of two replies of which the second goes on with the first.
#include "gateway/relay/event_relay.h"

#include <gtest/gtest.h>

namespace switchyard::relay {
namespace {

class EventRelayTest : public testing::Test {
 protected:
  // What the caller gets of these events.
  std::string give(const std::vector<Event>& events) {
    relay.out().clear();
    EXPECT_TRUE(relay.write(events));
    return relay.out();
  }

  static bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

  EventRelay relay{openai_chat(), {.request_id = "r", .model = "m", .include_usage = true}, true};
};

TEST_F(EventRelayTest, TheSecondReplyGoesOnInTheSameStream) {
  const std::string first = give({ReplyStart{"one", "a"}, TextDelta{"The capital "}});
  EXPECT_TRUE(has(first, R"("id":"one")"));
  EXPECT_TRUE(relay.has_content());
  EXPECT_EQ(relay.given().text, "The capital ");
  relay.go_on(Seam::prefilled(relay.given().text), ": continued\n\n");
  EXPECT_FALSE(relay.has_content()) << "of the second";
  EXPECT_EQ(give({ReplyStart{"two", "b"}, ThinkingDelta{"Hm."}, ThinkingSignature{"s", "x"}}), "");
  const std::string second = give({TextDelta{" of"}, TextDelta{" France"}});
  EXPECT_TRUE(second.starts_with(": continued\n\ndata: ")) << second;
  EXPECT_TRUE(has(second, R"("id":"one")"));
  EXPECT_FALSE(has(second, "role"));
  EXPECT_FALSE(has(second, "Hm."));
  EXPECT_TRUE(has(second, R"("content":"of")")) << second;
  EXPECT_EQ(relay.given().text, "The capital of France");
  EXPECT_FALSE(relay.given().is_finished);
  give({Finish{FinishReason::length, {}}});
  EXPECT_TRUE(relay.given().is_finished);
  relay.out().clear();
  relay.end();
  EXPECT_TRUE(has(relay.out(), R"("finish_reason":"length")"));
}

TEST_F(EventRelayTest, InputCountsOnceAndOutputInSum) {
  const auto usage = [](std::int64_t input, std::int64_t output) {
    Usage counted;
    counted.input_tokens = input;
    counted.output_tokens = output;
    return counted;
  };

  const struct {
    std::optional<Usage> first, second;
    std::int64_t given;
    Usage total;
    const char* why;
  } rows[] = {
      {{}, usage(40, 7), 10, usage(30, 17), "the first said nothing"},
      {usage(25, 1), usage(40, 7), 10, usage(25, 17), "the first had only begun to count"},
      {usage(25, 12), usage(40, 7), 10, usage(25, 19), "it counted more than the guess"},
      {usage(25, 1), {}, 10, usage(25, 10), "the second said nothing"},
      {{}, usage(5, 7), 10, usage(0, 17), "never below nothing"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    EventRelay both(openai_chat(), {.request_id = "r"}, true);
    std::vector<Event> first{ReplyStart{}, TextDelta{"a"}};
    if (row.first) first.emplace_back(*row.first);
    ASSERT_TRUE(both.write(first));
    both.go_on(Seam::exact(), {});
    both.count_given(row.given);
    std::vector<Event> second{TextDelta{"b"}};
    if (row.second) second.emplace_back(*row.second);
    second.emplace_back(Finish{});
    ASSERT_TRUE(both.write(second));
    EXPECT_EQ(both.total_usage(), row.total);
    EXPECT_EQ(both.usage(), row.second) << "the second's own";
  }
}

TEST_F(EventRelayTest, WhatIsMoreThanTextIsNotPlain) {
  TextDelta with_logprobs{"a"};
  with_logprobs.logprobs = "[{}]";

  const struct {
    Event event;
    bool is_plain;
  } rows[] = {
      {TextDelta{"a"}, true},
      {ThinkingDelta{"a"}, true},
      {ThinkingSignature{"", ""}, true},
      {Usage{}, true},
      {ThinkingSignature{"s", "anthropic"}, false},
      {RedactedThinking{"x", "anthropic"}, false},
      {RefusalDelta{"no"}, false},
      {ToolCallStart{0, "id", "name"}, false},
      {with_logprobs, false},
      {TextDelta{std::string(Given::kTextBytesMax, 'x')}, false},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.event.index());
    EventRelay one(openai_chat(), {.request_id = "r"}, true);
    ASSERT_TRUE(one.write({ReplyStart{}, TextDelta{"b"}, row.event}));
    EXPECT_EQ(one.given().is_plain, row.is_plain);
  }
}

TEST_F(EventRelayTest, TextThatMayBeARepetitionIsHeldUntilTheAnswerEnds) {
  give({ReplyStart{}, TextDelta{"One two"}});
  relay.go_on(Seam::prefilled("One two"), {});
  EXPECT_EQ(give({TextDelta{"One t"}}), "");
  EXPECT_TRUE(has(give({Finish{}}), R"("content":"One t")"));
}

TEST_F(EventRelayTest, ARepetitionThatMayBeMeantFails) {
  give({ReplyStart{}, TextDelta{"The capital of France"}});
  relay.go_on(Seam::prefilled("The capital of France"), {});
  const auto written = relay.write({TextDelta{"The capital of France is"}});
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::bad_reply);
}

}  // namespace
}  // namespace switchyard::relay
