#include "gateway/upstream/local.h"

#include "tests/unit/support/net.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace switchyard::upstream {
namespace {

using switchyard::test::Loop;

ChatRequest ask(std::string text) {
  ChatRequest request;
  Message& message = request.messages.emplace_back();
  message.parts.emplace_back(TextPart{std::move(text), {}});
  request.temperature = 0;
  return request;
}

TEST(ToLocal, NamesTheFieldThatTheModelCannotServe) {
  using Change = void (*)(ChatRequest&);

  const struct {
    Change change;
    const char* param;  // Null: it can.
    const char* why;
  } rows[] = {
      {[](ChatRequest&) {}, nullptr, "text"},
      {[](ChatRequest& r) { r.tools.emplace_back(); }, "tools", "a tool"},
      {[](ChatRequest& r) {
         r.tools.emplace_back();
         r.tool_choice = ToolChoice{ToolChoice::Mode::none, {}};
       },
       nullptr, "a tool that may not be called"},
      {[](ChatRequest& r) { r.choices = 2; }, "n", "two choices"},
      {[](ChatRequest& r) { r.choices = 1; }, nullptr, "one choice"},
      {[](ChatRequest& r) { r.logprobs = true; }, "logprobs", "log-probabilities"},
      {[](ChatRequest& r) { r.logit_bias = "{}"; }, "logit_bias", "a bias"},
      {[](ChatRequest& r) {
         r.response_format = ResponseFormat{ResponseFormat::Kind::json_object, {}, {}, {}, {}};
       },
       "response_format", "a format"},
      {[](ChatRequest& r) { r.response_format = ResponseFormat(); }, nullptr, "the format that is none"},
      {[](ChatRequest& r) { r.messages[0].parts.emplace_back(ImagePart()); }, "messages[0].content[1]",
       "an image"},
      {[](ChatRequest& r) { r.messages[0].parts.emplace_back(ToolResultPart()); }, "messages[0].content[1]",
       "a tool's result"},
      {[](ChatRequest& r) { r.messages[0].parts.emplace_back(ThinkingPart()); }, nullptr,
       "another model's thoughts are left out"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    ChatRequest request = ask("hi");
    row.change(request);
    const auto local = to_local(request, 1);
    ASSERT_EQ(local.has_value(), row.param == nullptr);
    if (row.param) {
      EXPECT_EQ(local.error().kind, ErrorKind::unsupported);
      EXPECT_EQ(local.error().param, row.param);
    }
  }
}

TEST(ToLocal, CarriesWhatTheEngineTakesAndNamesWhatItDrops) {
  ChatRequest request = ask("hi");
  request.messages[0].role = Role::system;
  request.temperature = 0.5;
  request.top_p = 0.25;
  request.top_k = 7;
  request.seed = 42;
  request.max_output_tokens = 9;
  request.stop = {"", "end"};
  request.frequency_penalty = 1;
  request.presence_penalty = 0;
  const auto local = to_local(request, 1);
  ASSERT_TRUE(local);
  EXPECT_EQ(local->generate.messages[0].role, "system");
  EXPECT_EQ(local->generate.messages[0].content, "hi");
  EXPECT_EQ(local->generate.sampling.temperature, 0.5F);
  EXPECT_EQ(local->generate.sampling.top_p, 0.25F);
  EXPECT_EQ(local->generate.sampling.top_k, 7);
  EXPECT_EQ(local->generate.sampling.seed, 42u);
  EXPECT_EQ(local->generate.max_tokens, 9);
  EXPECT_EQ(local->generate.stop, std::vector<std::string>{"end"});
  EXPECT_EQ(local->dropped, std::vector<std::string>{"frequency_penalty"});
  request.seed.reset();
  EXPECT_EQ(to_local(request, 5)->generate.sampling.seed, 5u);
}

class LocalCallTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    local::EngineOptions options;
    options.threads = 1;
    options.queue_max = 2;
    engine = std::move(*local::load_bundled_engine(options)).release();
  }

  static void TearDownTestSuite() { delete std::exchange(engine, nullptr); }

  static local::GenerateRequest request(int max_tokens) {
    auto made = to_local(ask("Hello"), 1);
    made->generate.max_tokens = max_tokens;
    return made->generate;
  }

  // Reads to the end; fails with what the call fails with.
  static io::Task<Result<std::vector<Event>>> read_all(LocalCall& call) {
    std::vector<Event> all, events;
    for (;;) {
      const auto more = co_await call.read(events);
      if (!more) co_return more.error();
      if (!*more) co_return all;
      all.insert(all.end(), events.begin(), events.end());
    }
  }

