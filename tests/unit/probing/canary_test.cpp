#include "gateway/probing/canary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace switchyard::probing {
namespace {

constexpr std::uint64_t kSeeds = 200;

class Canaries : public testing::TestWithParam<int> {
 protected:
  static Family family() { return static_cast<Family>(GetParam()); }

  static Grade graded(const Canary& canary, const std::string& text) {
    ProbeReply reply = canary.reference;
    reply.text = text;
    return grade(canary, reply);
  }
};

std::string words_said(const ChatRequest& request) {
  std::string text;
  for (const Message& message : request.messages) text += std::get<TextPart>(message.parts.at(0)).text + "\n";
  return text;
}

TEST_P(Canaries, TheReferencePassesAndWhatIsNotTheAnswerFails) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    const Canary canary = make_canary(family(), seed);
    EXPECT_EQ(canary.family, family());
    EXPECT_EQ(grade(canary, canary.reference), Grade::pass) << canary.reference.text;
    EXPECT_EQ(graded(canary, "\n" + canary.reference.text + "\n"), Grade::pass) << "white space around";
    EXPECT_EQ(grade(canary, ProbeReply()), Grade::fail) << "empty";
    ProbeReply refused = canary.reference;
    refused.refused = true;
    EXPECT_EQ(grade(canary, refused), Grade::fail);
    if (family() == Family::tool_calls) continue;
    EXPECT_EQ(graded(canary, "Sure, here it is: " + canary.reference.text), Grade::fail) << "prose before";
    EXPECT_EQ(graded(canary, canary.reference.text + "\nLet me know if you need more!"), Grade::fail);
    EXPECT_EQ(graded(canary, canary.reference.text + canary.reference.text), Grade::fail) << "twice";
    EXPECT_EQ(graded(canary, "I cannot help with that."), Grade::fail);
    ProbeReply called = canary.reference;
    called.calls.push_back({"tool", "{}"});
    EXPECT_EQ(grade(canary, called), Grade::fail) << "a call that nobody asked for";
  }
}

TEST_P(Canaries, ASeedGivesTheSameCanaryAndEachSeedAnother) {
  std::set<std::string> said;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const Canary canary = make_canary(family(), seed), again = make_canary(family(), seed);
    EXPECT_EQ(words_said(canary.request), words_said(again.request));
    EXPECT_EQ(canary.reference.text, again.reference.text);
    EXPECT_EQ(canary.request.max_output_tokens, again.request.max_output_tokens);
    said.insert(words_said(canary.request));
  }
  EXPECT_EQ(said.size(), kSeeds);
}

// No text is common to all, so none tells a probe: not a word at the beginning, nor the end of the prompt.
TEST_P(Canaries, NoFixedTextTellsThem) {
  std::set<std::string> begins, ends, shapes;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const ChatRequest request = make_canary(family(), seed).request;
    const std::string& prompt = std::get<TextPart>(request.messages.back().parts[0]).text;
    begins.insert(prompt.substr(0, 12));
    ends.insert(prompt.substr(prompt.size() - 12));
    shapes.insert(std::to_string(request.messages.size()) + (request.stream ? "s" : "") +
                  (request.temperature ? "t" : "") + std::to_string(*request.max_output_tokens));
    EXPECT_TRUE(request.model.empty());
    EXPECT_TRUE(request.user.empty());
    EXPECT_TRUE(request.metadata.empty());
  }
  EXPECT_GE(begins.size(), 4u);
  EXPECT_GE(ends.size(), 3u);
  EXPECT_GE(shapes.size(), 20u);
}

TEST_P(Canaries, ThinkingUntilTheTokensAreOverIsUnknown) {
  const Canary canary = make_canary(family(), 1);
  ProbeReply reply;
  reply.finish = FinishReason::length;
  EXPECT_EQ(grade(canary, reply), Grade::fail) << "no thinking, so it was cut";
  reply.usage = Usage{.output_tokens = 900, .reasoning_tokens = 900};
  EXPECT_EQ(grade(canary, reply), Grade::unknown);
}

INSTANTIATE_TEST_SUITE_P(All, Canaries, testing::Range(0, kFamilies), [](const auto& info) {
  return std::string(name_of(static_cast<Family>(info.param)));
});

