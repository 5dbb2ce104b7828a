#include "local_backend/engine/sequence.h"

#include "tests/unit/local_backend/mini.h"

#include <gtest/gtest.h>

namespace switchyard::local {
namespace {

using testing::load_parts;
using Reason = Outcome::Reason;

struct Collected : Sink {
  void on_text(std::string_view text) override {
    EXPECT_EQ(valid_utf8(text), text) << "a part of a character";
    EXPECT_FALSE(text.empty());
    parts.emplace_back(text);
    whole += text;
  }

  void on_end(const Outcome& ended) override {
    EXPECT_FALSE(outcome) << "two ends";
    outcome = ended;
  }

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
  explicit Dictated(std::vector<std::string> stops = {}, int max_tokens = 0)
      : sink(std::make_shared<Collected>()),
        sequence(1, {.messages = {}, .max_tokens = max_tokens, .sampling = {.temperature = 0}, .stop = stops},
                 {1, 2, 3}, sink) {}

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

}  // namespace
}  // namespace switchyard::local