  static local::Engine* engine;
  Loop loop;
};

local::Engine* LocalCallTest::engine = nullptr;

TEST_F(LocalCallTest, GivesTheEventsOfAReplyInOrder) {
  LocalCall call(loop.context, loop.deadlines, *engine);
  ASSERT_TRUE(call.start(request(5), "mini"));
  const auto events = loop.run(read_all(call));
  ASSERT_TRUE(events);
  ASSERT_GE(events->size(), 4u);
  ASSERT_TRUE(std::holds_alternative<ReplyStart>(events->front()));
  EXPECT_EQ(std::get<ReplyStart>(events->front()).model, "mini");
  EXPECT_TRUE(std::holds_alternative<TextDelta>((*events)[1]));
  const auto& usage = std::get<Usage>((*events)[events->size() - 2]);
  EXPECT_GT(usage.input_tokens, 0);
  EXPECT_EQ(usage.output_tokens, 5);
  EXPECT_EQ(std::get<Finish>(events->back()).reason, FinishReason::length);
}

TEST_F(LocalCallTest, AbortEndsItWithItsReason) {
  LocalCall call(loop.context, loop.deadlines, *engine);
  ASSERT_TRUE(call.start(request(400), "mini"));
  call.abort(ErrorKind::cancelled);
  const auto events = loop.run(read_all(call));
  ASSERT_FALSE(events);
  EXPECT_EQ(events.error().kind, ErrorKind::cancelled);
}

TEST_F(LocalCallTest, ADeadlineEndsItWithItsKind) {
  LocalCall call(loop.context, loop.deadlines, *engine);
  ASSERT_TRUE(call.start(request(400), "mini"));
  call.set_deadline(ErrorKind::first_token_timeout, std::chrono::seconds(5));
  loop.pass(std::chrono::seconds(6));
  const auto events = loop.run(read_all(call));
  ASSERT_FALSE(events);
  EXPECT_EQ(events.error().kind, ErrorKind::first_token_timeout);
}

TEST_F(LocalCallTest, APromptThatIsTooLongIsNamed) {
  LocalCall call(loop.context, loop.deadlines, *engine);
  std::string words;
  for (int i = 0; i < 5000; ++i) words += "word ";
  const auto started = call.start(to_local(ask(words), 1)->generate, "mini");
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, ErrorKind::context_too_long);
  EXPECT_EQ(started.error().code, "context_length_exceeded");
}

// The event loop may be gone before the engine has noticed that nobody waits.
TEST_F(LocalCallTest, TheLoopMayEndBeforeTheEngineHasNoticed) {
  for (int i = 0; i < 20; ++i) {
    auto short_lived = std::make_unique<Loop>();
    auto call = std::make_unique<LocalCall>(short_lived->context, short_lived->deadlines, *engine);
    const auto started = call->start(request(50), "mini");
    call.reset();
    short_lived.reset();
    if (!started) EXPECT_EQ(started.error().kind, ErrorKind::overloaded);
  }
}

class LocalEmbeddingsTest : public LocalCallTest {
 protected:
  static EmbeddingsRequest texts(std::vector<std::string> inputs) {
    EmbeddingsRequest request;
    request.texts = std::move(inputs);
    return request;
  }

  // As many tokens as the engine takes at once: many seconds of work.
  static EmbeddingsRequest huge() {
    EmbeddingsRequest request;
    request.tokens.assign(512, std::vector<std::int64_t>(512, 7));
    return request;
  }
};

TEST_F(LocalEmbeddingsTest, GivesAVectorAnInputInTheirOrder) {
  const auto run = [&](EmbeddingsRequest request) {
    LocalEmbeddings embeddings(loop.context, loop.deadlines, *engine);
    const auto started = embeddings.start(std::move(request), "mini");
    EXPECT_TRUE(started);
    embeddings.set_deadline(ErrorKind::total_timeout, std::chrono::seconds(60));
    auto reply = loop.run(embeddings.read());
    EXPECT_TRUE(reply);
    return std::move(*reply);
  };
  EmbeddingsRequest both = texts({"Hello", "World"});
  both.dimensions = engine->embedding_size();
  const EmbeddingsReply reply = run(both);
  EXPECT_EQ(reply.model, "mini");
  ASSERT_EQ(reply.vectors.size(), 2u);
  EXPECT_EQ(static_cast<int>(reply.vectors[0].size()), engine->embedding_size());
  EXPECT_NE(reply.vectors[0], reply.vectors[1]);
  EXPECT_EQ(reply.input_tokens, *engine->count_text_tokens("Hello") + *engine->count_text_tokens("World"));
  EXPECT_EQ(run(texts({"World"})).vectors.at(0), reply.vectors[1]);
  EmbeddingsRequest ids;
  ids.tokens = {{7, 8, 9}};
  EXPECT_EQ(run(ids).input_tokens, 3);
}

