// What is heard of a reply that passes through is what its events say: for every reply of tests/golden/.
#include "adapters/dialects/dialect.h"
#include "tests/unit/dialects/golden.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace switchyard {
namespace {

namespace fs = std::filesystem;

struct Sample {
  std::string name, bytes;
  const Dialect* dialect;
};

// `heading`: "upstream stream" or "upstream reply".
std::vector<Sample> golden(std::string_view heading) {
  std::vector<Sample> samples;
  for (const auto& entry : fs::recursive_directory_iterator(SWITCHYARD_SOURCE_DIR "/tests/golden")) {
    if (entry.path().extension() != ".txt") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const Dialect* dialect = find_dialect(entry.path().parent_path().filename().string());
    for (const GoldenSection& section : split_golden(text).sections) {
      if (section.heading != heading || !dialect) continue;
      samples.push_back({entry.path().string(),
                         heading == "upstream stream" ? stream_bytes(*dialect, section.body) : section.body,
                         dialect});
    }
  }
  return samples;
}

// Writes down what it hears, calls put together.
struct Heard final : ReplyTap {
  struct Call {
    std::int64_t index;
    std::string id, name, arguments;
  };

  void on_model(std::string_view name, std::string_view) override { model = name; }

  void on_text(std::string_view piece) override { text += piece; }

  void on_refusal(std::string_view piece) override { refusal += piece; }

  void on_thought() override { thought = true; }

  void on_tool_call(std::int64_t index, std::string_view id, std::string_view name,
                    std::string_view arguments) override {
    const auto same = [&](const Call& call) {
      return call.index == index && (id.empty() || call.id.empty() || call.id == id);
    };
    auto call = std::find_if(calls.rbegin(), calls.rend(), same);
    Call& of = call != calls.rend() ? *call : calls.emplace_back(Call{index, {}, {}, {}});
    if (of.id.empty()) of.id = id;
    if (of.name.empty()) of.name = name;
    of.arguments += arguments;
  }

  void on_finish(FinishReason reason) override { finish = reason; }

  std::string summary() const {
    std::string out = "model " + model + "\ntext " + text + "\nrefusal " + refusal + '\n';
    for (const Call& call : calls) {
      std::string arguments = call.arguments;
      // A custom tool takes text; its events stand for it with an object.
      if (arguments.starts_with("{\"input\":")) arguments.clear();
      const auto json = nlohmann::json::parse(arguments, nullptr, false);
      if (!json.is_discarded()) arguments = json.empty() ? "" : json.dump();
      out += "call " + call.name + ' ' + arguments + '\n';
    }
    const bool ends_with_calls = finish == FinishReason::stop && !calls.empty();
    if (finish)
      out +=
          "finish " + std::to_string(static_cast<int>(ends_with_calls ? FinishReason::tool_calls : *finish));
    return out;
  }

  std::string model, text, refusal;
  std::vector<Call> calls;
  std::optional<FinishReason> finish;
  bool thought = false;
};

Heard told(const std::vector<Event>& events) {
  Heard heard;
  for (const Event& event : events) tell(event, heard);
  return heard;
}

void expect_alike(const Heard& heard, const Heard& told) {
  EXPECT_EQ(heard.summary(), told.summary());
  EXPECT_TRUE(heard.thought || !told.thought);
}

TEST(ReplyTap, HearsOfAStreamWhatItsEventsSay) {
  int compared = 0;
  for (const Sample& sample : golden("upstream stream")) {
    SCOPED_TRACE(sample.name);
    const auto scanner = sample.dialect->make_scanner({});
    const auto parser = sample.dialect->make_event_parser();
    std::vector<Event> events;
    const bool parsed = parser->feed(sample.bytes, events) && parser->finish(events);
    const bool failed = !events.empty() && std::holds_alternative<ReplyFailed>(events.back());
    if (!scanner || !parsed || failed) continue;
    Heard heard;
    scanner->set_tap(&heard);
    std::vector<std::string_view> forward;
    for (std::string_view rest = sample.bytes; !rest.empty();
         rest.remove_prefix(std::min<std::size_t>(97, rest.size()))) {
      const std::string_view piece = rest.substr(0, 97);
      ASSERT_TRUE(scanner->feed({&piece, 1}, forward));
    }
    ASSERT_TRUE(scanner->finish(forward));
    expect_alike(heard, told(events));
    ++compared;
  }
  EXPECT_GT(compared, 20);
}

TEST(ReplyTap, HearsOfAWholeReplyWhatItsEventsSay) {
  int compared = 0;
  for (const Sample& sample : golden("upstream reply")) {
    SCOPED_TRACE(sample.name);
    std::vector<Event> events;
    if (!sample.dialect->parse_reply(sample.bytes, events)) continue;
    Heard heard;
    ASSERT_TRUE(sample.dialect->scan_reply(sample.bytes, sample.bytes.size(), &heard));
    expect_alike(heard, told(events));
    ++compared;
  }
  EXPECT_GT(compared, 10);
}

TEST(ReplyTap, ATapChangesNothingOfWhatIsFound) {
  for (const Sample& sample : golden("upstream reply")) {
    SCOPED_TRACE(sample.name);
    Heard heard;
    const auto with = sample.dialect->scan_reply(sample.bytes, sample.bytes.size(), &heard);
    const auto without = sample.dialect->scan_reply(sample.bytes);
    ASSERT_EQ(with.has_value(), without.has_value());
    if (with) {
      EXPECT_EQ(*with, *without);
    }
    for (std::size_t cut = 0; cut < sample.bytes.size(); cut += 7) {
      const std::string part = sample.bytes.substr(0, cut);
      EXPECT_EQ(sample.dialect->scan_reply(part, part.size(), &heard).has_value(),
                sample.dialect->scan_reply(part).has_value());
    }
  }
}

}  // namespace
}  // namespace switchyard
