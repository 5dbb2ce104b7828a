#include "gateway/simulator/world.h"

#include <gtest/gtest.h>

namespace switchyard::simulator {
namespace {

TEST(World, IsReadLineByLine) {
  WorldReader reader;
  for (const char* line :
       {"# three lines", "", R"({"type":"traffic","model":"m","requests":50,"rate":2,"fast":true,"seed":9})",
        R"({"type":"target","provider":"a","model":"x","ttft_ms":100,"bad":{"refusal":0.25}})",
        R"({"type":"restore","at":20,"provider":"a","model":"x"})",
        R"({"type":"change","at":10,"provider":"a","model":"x","failures":0.5})"}) {
    const auto added = reader.add(line);
    ASSERT_TRUE(added) << added.error().message;
  }
  const auto world = reader.world();
  ASSERT_TRUE(world);
  EXPECT_EQ(world->traffic.model, "m");
  EXPECT_EQ(world->traffic.requests, 50);
  EXPECT_EQ(world->traffic.rate, 2);
  EXPECT_EQ(world->traffic.seed, 9u);
  EXPECT_TRUE(world->traffic.fast);
  ASSERT_EQ(world->targets.size(), 1u);
  const Behaviour& usual = world->targets[0].usual;
  EXPECT_EQ(usual.ttft_ms, 100);
  EXPECT_EQ(usual.bad[static_cast<std::size_t>(scoring::Signal::refusal)], 0.25);
  EXPECT_LT(usual.bad[static_cast<std::size_t>(scoring::Signal::loop)], 0) << "not judged";
  ASSERT_EQ(world->changes.size(), 2u);
  EXPECT_EQ(world->changes[0].at_s, 10) << "in time, whatever the lines' order";
  EXPECT_EQ(world->changes[0].behaviour->failures, 0.5);
  EXPECT_EQ(world->changes[0].behaviour->ttft_ms, 100) << "the rest is as usual";
  EXPECT_FALSE(world->changes[1].behaviour);
}

TEST(World, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> rows[] = {
      {"[]", "not a JSON object"},
      {"{", "not a JSON object"},
      {"{}", "`type` must be traffic, target, change or restore"},
      {R"({"type":"traffic","rate":0})", "`rate` must be a number from 0.001 to 1000000.0"},
      {R"({"type":"traffic","requests":1.5})", "`requests` must be a whole number"},
      {R"({"type":"traffic","speed":1})", "unknown member `speed`"},
      {R"({"type":"traffic","fast":1})", "`fast` must be true or false"},
      {R"({"type":"target","provider":1})", "`provider` must be a text"},
      {R"({"type":"target","bad":{"refusals":0.1}})", "no signal is called `refusals`"},
      {R"({"type":"target","bad":{"length_low":0.1}})", "`length_low` is not simulated"},
      {R"({"type":"target","bad":{"refusal":2}})", "`refusal` must be a rate from 0 to 1"},
      {R"({"type":"target","bad":[]})", "`bad` must be an object of rates"},
      {R"({"type":"change","at":1,"provider":"a"})",
       "no target of that provider and model was described above"},
  };
  for (const auto& [line, message] : rows) {
    WorldReader reader;
    const auto added = reader.add(line);
    ASSERT_FALSE(added) << line;
    EXPECT_EQ(added.error().message, message) << line;
  }
  EXPECT_FALSE(WorldReader().world()) << "nothing is described";
  WorldReader reader;
  ASSERT_TRUE(reader.add(R"({"type":"target","provider":"a"})"));
  EXPECT_FALSE(reader.add(R"({"type":"target","provider":"a"})")) << "twice";
}

}  // namespace
}  // namespace switchyard::simulator
