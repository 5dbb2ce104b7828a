#include "local_backend/engine/sequence.h"

#include "tests/unit/local_backend/mini.h"

#include <gtest/gtest.h>

namespace switchyard::local {
namespace {

using testing::load_parts;
using Reason = Outcome::Reason;

struct Collected : Sink {
  void on_text(std::string_view text) override {
    if (!may_begin_inside || !parts.empty()) {
      EXPECT_EQ(valid_utf8(text), text) << "a part of a character";
    }
    EXPECT_FALSE(text.empty());
    parts.emplace_back(text);
    whole += text;
  }

  void on_end(const Outcome& ended) override {
    EXPECT_FALSE(outcome) << "two ends";
    outcome = ended;
  }

  bool may_begin_inside = false;  // A character that the prefix has the start of.
  std::vector<std::string> parts;
  std::string whole;
  std::optional<Outcome> outcome;
};

const Tokenizer& tokenizer() {
  static const auto parts = load_parts(bundled_model());
  return *parts->tokenizer;
}

// A request whose answer is dictated, a token a byte: every byte of a character and of a stop string is on
// the other side of a token boundary than the one before.
class Dictated {
 public:
  // `prefix` is spelled before anything new is said.
  explicit Dictated(std::vector<std::string> stops = {}, int max_tokens = 0, const std::string& prefix = {})
      : sink(std::make_shared<Collected>()),
        sequence(1,
                 {.messages = {},
                  .max_tokens = max_tokens,
                  .sampling = {.temperature = 0},
                  .stop = stops,
                  .prefix = prefix},
                 {1, 2, 3}, {{}, prefix}, sink) {
    say(prefix);
  }

  void token(int id) {
    std::vector<float> logits(static_cast<std::size_t>(tokenizer().size()));
    logits[static_cast<std::size_t>(id)] = 1;
    sequence.advance(logits, tokenizer(), context);
  }

  void say(std::string_view text) {
    for (std::size_t i = 0; i < text.size() && !sequence.is_ended(); ++i) {
      int id = 0;
      while (tokenizer().bytes(id) != text.substr(i, 1)) ++id;
      token(id);
    }
  }

  void end_turn() { token(*tokenizer().special("<|im_end|>")); }

