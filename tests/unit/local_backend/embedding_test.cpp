// Vectors of texts: what they are, and how their requests share the engine with answers.
#include "local_backend/engine/engine.h"
#include "tests/unit/local_backend/engine_driver.h"
#include "tests/unit/local_backend/mini.h"
#include "tests/unit/local_backend/reference_llama.h"
#include "tests/unit/local_backend/tiny_llama.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <thread>

namespace switchyard::local {
namespace {

using testing::answer, testing::as_bytes, testing::ask, testing::bundled, testing::embed,
    testing::embed_texts, testing::load_parts, testing::Recorder, testing::ReferenceLlama, testing::Stall,
    testing::TinyLlama, testing::Vectors;
using ::testing::FloatNear, ::testing::HasSubstr, ::testing::Pointwise;
using Reason = EmbeddingOutcome::Reason;
using Refusal = Engine::Refusal;

Result<std::unique_ptr<Engine>> load(const std::string& bytes) {
  const std::string path = ::testing::TempDir() + "embedding_test_" + std::to_string(::getpid()) + ".gguf";
  std::ofstream(path, std::ios::binary) << bytes;
  auto engine = load_engine(path, {});
  std::filesystem::remove(path);  // The mapping keeps the file.
  return engine;
}

// A text of so many tokens of the bundled model: a digit is always one.
std::string digits(int count) {
  return std::string(static_cast<std::size_t>(count), '1');
}

std::vector<float> normalised(const std::vector<double>& vector) {
  const double square = std::inner_product(vector.begin(), vector.end(), vector.begin(), 0.0);
  std::vector<float> out;
  for (const double x : vector) out.push_back(static_cast<float>(x / std::sqrt(square)));
  return out;
}

std::vector<float> pooled(const ReferenceLlama::Matrix& hidden, int pooling) {
  if (pooling == 2) return normalised(hidden.front());
  if (pooling == 3) return normalised(hidden.back());
  std::vector<double> sum(hidden[0].size());
  for (const auto& row : hidden)
    for (std::size_t i = 0; i < row.size(); ++i) sum[i] += row[i];
  return normalised(sum);
}

const std::vector<std::string> kTexts = {"Hello", "Tell me a short story.", "7", "n\xC3\xA9 \xE6\x9D\xB1\n"};

struct Model {
  const char* why;
  std::string bytes;
  int pooling;
  float tolerance;  // Where weights are quantized, so are activations, to 8 bits.
};

TEST(Embedding, IsWhatADoublePrecisionForwardPassGives) {
  const Model models[] = {
      {"plain weights", TinyLlama{.is_plain = true}.build(), 1, 1e-5F},
      {"no vector a text", TinyLlama{.is_plain = true, .pooling = 0}.build(), 1, 1e-5F},
      {"mean", TinyLlama{.is_plain = true, .pooling = 1}.build(), 1, 1e-5F},
      {"first", TinyLlama{.is_plain = true, .pooling = 2}.build(), 2, 1e-5F},
      {"last", TinyLlama{.is_plain = true, .pooling = 3}.build(), 3, 1e-5F},
      {"quantized weights", TinyLlama().build(), 1, 0.02F},
      {"the bundled model's weights", testing::read_file(testing::mini_path("mini.f16.gguf")), 1, 1e-4F},
  };

  for (const Model& model : models) {
    SCOPED_TRACE(model.why);
    const auto engine = load(model.bytes);
    ASSERT_TRUE(engine) << engine.error().message;
    const auto parts = load_parts(as_bytes(model.bytes));
    const ReferenceLlama reference(parts->file);
    const EmbeddingOutcome outcome = embed_texts(**engine, kTexts);
    ASSERT_EQ(outcome.vectors.size(), kTexts.size());
    int tokens = 0;
    for (std::size_t i = 0; i < kTexts.size(); ++i) {
      std::vector<int> ids;
      parts->tokenizer->encode(kTexts[i], ids);
      tokens += static_cast<int>(ids.size());
      EXPECT_THAT(outcome.vectors[i],
                  Pointwise(FloatNear(model.tolerance), pooled(reference.hidden(ids), model.pooling)));
    }
    EXPECT_EQ(outcome.input_tokens, tokens);
  }
}

TEST(Embedding, OfManyInputsIsThatOfEach) {
  const auto engine = bundled({.threads = 2});
  std::vector<std::string> texts;
  for (int i = 0; i < 30; ++i) texts.push_back("Number " + std::to_string(i) + ": " + digits(i * i % 97));
  texts.push_back(digits(512));
  for (int i = 0; i < 30; ++i) texts.push_back(std::to_string(i % 10));
  const EmbeddingOutcome all = embed_texts(*engine, texts);
  EXPECT_EQ(all.reason, Reason::done);
  ASSERT_EQ(all.vectors.size(), texts.size());
  int tokens = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto& vector = all.vectors[i];
    EXPECT_EQ(static_cast<int>(vector.size()), engine->embedding_size());
    EXPECT_NEAR(std::inner_product(vector.begin(), vector.end(), vector.begin(), 0.0), 1.0, 1e-6);
    const EmbeddingOutcome one = embed_texts(*engine, {texts[i]});
    EXPECT_EQ(one.vectors.at(0), vector) << texts[i];
    EXPECT_EQ(one.input_tokens, engine->count_text_tokens(texts[i])) << texts[i];
    tokens += one.input_tokens;
  }
  EXPECT_EQ(all.input_tokens, tokens);
  EXPECT_EQ(engine->stats().prompt_tokens, 2U * static_cast<unsigned>(tokens));
  EXPECT_EQ(engine->stats().generated_tokens, 0U);
}

TEST(Embedding, TakesTokenIdsAsTheyAre) {
  const std::string bytes = TinyLlama{.is_plain = true, .adds_ends = true}.build();
  const auto engine = load(bytes);
  ASSERT_TRUE(engine) << engine.error().message;
  const auto parts = load_parts(as_bytes(bytes));
  std::vector<int> ids = {0};
  parts->tokenizer->encode("Hello", ids);
  ids.push_back(2);
  EXPECT_EQ((*engine)->count_text_tokens("Hello"), static_cast<int>(ids.size()));
  const EmbeddingOutcome text = embed_texts(**engine, {"Hello"}), same = embed(**engine, {{}, {ids}}),
                         bare = embed(**engine, {{}, {{ids[1], ids[2]}}});
  EXPECT_EQ(text.input_tokens, static_cast<int>(ids.size()));
  EXPECT_EQ(same.vectors, text.vectors);
  EXPECT_NE(bare.vectors, text.vectors);
  EXPECT_EQ(bare.input_tokens, 2);
}

TEST(Embedding, WhatTheModelCannotTakeIsRefusedByItsIndex) {
  const auto engine = bundled();
  const int vocabulary = load_parts(bundled_model())->tokenizer->size();
  const std::vector<std::string> many(Engine::kInputsMax + 1, "a");
  const std::string huge = digits((1 << 20) + 1);

  const struct {
    const char* why;
    EmbeddingRequest request;
    Refusal refusal;
    int input, tokens;
  } rows[] = {
      {"no input", {}, Refusal::empty_input, 0, 0},
      {"an empty text", {{"a", "b", ""}, {}}, Refusal::empty_input, 2, 0},
      {"an empty list", {{}, {{5}, {}}}, Refusal::empty_input, 1, 0},
      {"an id above", {{}, {{5}, {6, vocabulary}}}, Refusal::unknown_token, 1, 2},
      {"an id below", {{}, {{-1}}}, Refusal::unknown_token, 0, 1},
      {"a long text", {{"a", digits(513)}, {}}, Refusal::prompt_too_long, 1, 513},
      {"a long list", {{}, {std::vector<int>(513, 5)}}, Refusal::prompt_too_long, 0, 513},
      {"one that cannot fit", {{"a", huge}, {}}, Refusal::prompt_too_long, 1, -1},
      {"too many", {many, {}}, Refusal::too_large, 0, 0},
      {"too much text", {{digits(1 << 19), digits(1 << 19), "a"}, {}}, Refusal::too_large, 0, 0},
      {"too many ids", {{}, std::vector(1024, std::vector<int>(257, 5))}, Refusal::too_large, 0, 0},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const auto refused = engine->submit_embedding(row.request, std::make_shared<Vectors>());
    EXPECT_EQ(refused.refusal, row.refusal);
    EXPECT_EQ(refused.input, row.input);
    EXPECT_EQ(refused.id, 0U);
    if (row.tokens >= 0) EXPECT_EQ(refused.prompt_tokens, row.tokens);
    if (row.refusal == Refusal::prompt_too_long) EXPECT_GT(refused.prompt_tokens, refused.context_tokens);
  }
  EXPECT_EQ(embed_texts(*engine, {digits(512)}).input_tokens, 512);
}

TEST(Embedding, WeightsThatGiveNoDirectionAreAFailure) {
  const auto engine = load(TinyLlama{.has_no_direction = true}.build());
  ASSERT_TRUE(engine) << engine.error().message;
  const EmbeddingOutcome outcome = embed_texts(**engine, {"a", "b", "c"});
  EXPECT_EQ(outcome.reason, Reason::failed);
  EXPECT_THAT(outcome.message, HasSubstr("normalised"));
  EXPECT_TRUE(outcome.vectors.empty());
}

TEST(Embedding, AFileWhoseVectorsAreOfAnotherKindIsRefused) {
  for (const TinyLlama& tiny : {TinyLlama{.pooling = 4}, TinyLlama{.causal = false}}) {
    const auto engine = load(tiny.build());
    ASSERT_FALSE(engine);
    EXPECT_THAT(engine.error().message, HasSubstr("supported"));
  }
  EXPECT_TRUE(load(TinyLlama{.causal = true}.build()));
}

TEST(Embedding, EndsWhenItIsCancelledInTheQueueOrInside) {
  const auto engine = bundled();
  const auto sink = std::make_shared<Vectors>(), queued = std::make_shared<Vectors>();
  const auto talking = std::make_shared<Recorder>();
  std::uint64_t id = 0;
  int texts = 0;
  // On the engine's thread: the second text comes after a pass with a part of the inputs.
  talking->each_text = [&] {
    if (++texts == 1) {
      id = engine->submit_embedding({{digits(400), digits(400)}, {}}, sink).id;
      engine->cancel(engine->submit_embedding({{"a"}, {}}, queued).id);
    }
    if (texts == 2) engine->cancel(id);
  };
  engine->submit(ask("Tell me a short story.", 20), talking);
  for (const auto& ended : {sink, queued}) {
    EXPECT_EQ(ended->wait().reason, Reason::cancelled);
    EXPECT_TRUE(ended->wait().vectors.empty());
  }
  const auto told = talking->wait();
  EXPECT_EQ(engine->stats().prompt_tokens, static_cast<std::uint64_t>(told.input_tokens) + 16);
  engine->cancel(id);  // Over: ignored.
  EXPECT_EQ(embed_texts(*engine, {"a"}).vectors.size(), 1U);
}

TEST(Embedding, RequestsLeaveHalfOfTheEngineToAnswers) {
  const auto engine = bundled({.queue_max = 2});
  Stall stall(*engine);
  std::vector<std::shared_ptr<Vectors>> sinks;
  const auto submit = [&] {
    return engine->submit_embedding({{"a", "b"}, {}}, sinks.emplace_back(std::make_shared<Vectors>()))
        .refusal;
  };
  for (int i = 0; i < 6; ++i) EXPECT_EQ(submit(), Refusal::none) << i;  // Four run, two wait.
  EXPECT_EQ(submit(), Refusal::queue_full);
  sinks.pop_back();
  std::vector<std::shared_ptr<Recorder>> answers;
  const auto ask_one = [&] {
    return engine->submit(ask("What is 2 + 3?"), answers.emplace_back(std::make_shared<Recorder>())).refusal;
  };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask_one(), Refusal::none) << i;  // Beside the stalled one.
  EXPECT_EQ(ask_one(), Refusal::queue_full);
  answers.pop_back();
  stall.release();
  for (const auto& sink : sinks) EXPECT_EQ(sink->wait().vectors.size(), 2U);
  for (const auto& sink : answers) EXPECT_EQ(sink->wait().reason, Outcome::Reason::stop);
}

