// What holds for every stream of tests/golden/, in every dialect, however it is cut; and what survives the
// way from one dialect to another and back.
#include "adapters/dialects/dialect.h"
#include "tests/unit/dialects/dump.h"
#include "tests/unit/dialects/golden.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace switchyard {
namespace {

namespace fs = std::filesystem;

struct Stream {
  std::string name, bytes;
  const Dialect* dialect;
};

std::vector<Stream> golden_streams() {
  std::vector<Stream> streams;
  for (const auto& entry : fs::recursive_directory_iterator(SWITCHYARD_SOURCE_DIR "/tests/golden")) {
    if (entry.path().extension() != ".txt") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const Dialect* dialect = find_dialect(entry.path().parent_path().filename().string());
    for (const GoldenSection& section : split_golden(text).sections) {
      if (section.heading != "upstream stream" || !dialect) continue;
      streams.push_back({entry.path().string(), stream_bytes(*dialect, section.body), dialect});
    }
  }
  return streams;
}

using Pieces = std::vector<std::string_view>;

std::string events_of(const Stream& stream, const Pieces& pieces) {
  const auto parser = stream.dialect->make_event_parser();
  std::vector<Event> events;
  Result<> result;
  for (const std::string_view piece : pieces) {
    if (result) result = parser->feed(piece, events);
  }
  if (result) result = parser->finish(events);
  return dump(events) + (result ? "" : dump(result.error()));
}

std::string forwarded_by(const Stream& stream, const Pieces& pieces) {
  const auto scanner = stream.dialect->make_scanner({});
  if (!scanner) return {};
  std::string out;
  Result<> result;
  std::vector<std::string_view> forward;
  const auto take = [&] {
    for (const std::string_view view : forward) out += view;
    forward.clear();
  };
  for (const std::string_view piece : pieces) {
    if (result) result = scanner->feed({&piece, 1}, forward);
    take();
  }
  if (result) result = scanner->finish(forward);
  take();
  if (scanner->usage()) out += dump(*scanner->usage());
  if (scanner->error()) out += dump(*scanner->error());
  return out + (scanner->has_content() ? "+" : "-") + (result ? "" : dump(result.error()));
}

TEST(Dialects, TheCutsOfAStreamChangeNothing) {
  const std::vector<Stream> streams = golden_streams();
  ASSERT_FALSE(streams.empty());
  for (const Stream& stream : streams) {
    SCOPED_TRACE(stream.name);
    const std::string_view bytes = stream.bytes;
    const std::string events = events_of(stream, {bytes}), forwarded = forwarded_by(stream, {bytes});
    Pieces single;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      single.push_back(bytes.substr(i, 1));
      const Pieces two{bytes.substr(0, i), bytes.substr(i)};
      ASSERT_EQ(events_of(stream, two), events) << "cut at " << i;
      ASSERT_EQ(forwarded_by(stream, two), forwarded) << "cut at " << i;
    }
    ASSERT_EQ(events_of(stream, single), events);
    ASSERT_EQ(forwarded_by(stream, single), forwarded);
  }
}

const Dialect& other(const Dialect& dialect) {
  return &dialect == &openai_chat() ? anthropic_messages() : openai_chat();
}

std::vector<Event> parse(const Dialect& dialect, const std::string& bytes) {
  const auto parser = dialect.make_event_parser();
  std::vector<Event> events;
  auto result = parser->feed(bytes, events);
  if (result) result = parser->finish(events);
  return result ? events : std::vector<Event>();
}

// What a client is to get of a reply, whatever lies between: not the pieces, and not the names. The text of
// thinking stands twice in OpenAI's dialect, so it is compared on its own below.
std::string essence(std::vector<Event> events) {
  std::erase_if(events, [](const Event& event) {
    return std::holds_alternative<ReplyStart>(event) || std::holds_alternative<ThinkingDelta>(event);
  });
  std::string out;
  for (Event& event : events) {
    if (auto* finish = std::get_if<Finish>(&event)) finish->stop_sequence.reset();
  }
  // Where usage stands among the last events is free.
  std::stable_partition(events.begin(), events.end(),
                        [](const Event& event) { return !std::holds_alternative<Finish>(event); });
  return dump(merged(events));
}

