// The fields of routing and of quality: what they read to, and what is wrong with them.
#include "config/load.h"
#include "config/lookup.h"
#include "tests/unit/config/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

LoadResult load(const std::string& text) {
  return load_text(text, "/etc/switchyard/c.yaml", test::usual().environment());
}

// Two lines above `part`, which begins on the third.
std::string around(const std::string& part) {
  std::string text =
      "version: 1\nproviders: { o: { type: openai, api_key: \"${OPENAI_API_KEY}\" }, p: { type: "
      "openai_compatible, base_url: \"http://127.0.0.1:1/v1\" } }\n";
  if (!part.starts_with("models:")) text += "models: { m: { targets: [ { provider: o } ] } }\n";
  return text + part + "\n";
}

std::string model(const std::string& fields) {
  return around("models: { m: { targets: [ { provider: o } ], " + fields + " } }");
}

std::string target(const std::string& fields) {
  return around("models: { m: { targets: [ { provider: o, " + fields + " } ] } }");
}

std::vector<std::string> texts(const std::vector<Problem>& problems) {
  std::vector<std::string> list;
  for (const Problem& problem : problems) {
    list.push_back(std::to_string(problem.line) + ":" + std::to_string(problem.column) + ": " +
                   problem.message);
  }
  return list;
}

