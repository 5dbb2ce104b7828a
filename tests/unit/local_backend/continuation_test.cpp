// An answer that was begun goes on behind any cut as if it had never been cut.
#include "local_backend/engine/continuation.h"

#include "tests/unit/local_backend/engine_driver.h"
#include "tests/unit/local_backend/mini.h"

#include <gtest/gtest.h>

namespace switchyard::local {
namespace {

using testing::answer, testing::Answer, testing::ask, testing::bundled, testing::load_parts,
    testing::mini_json;
using Reason = Outcome::Reason;

const Tokenizer& tokenizer() {
  static const auto parts = load_parts(bundled_model());
  return *parts->tokenizer;
}

std::string text_of(const std::vector<int>& tokens) {
  std::string text;
  for (const int token : tokens) text += tokenizer().bytes(token);
  return text;
}

Answer go_on(Engine& engine, GenerateRequest request, std::string_view prefix) {
  request.prefix = prefix;
  return answer(engine, std::move(request));
}

TEST(Continuation, TokensAndRestAreTheText) {
  for (const std::string_view text :
       {"", "a", " ", "\n", "The capital of France is Paris.", "1, 2, 3 ",
        "n\xC3\xA9\xE6\x9D\xB1\xF0\x9F\x99\x82 x", "it's \n\n  two  spaces", "\xE6\x9D"}) {
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      const std::string_view begun = text.substr(0, cut);
      const Continuation continuation = continue_text(begun, tokenizer());
      EXPECT_EQ(text_of(continuation.tokens) + continuation.rest, begun);
      EXPECT_EQ(continuation.rest.empty(), begun.empty()) << begun;
    }
  }
}

TEST(Continuation, EveryTokenAcrossTheEndCanStillBeTaken) {
  const std::string text = "The capital of France is Paris, of course; the others are Japanese cities.";
  for (std::size_t cut = 1; cut <= text.size(); ++cut) {
    const std::string begun = text.substr(0, cut);
    const Continuation continuation = continue_text(begun, tokenizer());
    for (int id = 0; id < tokenizer().size(); ++id) {
      const std::string_view token = tokenizer().bytes(id);
      for (std::size_t n = 1; n < token.size() && n <= begun.size(); ++n) {
        if (begun.ends_with(token.substr(0, n))) {
          EXPECT_GE(continuation.rest.size(), n) << begun << '|' << token;
        }
      }
    }
  }
}

TEST(Continuation, WhatMaySpellARest) {
  EXPECT_TRUE(may_spell("Fr", "France"));
  EXPECT_TRUE(may_spell("France", "France"));
  EXPECT_TRUE(may_spell("France is", "France"));
  EXPECT_FALSE(may_spell("Ge", "France"));
  EXPECT_FALSE(may_spell("Fra n", "France"));
  EXPECT_FALSE(may_spell("", "France")) << "what ends a turn";
}

TEST(Continuation, AnAnswerCutAnywhereGoesOnAsItWas) {
  const auto engine = bundled();
  std::vector<GenerateRequest> requests;
  for (const auto& row : mini_json("reference_greedy.json")) {
    if (row["file"] == "mini.q8_0.gguf") requests.push_back(ask(row["prompt"], 32));
  }
  // What tokenizers find hard: runs of white space, digits, quotes.
  requests.push_back(ask("Repeat exactly: it's  two   spaces", 32));
  requests.push_back(ask("List three fruits.", 48));
  for (const GenerateRequest& request : requests) {
    const Answer whole = answer(*engine, request);
    for (std::size_t cut = 0; cut <= whole.text.size(); ++cut) {
      const std::string prefix = whole.text.substr(0, cut);
      const Answer rest = go_on(*engine, request, prefix);
      ASSERT_EQ(prefix + rest.text, whole.text) << "cut at " << cut;
      EXPECT_EQ(rest.outcome.reason, whole.outcome.reason) << prefix;
      EXPECT_EQ(rest.outcome.output_tokens, whole.outcome.output_tokens) << prefix;
      EXPECT_EQ(rest.outcome.input_tokens, whole.outcome.input_tokens);
      EXPECT_LE(rest.outcome.prefix_tokens, rest.outcome.output_tokens);
    }
  }
}

TEST(Continuation, StopStringsStandAcrossTheCut) {
  const auto engine = bundled();
  GenerateRequest request = ask("What is the capital of France?");
  request.stop = {"nowhere", "ance is"};  // Across three tokens.
  const std::string whole = "The capital of France is Paris.";
  for (std::size_t cut = 0; cut <= whole.find(" Paris"); ++cut) {
    SCOPED_TRACE(cut);
    const Answer rest = go_on(*engine, request, whole.substr(0, cut));
    EXPECT_EQ(rest.outcome.reason, Reason::stop_string);
    EXPECT_EQ(rest.outcome.stop_string, "ance is");
    // What was given cannot be taken back.
    const std::string stopped = "The capital of Fr";
    EXPECT_EQ(rest.text, cut < stopped.size() ? stopped.substr(cut) : "");
  }
}

TEST(Continuation, TheTextThatWasGivenCountsForTheLimit) {
  const auto engine = bundled();
  const Answer whole = answer(*engine, ask("What is the capital of France?", 6));
  ASSERT_EQ(whole.outcome.reason, Reason::length);
  for (const int limit : {1, 3, 5, 6}) {
    const Answer rest = go_on(*engine, ask("What is the capital of France?", limit), whole.text);
    EXPECT_EQ(rest.text, "") << limit;
    EXPECT_EQ(rest.outcome.reason, Reason::length);
  }
  const Answer rest = go_on(*engine, ask("What is the capital of France?", 8), whole.text);
  EXPECT_EQ(whole.text + rest.text, answer(*engine, ask("What is the capital of France?", 8)).text);
  EXPECT_EQ(rest.outcome.output_tokens, 8);
  EXPECT_EQ(rest.outcome.prefix_tokens, 6);
}

TEST(Continuation, TextOfAnotherModelGoesOnToo) {
  const auto engine = bundled();
  const auto request = ask("What is the capital of France?", 60);
  for (const char* text :
       {"Well, the capital of Fr", "\xE6\x9D\xB1\xE4\xBA", "The capital of France is\n\n  ", "zzzzzzzzzz"}) {
    const Answer first = go_on(*engine, request, text);
    EXPECT_NE(first.outcome.reason, Reason::failed);
    EXPECT_EQ(first.outcome.output_tokens > first.outcome.prefix_tokens, !first.text.empty()) << text;
    EXPECT_EQ(go_on(*engine, request, text).text, first.text);
  }
  EXPECT_EQ(go_on(*engine, request, "Well, the capital of Fr").text.substr(0, 4), "ance");
}

TEST(Continuation, ATextThatFillsTheContextIsRefused) {
  const auto engine = bundled();
  GenerateRequest request = ask("Hello!");
  request.prefix = std::string(600, '1');
  const auto refused = engine->submit(request, std::make_shared<testing::Recorder>());
  EXPECT_EQ(refused.refusal, Engine::Refusal::prompt_too_long);
  EXPECT_GT(refused.prompt_tokens, 512);
  request.prefix = std::string(2U << 20, '1');
  EXPECT_EQ(engine->submit(request, std::make_shared<testing::Recorder>()).refusal,
            Engine::Refusal::prompt_too_long);
}

}  // namespace
}  // namespace switchyard::local