TEST(Dialects, AReplySurvivesTheWayThroughTheOtherDialect) {
  int compared = 0;
  for (const Stream& stream : golden_streams()) {
    const std::vector<Event> events = parse(*stream.dialect, stream.bytes);
    if (events.empty() || std::holds_alternative<ReplyFailed>(events.back())) continue;
    SCOPED_TRACE(stream.name);
    const Dialect& between = other(*stream.dialect);
    const auto writer = between.make_event_writer({"req_1", "m", 1, true});
    std::string bytes;
    for (const Event& event : events) writer->write(event, bytes);
    writer->end(bytes);
    std::vector<Event> whole;
    ASSERT_TRUE(between.parse_reply(between.write_reply(events, {"req_1", "m", 1, true}), whole));
    if (stream.name.find("anthropic_messages") == std::string::npos) continue;
    EXPECT_EQ(essence(parse(between, bytes)), essence(events));
    ++compared;
  }
  EXPECT_GT(compared, 3);
}

// A gateway behind a gateway: the text comes in reasoning_content, and once more with its signature in
// reasoning_details; it is one thought.
TEST(Dialects, ThinkingIsReadOnceFromTheOtherDialect) {
  const std::vector<Event> events{ReplyStart{"m", "c"},   ThinkingDelta{"a"}, ThinkingDelta{"b"},
                                  ThinkingSignature{"s"}, TextDelta{"t"},     Finish()};
  const auto writer = openai_chat().make_event_writer({"req_1", "m", 1, true});
  std::string bytes;
  for (const Event& event : events) writer->write(event, bytes);
  writer->end(bytes);
  const std::vector<Event> read = merged(parse(openai_chat(), bytes));
  ASSERT_GT(read.size(), 1u);
  EXPECT_EQ(dump(read[1]), "thinking \"ab\"");
}

// An application that speaks OpenAI's dialect to Claude, and hands back what it got.
TEST(Dialects, SignedThinkingAndIdsComeBackThroughTheOtherDialect) {
  const std::vector<Event> events{ReplyStart{"msg_1", "claude"},
                                  ThinkingDelta{"a city"},
                                  ThinkingSignature{"c2ln+/==", "anthropic"},
                                  RedactedThinking{"ZGF0YQ==", "anthropic"},
                                  ToolCallStart{0, "toolu_01-A_b", "weather"},
                                  ToolCallDelta{0, R"({"city":"Paris"})"},
                                  Finish{FinishReason::tool_calls, {}}};
  const nlohmann::json reply =
      nlohmann::json::parse(openai_chat().write_reply(events, {"req_1", "m", 1, true}));
  const nlohmann::json body{{"model", "m"},
                            {"messages",
                             {{{"role", "user"}, {"content", "Weather?"}},
                              reply["choices"][0]["message"],
                              {{"role", "tool"}, {"tool_call_id", "toolu_01-A_b"}, {"content", "18"}}}},
                            {"tools", {{{"type", "function"}, {"function", {{"name", "weather"}}}}}},
                            {"reasoning_effort", "high"}};
  const auto request = openai_chat().parse_request(body.dump());
  ASSERT_TRUE(request) << request.error().message;
  TargetTraits target;
  target.model = "claude-sonnet-4-5";
  const auto written = anthropic_messages().write_request(*request, target);
  ASSERT_TRUE(written) << written.error().message;
  const nlohmann::json sent = nlohmann::json::parse(written->body);
  const nlohmann::json& blocks = sent["messages"][1]["content"];
  ASSERT_EQ(blocks.size(), 3u) << sent.dump(2);
  EXPECT_EQ(blocks[0],
            (nlohmann::json{{"type", "thinking"}, {"thinking", "a city"}, {"signature", "c2ln+/=="}}));
  EXPECT_EQ(blocks[1], (nlohmann::json{{"type", "redacted_thinking"}, {"data", "ZGF0YQ=="}}));
  EXPECT_EQ(blocks[2]["id"], "toolu_01-A_b");
  EXPECT_EQ(blocks[2]["input"], (nlohmann::json{{"city", "Paris"}}));
  EXPECT_EQ(sent["messages"][2]["content"][0]["tool_use_id"], "toolu_01-A_b");
  EXPECT_EQ(sent["thinking"]["type"], "enabled") << "the loop began with thinking, so it may go on";
}

}  // namespace
}  // namespace switchyard