// For each seed: what becomes of a family's reference when `change` is made to its text.
template <class Change>
void expect_failure(Family family, Change change) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    const Canary canary = make_canary(family, seed);
    ProbeReply reply = canary.reference;
    change(reply.text);
    ASSERT_NE(reply.text, canary.reference.text);
    EXPECT_EQ(grade(canary, reply), Grade::fail) << reply.text;
  }
}

TEST(CanaryMutations, AWrongNumberFails) {
  const auto wrong = [](std::string& text) { text.back() = text.back() == '7' ? '8' : '7'; };
  for (const Family family : {Family::arithmetic, Family::table, Family::dates}) {
    SCOPED_TRACE(name_of(family));
    expect_failure(family, wrong);
  }
}

TEST(CanaryMutations, TheWrongCaseFails) {
  const auto flip = [](std::string& text) {
    for (char& c : text) {
      if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) c = static_cast<char>(c ^ 0x20);
    }
  };
  for (const Family family : {Family::memory, Family::extraction, Family::long_list}) {
    SCOPED_TRACE(name_of(family));
    expect_failure(family, flip);
  }
}

TEST(CanaryMutations, AMissingOrAnAdditionalOrAMovedItemFails) {
  for (const Family family : {Family::sorting, Family::extraction}) {
    SCOPED_TRACE(name_of(family));
    const auto separator = [](const std::string& text) { return text.find_first_of(",\n"); };
    expect_failure(family, [&](std::string& text) { text = trimmed(text.substr(separator(text) + 1)); });
    expect_failure(family, [&](std::string& text) { text = text.substr(0, separator(text)) + ", " + text; });
    expect_failure(family, [&](std::string& text) {
      const auto at = separator(text);
      const std::string first = text.substr(0, at);
      text = trimmed(text.substr(at + 1)) + text[at] + first;
    });
  }
}

TEST(CanaryMutations, ARepeatedOrMissingLineOfALongListFails) {
  const auto without_first = [](std::string& text) { text = text.substr(text.find('\n') + 1); };
  expect_failure(Family::long_list, without_first);
  expect_failure(Family::long_list, [&](std::string& text) {
    without_first(text);
    text += text.substr(0, text.find('\n') + 1);
  });
  expect_failure(Family::long_list, [](std::string& text) { text[0] = 'z'; });
  expect_failure(Family::long_list, [](std::string& text) { text = "1. " + text; });
}

TEST(CanaryMutations, ASentenceOfAnotherLengthOrWithTheLetterFails) {
  expect_failure(Family::constraints, [](std::string& text) { text = "oh " + text; });
  expect_failure(Family::constraints, [](std::string& text) { text = text.substr(text.find(' ') + 1); });
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const Canary canary = make_canary(Family::constraints, seed);
    const std::string prompt = words_said(canary.request);
    const auto quote = prompt.find("letter \"");
    ASSERT_NE(quote, std::string::npos);
    ProbeReply reply = canary.reference;
    reply.text.insert(reply.text.size() - 1, 1, prompt[quote + 8]);
    EXPECT_EQ(grade(canary, reply), Grade::fail) << reply.text;
  }
}

TEST(CanaryMutations, AWrongOrUntranslatedWordFails) {
  expect_failure(Family::translation,
                 [](std::string& text) { text = "seventy" + text.substr(text.find(' ')); });
  expect_failure(Family::translation, [](std::string& text) { text = text.substr(text.find(' ') + 1); });
}

TEST(CanaryMutations, AnotherOutputOfTheProgramFails) {
  expect_failure(Family::code, [](std::string& text) { text += "0"; });
  expect_failure(Family::code, [](std::string& text) { text = "\"" + text + "\""; });
}

