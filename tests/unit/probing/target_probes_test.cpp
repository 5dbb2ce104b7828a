#include "gateway/probing/target_probes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace switchyard::probing {
namespace {

using scoring::Ending;
using scoring::Signal;

constexpr std::int64_t kSecond = 1000;
constexpr std::uint32_t kScoreId = 7;

config::Probes fast() {
  config::Probes probes;
  probes.enabled = true;
  probes.tokens_per_hour = 2'000'000;
  return probes;
}

// Lets probes come for a time, each answered by `answer` (replies, or an error), and gathers the verdicts.
template <class Answer>
std::vector<Verdict> run(TargetProbes& probes, std::int64_t& now, std::int64_t for_ms, Answer answer) {
  std::vector<Verdict> verdicts;
  for (const std::int64_t end = now + for_ms; now < end; now += kSecond) {
    while (const auto probe = probes.next(now, Pace::steady)) {
      const Result<std::vector<ProbeReply>> replies = answer(*probe);
      verdicts.push_back(replies ? probes.on_replies(*probe, *replies, now)
                                 : probes.on_error(*probe, replies.error(), now));
    }
  }
  return verdicts;
}

// A model that does all that is asked for. One reply a request.
Result<std::vector<ProbeReply>> right_answer(const Probe& probe) {
  std::vector<ProbeReply> replies;
  if (probe.due.kind == Kind::canary) {
    replies.push_back(make_canary(probe.due.family, probe.due.seed).reference);
  } else if (probe.due.kind == Kind::contract) {
    replies = make_contract(probe.due.contract, probe.due.seed, probe.due.needle_tokens).reference;
  } else {
    replies.emplace_back();
    replies[0].text = "word" + std::to_string(probe.due.prompt);
    if (probe.due.kind == Kind::logprobs) {
      replies[0].logprobs = R"([{"token":"a","logprob":-0.1,"top_logprobs":[)"
                            R"({"token":"a","logprob":-0.1},{"token":"b","logprob":-2.5}]}])";
    }
  }
  for (ProbeReply& reply : replies) {
    if (!reply.usage) reply.usage = Usage{.input_tokens = 30, .output_tokens = 5};
  }
  return replies;
}

std::map<Signal, std::pair<int, double>> tally(const std::vector<Verdict>& verdicts) {
  std::map<Signal, std::pair<int, double>> sums;
  for (const Verdict& verdict : verdicts) {
    if (!verdict.observation) continue;
    const auto& of = *verdict.observation;
    EXPECT_EQ(of.target, kScoreId);
    EXPECT_EQ(of.source, scoring::Source::probe);
    for (int i = 0; i < scoring::kSignals; ++i) {
      const auto signal = static_cast<Signal>(i);
      if (of.graded && of.graded_signal == signal) sums[signal].first += 1, sums[signal].second += of.x;
      if (of.seen & scoring::bit(signal))
        sums[signal].first += 1, sums[signal].second += (of.bad & scoring::bit(signal)) != 0;
    }
  }
  return sums;
}

TEST(TargetProbes, AGoodTargetPassesEverythingAndNothingIsSaidWhileItIsTried) {
  TargetProbes probes(fast(), kScoreId, 3, 0);
  std::int64_t now = 0;
  const auto first = run(probes, now, 10 * kSecond, right_answer);
  EXPECT_FALSE(tally(first).contains(Signal::canary));
  const auto later = tally(run(probes, now, 1500 * kSecond, right_answer));
  for (const Signal signal :
       {Signal::canary, Signal::contract, Signal::usage_mismatch, Signal::identity_sampling,
        Signal::identity_greedy, Signal::identity_logprobs}) {
    SCOPED_TRACE(static_cast<int>(signal));
    ASSERT_TRUE(later.contains(signal));
    EXPECT_GT(later.at(signal).first, 20);
    EXPECT_EQ(later.at(signal).second, 0);
  }
}

TEST(TargetProbes, ATargetThatTurnsWrongFailsItsCanariesAndContracts) {
  TargetProbes probes(fast(), kScoreId, 3, 0);
  std::int64_t now = 0;
  run(probes, now, 600 * kSecond, right_answer);
  const auto wrong = [](const Probe& probe) {
    auto replies = right_answer(probe);
    if (probe.due.kind == Kind::canary) (*replies)[0] = {.text = "I am not sure."};
    if (probe.due.contract == Contract::echo) (*replies)[0].text += "x";
    return replies;
  };
  const auto sums = tally(run(probes, now, 600 * kSecond, wrong));
  EXPECT_EQ(sums.at(Signal::canary).second, sums.at(Signal::canary).first);
  EXPECT_GT(sums.at(Signal::contract).second, 0);
  EXPECT_EQ(sums.at(Signal::identity_sampling).second, 0);
}

TEST(TargetProbes, AFamilyThatTheTargetCannotDoIsNotHeldAgainstIt) {
  TargetProbes probes(fast(), kScoreId, 3, 0);
  std::int64_t now = 0;
  const auto cannot_code = [](const Probe& probe) {
    auto replies = right_answer(probe);
    if (probe.due.kind == Kind::canary && probe.due.family == Family::code) (*replies)[0].text = "?";
    return replies;
  };
  const auto verdicts = run(probes, now, 1500 * kSecond, cannot_code);
  EXPECT_EQ(tally(verdicts).at(Signal::canary).second, 0);
  const auto tries = std::ranges::count_if(verdicts, [](const Verdict& v) { return v.probe == "code"; });
  EXPECT_LE(tries, Families::kTried + 1);
}

TEST(TargetProbes, ErrorsAreOfAvailabilityAndNeverAPass) {
  const struct {
    ErrorKind kind;
    const char* result;
    std::optional<Ending> ending;
  } rows[] = {{ErrorKind::provider_error, "error", Ending::fault},
              {ErrorKind::unreachable, "error", Ending::fault},
              {ErrorKind::first_token_timeout, "error", Ending::fault},
              {ErrorKind::rate_limited, "error", Ending::limited},
              {ErrorKind::cancelled, "error", std::nullopt},
              {ErrorKind::unsupported, "unknown", std::nullopt},
              {ErrorKind::invalid_request, "unknown", std::nullopt}};

  for (const auto& row : rows) {
    SCOPED_TRACE(name_of(row.kind));
    TargetProbes probes(fast(), kScoreId, 3, 0);
    std::int64_t now = 0;
    const auto verdicts =
        run(probes, now, 300 * kSecond,
            [&row](const Probe&) -> Result<std::vector<ProbeReply>> { return fail(row.kind, "no"); });
    ASSERT_FALSE(verdicts.empty());
    for (const Verdict& verdict : verdicts) {
      EXPECT_EQ(verdict.result, row.result);
      ASSERT_EQ(verdict.observation.has_value(), row.ending.has_value());
      if (!row.ending) continue;
      EXPECT_EQ(verdict.observation->ending, *row.ending);
      EXPECT_EQ(verdict.observation->seen, 0u) << "says nothing of quality";
      EXPECT_FALSE(verdict.observation->graded);
    }
  }
}

TEST(TargetProbes, AnIdentityAlarmLastsUntilWhatIsThereNowIsLearnt) {
  TargetProbes probes(fast(), kScoreId, 3, 0);
  std::int64_t now = 0;
  run(probes, now, 1500 * kSecond, right_answer);
  const auto other_model = [](const Probe& probe) {
    auto replies = right_answer(probe);
    if (probe.due.kind == Kind::sampling || probe.due.kind == Kind::greedy) (*replies)[0].text += "!";
    return replies;
  };
  const auto after = tally(run(probes, now, 1500 * kSecond, other_model));
  // While a hundred rounds, and twenty replies a prompt, are learnt.
  EXPECT_NEAR(after.at(Signal::identity_sampling).second, 101, 3);
  EXPECT_NEAR(after.at(Signal::identity_greedy).second, 400, 10);
  EXPECT_EQ(after.at(Signal::identity_logprobs).second, 0);
  const auto settled = tally(run(probes, now, 300 * kSecond, other_model));
  EXPECT_EQ(settled.at(Signal::identity_sampling).second, 0);
  EXPECT_EQ(settled.at(Signal::identity_greedy).second, 0);
}

TEST(TargetProbes, AnotherCountOfTheSamePromptIsAUsageMismatch) {
  TargetProbes probes(fast(), kScoreId, 3, 0);
  std::int64_t now = 0;
  run(probes, now, 600 * kSecond, right_answer);
  const auto longer = [](const Probe& probe) {
    auto replies = right_answer(probe);
    for (ProbeReply& reply : *replies) reply.usage->input_tokens += 16;
    return replies;
  };
  const auto sums = tally(run(probes, now, 900 * kSecond, longer));
  EXPECT_EQ(sums.at(Signal::usage_mismatch).second, ContractRecord::kLearnt);
}

TEST(TargetProbes, WhatWasFoundOfItsAbilitiesSurvivesARestart) {
  TargetProbes before(fast(), kScoreId, 3, 0);
  std::int64_t now = 0;
  run(before, now, 300 * kSecond, [](const Probe& probe) {
    auto replies = right_answer(probe);
    if (probe.due.kind == Kind::canary && probe.due.family == Family::json) (*replies)[0].text = "{}";
    return replies;
  });
  TargetProbes after(fast(), kScoreId, 4, 0);
  after.load(before.save());
  EXPECT_EQ(after.save(), before.save());
  now = 0;
  // It decays while the gateway is down: what it could do before is expected of it.
  const auto verdicts = run(after, now, 60 * kSecond, [](const Probe& probe) {
    auto replies = right_answer(probe);
    if (probe.due.kind == Kind::canary) (*replies)[0].text = "?";
    return replies;
  });
  EXPECT_GT(tally(verdicts).at(Signal::canary).second, 0);
  for (const Verdict& verdict : verdicts) EXPECT_NE(verdict.probe, "json");
  TargetProbes spoilt(fast(), kScoreId, 4, 0);
  for (const char* text : {"", "[]", "{\"families\":3}", "{\"families\":{\"json\":[1]}}",
                           "{\"families\":{\"json\":[\"a\",1]}}"}) {
    spoilt.load(text);
  }
  EXPECT_EQ(spoilt.save(), TargetProbes(fast(), kScoreId, 4, 0).save());
}

}  // namespace
}  // namespace switchyard::probing