// An answer has a token of every pass, and passes stay short beside it.
TEST(Embedding, ThousandsOfInputsDoNotStarveAnAnswer) {
  const auto engine = bundled();
  const auto talking = std::make_shared<Recorder>();
  const auto sink = std::make_shared<Vectors>();
  std::vector<std::string> ended;  // On the engine's thread.
  std::uint64_t before = 0;
  int texts = 0;
  talking->each_text = [&] {
    const std::uint64_t now = engine->stats().prompt_tokens;
    if (++texts == 1) engine->submit_embedding({std::vector(40, digits(100)), {}}, sink);
    if (texts > 1) EXPECT_EQ(now - before, 16U);
    before = now;
  };
  talking->at_end = [&] { ended.emplace_back("answer"); };
  sink->at_end = [&] { ended.emplace_back("vectors"); };
  engine->submit(ask("Tell me a short story.", 40), talking);
  EXPECT_EQ(sink->wait().vectors.size(), 40U);
  EXPECT_EQ(talking->wait().output_tokens, 40);
  EXPECT_EQ(ended, (std::vector<std::string>{"answer", "vectors"}));
}

// Inputs take turns: a prompt, or another request's input, waits for one of them, not for all.
TEST(Embedding, APromptAndASecondRequestOvertakeManyInputs) {
  const auto engine = bundled();
  std::vector<std::string> ended;  // On the engine's thread.
  const auto many = std::make_shared<Vectors>(), one = std::make_shared<Vectors>();
  const auto asking = std::make_shared<Recorder>();
  many->at_end = [&] { ended.emplace_back("many"); };
  one->at_end = [&] { ended.emplace_back("one"); };
  asking->at_end = [&] { ended.emplace_back("answer"); };
  {
    Stall stall(*engine);
    engine->submit_embedding({std::vector(40, digits(100)), {}}, many);
    engine->submit_embedding({{digits(100)}, {}}, one);
    engine->submit(ask("What is 2 + 3?"), asking);
  }
  many->wait();
  EXPECT_EQ(one->wait().vectors[0], many->wait().vectors[39]);
  EXPECT_EQ(asking->text(), "5");
  EXPECT_EQ(ended.back(), "many");
  EXPECT_EQ(ended.size(), 3U);
}

