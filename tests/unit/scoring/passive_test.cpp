#include "gateway/scoring/passive.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace switchyard::scoring {
namespace {

using End = ReplyWatch::End;

constexpr const char* kWeather =
    R"({"model":"m","messages":[{"role":"user","content":"How warm is it?"}],"tools":[{"type":"function",
        "function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}},
        "required":["city"],"additionalProperties":false}}}]})";

// A worker's memory, and one reply after another.
struct Bench {
  std::unique_ptr<WatchMemory> memory = std::make_unique<WatchMemory>();
  std::unique_ptr<ReplyWatch> watch = std::make_unique<ReplyWatch>();
  std::unique_ptr<RequestTraits> traits = std::make_unique<RequestTraits>();
  std::int64_t now_ms = 1'000'000;
  std::uint32_t target = 1;

  void ask(const std::string& body, const Dialect& dialect = openai_chat(), std::uint64_t key = 7) {
    const auto envelope = read_envelope(body, body.size(), false);
    ASSERT_TRUE(envelope) << envelope.error().message;
    memory->read(dialect, body, *envelope, key, now_ms, *traits);
    watch->begin(*memory, *traits, target, 99);
  }

  Observation end(End how = End::complete, std::optional<Usage> usage = std::nullopt) {
    Observation out;
    watch->end(how, usage, now_ms, out);
    return out;
  }

  // The text in pieces of a few bytes, ended.
  Observation say(const std::string& text, FinishReason reason = FinishReason::stop, End how = End::complete,
                  std::optional<Usage> usage = std::nullopt, std::size_t piece = 7) {
    for (std::size_t i = 0; i < text.size(); i += piece)
      watch->on_text(std::string_view(text).substr(i, piece));
    watch->on_finish(reason);
    return end(how, usage);
  }
};

std::string asking(const std::string& text, const std::string& more = {}) {
  return R"({"model":"m","messages":[{"role":"user","content":")" + text + "\"}]" + more + "}";
}

// "good", "bad", or "unknown".
const char* verdict(const Observation& seen, Signal signal) {
  if (!(seen.seen & bit(signal))) return "unknown";
  return seen.bad & bit(signal) ? "bad" : "good";
}

