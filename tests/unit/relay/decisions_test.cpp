#include "gateway/relay/decisions.h"

#include <gtest/gtest.h>

namespace switchyard::relay {
namespace {

std::shared_ptr<const DecisionNames> names(const std::string& model) {
  return std::make_shared<DecisionNames>(DecisionNames{model, "abc", {"p0", "p1"}, {"m0", "m1"}, {4, 5}});
}

class DecisionRingTest : public testing::Test {
 protected:
  void add(const std::string& id, const std::shared_ptr<const DecisionNames>& of,
           std::size_t candidates = 2) {
    routing::PlanInput input;
    input.seed = std::hash<std::string>()(id);
    input.facts.input_tokens = 7;
    input.candidates.resize(candidates);
    for (std::size_t i = 0; i < candidates; ++i) input.candidates[i].id = i + 1;
    const routing::AttemptRecord attempts[] = {
        {0, routing::Reason::priority, false, ErrorKind::overloaded, 503},
        {1, routing::Reason::fallback, true}};
    DecisionFacts facts;
    facts.request_id = id;
    facts.key = "team";
    facts.fallback_from = "other";
    facts.names = of;
    facts.input = &input;
    facts.attempts = attempts;
    facts.at_ms = ++clock_ms;
    facts.served = 1;
    facts.scores_version = 5;
    facts.input_tokens = 11;
    facts.output_tokens = 12;
    ring.add(facts);
  }

  DecisionRing ring;
  std::int64_t clock_ms = 0;
};

TEST_F(DecisionRingTest, GivesBackAllThatIsKnownOfARequest) {
  const auto of = names("a");
  add("req_1", of);
  add("req_2", of);
  const auto found = ring.find("req_1", {}, 10);
  ASSERT_EQ(found.size(), 1u);
  const routing::Decision& decision = found.front();
  EXPECT_EQ(decision.request_id, "req_1");
  EXPECT_EQ(decision.model, "a");
  EXPECT_EQ(decision.config_version, "abc");
  EXPECT_EQ(decision.key, "team");
  EXPECT_EQ(decision.fallback_from, "other");
  EXPECT_EQ(decision.at_ms, 1);
  EXPECT_EQ(decision.outcome, "ok");
  EXPECT_EQ(decision.served, 1);
  EXPECT_EQ(decision.scores_version, 5u);
  EXPECT_EQ(decision.input_tokens, 11u);
  EXPECT_EQ(decision.output_tokens, 12u);
  EXPECT_EQ(decision.providers, (std::vector<std::string>{"p0", "p1"}));
  EXPECT_EQ(decision.score_ids, (std::vector<std::uint32_t>{4, 5}));
  EXPECT_EQ(decision.input.seed, std::hash<std::string>()("req_1"));
  EXPECT_EQ(decision.input.facts.input_tokens, 7u);
  ASSERT_EQ(decision.input.candidates.size(), 2u);
  EXPECT_EQ(decision.input.candidates[1].id, 2u);
  ASSERT_EQ(decision.attempts.size(), 2u);
  EXPECT_FALSE(decision.attempts[0].ok);
  EXPECT_EQ(decision.attempts[0].error, ErrorKind::overloaded);
  EXPECT_EQ(decision.attempts[0].upstream_status, 503u);
  EXPECT_TRUE(decision.attempts[1].ok);
  EXPECT_TRUE(ring.find("req_3", {}, 10).empty());
}

TEST_F(DecisionRingTest, TheNewestFirstAndByModel) {
  const auto a = names("a"), b = names("b");
  for (int i = 0; i < 10; ++i) add("req_" + std::to_string(i), i % 2 ? b : a);
  const auto all = ring.find({}, {}, 3);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].request_id, "req_9");
  EXPECT_EQ(all[2].request_id, "req_7");
  const auto of_a = ring.find({}, "a", 100);
  ASSERT_EQ(of_a.size(), 5u);
  EXPECT_EQ(of_a[0].request_id, "req_8");
}

TEST_F(DecisionRingTest, TheOldestGoWhenThereAreTooMany) {
  const auto of = names("a");
  for (std::size_t i = 0; i < DecisionRing::kSlots + 10; ++i) add("req_" + std::to_string(i), of);
  EXPECT_TRUE(ring.find("req_9", {}, 1).empty());
  EXPECT_EQ(ring.find("req_10", {}, 1).size(), 1u);
  EXPECT_EQ(ring.find({}, {}, 2 * DecisionRing::kSlots).size(), DecisionRing::kSlots);
}

// Large ones use up the bytes before the slots: what is given is whole all the same.
TEST_F(DecisionRingTest, TheOldestGoWhenTheyTakeTooMuch) {
  const auto of = names("a");
  constexpr std::size_t kCandidates = 500;
  const std::size_t bytes = kCandidates * sizeof(routing::Candidate);
  const std::size_t kept_max = DecisionRing::kBytes / bytes;
  for (std::size_t i = 0; i < 4 * kept_max; ++i) {
    add("req_" + std::to_string(i), of, kCandidates - i % 7);
    const auto all = ring.find({}, {}, DecisionRing::kSlots);
    ASSERT_GE(all.size(), std::min(i + 1, kept_max - 2));
    ASSERT_LE(all.size(), kept_max + 1);
    for (std::size_t age = 0; age < all.size(); ++age) {
      ASSERT_EQ(all[age].request_id, "req_" + std::to_string(i - age));
      ASSERT_EQ(all[age].input.candidates.size(), kCandidates - (i - age) % 7);
      ASSERT_EQ(all[age].input.candidates.back().id, kCandidates - (i - age) % 7);
    }
  }
}

TEST_F(DecisionRingTest, EachIsTakenOnceAndWhatIsTooMuchIsCounted) {
  const auto of = names("a");
  for (int i = 0; i < 5; ++i) add("req_" + std::to_string(i), of);
  auto taken = ring.take_new(100);
  ASSERT_EQ(taken.size(), 5u);
  EXPECT_EQ(taken[0].request_id, "req_0");
  EXPECT_TRUE(ring.take_new(100).empty());
  for (int i = 5; i < 15; ++i) add("req_" + std::to_string(i), of);
  taken = ring.take_new(4);
  ASSERT_EQ(taken.size(), 4u);
  EXPECT_EQ(taken[0].request_id, "req_11");
  EXPECT_EQ(ring.skipped(), 6u);
}

}  // namespace
}  // namespace switchyard::relay
