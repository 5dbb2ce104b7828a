#include "adapters/dialects/dialect.h"
#include "tests/unit/dialects/dump.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace switchyard {
namespace {

using nlohmann::json;

std::string chunk(const std::string& members) {
  return R"(data: {"id":"c","object":"text_completion",)" + members + "}\n\n";
}

const std::string kText = chunk(R"("choices":[{"text":"Hi","index":0,"finish_reason":null}])");
const std::string kStop = chunk(R"("choices":[{"text":"","index":0,"finish_reason":"stop"}])");
const std::string kUsage = chunk(R"("choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2})");
const std::string kDone = "data: [DONE]\n\n";

struct Scan {
  std::string forwarded;
  bool content = false, complete = false, failed = false;
  std::optional<Error> error;
  std::optional<Usage> usage;
};

Scan scan(const std::string& body, bool drop_usage = false) {
  const auto scanner = openai_completions().make_scanner({.drop_usage = drop_usage});
  Scan result;
  std::vector<std::string_view> forward;
  const std::string_view view = body;
  result.failed = scanner->feed({&view, 1}, forward).has_error();
  if (!result.failed) result.failed = scanner->finish(forward).has_error();
  for (const auto one : forward) result.forwarded += one;
  result.content = scanner->has_content();
  result.complete = scanner->is_complete();
  result.error = scanner->error();
  result.usage = scanner->usage();
  return result;
}

TEST(CompletionsScanner, TellsABrokenStreamFromAWholeOne) {
  const std::string second = chunk(R"("choices":[{"text":"x","index":1,"finish_reason":null}])");

  const struct {
    std::string body, forwarded;
    bool failed, complete;
    const char* why;
  } rows[] = {
      {kText + kStop + kUsage + kDone, kText + kStop + kUsage + kDone, false, true, "a whole one"},
      {kText + kStop, kText + kStop + kDone, false, true, "a server that leaves [DONE] out: it is put in"},
      {kText + second + kStop + kDone, kText + second + kStop, true, false,
       "one of two choices has not ended"},
      {kText + kDone, kText, true, false, "[DONE] behind an answer that never said why it ended"},
      {kText, kText, true, false, "a clean end in the middle"},
      {kText + "data: {]\n\n", kText, true, false, "no JSON"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const Scan result = scan(row.body);
    EXPECT_EQ(result.forwarded, row.forwarded);
    EXPECT_EQ(result.failed, row.failed);
    EXPECT_EQ(result.complete, row.complete);
    EXPECT_TRUE(result.content);
  }
}

TEST(CompletionsScanner, TakesOutTheUsageThatTheCallerDidNotAskFor) {
  const Scan result = scan(kText + kStop + kUsage + kDone, true);
  EXPECT_EQ(result.forwarded, kText + kStop + kDone);
  ASSERT_TRUE(result.usage);
  EXPECT_EQ(result.usage->input_tokens, 7);
}

TEST(CompletionsScanner, KeepsAnErrorFrameBack) {
  const Scan result = scan(kText + "data: {\"error\":{\"message\":\"busy\"}}\n\n" + kDone);
  EXPECT_EQ(result.forwarded, kText);
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->kind, ErrorKind::provider_error);
  EXPECT_FALSE(scan(kStop).content) << "an empty text is no content";
}

TEST(CompletionsReply, IsScannedForItsUsage) {
  const auto usage = openai_completions().scan_reply(
      R"({"choices":[{"text":"x"}],"usage":{"prompt_tokens":3,"completion_tokens":1}})");
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->input_tokens, 3);
  EXPECT_FALSE(openai_completions().scan_reply(R"({"choices":[]})"));
}

TEST(CompletionsWriter, SendsUsageOnlyToWhoAsked) {
  const std::vector<Event> events{ReplyStart(), TextDelta{"a"}, Usage{.input_tokens = 1, .output_tokens = 2},
                                  Finish{FinishReason::length, {}}};
  for (const bool asked : {true, false}) {
    const auto writer = openai_completions().make_event_writer({"req_1", "m", 1, asked});
    std::string out;
    for (const Event& event : events) writer->write(event, out);
    writer->end(out);
    EXPECT_EQ(out.find("usage") != std::string::npos, asked);
    EXPECT_TRUE(out.ends_with(kDone));
    const auto parser = openai_completions().make_event_parser();
    std::vector<Event> read;
    ASSERT_TRUE(parser->feed(out, read));
    EXPECT_EQ(std::get<Finish>(read.back()).reason, FinishReason::length);
  }
}

// As a provider's dialect it takes one text and nothing else.
TEST(CompletionsRequest, RefusesWhatIsNotOneText) {
  const auto write = [](const json& members) {
    json body{{"model", "m"}, {"messages", {{{"role", "user"}, {"content", "Hi"}}}}};
    body.update(members);
    const auto request = openai_chat().parse_request(body.dump());
    EXPECT_TRUE(request) << body;
    TargetTraits target;
    target.model = "base";
    return openai_completions().write_request(*request, target);
  };
  const auto plain = write({{"temperature", 0.5}, {"top_k", 3}});
  ASSERT_TRUE(plain) << plain.error().message;
  const json body = json::parse(plain->body);
  EXPECT_EQ(body["prompt"], "Hi");
  EXPECT_EQ(body["max_tokens"], 4096) << "the dialect's own default is 16";
  EXPECT_EQ(plain->dropped, std::vector<std::string>{"top_k"});
  const std::pair<json, const char*> rows[] = {
      {{{"tools", {{{"type", "function"}, {"function", {{"name", "f"}}}}}}}, "tools"},
      {{{"messages", {{{"role", "system"}, {"content", "x"}}, {{"role", "user"}, {"content", "Hi"}}}}},
       "messages"},
      {{{"messages", {{{"role", "assistant"}, {"content", "x"}}}}}, "messages"},
      {{{"messages",
         {{{"role", "user"},
           {"content", {{{"type", "image_url"}, {"image_url", {{"url", "https://example.com/a.png"}}}}}}}}}},
       "messages[0].content"},
      {{{"response_format", {{"type", "json_object"}}}}, "response_format"},
      {{{"n", 2}}, "n"},
      {{{"logprobs", true}}, "logprobs"},
  };

  for (const auto& [members, param] : rows) {
    const auto refused = write(members);
    ASSERT_FALSE(refused) << members;
    EXPECT_EQ(refused.error().kind, ErrorKind::unsupported) << members;
    EXPECT_EQ(refused.error().param, param);
  }
}

}  // namespace
}  // namespace switchyard