TEST_F(LocalEmbeddingsTest, NamesTheInputThatTheModelCannotTake) {
  const auto with = [](EmbeddingsRequest request, std::optional<std::int64_t> dimensions) {
    request.dimensions = dimensions;
    return request;
  };
  const auto ids = [](std::vector<std::vector<std::int64_t>> tokens) {
    EmbeddingsRequest request;
    request.tokens = std::move(tokens);
    return request;
  };

  const struct {
    const char* why;
    EmbeddingsRequest request;
    ErrorKind kind;
    const char* param;
  } rows[] = {
      {"nothing", {}, ErrorKind::invalid_request, "input"},
      {"an empty text", texts({"a", "", "b"}), ErrorKind::invalid_request, "input[1]"},
      {"an empty text alone", texts({""}), ErrorKind::invalid_request, "input"},
      {"an empty list", ids({{5}, {}}), ErrorKind::invalid_request, "input[1]"},
      {"an id of another vocabulary", ids({{5}, {100256}}), ErrorKind::invalid_request, "input[1]"},
      {"an id that is no int", ids({{5}, {(std::int64_t{1} << 32) + 5}}), ErrorKind::invalid_request,
       "input[1]"},
      {"a long text", texts({"a", std::string(600, '1')}), ErrorKind::context_too_long, "input[1]"},
      {"too many", texts(std::vector<std::string>(2049, "a")), ErrorKind::unsupported, "input"},
      {"fewer dimensions", with(texts({"a"}), 64), ErrorKind::unsupported, "dimensions"},
      {"no dimensions", with(texts({"a"}), 0), ErrorKind::unsupported, "dimensions"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    LocalEmbeddings embeddings(loop.context, loop.deadlines, *engine);
    const auto started = embeddings.start(row.request);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().kind, row.kind);
    EXPECT_EQ(started.error().param, row.param);
  }
}

TEST_F(LocalEmbeddingsTest, EndsForItsDeadlineOrWhenAborted) {
  LocalEmbeddings late(loop.context, loop.deadlines, *engine), left(loop.context, loop.deadlines, *engine);
  ASSERT_TRUE(late.start(huge()));
  ASSERT_TRUE(left.start(huge()));
  late.set_deadline(ErrorKind::total_timeout, std::chrono::seconds(5));
  left.set_deadline(ErrorKind::total_timeout, std::chrono::seconds(5));
  left.clear_deadline();
  loop.pass(std::chrono::seconds(6));
  left.abort(ErrorKind::cancelled);
  EXPECT_EQ(loop.run(late.read()).error().kind, ErrorKind::total_timeout);
  EXPECT_EQ(loop.run(left.read()).error().kind, ErrorKind::cancelled);
}

TEST_F(LocalEmbeddingsTest, AFullQueueIsOverloaded) {
  const auto own = *local::load_bundled_engine({.threads = 1, .queue_max = 2});
  std::vector<std::unique_ptr<LocalEmbeddings>> all;
  const auto start = [&] {
    return all.emplace_back(std::make_unique<LocalEmbeddings>(loop.context, loop.deadlines, *own))
        ->start(huge());
  };
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(start()) << i;  // Four run, two wait.
  const auto refused = start();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::overloaded);
}

TEST_F(LocalEmbeddingsTest, TheLoopMayEndBeforeTheEngineHasNoticed) {
  for (int i = 0; i < 20; ++i) {
    auto short_lived = std::make_unique<Loop>();
    auto embeddings =
        std::make_unique<LocalEmbeddings>(short_lived->context, short_lived->deadlines, *engine);
    const auto started = embeddings->start(i % 2 == 0 ? huge() : texts({"a"}));
    embeddings.reset();
    short_lived.reset();
    if (!started) EXPECT_EQ(started.error().kind, ErrorKind::overloaded);
  }
}

}  // namespace
}  // namespace switchyard::upstream
