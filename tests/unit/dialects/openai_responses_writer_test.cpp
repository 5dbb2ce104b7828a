// The stream towards a client holds to the rules of the SDK's helper, whatever the events.
#include "adapters/dialects/dialect.h"
#include "tests/unit/dialects/dump.h"
#include "tests/unit/dialects/golden.h"
#include "tests/unit/dialects/openai_responses_rules.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

namespace switchyard {
namespace {

using nlohmann::json;

const ReplyContext kContext{"req_1", "m", 1, true, false, {"apply_patch"}};

std::string written(const std::vector<Event>& events) {
  const auto writer = openai_responses().make_event_writer(kContext);
  std::string out;
  for (const Event& event : events) writer->write(event, out);
  writer->end(out);
  return out;
}

// The types of the events, without "response.", in a row.
std::string types_of(const std::string& stream) {
  std::string out;
  for (std::size_t at = 0; (at = stream.find("event: ", at)) != std::string::npos; ++at) {
    std::string type = stream.substr(at + 7, stream.find('\n', at) - at - 7);
    if (type.starts_with("response.")) type = type.substr(9);
    out += (out.empty() ? "" : " ") + type;
  }
  return out;
}

TEST(ResponsesWriter, KeepsTheOrderOfTheApi) {
  EXPECT_EQ(types_of(written({ReplyStart{"x", "m"}, ThinkingDelta{"a"}, ThinkingSignature{"s", "anthropic"},
                              TextDelta{"b"}, TextDelta{"c"}, ToolCallStart{0, "1", "f"},
                              ToolCallDelta{0, "{}"}, Usage(), Finish{FinishReason::tool_calls, {}}})),
            "created in_progress "
            "output_item.added reasoning_summary_part.added reasoning_summary_text.delta "
            "reasoning_summary_text.done reasoning_summary_part.done output_item.done "
            "output_item.added content_part.added output_text.delta output_text.delta output_text.done "
            "content_part.done output_item.done "
            "output_item.added function_call_arguments.delta function_call_arguments.done output_item.done "
            "completed");
}

TEST(ResponsesWriter, WritesACustomToolsCallAsText) {
  const std::vector<Event> events{ToolCallStart{0, "c1", "apply_patch"},
                                  ToolCallDelta{0, R"({"inp)"},
                                  ToolCallDelta{0, R"(ut":"+ \"a\"\n"})"},
                                  ToolCallStart{1, "c2", "f"},
                                  ToolCallDelta{1, "{}"},
                                  Finish{FinishReason::tool_calls, {}}};
  const std::string stream = written(events);
  EXPECT_EQ(broken_rule(stream), "");
  EXPECT_EQ(types_of(stream),
            "created in_progress output_item.added custom_tool_call_input.delta custom_tool_call_input.done "
            "output_item.done output_item.added function_call_arguments.delta function_call_arguments.done "
            "output_item.done completed");
  const json reply = json::parse(openai_responses().write_reply(events, kContext));
  EXPECT_EQ(reply["output"][0], (json{{"id", "ctc_1_0"},
                                      {"type", "custom_tool_call"},
                                      {"status", "completed"},
                                      {"call_id", "c1"},
                                      {"name", "apply_patch"},
                                      {"input", "+ \"a\"\n"}}));
  EXPECT_EQ(reply["output"][1]["type"], "function_call");
}

TEST(ResponsesWriter, KeepsWhatAModelWroteInsteadOfACustomToolsArgument) {
  for (const std::string arguments : {"plain text", R"({"text":"x"})", R"({"input":7})", ""}) {
    const std::vector<Event> events{ToolCallStart{0, "c1", "apply_patch"}, ToolCallDelta{0, arguments},
                                    Finish()};
    EXPECT_EQ(broken_rule(written(events)), "");
    EXPECT_EQ(json::parse(openai_responses().write_reply(events, kContext))["output"][0]["input"], arguments);
  }
}

TEST(ResponsesWriter, SaysHowAnAnswerEnded) {
  const struct {
    FinishReason reason;
    const char *event, *status, *why, *item;
  } rows[] = {
      {FinishReason::stop, "response.completed", "completed", nullptr, "completed"},
      {FinishReason::tool_calls, "response.completed", "completed", nullptr, "completed"},
      {FinishReason::length, "response.incomplete", "incomplete", "max_output_tokens", "incomplete"},
      {FinishReason::content_filter, "response.incomplete", "incomplete", "content_filter", "incomplete"},
  };

  for (const auto& row : rows) {
    const std::vector<Event> events{TextDelta{"a"}, Usage{.input_tokens = 1, .output_tokens = 2},
                                    Finish{row.reason, {}}};
    const std::string stream = written(events);
    EXPECT_EQ(broken_rule(stream), "");
    EXPECT_NE(stream.find(std::string("event: ") + row.event + "\n"), std::string::npos);
    const json reply = json::parse(openai_responses().write_reply(events, kContext));
    EXPECT_EQ(reply["status"], row.status);
    EXPECT_EQ(reply["incomplete_details"], (row.why ? json{{"reason", row.why}} : json()));
    EXPECT_EQ(reply["output"][0]["status"], row.item);
    EXPECT_EQ(reply["usage"]["total_tokens"], 3);
  }
}

// Any events in any order: what a provider may send, and what it may not.
TEST(ResponsesWriter, HoldsToTheRulesWhateverTheEvents) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](unsigned count) { return static_cast<int>(random() % count); };
    std::vector<Event> events;
    int calls = 0;
    for (int i = pick(30); i >= 0; --i) {
      switch (pick(9)) {
        case 0:
          events.emplace_back(TextDelta{pick(4) ? "t\xC3\xA9" : "", pick(3) ? "" : R"([{"token":"t"}])"});
          break;
        case 1:
          events.emplace_back(RefusalDelta{"no"});
          break;
        case 2:
          events.emplace_back(ThinkingDelta{pick(4) ? "hm" : ""});
          break;
        case 3:
          events.emplace_back(ThinkingSignature{pick(2) ? "sig" : "", "anthropic"});
          break;
        case 4:
          events.emplace_back(RedactedThinking{"data", pick(2) ? "anthropic" : "openai"});
          break;
        case 5:
          events.emplace_back(ToolCallStart{calls++, pick(3) ? "call_" + std::to_string(pick(6)) : "",
                                            pick(3) ? "f" : "apply_patch", pick(4) ? "" : "sig", "gemini"});
          break;
        case 6:
        case 7:
          events.emplace_back(
              ToolCallDelta{pick(static_cast<unsigned>(calls) + 1), pick(2) ? "{\"a\":" : "1}"});
          break;
        default:
          events.emplace_back(TextDelta{"", {}, {Citation{"https://example.com", "T", {}}}});
      }
    }
    events.emplace_back(Finish{static_cast<FinishReason>(pick(4)), {}});
    const std::string stream = written(events);
    ASSERT_EQ(broken_rule(stream), "") << "seed " << seed << "\n" << dump(events);
    const std::string whole = openai_responses().write_reply(events, kContext);
    const std::size_t last = stream.rfind("\"response\":");
    ASSERT_EQ(json::parse(whole), json::parse(stream.substr(last + 11, stream.size() - last - 14)))
        << "seed " << seed << ": the stream and the whole reply say the same";
  }
}

