#include "local_backend/engine/engine.h"

#include "tests/unit/local_backend/engine_driver.h"
#include "tests/unit/local_backend/mini.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <new>
#include <thread>

namespace switchyard::local {
namespace {

using testing::answer, testing::Answer, testing::ask, testing::bundled, testing::Gate, testing::mini_json,
    testing::mini_path, testing::Recorder, testing::Stall;
using Reason = Outcome::Reason;

TEST(Engine, AnswersTheReferencesPromptsAtOnce) {
  for (const char* file : {"mini.q8_0.gguf", "mini.f16.gguf"}) {
    auto engine = load_engine(mini_path(file), {});
    ASSERT_TRUE(engine) << engine.error().message;
    std::vector<std::pair<nlohmann::json, std::shared_ptr<Recorder>>> asked;
    for (const auto& row : mini_json("reference_greedy.json")) {
      if (row["file"] != file) continue;
      asked.emplace_back(row, std::make_shared<Recorder>());
      const auto submitted = (*engine)->submit(ask(row["prompt"], 40), asked.back().second);
      EXPECT_EQ(submitted.prompt_tokens, static_cast<int>(row["prompt_ids"].size()));
    }
    EXPECT_EQ(asked.size(), 20U);
    std::uint64_t prompts = 0, answers = 0;
    for (auto& [row, sink] : asked) {
      const Outcome& outcome = sink->wait();
      EXPECT_EQ(sink->text(), row["text"].get<std::string>()) << row["prompt"];
      EXPECT_EQ(outcome.output_tokens, static_cast<int>(row["greedy_ids"].size()));
      EXPECT_EQ(outcome.input_tokens, static_cast<int>(row["prompt_ids"].size()));
      EXPECT_EQ(outcome.reason, outcome.output_tokens == 40 ? Reason::length : Reason::stop);
      prompts += static_cast<std::uint64_t>(outcome.input_tokens);
      answers += static_cast<std::uint64_t>(outcome.output_tokens) + (outcome.reason == Reason::stop ? 1 : 0);
    }
    EXPECT_EQ((*engine)->stats().prompt_tokens, prompts);
    EXPECT_EQ((*engine)->stats().generated_tokens,
              answers);  // The token that ends a turn is generated as well.
  }
}

TEST(Engine, SaysWhatItIs) {
  const auto engine = bundled({.threads = 2});
  EXPECT_EQ(engine->context_tokens(), 512);
  EXPECT_THAT(std::string(engine->device()), ::testing::MatchesRegex("cpu \\(.+, 2 threads\\)"));
  EXPECT_EQ(answer(*engine, ask("What is 2 + 3?")).text, "5");
}

TEST(Engine, MaxTokensAndStopStringsEndAnAnswer) {
  const auto engine = bundled();
  const Answer cut = answer(*engine, ask("What is the capital of France?", 3));
  EXPECT_EQ(cut.outcome.reason, Reason::length);
  EXPECT_EQ(cut.outcome.output_tokens, 3);
  EXPECT_EQ(cut.text, "The capital of");
  GenerateRequest request = ask("What is the capital of France?");
  request.stop = {"nowhere", "ance is"};  // Across three tokens.
  const Answer stopped = answer(*engine, request);
  EXPECT_EQ(stopped.outcome.reason, Reason::stop_string);
  EXPECT_EQ(stopped.outcome.stop_string, "ance is");
  EXPECT_EQ(stopped.text, "The capital of Fr");
  request.stop = {"Paris.x"};  // Held back until the end shows that it does not come.
  EXPECT_EQ(answer(*engine, request).text, "The capital of France is Paris.");
}

TEST(Engine, TheContextsEndIsALengthAndALongerPromptIsRefused) {
  const auto engine = bundled();
  std::string question = "Tell me a short story.";
  const auto parts = testing::load_parts(bundled_model());
  ASSERT_TRUE(parts);
  const auto tokens = [&] { return parts->chat.render({{"user", question}}, *parts->tokenizer).size(); };
  while (tokens() < 511) question += '1';  // A digit is always one token. There is room for one more.
  const Answer full = answer(*engine, ask(question));
  EXPECT_EQ(full.outcome.reason, Reason::length);
  EXPECT_EQ(full.outcome.input_tokens + full.outcome.output_tokens, 512);
  question += '1';
  const auto refused = engine->submit(ask(question), std::make_shared<Recorder>());
  EXPECT_EQ(refused.refusal, Engine::Refusal::prompt_too_long);
  EXPECT_EQ(refused.id, 0U);
  EXPECT_EQ(refused.context_tokens, 512);
  EXPECT_EQ(refused.prompt_tokens, 512);
}

TEST(Engine, AHugePromptIsRefusedWithoutCountingItsTokens) {
  const auto engine = bundled();
  const auto parts = testing::load_parts(bundled_model());
  ASSERT_TRUE(parts);
  const std::size_t bytes = (1U << 20) + 1;
  const auto refused = engine->submit(ask(std::string(bytes, '1')), std::make_shared<Recorder>());
  EXPECT_EQ(refused.refusal, Engine::Refusal::prompt_too_long);
  EXPECT_EQ(refused.prompt_tokens, static_cast<int>(bytes / parts->tokenizer->longest_bytes()));
}

TEST(Engine, OneCandidateIsGreedyWhateverTheTemperature) {
  const auto engine = bundled();
  GenerateRequest request = ask("Tell me a short story.", 30);
  const std::string greedy = answer(*engine, request).text;
  for (const Sampling& sampling :
       {Sampling{.temperature = 1.5F, .top_k = 1}, Sampling{.temperature = 1.5F, .min_p = 1.0F},
        Sampling{.temperature = 1.5F, .top_p = 0.0F}}) {
    request.sampling = sampling;
    EXPECT_EQ(answer(*engine, request).text, greedy);
  }
}

TEST(Engine, TheSeedDecidesTheAnswerWhateverElseRuns) {
  const auto engine = bundled();
  GenerateRequest request = ask("Tell me a short story.");
  request.sampling = {.temperature = 1.2F, .top_p = 0.95F, .seed = 5};
  const std::string alone = answer(*engine, request).text;
  std::vector<std::shared_ptr<Recorder>> others;
  for (int i = 0; i < 5; ++i)
    engine->submit(ask("Tell me a story about number " + std::to_string(i)),
                   others.emplace_back(std::make_shared<Recorder>()));
  EXPECT_EQ(answer(*engine, request).text, alone);
  request.sampling.seed = 6;
  EXPECT_NE(answer(*engine, request).text, alone);
  for (auto& sink : others) sink->wait();
}

TEST(Engine, ACancelledAnswerEndsBeforeItsNextToken) {
  const auto engine = bundled();
  auto sink = std::make_shared<Recorder>();
  std::uint64_t id = 0;
  Gate submitted;
  sink->each_text = [&] {
    submitted.wait();
    engine->cancel(id);
  };
  id = engine->submit(ask("Tell me a short story."), sink).id;
  submitted.open();
  EXPECT_EQ(sink->wait().reason, Reason::cancelled);
  EXPECT_EQ(sink->wait().output_tokens, 1);
  engine->cancel(id);   // Over: ignored.
  engine->cancel(999);  // Unknown: ignored.
  EXPECT_EQ(answer(*engine, ask("What is 2 + 3?")).text, "5");
}

TEST(Engine, ARequestCancelledInsideItsPromptNeverAnswers) {
  const auto engine = bundled();
  const auto talking = std::make_shared<Recorder>(), asking = std::make_shared<Recorder>();
  std::uint64_t id = 0;
  int texts = 0;
  // The first text comes from one pass of the model and the second from the next, which takes 63 tokens of
  // the prompt. Both are on the engine's thread: submit() and cancel() work there too.
  talking->each_text = [&] {
    ++texts;
    if (texts == 1) id = engine->submit(ask(std::string(400, '1')), asking).id;
    if (texts == 2) engine->cancel(id);
  };
  engine->submit(ask("Tell me a short story."), talking);
  const Outcome& cancelled = asking->wait();
  EXPECT_EQ(cancelled.reason, Reason::cancelled);
  EXPECT_EQ(cancelled.output_tokens, 0);
  EXPECT_EQ(asking->text(), "");
  const Outcome& told = talking->wait();
  EXPECT_EQ(told.reason, Reason::stop);
  EXPECT_EQ(engine->stats().prompt_tokens, static_cast<std::uint64_t>(told.input_tokens) + 63);
}

TEST(Engine, ThreadsSubmitAndCancelAtOnce) {
  constexpr int kThreads = 4, kRequests = 12;
  const auto engine = bundled({.queue_max = 8});
  std::vector<std::shared_ptr<Recorder>> sinks[kThreads];
  std::vector<std::thread> threads;
  for (auto& mine : sinks)
    threads.emplace_back([&engine, &mine] {
      for (int i = 0; i < kRequests; ++i) {
        auto sink = std::make_shared<Recorder>();
        const auto submitted = engine->submit(ask("What is 2 + 3?"), sink);
        if (submitted.refusal != Engine::Refusal::none) continue;
        mine.push_back(std::move(sink));
        if (i % 3 == 0) engine->cancel(submitted.id);
        if (i % 4 == 0) mine.back()->wait();
        EXPECT_LE(engine->stats().running + engine->stats().waiting, 100);
      }
    });
  for (auto& thread : threads) thread.join();
  for (const auto& mine : sinks) {
    EXPECT_FALSE(mine.empty());
    for (const auto& sink : mine) {
      const Outcome& outcome = sink->wait();
      EXPECT_TRUE(outcome.reason == Reason::cancelled ||
                  (outcome.reason == Reason::stop && sink->text() == "5"))
          << sink->text();
    }
  }
}

TEST(Engine, OutOfMemoryFailsTheRequestsAndTheEngineGoesOn) {
  const auto engine = bundled();
  const auto sink = std::make_shared<Recorder>();
  sink->each_text = [] { throw std::bad_alloc(); };
  engine->submit(ask("Hello!"), sink);
  EXPECT_EQ(sink->wait().reason, Reason::failed);
  EXPECT_EQ(sink->wait().message, "not enough memory");
  EXPECT_EQ(answer(*engine, ask("What is 2 + 3?")).text, "5");
}

TEST(Engine, AFullQueueRefusesAndAWaitingRequestCanBeCancelled) {
  const auto engine = bundled({.queue_max = 2});
  Stall stall(*engine);
  std::vector<std::shared_ptr<Recorder>> sinks;
  std::vector<std::uint64_t> ids;
  // Seven sequences may run beside the stalled one, and two may wait.
  for (int i = 0; i < 9; ++i) {
    const auto submitted =
        engine->submit(ask("What is 2 + 3?"), sinks.emplace_back(std::make_shared<Recorder>()));
    EXPECT_EQ(submitted.refusal, Engine::Refusal::none) << i;
    ids.push_back(submitted.id);
  }
  EXPECT_EQ(engine->submit(ask("One more"), std::make_shared<Recorder>()).refusal,
            Engine::Refusal::queue_full);
  EXPECT_EQ(engine->stats().waiting, 9);
  EXPECT_EQ(engine->stats().running, 1);
  engine->cancel(ids.back());
  engine->cancel(ids.front());
  stall.release();
  for (std::size_t i = 0; i < sinks.size(); ++i) {
    const bool cancelled = i == 0 || i + 1 == sinks.size();
    EXPECT_EQ(sinks[i]->wait().reason, cancelled ? Reason::cancelled : Reason::stop) << i;
    EXPECT_EQ(sinks[i]->text(), cancelled ? "" : "5");
  }
}

TEST(Engine, DestructionEndsEveryRequestOnce) {
  std::vector<std::shared_ptr<Recorder>> sinks;
  {
    Gate started;  // Outlives the engine, whose thread opens it.
    const auto engine = bundled();
    sinks.push_back(std::make_shared<Recorder>());
    sinks[0]->each_text = [&] { started.open(); };
    engine->submit(ask("Tell me a short story."), sinks[0]);
    for (int i = 0; i < 20; ++i)
      engine->submit(ask("Tell me a short story."), sinks.emplace_back(std::make_shared<Recorder>()));
    started.wait();
  }
  for (auto& sink : sinks) {
    const Reason reason = sink->wait().reason;
    EXPECT_TRUE(reason == Reason::cancelled || reason == Reason::stop);
  }
}

TEST(Engine, AFileThatCannotBeServedIsAnErrorThatNamesIt) {
  const std::string pipe = ::testing::TempDir() + "engine_test_pipe_" + std::to_string(::getpid());
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);

  const struct {
    std::string path, message;
  } rows[] = {{"/nonexistent.gguf", "/nonexistent.gguf: No such file"},
              {mini_path("eval.json"), "eval.json: not a GGUF file"},
              {mini_path("mini.q2_k.gguf"), "tensor 'token_embd.weight': type Q2_K"},
              {mini_path(""), "not a regular file"},
              {pipe, "not a regular file"}};  // Without waiting for its writer.

  for (const auto& row : rows) {
    const auto engine = load_engine(row.path, {});
    ASSERT_FALSE(engine) << row.path;
    EXPECT_THAT(engine.error().message, ::testing::HasSubstr(row.message));
  }
  std::filesystem::remove(pipe);
}

}  // namespace
}  // namespace switchyard::local