TEST(CanaryMutations, JsonWithAMissingFieldOrAWrongTypeFailsAndAFenceDoesNot) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const Canary canary = make_canary(Family::json, seed);
    const auto right = nlohmann::json::parse(canary.reference.text);
    const auto graded = [&](const nlohmann::json& object) {
      ProbeReply reply;
      reply.text = object.dump(2);
      return grade(canary, reply);
    };
    EXPECT_EQ(graded(right), Grade::pass);
    for (const auto& [name, value] : right.items()) {
      auto wrong = right;
      wrong.erase(name);
      EXPECT_EQ(graded(wrong), Grade::fail) << "without " << name;
    }
    auto wrong = right;
    wrong["order_number"] = std::to_string(right["order_number"].get<int>());
    EXPECT_EQ(graded(wrong), Grade::fail) << "a number as text";
    wrong = right;
    wrong["order_number"] = right["order_number"].get<double>();
    EXPECT_EQ(graded(wrong), Grade::fail) << "an integer with a fraction";
    wrong = right;
    wrong["note"] = "x";
    EXPECT_EQ(graded(wrong), Grade::fail) << "a field too many";
    wrong = right;
    wrong["items"][0]["count"] = right["items"][0]["count"].get<int>() + 1;
    EXPECT_EQ(graded(wrong), Grade::fail);
    ProbeReply fenced;
    fenced.text = "```json\n" + canary.reference.text + "\n```";
    EXPECT_EQ(grade(canary, fenced), Grade::pass);
    fenced.text.resize(fenced.text.size() - 6);
    EXPECT_EQ(grade(canary, fenced), Grade::fail) << "cut short";
  }
}

TEST(CanaryMutations, CallsThatAreMissingOrWrongFailAndTheirOrderDoesNotMatter) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const Canary canary = make_canary(Family::tool_calls, seed);
    ASSERT_EQ(canary.request.tools.size(), 2u);
    const auto graded = [&](auto change) {
      ProbeReply reply = canary.reference;
      change(reply.calls);
      return grade(canary, reply);
    };
    using Calls = std::vector<ProbeReply::Call>;
    EXPECT_EQ(graded([](Calls& calls) { std::swap(calls[0], calls[1]); }), Grade::pass);
    EXPECT_EQ(graded([](Calls& calls) { calls.pop_back(); }), Grade::fail);
    EXPECT_EQ(graded([](Calls& calls) { calls.push_back(calls[0]); }), Grade::fail);
    EXPECT_EQ(graded([](Calls& calls) { calls[1] = calls[0]; }), Grade::fail);
    EXPECT_EQ(graded([](Calls& calls) { calls[0].name += "s"; }), Grade::fail);
    EXPECT_EQ(graded([](Calls& calls) { calls[0].arguments.pop_back(); }), Grade::fail);
    EXPECT_EQ(graded([](Calls& calls) {
                auto arguments = nlohmann::json::parse(calls[0].arguments);
                arguments["quantity"] = std::to_string(arguments["quantity"].get<int>());
                calls[0].arguments = arguments.dump();
              }),
              Grade::fail);
    for (const Tool& tool : canary.request.tools) {
      const auto schema = nlohmann::json::parse(tool.parameters);
      EXPECT_EQ(schema["required"].size(), 3u);
    }
  }
}

TEST(Canary, EveryFamilyIsFoundByItsName) {
  std::set<std::string_view> names;
  for (int i = 0; i < kFamilies; ++i) {
    const auto family = static_cast<Family>(i);
    EXPECT_EQ(find_family(name_of(family)), family);
    names.insert(name_of(family));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kFamilies));
  EXPECT_EQ(find_family("poetry"), std::nullopt);
}

TEST(Fold, EventsBecomeAReply) {
  const ProbeReply reply =
      fold({ReplyStart{"id", "model-1"}, TextDelta{"Hel"}, TextDelta{"lo"}, ToolCallStart{0, "a", "first"},
            ToolCallStart{1, "b", "second"}, ToolCallDelta{1, "{\"x\""}, ToolCallDelta{0, "{}"},
            ToolCallDelta{1, ":1}"}, Usage{.input_tokens = 3, .output_tokens = 5},
            Finish{FinishReason::tool_calls, {}}});
  EXPECT_EQ(reply.text, "Hello");
  ASSERT_EQ(reply.calls.size(), 2u);
  EXPECT_EQ(reply.calls[0].arguments, "{}");
  EXPECT_EQ(reply.calls[1].name, "second");
  EXPECT_EQ(reply.calls[1].arguments, "{\"x\":1}");
  EXPECT_EQ(reply.usage->output_tokens, 5);
  EXPECT_EQ(reply.model, "model-1");
  EXPECT_FALSE(reply.refused);
  EXPECT_TRUE(fold({RefusalDelta{"no"}}).refused);
  EXPECT_TRUE(fold({Finish{FinishReason::content_filter, {}}}).refused);
}

}  // namespace
}  // namespace switchyard::probing