TEST(Passive, ToolCalls) {
  const struct {
    const char *name, *arguments, *verdict, *why;
  } rows[] = {
      {"weather", R"({"city":"Oslo"})", "good", "as the schema has it"},
      {"weather", R"({"city":"Oslo")", "bad", "cut"},
      {"weather", R"({"town":"Oslo"})", "bad", "another member"},
      {"weather", R"({"city":7})", "bad", "another type"},
      {"weather", R"(["Oslo"])", "bad", "no object"},
      {"weather", "", "bad", "nothing, and something is required"},
      {"forecast", R"({"city":"Oslo"})", "bad", "no such tool"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    Bench bench;
    bench.ask(kWeather);
    bench.watch->on_tool_call(0, "call_1", row.name, {});
    for (const char c : std::string(row.arguments))
      bench.watch->on_tool_call(0, {}, {}, std::string_view(&c, 1));
    bench.watch->on_finish(FinishReason::tool_calls);
    const Observation seen = bench.end();
    EXPECT_STREQ(verdict(seen, Signal::tool_call_invalid), row.verdict);
    EXPECT_TRUE(seen.finished_with_tools);
  }
}

TEST(Passive, OneBadCallOfSeveralIsABadReply) {
  Bench bench;
  bench.ask(kWeather);
  bench.watch->on_tool_call(0, "a", "weather", R"({"city":"Oslo"})");
  bench.watch->on_tool_call(0, "b", "weather", R"({"city":)");  // A server that numbers every call 0.
  bench.watch->on_finish(FinishReason::tool_calls);
  EXPECT_STREQ(verdict(bench.end(), Signal::tool_call_invalid), "bad");
}

TEST(Passive, ACallIsNotJudgedByWhatIsNotKnown) {
  const struct {
    const char *tools, *name, *arguments, *verdict, *why;
  } rows[] = {
      {R"([{"type":"function","function":{"name":"f","parameters":{"type":"nonsense"}}}])", "f", R"({"x":1})",
       "good", "a schema that cannot be compiled asks for nothing"},
      {R"([{"type":"function","function":{"name":"f"}}])", "f", "{}", "good", "no schema"},
      {R"([{"type":"function","function":{"name":"f"}}])", "f", "", "good", "no arguments"},
      {R"([{"type":"web_search"},{"type":"function","function":{"name":"f"}}])", "g", "{}", "good",
       "a tool of the provider's own may have any name"},
      {R"([{"type":"function"}])", "g", "{}", "good", "tools that cannot be read"},
      {R"([{"type":"function"}])", "g", "{", "bad", "but JSON it must be"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    Bench bench;
    bench.ask(asking("?", std::string(",\"tools\":") + row.tools));
    bench.watch->on_tool_call(0, "a", row.name, row.arguments);
    bench.watch->on_finish(FinishReason::tool_calls);
    EXPECT_STREQ(verdict(bench.end(), Signal::tool_call_invalid), row.verdict);
  }
}

TEST(Passive, ToolsOfEveryDialect) {
  const struct {
    const Dialect& dialect;
    std::string body;
  } rows[] = {
      {openai_responses(), R"({"model":"m","input":"?","tools":[{"type":"function","name":"weather",
          "parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}]})"},
      {anthropic_messages(), R"({"model":"m","max_tokens":9,"messages":[],"tools":[{"name":"weather",
          "input_schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}]})"},
      {gemini(),
       R"({"contents":[{"parts":[{"text":"?"}]}],"tools":[{"functionDeclarations":[{"name":"weather",
          "parameters":{"type":"OBJECT","properties":{"city":{"type":"STRING"}},"required":["city"]}}]}]})"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.dialect.name());
    for (const bool good : {true, false}) {
      Bench bench;
      bench.ask(row.body, row.dialect);
      bench.watch->on_tool_call(0, "a", "weather", good ? R"({"city":"Oslo"})" : R"({"city":7})");
      bench.watch->on_finish(FinishReason::tool_calls);
      EXPECT_STREQ(verdict(bench.end(), Signal::tool_call_invalid), good ? "good" : "bad");
    }
  }
}

TEST(Passive, StructuredOutput) {
  const std::string object = R"(,"response_format":{"type":"json_object"})";
  const std::string schema =
      R"(,"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object",
         "properties":{"n":{"type":"integer"}},"required":["n"]}}})";

  const struct {
    std::string format, text;
    FinishReason reason;
    const char *verdict, *why;
  } rows[] = {
      {object, R"({"a":1})", FinishReason::stop, "good", "JSON"},
      {object, "Here it is: {\"a\":1}", FinishReason::stop, "bad", "prose around it"},
      {object, R"({"a":1)", FinishReason::stop, "bad", "cut"},
      {object, R"({"a":1)", FinishReason::length, "unknown", "cut at its limit is another signal's affair"},
      {schema, R"({"n":1})", FinishReason::stop, "good", "the schema is kept"},
      {schema, R"({"n":"1"})", FinishReason::stop, "bad", "the schema is broken"},
      {R"(,"response_format":{"type":"text"})", "prose", FinishReason::stop, "unknown", "text"},
      {"", "prose", FinishReason::stop, "unknown", "no format"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    Bench bench;
    bench.ask(asking("?", row.format));
    EXPECT_STREQ(verdict(bench.say(row.text, row.reason), Signal::output_invalid), row.verdict);
  }
}