  int context = 512;
  std::shared_ptr<Collected> sink;
  Sequence sequence;
};

TEST(Sequence, CharactersGoOutWhole) {
  Dictated answer;
  answer.say("n\xC3\xA9\xE6\x9D\xB1\xF0\x9F\x99\x82!");
  answer.end_turn();
  EXPECT_EQ(answer.sink->parts,
            (std::vector<std::string>{"n", "\xC3\xA9", "\xE6\x9D\xB1", "\xF0\x9F\x99\x82", "!"}));
  EXPECT_EQ(answer.sink->outcome->reason, Reason::stop);
  EXPECT_EQ(answer.sink->outcome->input_tokens, 3);
  EXPECT_EQ(answer.sink->outcome->output_tokens, 11);  // The token that ends the turn is not of the answer.
}

TEST(Sequence, ACharacterThatTheEndCutsIsReplaced) {
  const struct {
    const char* why;
    int max_tokens, context;
  } rows[] = {{"the limit", 2, 512}, {"the context", 0, 5}};

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    Dictated answer({}, row.max_tokens);
    answer.context = row.context;
    answer.say("a\xE6\x9D\xB1");
    EXPECT_EQ(answer.sink->whole, "a\xEF\xBF\xBD");
    EXPECT_EQ(answer.sink->outcome->reason, Reason::length);
    EXPECT_EQ(answer.sink->outcome->output_tokens, 2);
  }
}

TEST(Sequence, StopStringsAreFoundAcrossTokens) {
  const struct {
    const char* why;
    std::vector<std::string> stops;
    const char *said, *sent, *stop;
  } rows[] = {
      {"in the middle", {"END"}, "the END of it", "the ", "END"},
      {"of several bytes a character",
       {"\xE6\x9D\xB1."},
       "to \xE6\x9D\xB1\xE6\x9D\xB1.",
       "to \xE6\x9D\xB1",
       "\xE6\x9D\xB1."},
      {"the first of several", {"zz", "\n\n"}, "a\nb\n\nczz", "a\nb", "\n\n"},
      {"at the very start", {"a"}, "abc", "", "a"},
      {"begun and not ended", {"END"}, "the EN", "the EN", ""},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    Dictated answer(row.stops);
    answer.say(row.said);
    if (!answer.sequence.is_ended()) answer.end_turn();
    EXPECT_EQ(answer.sink->whole, row.sent);
    EXPECT_EQ(answer.sink->outcome->stop_string, row.stop);
    EXPECT_EQ(answer.sink->outcome->reason, *row.stop ? Reason::stop_string : Reason::stop);
  }
}

TEST(Sequence, WhatWasHeldBackGoesOutWhenTheRequestEnds) {
  Dictated answer({"END"});
  answer.say("the EN");
  EXPECT_EQ(answer.sink->whole, "the ");
  answer.sequence.end(Reason::cancelled);
  EXPECT_EQ(answer.sink->whole, "the EN");
  EXPECT_EQ(answer.sink->outcome->reason, Reason::cancelled);
  EXPECT_EQ(answer.sink.use_count(), 1) << "the sink is let go of";
}

TEST(Sequence, NothingOfThePrefixIsSentAgain) {
  const struct {
    const char* why;
    std::vector<std::string> stops;
    const char *prefix, *said, *sent, *stop;
  } rows[] = {
      {"no stops", {}, "the ", "end", "end", ""},
      {"a stop string across the seam", {"END"}, "the EN", "D of it", "", "END"},
      {"another letter", {"END"}, "the EN", "X", "X", ""},
      {"begun, and the end", {"END"}, "the EN", "", "", ""},
      {"begun again behind it", {"END"}, "the EN", "EN", "EN", ""},
      {"it is there", {"END"}, "the END", "x", "", "END"},
      {"behind the seam", {"END"}, "the ", "aEND", "a", "END"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    Dictated answer(row.stops, 0, row.prefix);
    answer.say(row.said);
    if (!answer.sequence.is_ended()) answer.end_turn();
    EXPECT_EQ(answer.sink->whole, row.sent);
    EXPECT_EQ(answer.sink->outcome->stop_string, row.stop);
    EXPECT_EQ(answer.sink->outcome->input_tokens, 3);
  }
}

TEST(Sequence, ACharacterThatThePrefixCutsIsCompleted) {
  Dictated answer({}, 0, "n\xE6\x9D");
  answer.sink->may_begin_inside = true;
  answer.say("\xB1!");
  answer.end_turn();
  EXPECT_EQ(answer.sink->whole, "\xB1!");
  Dictated ended({}, 3, "n\xE6\x9D");
  EXPECT_EQ(ended.sink->whole, "") << "nothing is put in the place of what the caller has half of";
  EXPECT_EQ(ended.sink->outcome->reason, Reason::length);
}

TEST(Sequence, WhatDoesNotFitThePrefixIsNotPicked) {
  Dictated answer({}, 0, "");
  Sequence sequence(1, {.messages = {}, .sampling = {.temperature = 0}, .prefix = "Fra"}, {1, 2, 3},
                    {{}, "Fra"}, answer.sink);
  std::vector<float> logits(static_cast<std::size_t>(tokenizer().size()));
  const auto prefer = [&](std::string_view text, float logit) {
    for (int id = 0; id < tokenizer().size(); ++id)
      if (tokenizer().bytes(id) == text) logits[static_cast<std::size_t>(id)] = logit;
  };
  prefer("e", 9);
  prefer("F", 2);
  prefer("r", 3);
  prefer("an", 4);
  logits[static_cast<std::size_t>(*tokenizer().special("<|im_end|>"))] = 20;  // Nor may it end here.
  for (int i = 0; i < 3; ++i) sequence.advance(logits, tokenizer(), 512);
  EXPECT_EQ(answer.sink->whole, "n") << "Fra, and the rest of the last token";
  EXPECT_FALSE(sequence.is_ended());
  sequence.advance(logits, tokenizer(), 512);
  EXPECT_EQ(answer.sink->outcome->output_tokens, 3);
  EXPECT_EQ(answer.sink->outcome->prefix_tokens, 2);
}

}  // namespace
}  // namespace switchyard::local
