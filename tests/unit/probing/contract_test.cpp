#include "gateway/probing/contract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::probing {
namespace {

constexpr std::uint64_t kSeeds = 200;

std::string prompt_of(const ContractProbe& probe) {
  return std::get<TextPart>(probe.requests[0].messages[0].parts[0]).text;
}

TEST(Contract, TheReferencePassesAndASeedGivesTheSameProbe) {
  for (int i = 0; i < kContracts; ++i) {
    const auto contract = static_cast<Contract>(i);
    SCOPED_TRACE(name_of(contract));
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      const ContractProbe probe = make_contract(contract, seed, 500);
      ASSERT_EQ(probe.reference.size(), probe.requests.size());
      EXPECT_EQ(prompt_of(probe), prompt_of(make_contract(contract, seed, 500)));
      EXPECT_NE(prompt_of(probe), prompt_of(make_contract(contract, seed + 1, 500)));
      if (contract == Contract::usage) continue;  // ContractRecord judges it.
      EXPECT_EQ(probe.grade(probe.reference), Grade::pass);
    }
  }
}

TEST(Contract, AnEchoWithOneCharacterChangedOrMoreAroundItFails) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const ContractProbe probe = make_contract(Contract::echo, seed);
    ProbeReply reply = probe.reference[0];
    ASSERT_EQ(reply.text.size(), 64u);
    EXPECT_THAT(prompt_of(probe), testing::HasSubstr(reply.text));
    reply.text[40] = '!';
    EXPECT_EQ(probe.grade({reply}), Grade::fail);
    reply.text = "Here: " + probe.reference[0].text;
    EXPECT_EQ(probe.grade({reply}), Grade::fail);
    reply.text = probe.reference[0].text.substr(1);
    EXPECT_EQ(probe.grade({reply}), Grade::fail);
  }
}

TEST(Contract, ALimitIsExceededOrUndercut) {
  const ContractProbe probe = make_contract(Contract::max_tokens, 4);
  const auto limit = *probe.requests[0].max_output_tokens;
  const auto graded = [&](std::int64_t tokens, FinishReason finish) {
    ProbeReply reply = probe.reference[0];
    reply.finish = finish;
    reply.usage->output_tokens = tokens;
    return probe.grade({reply});
  };
  EXPECT_EQ(graded(limit, FinishReason::length), Grade::pass);
  EXPECT_EQ(graded(limit + 50, FinishReason::stop), Grade::fail);
  EXPECT_EQ(graded(limit / 2, FinishReason::length), Grade::fail);
  EXPECT_EQ(graded(limit / 2, FinishReason::stop), Grade::unknown) << "it had no more to say";
  ProbeReply silent = probe.reference[0];
  silent.usage.reset();
  EXPECT_EQ(probe.grade({silent}), Grade::unknown) << "tokens are not reported";
}

TEST(Contract, AStopSequenceInTheTextFails) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const ContractProbe probe = make_contract(Contract::stop, seed);
    const std::string& stop = probe.requests[0].stop.at(0);
    EXPECT_THAT(prompt_of(probe), testing::HasSubstr(stop));
    EXPECT_THAT(probe.reference[0].text, testing::Not(testing::HasSubstr(stop)));
    ProbeReply reply = probe.reference[0];
    reply.text += stop;
    EXPECT_EQ(probe.grade({reply}), Grade::fail);
    reply.text = "I would rather not.";
    EXPECT_EQ(probe.grade({reply}), Grade::unknown) << "it never came to the stop";
  }
}

TEST(Contract, TwoTextsOfOneSeedMustBeEqual) {
  const ContractProbe probe = make_contract(Contract::seed, 3);
  EXPECT_EQ(probe.requests[0].seed, probe.requests[1].seed);
  auto replies = probe.reference;
  replies[1].text += "!";
  EXPECT_EQ(probe.grade(replies), Grade::fail);
  replies[1].text.clear();
  EXPECT_EQ(probe.grade(replies), Grade::unknown);
}

TEST(Contract, ANeedleLiesEarlyOrLateInATextOfTheLengthAskedFor) {
  std::set<int> tenths;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const ContractProbe probe = make_contract(Contract::needle, seed, 2000);
    const std::string prompt = prompt_of(probe);
    EXPECT_NEAR(static_cast<double>(prompt.size()), 8000, 400);
    const auto at = prompt.find(probe.reference[0].text);
    ASSERT_NE(at, std::string::npos);
    tenths.insert(static_cast<int>(10 * at / prompt.size()));
    EXPECT_EQ(probe.grade({ProbeReply{.text = "It is not in the text."}}), Grade::fail);
  }
  EXPECT_THAT(tenths, testing::IsSupersetOf({0, 9}));
  EXPECT_LE(tenths.size(), 5u);
}

TEST(ContractRecord, HoldsAgainstATargetOnlyWhatItKeptAtFirst) {
  ContractRecord record;
  for (int i = 0; i < ContractRecord::kLearnt; ++i) {
    EXPECT_EQ(record.judge(Contract::echo, Grade::pass), Grade::unknown);
  }
  EXPECT_EQ(record.judge(Contract::echo, Grade::pass), Grade::pass);
  EXPECT_EQ(record.judge(Contract::echo, Grade::unknown), Grade::unknown);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(record.judge(Contract::echo, Grade::fail), Grade::fail);
  EXPECT_FALSE(record.is_dropped(Contract::echo));

  EXPECT_EQ(record.judge(Contract::seed, Grade::pass), Grade::unknown);
  EXPECT_EQ(record.judge(Contract::seed, Grade::fail), Grade::unknown);
  EXPECT_TRUE(record.is_dropped(Contract::seed));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(record.judge(Contract::seed, Grade::pass), Grade::unknown);
}

TEST(ContractRecord, AnotherCountOfTheSamePromptFailsUntilItIsTheUsualOne) {
  ContractRecord record;
  EXPECT_EQ(record.judge_usage(50), Grade::unknown);
  EXPECT_EQ(record.judge_usage(50), Grade::pass);
  EXPECT_EQ(record.judge_usage(std::nullopt), Grade::unknown);
  EXPECT_EQ(record.judge_usage(0), Grade::unknown);
  EXPECT_EQ(record.judge_usage(66), Grade::fail);
  EXPECT_EQ(record.judge_usage(50), Grade::pass);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(record.judge_usage(66), Grade::fail);
  EXPECT_EQ(record.judge_usage(66), Grade::pass);
  EXPECT_EQ(record.judge_usage(50), Grade::fail);
}

}  // namespace
}  // namespace switchyard::probing
