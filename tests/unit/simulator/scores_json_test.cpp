#include "gateway/simulator/scores_json.h"

#include "tests/unit/simulator/worlds.h"

#include <gtest/gtest.h>

namespace switchyard::simulator {
namespace {

using test::lookup;
using test::three_targets;

TEST(ScoresJson, ReadsWhatTheAdminPortGives) {
  const auto config = three_targets();
  const auto targets = targets_of(config, lookup(), config.models[0], 0);
  const auto scores = scores_from_json(R"({"config":"0","scores_version":7,"scores_at_ms":5,"targets":[
    {"model":"other","provider":"a","target_model":"x","score":{"quality":0.1}},
    {"model":"m","provider":"c","target_model":"x","state":"ejected","score":{"state":"ejected","quality":0.25,
      "ramp":0.5,"availability":0.9,"latency_ratio":2,"inter_token_ms":12.5,"output_tokens_mean":80,
      "identity_armed":true,"state_since_ms":3,"state_until_ms":4,"why":"worse","alone":true,
      "latency":[{"ttft_ms_p50":100,"ttft_ms_p95":200,"ttft_ms_p99":300,"samples":9}],
      "evidence":[{"signal":"refusal","stratum":2,"seen":10,"bad":4,"mean":0.4,"allowed":0.02,"baseline":0.01,
        "baseline_version":3,"learning":false,"odds":1e5,"ejects":0.5,"severity":1,"belief":1,"factor":0.4,
        "since_ms":2}]}}]})",
                                       "m", targets);
  ASSERT_TRUE(scores) << scores.error().message;
  EXPECT_EQ(scores->version, 7u);
  EXPECT_EQ(scores->of(0).quality, 1) << "of another model";
  const scoring::TargetView& view = scores->of(2);
  EXPECT_EQ(view.state, scoring::State::ejected);
  EXPECT_EQ(view.quality, 0.25);
  EXPECT_EQ(view.ramp, 0.5);
  EXPECT_EQ(view.availability, 0.9);
  EXPECT_EQ(view.latency_ratio, 2);
  EXPECT_EQ(view.inter_token_ms, 12.5);
  EXPECT_EQ(view.output_tokens_mean, 80);
  EXPECT_TRUE(view.identity_armed);
  EXPECT_EQ(view.state_since_ms, 3);
  EXPECT_EQ(view.state_until_ms, 4);
  EXPECT_EQ(view.why, "worse");
  EXPECT_TRUE(view.alone);
  EXPECT_EQ(view.latency[0].ttft_ms_p95, 200);
  EXPECT_EQ(view.latency[0].samples, 9u);
  ASSERT_EQ(view.evidence.size(), 1u);
  EXPECT_EQ(view.evidence[0].signal, scoring::Signal::refusal);
  EXPECT_EQ(view.evidence[0].seen, 10u);
  EXPECT_EQ(view.evidence[0].odds, 1e5);
  EXPECT_EQ(view.evidence[0].since_ms, 2);
}

TEST(ScoresJson, SaysWhatIsWrong) {
  const auto config = three_targets();
  const auto targets = targets_of(config, lookup(), config.models[0], 0);
  const auto message = [&](const char* text) {
    const auto scores = scores_from_json(text, "m", targets);
    return scores ? std::string("none") : scores.error().message;
  };
  EXPECT_EQ(message("{"), "not what GET /admin/providers gives: an object with `targets`");
  EXPECT_EQ(message(R"({"targets":1})"), "not what GET /admin/providers gives: an object with `targets`");
  EXPECT_EQ(
      message(R"({"targets":[{"model":"m","provider":"a","target_model":"x","score":{"state":"bad"}}]})"),
      "no state is called `bad`");
  EXPECT_EQ(
      message(R"({"targets":[{"model":"m","provider":"a","target_model":"x","score":{"evidence":[{}]}}]})"),
      "no signal is called ``");
  EXPECT_EQ(message(R"({"targets":[1,{"model":"m","provider":"zzz","score":{}}]})"), "none");
}

}  // namespace
}  // namespace switchyard::simulator