TEST(ResponsesWriter, HoldsToTheRulesForEveryGoldenStream) {
  int checked = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(SWITCHYARD_SOURCE_DIR "/tests/golden")) {
    if (entry.path().extension() != ".txt") continue;
    const Dialect* dialect = find_dialect(entry.path().parent_path().filename().string());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    for (const GoldenSection& section : split_golden(text).sections) {
      if (section.heading != "upstream stream" || !dialect) continue;
      const auto parser = dialect->make_event_parser();
      std::vector<Event> events;
      auto result = parser->feed(section.body, events);
      if (result) result = parser->finish(events);
      if (!result || events.empty() || std::holds_alternative<ReplyFailed>(events.back())) continue;
      EXPECT_EQ(broken_rule(written(events)), "") << entry.path();
      ++checked;
    }
  }
  EXPECT_GT(checked, 10);
}

// What a client got of a stream is what a gateway behind this one reads.
TEST(ResponsesWriter, IsReadBackAsItWas) {
  const std::vector<Event> events{ReplyStart{"resp_1", "m"},
                                  ThinkingDelta{"hm"},
                                  ThinkingSignature{"rs_1/enc", "openai"},
                                  TextDelta{"a"},
                                  RefusalDelta{"no"},
                                  ToolCallStart{0, "c1", "f"},
                                  ToolCallDelta{0, R"({"x":1})"},
                                  ToolCallStart{1, "c2", "apply_patch"},
                                  ToolCallDelta{1, R"({"input":"p"})"},
                                  Usage{.input_tokens = 3, .output_tokens = 4},
                                  Finish{FinishReason::tool_calls, {}}};
  const auto parser = openai_responses().make_event_parser();
  std::vector<Event> read;
  ASSERT_TRUE(parser->feed(written(events), read));
  ASSERT_TRUE(parser->finish(read));
  EXPECT_EQ(dump(merged(read)), dump(merged(events)));
  std::vector<Event> whole;
  ASSERT_TRUE(openai_responses().parse_reply(openai_responses().write_reply(events, kContext), whole));
  EXPECT_EQ(dump(merged(whole)), dump(merged(events)));
}

}  // namespace
}  // namespace switchyard