TEST(RoutingFields, AreAllRead) {
  const auto result = load(around(R"(models:
  m:
    targets:
      - { provider: o, model: a, canary: 5%, context_tokens: 200000, concurrent: 8, prices: { input: 3, output: 15, cached: 0.3 },
          when: { keys: [ a ], headers: { X-Team: "red*" }, metadata: { tier: gold }, input_tokens: { min: 10, max: 20 },
                  tools: true, images: false, json: true, stream: false } }
      - { provider: p, model: b, prices: { input: 2, output: 4 }, concurrent: auto }
    strategy: score
    objectives: { quality: 3, cost: 1 }
    hedge: { after: p90, budget: 2% }
    on_break: continue
    mark_seam: true
    sticky: prompt
    fallbacks: { context_too_long: long, refusal: long, failure: other }
    shadow: { provider: p, model: c, share: 1% }
    feedback: false
  long:  { targets: [ { provider: o } ], hedge: { after: 800ms }, sticky: session }
  other: { targets: [ { provider: p } ] }
keys:
  - { name: a, secret: "${TEAM_A_KEY}", priority: interactive, shadow: true }
  - { name: b, secret: "sha256:50d858e0985ecc7f60418aaf0cc5ab587f42c2570a884095a9e8ccacd0f6545c", priority: batch }
store: { ledger: l.db, decisions: { enabled: false, keep: 24h, max: 5 } }
quality: { judge: { model: other } })"));
  ASSERT_THAT(texts(result.problems), IsEmpty());
  EXPECT_THAT(texts(result.warnings), IsEmpty());
  const Model& m = *find_model(*result.config, "m");
  const Target &a = m.targets[0], &b = m.targets[1];
  EXPECT_EQ(a.canary, 0.05);
  EXPECT_EQ(a.context_tokens, 200'000);
  EXPECT_EQ(a.concurrent, 8);
  EXPECT_EQ(a.prices, (Prices{3, 15, 0.3}));
  EXPECT_THAT(a.when.keys, ElementsAre("a"));
  EXPECT_THAT(a.when.headers, ElementsAre(Pair("x-team", "red*")));
  EXPECT_THAT(a.when.metadata, ElementsAre(Pair("tier", "gold")));
  EXPECT_EQ(a.when.input_tokens_min, 10);
  EXPECT_EQ(a.when.input_tokens_max, 20);
  EXPECT_EQ(a.when.tools, true);
  EXPECT_EQ(a.when.images, false);
  EXPECT_EQ(a.when.json, true);
  EXPECT_EQ(a.when.stream, false);
  EXPECT_EQ(b.prices, (Prices{2, 4, 2})) << "a cached token costs what any other does, unless it is said";
  EXPECT_EQ(b.concurrent, 0);
  EXPECT_TRUE(b.when.empty());
  EXPECT_FALSE(b.canary);
  EXPECT_EQ(m.strategy, Strategy::score);
  EXPECT_EQ(m.objectives, (Objectives{0.75, 0, 0.25})) << "in proportion; what is not named counts nothing";
  EXPECT_EQ(m.hedge->percentile, 0.9);
  EXPECT_EQ(m.hedge->budget, 0.02);
  EXPECT_FALSE(m.hedge->after);
  EXPECT_EQ(m.on_break, OnBreak::go_on);
  EXPECT_TRUE(m.mark_seam);
  EXPECT_EQ(m.sticky, Sticky::prompt);
  EXPECT_EQ(m.fallbacks.context_too_long, "long");
  EXPECT_EQ(m.fallbacks.refusal, "long");
  EXPECT_EQ(m.fallbacks.failure, "other");
  EXPECT_EQ(m.shadow->target.provider, "p");
  EXPECT_EQ(m.shadow->target.model, "c");
  EXPECT_EQ(m.shadow->share, 0.01);
  EXPECT_FALSE(m.allow_feedback);
  EXPECT_EQ(find_model(*result.config, "long")->hedge->after, 800ms);
  EXPECT_EQ(find_model(*result.config, "long")->sticky, Sticky::session);
  EXPECT_EQ(result.config->keys[0].priority, 2);
  EXPECT_TRUE(result.config->keys[0].shadow);
  EXPECT_EQ(result.config->keys[1].priority, 0);
  EXPECT_FALSE(result.config->store->decisions.enabled);
  EXPECT_EQ(result.config->store->decisions.keep, 24h);
  EXPECT_EQ(result.config->store->decisions.entries_max, 5);
}

TEST(RoutingFields, EveryStrategy) {
  const std::pair<const char*, Strategy> rows[] = {
      {"priority", Strategy::priority}, {"weighted", Strategy::weighted},     {"latency", Strategy::latency},
      {"cost", Strategy::cost},         {"least_busy", Strategy::least_busy}, {"score", Strategy::score}};
  for (const auto& [word, strategy] : rows) {
    const auto result = load(target("prices: { input: 1, output: 1 } } ], strategy: " + std::string(word) +
                                    " }, n: { targets: [ { provider: o"));
    ASSERT_THAT(texts(result.problems), IsEmpty()) << word;
    EXPECT_EQ(find_model(*result.config, "m")->strategy, strategy) << word;
  }
}

TEST(QualityFields, AreAllRead) {
  const auto result = load(around(R"(quality:
  mode: watch
  false_eject_every: 1e7
  learn: { observations: 50, blocks: 3, for: 2m, block: 10s }
  dwell: 5s
  dwell_max: 48h
  rise: 3s
  signals:
    refusal: { mode: off }
    canary:  { mode: act, tolerance: 3%, rate: 1.5% }
  probes: { enabled: true, budget: 1%, tokens_per_hour: 500, families: [ sorting, dates ], identity: false, contract: false }
  judge: { model: m, sentinels: 10% })"));
  ASSERT_THAT(texts(result.problems), IsEmpty());
  EXPECT_THAT(texts(result.warnings), IsEmpty());
  const Quality& quality = result.config->quality;
  EXPECT_EQ(quality.mode, QualityMode::watch);
  EXPECT_EQ(quality.requests_between_false_ejects, 1e7);
  EXPECT_EQ(quality.learn_observations, 50);
  EXPECT_EQ(quality.learn_blocks, 3);
  EXPECT_EQ(quality.learn_for, 2min);
  EXPECT_EQ(quality.block, 10s);
  EXPECT_EQ(quality.dwell, 5s);
  EXPECT_EQ(quality.dwell_max, 48h);
  EXPECT_EQ(quality.rise, 3s);
  ASSERT_EQ(quality.signals.size(), 2u);
  EXPECT_EQ(quality.signals[0].signal, "refusal");
  EXPECT_EQ(quality.signals[0].mode, QualityMode::off);
  EXPECT_FALSE(quality.signals[0].tolerance);
  EXPECT_EQ(quality.signals[1].mode, QualityMode::act);
  EXPECT_EQ(quality.signals[1].tolerance, 0.03);
  EXPECT_EQ(quality.signals[1].rate, 0.015);
  EXPECT_TRUE(quality.probes.enabled);
  EXPECT_EQ(quality.probes.budget, 0.01);
  EXPECT_EQ(quality.probes.tokens_per_hour, 500);
  EXPECT_THAT(quality.probes.families, ElementsAre("sorting", "dates"));
  EXPECT_FALSE(quality.probes.identity);
  EXPECT_FALSE(quality.probes.contract);
  EXPECT_EQ(quality.judge->model, "m");
  EXPECT_EQ(quality.judge->sentinels, 0.1);
}

TEST(RoutingFields, EveryProblemAtItsPlace) {
  const struct {
    std::string text;
    std::vector<std::string> problems;
    const char* why;
  } rows[] = {
      {model("objectives: { quality: 0, cost: 0 }"),
       {"3:58: `objectives` must have one that is more than 0"},
       "nothing to weigh"},
      {model("strategy: score, objectives: { speed: 1 }"),
       {"3:75: `objectives` must have one that is more than 0", "3:77: unknown field `speed`"},
       "no such objective"},
      {model("hedge: { after: p100, budget: 0.05 }"),
       {"3:62: `after` must be a percentile from p50 to p99, or a duration such as 800ms",
        "3:76: `budget` must be a share from 0% to 100%, such as 20%"},
       "a hedge"},
      {model("on_break: go_on, sticky: prompts"),
       {"3:56: `on_break` must be error or continue",
        "3:71: `sticky` must be none, session or prompt; did you mean \"prompt\"?"},
       "words"},
      {model("fallbacks: { failure: n }"),
       {"3:68: no model is called \"n\"; did you mean \"m\"?"},
       "a fallback to nowhere"},
      {model("fallbacks: { failure: m }"),
       {"3:68: a cycle of fallbacks: \"m\" comes back to itself"},
       "to itself"},
      {around("models: { \"m*\": { targets: [ { provider: o } ], fallbacks: { failure: m1 } } }"),
       {"3:71: a cycle of fallbacks: \"m*\" comes back to itself"},
       "to itself, by its pattern"},
      {around("models:\n  a: { targets: [ { provider: o } ], fallbacks: { context_too_long: b } }\n"
              "  b: { targets: [ { provider: o } ], fallbacks: { failure: c, refusal: d } }\n"
              "  c: { targets: [ { provider: o } ], fallbacks: { failure: d, refusal: a } }\n"
              "  d: { targets: [ { provider: o } ] }\n"),
       {"6:72: a cycle of fallbacks: \"a\" comes back to where it began"},
       "over three models and different failures; two ways to one model are none"},
      {model("shadow: { provider: q, share: 1% }"),
       {"3:54: a `shadow` needs `quality.judge`: nobody would compare the answers",
        "3:66: no provider is called \"q\"; did you mean \"o\"?"},
       "a shadow"},
      {target("canary: 0.05, concurrent: 0, context_tokens: 0"),
       {"3:50: `canary` must be a share from 0% to 100%, such as 20%",
        "3:68: `concurrent` must be auto or a whole number from 1 to 1000000",
        "3:87: `context_tokens` must be a whole number from 1 to 1000000000"},
       "ranges"},
      {target("canary: 60% }, { provider: p, canary: 60%"),
       {"3:80: the shares of all canaries are more than 100%"},
       "more than all"},
      {target("prices: { input: -1 }"),
       {"3:42: a price needs the field `output`", "3:59: `input` must be a number from 0 to 1000000"},
       "prices"},
      {target("when: { keys: [ team-z ], input_tokens: { min: 20, max: 10 }, tool: true }"),
       {"3:58: no key is called \"team-z\"", "3:98: `max` is below `min`: no request could be meant",
        "3:104: unknown field `tool`; did you mean \"tools\"?"},
       "a condition that nobody fits"},
      {target("when: { headers: { \"a b\": x, Authorization: y, x-a: 1, X-B: a, x-b: b } }"),
       {"3:61: a header field's name is 1 to 64 letters, digits and dashes",
        "3:71: the header field authorization holds a credential: name the key in `keys`",
        "3:94: `headers` must be a map of names to texts", "3:105: the header field x-b is given twice"},
       "headers"},
      {around("keys: [ { name: a, secret: \"${NAME}\", priority: normally, shadow: 1 } ]"),
       {"4:49: `priority` must be batch, normal or interactive; did you mean \"normal\"?",
        "4:67: `shadow` must be true or false"},
       "keys"},
      {around("store: { ledger: l.db, decisions: { keep: 8761h, max: 0 } }"),
       {"4:43: `keep` must be a duration such as 250ms, 2s, 10m or 1h, up to 8760h",
        "4:55: `max` must be a whole number from 1 to 100000000"},
       "decisions without measure"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const auto result = load(row.text);
    EXPECT_FALSE(result.config);
    EXPECT_EQ(texts(result.problems), row.problems);
  }
}

TEST(QualityFields, EveryProblemAtItsPlace) {
  const struct {
    std::string text;
    std::vector<std::string> problems;
    const char* why;
  } rows[] = {
      {around("quality: { mode: acts, false_eject_every: 10, dwel: 1s }"),
       {"4:18: `mode` must be off, watch or act; did you mean \"act\"?",
        "4:43: `false_eject_every` must be a number from 1000 to 1000000000000",
        "4:47: unknown field `dwel`; did you mean \"dwell\"?"},
       "words and ranges"},
      {around("quality: { dwell: 2h, dwell_max: 1h }"),
       {"4:34: `dwell_max` must not be less than `dwell`"},
       "the longest is the shortest"},
      {around("quality: { dwell: 24h, dwell_max: 23h }"),
       {"4:35: `dwell_max` must not be less than `dwell`"},
       "at its bound"},
      {around("quality: { learn: { observations: 5, blocks: 0, for: 0s } }"),
       {"4:35: `observations` must be a whole number from 20 to 10000000",
        "4:46: `blocks` must be a whole number from 1 to 100000",
        "4:54: `for` must be a duration such as 250ms, 2s, 10m or 1h, up to 8760h"},
       "learning"},
      {around("quality: { signals: { refusals: {}, canary: { rate: 2, mode: on } } }"),
       {"4:23: unknown field `refusals`; did you mean \"refusal\"?",
        "4:53: `rate` must be a share from 0% to 100%, such as 20%",
        "4:62: `mode` must be off, watch or act"},
       "signals"},
      {around("quality: { probes: { families: [ dates, datse ] } }"),
       {"4:41: no family of probes is called \"datse\"; did you mean \"dates\"?"},
       "a family"},
      {around("quality: { judge: {} }"),
       {"4:12: a judge needs the field `model`"},
       "a judge without a model"},
      {around("quality: { judge: { model: n } }"),
       {"4:28: no model is called \"n\"; did you mean \"m\"?"},
       "a judge that is not there"},
      {around("models: { m: { targets: [ { provider: o, model: x } ], shadow: { provider: p } },\n"
              "  j: { targets: [ { provider: o, model: x } ] } }\nquality: { judge: { model: j } }"),
       {"5:28: the judge is one of the judged: a target of it also serves \"m\""},
       "nobody judges himself"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const auto result = load(row.text);
    EXPECT_FALSE(result.config);
    EXPECT_EQ(texts(result.problems), row.problems);
  }
}

TEST(RoutingFields, Warnings) {
  const struct {
    std::string text;
    std::vector<std::string> warnings;
    const char* why;
  } rows[] = {
      {model("objectives: { quality: 1 }"),
       {"3:58: `objectives` have no effect: they are of the strategy score"},
       "another strategy"},
      {around("models: { m: { targets: [ { provider: p, model: x } ], strategy: cost } }"),
       {"3:66: the strategy cost has no effect: the price of no target is known; give `prices`"},
       "nothing to compare"},
      {around("models: { m: { targets: [ { provider: p, model: x, prices: { input: 1, output: 1 } } ], "
              "strategy: "
              "cost } }"),
       {},
       "a price of its own"},
      {around("models: { \"x*\": { targets: [ { provider: p } ], strategy: cost } }"),
       {},
       "the name decides, and with it the price"},
      {around("models: { m: { targets: [ { provider: o, model: x } ], shadow: { provider: p } },\n"
              "  j: { targets: [ { provider: p } ] } }\nquality: { judge: { model: j } }\n"
              "keys: [ { name: a, secret: \"${NAME}\" } ]"),
       {"3:64: no request is copied: none of the keys says `shadow: true`"},
       "a shadow of nobody"},
      {around("quality: { mode: off, probes: { enabled: true } }"),
       {"4:18: probes and the judge do nothing while `mode` is off"},
       "off"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const auto result = load(row.text);
    EXPECT_THAT(texts(result.problems), IsEmpty());
    EXPECT_EQ(texts(result.warnings), row.warnings);
  }
}

// As many models as a file may have, each the fallback of the one before it.
TEST(RoutingFields, ALongChainOfFallbacksIsNoCycle) {
  std::string text = around("models:\n  m0: { targets: [ { provider: o } ] }");
  for (int i = 1; i < 5000; ++i) {
    text += "  m" + std::to_string(i) + ": { targets: [ { provider: o } ], fallbacks: { failure: m" +
            std::to_string(i - 1) + " } }\n";
  }
  EXPECT_THAT(texts(load(text).problems), IsEmpty());
}

}  // namespace
}  // namespace switchyard::config