TEST(Embedding, DestructionEndsEveryRequestOnce) {
  std::vector<std::shared_ptr<Vectors>> sinks;
  {
    const auto engine = bundled();
    Stall stall(*engine);
    for (int i = 0; i < 10; ++i)
      engine->submit_embedding({std::vector(2000, std::string("11111111")), {}},
                               sinks.emplace_back(std::make_shared<Vectors>()));
  }
  for (const auto& sink : sinks) EXPECT_EQ(sink->wait().reason, Reason::cancelled);
}

TEST(Embedding, ThreadsEmbedAskAndCancelAtOnce) {
  const auto engine = bundled({.queue_max = 100});
  const auto want = embed_texts(*engine, {"What is 2 + 3?"}).vectors;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 8; ++i) {
        const auto left = std::make_shared<Vectors>();
        engine->cancel(engine->submit_embedding({{digits(300)}, {}}, left).id);
        EXPECT_EQ(embed_texts(*engine, {"What is 2 + 3?"}).vectors, want);
        EXPECT_EQ(answer(*engine, ask("What is 2 + 3?")).text, "5");
        EXPECT_EQ(engine->count_text_tokens(digits(9)), 9);
        left->wait();
      }
    });
  for (auto& thread : threads) thread.join();
}

TEST(CountTokens, IsWhatTheRequestIsChargedFor) {
  const auto engine = bundled();
  for (const auto& text : kTexts) {
    const GenerateRequest request = ask(text, 1);
    EXPECT_EQ(engine->count_tokens(request.messages), answer(*engine, request).outcome.input_tokens) << text;
    EXPECT_EQ(engine->count_text_tokens(text), embed_texts(*engine, {text}).input_tokens) << text;
  }
  const GenerateRequest none;
  EXPECT_EQ(engine->count_tokens(none.messages),
            engine->submit(none, std::make_shared<Recorder>()).prompt_tokens);
  EXPECT_EQ(engine->count_text_tokens(""), 0);
}

TEST(CountTokens, CountsWhatDoesNotFitUnlessItIsHuge) {
  const auto engine = bundled();
  const std::string full = digits(1 << 20), huge = full + "1";
  EXPECT_EQ(engine->count_text_tokens(full), 1 << 20);
  EXPECT_EQ(engine->count_text_tokens(huge), std::nullopt);
  EXPECT_GT(engine->count_tokens({{"user", full}}), 1 << 20);
  EXPECT_EQ(engine->count_tokens({{"user", full}, {"user", "1"}}), std::nullopt);
}

}  // namespace
}  // namespace switchyard::local