TEST(Passive, Truncation) {
  const struct {
    const char *limit, *text;
    FinishReason reason;
    End how;
    std::int64_t output_tokens;
    const char *verdict, *why;
  } rows[] = {
      {"100", "text", FinishReason::stop, End::complete, 10, "good", "an ordinary end"},
      {"100", "text", FinishReason::length, End::complete, 100, "good", "cut where the caller wanted it"},
      {"100", "text", FinishReason::length, End::complete, 99, "good", "counted without the end"},
      {"100", "text", FinishReason::length, End::complete, 40, "bad", "cut before"},
      {"0", "text", FinishReason::length, End::complete, 40, "unknown", "no limit was given"},
      {"100", "text", FinishReason::length, End::complete, 0, "unknown", "nobody counted"},
      {"100", "", FinishReason::stop, End::complete, 1, "bad", "nothing said"},
      {"100", "text", FinishReason::stop, End::broken, 10, "bad", "broken off"},
      {"100", "text", FinishReason::stop, End::left, 10, "unknown", "the client left"},
      {"100", "", FinishReason::content_filter, End::complete, 0, "unknown", "a filter is a refusal"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    Bench bench;
    bench.ask(asking("?", std::string(",\"max_tokens\":") + row.limit));
    const Observation seen = bench.say(row.text, row.reason, row.how,
                                       Usage{.input_tokens = 5, .output_tokens = row.output_tokens});
    EXPECT_STREQ(verdict(seen, Signal::truncated), row.verdict);
    EXPECT_STREQ(verdict(seen, Signal::aborted), row.how == End::left ? "bad" : "good");
  }
}

TEST(Passive, Refusals) {
  Bench bench;
  bench.ask(asking("?"));
  EXPECT_STREQ(verdict(bench.say("I'm sorry, but I can't help with that."), Signal::refusal), "bad");
  bench.ask(asking("?"));
  EXPECT_STREQ(verdict(bench.say("Of course."), Signal::refusal), "good");
  bench.ask(asking("?"));
  EXPECT_STREQ(verdict(bench.say("Of", FinishReason::content_filter), Signal::refusal), "bad");
  bench.ask(asking("?"));
  bench.watch->on_refusal("No.");
  bench.watch->on_finish(FinishReason::stop);
  const Observation seen = bench.end();
  EXPECT_STREQ(verdict(seen, Signal::refusal), "bad");
  EXPECT_STREQ(verdict(seen, Signal::truncated), "good") << "a refusal is no empty answer";
}

std::string prose(int sentences) {
  std::string out;
  for (int i = 0; i < sentences; ++i) out += "Sentence number " + std::to_string(i) + " is here. ";
  return out;
}

TEST(Passive, ScriptsOutOfPlace) {
  const struct {
    const char* question;
    std::string answer;
    const char *verdict, *why;
  } rows[] = {
      {"How do I sort a list?", prose(20) + "ขอบคุณมากครับ สวัสดี" + prose(2), "bad", "Thai in English"},
      {"How do I sort a list?", "Use sorted(). 然后检查结果是否正确。", "bad", "Chinese in English"},
      {"How do I sort a list?", prose(200) + "然后", "good", "two characters of thousands"},
      {"How do I sort a list?", prose(5) + "→ 🙂 café “naïve” α+β ≤ π", "good",
       "symbols, accents and formulas"},
      {"How do I sort a list?", "Привет, вот ответ на ваш вопрос.", "bad", "Russian to English"},
      {"如何对列表进行排序？", "使用 sorted() 函数，然后检查结果。", "good", "Chinese to Chinese"},
      {"\\u5982\\u4f55\\u6392\\u5e8f", "使用 sorted() 函数，然后检查结果。", "good", "asked in escapes"},
      {"リストを並べ替える", "日本語で答えます。漢字も使います。", "good", "Japanese is written in two"},
      {"Translate to Thai: thanks a lot", "ขอบคุณมากครับ", "unknown", "a translation"},
      {"Say thanks in Japanese", "ありがとうございます", "unknown", "another language is spoken of"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    Bench bench;
    bench.ask(asking(row.question));
    EXPECT_STREQ(verdict(bench.say(row.answer), Signal::script_mismatch), row.verdict);
  }
}

TEST(Passive, AScriptThatAModelOftenHasIsUsual) {
  Bench bench;
  const auto thai_to_english = [&] {
    bench.ask(asking("Hello"));
    return std::string(verdict(bench.say("สวัสดีครับ ยินดีที่ได้รู้จัก"), Signal::script_mismatch));
  };
  EXPECT_EQ(thai_to_english(), "bad");
  for (int i = 0; i < 30; ++i) thai_to_english();
  EXPECT_EQ(thai_to_english(), "good");
}

TEST(Passive, CodeLeftOpen) {
  const struct {
    std::string text;
    const char* more;
    FinishReason reason;
    const char *verdict, *why;
  } rows[] = {
      {"Here:\n```js\nf({a: [1]});\n```\nDone :]", "", FinishReason::stop, "good", "closed"},
      {"Here:\n```js\nf({a: [1]});\n", "", FinishReason::stop, "bad", "a fence left open"},
      {"Here:\n```js\nif (x) {\n  f();\n```\n", "", FinishReason::stop, "bad", "a bracket left open"},
      {"Here:\n```js\nf({", "", FinishReason::length, "unknown", "cut at its limit"},
      {"Here:\n```js\nf({", ",\"stop\":[\"```\"]", FinishReason::stop, "unknown",
       "the caller's stop sequence"},
      {"a) one {\nb) two", "", FinishReason::stop, "good", "brackets of prose"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{4096}}) {
      Bench bench;
      bench.ask(asking("?", row.more));
      EXPECT_STREQ(verdict(bench.say(row.text, row.reason, End::complete, {}, piece), Signal::unbalanced),
                   row.verdict);
    }
  }
}

TEST(Passive, OrdinaryAnswersShowNothing) {
  std::string code = "Here is the program:\n\n```python\n";
  for (int i = 0; i < 60; ++i)
    code += "    values[" + std::to_string(i) + "] = compute(values, {'i': [1]})\n";
  code += "```\n\nIt prints a table:\n\n| n | ok |\n|---|----|\n";
  for (int i = 0; i < 40; ++i) code += "| " + std::to_string(i) + " | yes |\n";
  std::string chinese;
  for (int i = 0; i < 100; ++i) chinese += "第" + std::to_string(i) + "条：请先阅读说明，再开始操作。";
  std::string emoji;
  for (int i = 0; i < 100; ++i) emoji += "🎉 Step " + std::to_string(i) + " – “done”… ✅\n";

  const struct {
    std::string question, answer;
    const char* why;
  } rows[] = {
      {"Tell me more", prose(300), "prose"}, {"Write a program", code, "code and a table"},
      {"请说明", chinese, "Chinese"},        {"Celebrate", emoji, "emoji"},
      {"Say yes", "Yes.", "one word"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    for (const std::size_t piece : {std::size_t{3}, std::size_t{100}, std::size_t{100'000}}) {
      Bench bench;
      bench.ask(asking(row.question));
      const auto tokens = static_cast<std::int64_t>(row.answer.size() / 3 + 1);
      const Observation seen = bench.say(row.answer, FinishReason::stop, End::complete,
                                         Usage{.input_tokens = 9, .output_tokens = tokens}, piece);
      EXPECT_EQ(seen.bad, 0u);
      EXPECT_EQ(seen.text_bytes, row.answer.size());
      for (const Signal signal :
           {Signal::truncated, Signal::refusal, Signal::loop, Signal::script_mismatch, Signal::unbalanced,
            Signal::aborted, Signal::usage_mismatch, Signal::regenerated}) {
        EXPECT_STREQ(verdict(seen, signal), "good") << name_of(signal);
      }
    }
  }
}

TEST(Passive, ALoopAtTheEndOfALongAnswer) {
  for (const std::size_t piece : {std::size_t{3}, std::size_t{100'000}}) {
    Bench bench;
    bench.ask(asking("?"));
    std::string text = prose(200);
    for (int i = 0; i < 60; ++i) text += "Let me check the file once more and see what is in it. ";
    EXPECT_STREQ(verdict(bench.say(text, FinishReason::length, End::complete, {}, piece), Signal::loop),
                 "bad");
  }
}

TEST(Passive, UsageThatDoesNotAddUp) {
  const struct {
    Usage usage;
    const char *verdict, *why;
  } rows[] = {
      {{.input_tokens = 10, .cached_tokens = 4, .output_tokens = 40, .reasoning_tokens = 3},
       "good",
       "it does"},
      {{.input_tokens = 10, .cached_tokens = 11, .output_tokens = 40}, "bad", "more cached than read"},
      {{.input_tokens = 10, .output_tokens = 40, .reasoning_tokens = 41}, "bad", "more thought than written"},
      {{.input_tokens = 10, .output_tokens = 2}, "bad", "more said than counted"},
      {{}, "unknown", "nobody counted"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    Bench bench;
    bench.ask(asking("?"));
    EXPECT_STREQ(
        verdict(bench.say(prose(10), FinishReason::stop, End::complete, row.usage), Signal::usage_mismatch),
        row.verdict);
  }
}

TEST(Passive, TheSamePromptHasTheSameNumberOfTokens) {
  Bench bench;
  const auto ask = [&](std::int64_t input_tokens, const std::string& question = "A question") {
    bench.ask(asking(question));
    return std::string(verdict(bench.say("Yes.", FinishReason::stop, End::complete,
                                         Usage{.input_tokens = input_tokens, .output_tokens = 2}),
                               Signal::usage_mismatch));
  };
  EXPECT_EQ(ask(100), "good");
  EXPECT_EQ(ask(100), "good");
  EXPECT_EQ(ask(140), "bad") << "somebody put a prefix in front of it";
  EXPECT_EQ(ask(200, "Another question"), "good");
  bench.target = 2;
  EXPECT_EQ(ask(90), "good") << "another target counts in another way";
}

TEST(Passive, AskingAgainBlamesTheTargetThatAnswered) {
  Bench bench;
  bench.target = 3;
  bench.ask(asking("A question"));
  EXPECT_FALSE(bench.memory->asked_again(*bench.traits, bench.now_ms)) << "the first time";
  bench.say("An answer.", FinishReason::stop, End::complete, Usage{.input_tokens = 5, .output_tokens = 3});
  bench.now_ms += 30'000;
  bench.ask(asking("Another question"));
  EXPECT_FALSE(bench.memory->asked_again(*bench.traits, bench.now_ms));
  bench.ask(asking("A question"), openai_chat(), 8);
  EXPECT_FALSE(bench.memory->asked_again(*bench.traits, bench.now_ms)) << "somebody else";
  bench.target = 4;
  bench.ask(asking("A question"));
  EXPECT_EQ(bench.memory->asked_again(*bench.traits, bench.now_ms), 3u);
  EXPECT_FALSE(bench.memory->asked_again(*bench.traits, bench.now_ms)) << "each answer is blamed once";
  bench.say("An answer.", FinishReason::stop, End::complete, Usage{.input_tokens = 5, .output_tokens = 3});
  bench.now_ms += 121'000;
  bench.ask(asking("A question"));
  EXPECT_FALSE(bench.memory->asked_again(*bench.traits, bench.now_ms)) << "too late";
}

TEST(Passive, DeclaredIdentity) {
  Bench bench;
  const auto answer = [&](const char* model) {
    bench.ask(asking("Question " + std::to_string(bench.now_ms++)));
    bench.watch->on_model(model, "fp_1");
    return std::string(verdict(bench.say("Yes."), Signal::declared_identity));
  };
  EXPECT_EQ(answer("model-1"), "unknown") << "being learnt";
  for (int i = 0; i < 19; ++i) answer("model-1");
  EXPECT_EQ(answer("model-1"), "good");
  EXPECT_EQ(answer("model-2"), "bad");
  EXPECT_EQ(answer("model-1"), "good");
  for (int i = 0; i < 499; ++i) EXPECT_EQ(answer("model-2"), "bad");
  answer("model-2");
  EXPECT_EQ(answer("model-2"), "good") << "what stays is the new one";
  EXPECT_EQ(answer("model-1"), "bad");
}

TEST(Passive, NewSetsOfToolsAreReadAtABoundedRate) {
  Bench bench;
  int judged = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string name = "f" + std::to_string(i);
    bench.ask(asking("?", R"(,"tools":[{"type":"function","function":{"name":")" + name + "\"}}]"));
    judged += bench.traits->rules != nullptr;
  }
  EXPECT_GT(judged, 20);
  EXPECT_LT(judged, static_cast<int>(WatchMemory::kNewBytesASecond / WatchMemory::kRulesBytes));
  const std::string large(WatchMemory::kNewBytesASecond, ' ');
  bench.now_ms += 1000;
  bench.ask(asking("?", R"(,"tools":[)" + large + R"({"type":"function","function":{"name":"f"}}])"));
  EXPECT_EQ(bench.traits->rules, nullptr) << "one that is larger than that";
  bench.now_ms += 1000;
  bench.ask(kWeather);
  EXPECT_NE(bench.traits->rules, nullptr);
}

}  // namespace
}  // namespace switchyard::scoring
