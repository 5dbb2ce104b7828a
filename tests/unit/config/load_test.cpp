#include "config/load.h"

#include "adapters/crypto/sha256.h"
#include "tests/unit/config/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace switchyard::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kName = "/etc/switchyard/c.yaml";

LoadResult load(std::string_view text) {
  return load_text(text, kName, test::usual().environment());
}

// A whole configuration around one part: the part replaces the usual one of its name.
std::string around(const std::string& part) {
  std::string text = "version: 1\n";
  if (!part.starts_with("providers:"))
    text += "providers: { o: { type: openai, api_key: \"${OPENAI_API_KEY}\" } }\n";
  if (!part.starts_with("models:")) text += "models: { m: { targets: [ { provider: o } ] } }\n";
  return text + part + "\n";
}

std::vector<std::string> texts(const std::vector<Problem>& problems) {
  std::vector<std::string> list;
  for (const Problem& problem : problems) {
    list.push_back(std::to_string(problem.line) + ":" + std::to_string(problem.column) + ": " +
                   problem.message);
  }
  return list;
}

TEST(Load, ReadsEveryField) {
  const auto result = load(R"(version: 1
server:
  listen: 0.0.0.0:80
  admin: "[::1]:81"
  workers: 3
  limits: { body: 1MiB, headers: 8KiB, connections: 7, request_read: 1s, idle: 2m, drain: 1h }
providers:
  far: { type: openai, api_key: "${OPENAI_API_KEY}", base_url: "https://example.com/v1/", ca_file: ca.pem, connections: 9 }
  near: { type: local, models: { small: small.gguf, mini: bundled }, device: cpu, threads: 2, queue: 5 }
models:
  assistant:
    targets: [ { provider: far, model: gpt-5, weight: 2.5 }, { provider: near, model: small, tier: 1 } ]
    strategy: weighted
    timeouts: { connect: 250ms, first_token: 3s, between_tokens: 4s, total: 5m }
    retry: { attempts: 2, budget: 12.5% }
    on_break: error
    strict: true
  mini: { targets: [ { provider: near } ] }
keys:
  - { name: a, secret: "${TEAM_A_KEY}", models: [ assistant, "mi*" ] }
  - { name: b, secret: "sha256:50d858e0985ecc7f60418aaf0cc5ab587f42c2570a884095a9e8ccacd0f6545c" }
telemetry: { logs: warning, content: off }
)");
  ASSERT_THAT(texts(result.problems), IsEmpty());
  EXPECT_THAT(texts(result.warnings), IsEmpty());
  EXPECT_THAT(result.files, ElementsAre(kName, "/etc/switchyard/ca.pem"));
  const Config& config = *result.config;
  EXPECT_EQ(config.server.listen, (Address{"0.0.0.0", 80}));
  EXPECT_EQ(config.server.admin, (Address{"::1", 81}));
  EXPECT_EQ(config.server.workers, 3);
  EXPECT_EQ(config.server.limits, (Limits{1u << 20, 8u << 10, 7, 1s, 2min, 1h}));
  const Provider &far = config.providers[0], &near = config.providers[1];
  EXPECT_EQ(far.name, "far");
  EXPECT_EQ(far.type, "openai");
  EXPECT_EQ(far.base_url, "https://example.com/v1");
  EXPECT_EQ(far.api_key.reveal(), "sk-openai-hidden");
  EXPECT_EQ(far.ca_file, "/etc/switchyard/ca.pem");
  EXPECT_EQ(far.connections, 9);
  EXPECT_EQ(near.models.at("small"), "/etc/switchyard/small.gguf");
  EXPECT_EQ(near.models.at("mini"), "bundled");
  EXPECT_EQ(near.device, "cpu");
  EXPECT_EQ(near.threads, 2);
  EXPECT_EQ(near.queue, 5);
  const Model& assistant = config.models[0];
  EXPECT_EQ(assistant.name, "assistant");
  EXPECT_EQ(assistant.targets[0].provider, "far");
  EXPECT_EQ(assistant.targets[0].model, "gpt-5");
  EXPECT_EQ(assistant.targets[0].weight, 2.5);
  EXPECT_EQ(assistant.targets[1].tier, 1);
  EXPECT_EQ(assistant.strategy, Strategy::weighted);
  EXPECT_EQ(assistant.timeouts.connect, 250ms);
  EXPECT_EQ(assistant.timeouts.first_token, 3s);
  EXPECT_EQ(assistant.timeouts.between_tokens, 4s);
  EXPECT_EQ(assistant.timeouts.total, 5min);
  EXPECT_EQ(assistant.retry.attempts, 2);
  EXPECT_EQ(assistant.retry.budget, 0.125);
  EXPECT_TRUE(assistant.strict);
  EXPECT_EQ(config.models[1].targets[0].model, "mini")
      << "a local provider has just the models that it names";
  EXPECT_EQ(config.keys[0].name, "a");
  EXPECT_EQ(config.keys[0].sha256, sha256("team-a-hidden"));
  EXPECT_THAT(config.keys[0].models, ElementsAre("assistant", "mi*"));
  EXPECT_EQ(config.keys[1].sha256, sha256("example"));
  EXPECT_EQ(config.log_level, LogLevel::warning);
}

TEST(Load, DefaultsAreThoseOfTheTypes) {
  const auto result = load(around(""));
  ASSERT_TRUE(result.config);
  EXPECT_EQ(result.config->server.listen, Server().listen);
  EXPECT_EQ(result.config->server.limits, Limits());
  EXPECT_EQ(result.config->providers[0].base_url, "https://api.openai.com/v1");
  EXPECT_EQ(result.config->models[0].targets[0].model, "") << "the caller's name goes through";
  EXPECT_EQ(result.config->models[0].retry.attempts, Retry().attempts);
}

TEST(Load, AStoreIsBoundedWhateverItSays) {
  EXPECT_FALSE(load(around("keys: []")).config->store);
  const auto usual = load(around("store: { ledger: state/ledger.db }"));
  ASSERT_TRUE(usual.config && usual.config->store);
  EXPECT_EQ(usual.config->store->ledger, "/etc/switchyard/state/ledger.db");
  EXPECT_EQ(usual.config->store->responses.keep, 720h);
  EXPECT_EQ(usual.config->store->responses.entries_max, 100'000);
  EXPECT_EQ(usual.config->store->responses.bytes_max, 1u << 30);
  const auto own = load(around("store: { ledger: /l.db, responses: { keep: 8760h, max: 5, bytes: 64KiB } }"));
  ASSERT_TRUE(own.config && own.config->store);
  EXPECT_EQ(own.config->store->ledger, "/l.db");
  EXPECT_EQ(own.config->store->responses.keep, 8760h);
  EXPECT_EQ(own.config->store->responses.entries_max, 5);
  EXPECT_EQ(own.config->store->responses.bytes_max, 64u << 10);
}

TEST(Load, ExpandsVariablesAndFiles) {
  const auto result = load(around(
      "server: { workers: \"${COUNT}\" }\n"
      "keys: [ { name: a, secret: \"${file:key.txt}\" }, { name: b, secret: \"x-${COUNT}-${COUNT}\" },\n"
      "        { name: c, secret: \"$${COUNT}\" } ]"));
  ASSERT_THAT(texts(result.problems), IsEmpty());
  EXPECT_EQ(result.config->server.workers, 7);
  EXPECT_EQ(result.config->keys[0].sha256, sha256("from-a-file")) << "without the newline at its end";
  EXPECT_EQ(result.config->keys[1].sha256, sha256("x-7-7"));
  EXPECT_EQ(result.config->keys[2].sha256, sha256("${COUNT}"));
  EXPECT_THAT(result.files, ElementsAre(kName, "/etc/switchyard/key.txt"));
  EXPECT_THAT(texts(result.warnings), ElementsAre(HasSubstr("literal secret"))) << "of key c alone";
}

TEST(Load, TheVersionFollowsTextAndExpansions) {
  auto fake = test::usual();
  const std::string text = around("");
  const auto version = [&](const std::string& of) {
    return load_text(of, kName, fake.environment()).config->version;
  };
  const std::string first = version(text);
  EXPECT_EQ(first.size(), 12u);
  EXPECT_EQ(version(text), first);
  EXPECT_NE(version(text + "# a comment\n"), first);
  fake.variables["OPENAI_API_KEY"] = "another";
  EXPECT_NE(version(text), first);
}

TEST(Load, EveryProblemAtItsPlace) {
  const struct {
    std::string text;
    std::vector<std::string> problems;
    const char* why;
  } rows[] = {
      {"", {"0:0: the file is empty"}, "nothing"},
      {"# nothing\n", {"0:0: the file is empty"}, "a comment"},
      {"[1]", {"1:1: a configuration must be a map of fields"}, "a list"},
      {"a: [1", {"1:1: end of sequence flow not found"}, "YAML syntax"},
      {"a: b: c", {"1:5: illegal map value"}, "YAML syntax"},
      {"version: 1\n---\nversion: 1\n",
       {"2:1: only one YAML document is expected"},
       "the gateway would have to choose"},
      {"version: !!int 1", {"1:10: YAML tags are not supported"}, "a tag"},
      {"a: &x [ *x ]", {"1:9: an alias of something that contains it"}, "an alias without end"},
      {std::string(17, '[') + std::string(17, ']'), {"1:17: nested too deeply"}, "depth"},
      {std::string("version: \0 1", 12),
       {"1:10: a control character; the file must be plain UTF-8 text"},
       "NUL"},
      {around("[a]: b"), {"4:1: a field's name must be text"}, "a list as a name"},
      {around("serve: {}"), {"4:1: unknown field `serve`; did you mean \"server\"?"}, "a misspelt field"},
      {around("zzz: 1"), {"4:1: unknown field `zzz`"}, "nothing is near"},
      {around("server: 1"), {"4:9: `server` must be a map"}, "a wrong type"},
      {around("server: { listen: 127.0.0.1:1, admin: 127.0.0.1:1 }"),
       {"4:39: `listen` and `admin` must be different addresses"},
       "one port for two"},
      {around("server: { workers: 0 }"),
       {"4:20: `workers` must be auto or a whole number from 1 to 1024"},
       "range"},
      {around("server: { workers: \"2\" }"),
       {"4:20: `workers` must be auto or a whole number from 1 to 1024"},
       "text"},
      {around("server: { limits: { body: 10MB } }"),
       {"4:27: `body` must be a size such as 64KiB, 32MiB or 1GiB, up to 64GiB"},
       "not one of the units"},
      {around("server: { limits: { idle: 0s } }"),
       {"4:27: `idle` must be a duration such as 250ms, 2s, 10m or 1h, up to 24h"},
       "no time at all"},
      {around("server: { tls: { certificate: none.pem } }"),
       {"4:11: a tls needs the field `private_key`",
        "4:31: the file /etc/switchyard/none.pem cannot be read"},
       "two in one place"},
      {"version: 2\nmodels: {}\n",
       {"1:1: a configuration needs the field `providers`", "1:10: `version` must be 1",
        "2:9: `models` is empty: nothing could be served"},
       "of the whole"},
      {around("providers: { o: { type: opnai } }"),
       {"3:25: unknown provider type \"opnai\"; did you mean \"openai\"?"},
       "a provider type"},
      {around("providers: { o: { type: openai } }"),
       {"3:14: a provider of type openai needs the field `api_key`"},
       "a key is needed"},
      {around("providers: { o: { type: openai_compatible } }"),
       {"3:14: a provider of type openai_compatible needs the field `base_url`"},
       "an address is needed"},
      {around("providers: { o: { type: openai, api_key: \"${NONE}\" } }"),
       {"3:42: the environment variable NONE is not set"},
       "said once, not again as an empty key"},
      {around("providers: { o: { type: openai, api_key: \"${file:none}\" } }"),
       {"3:42: the file /etc/switchyard/none cannot be read"},
       "relative to the configuration"},
      {around("providers: { o: { type: openai, api_key: \"${EMPTY}\" } }"),
       {"3:42: `api_key` must be text"},
       "set, but to nothing"},
      {around("providers: { o: { type: openai, api_key: \"${BLANK}\" } }"),
       {"3:42: `api_key` is too long, or holds blanks or characters that an HTTP field cannot"},
       "it would break the request's head; and it is not shown"},
      {around("providers: { o: { type: openai, api_key: \"${A B}\" } }"),
       {"3:42: ${...} takes the name of an environment variable, or file:PATH"},
       "no name"},
      {around("providers: { o: { type: openai, api_key: \"${A\" } }"),
       {"3:42: a ${ without its }; $${ stands for ${ itself"},
       "no end"},
      {around("providers: { o: { type: openai_compatible, base_url: \"ftp://x\" } }"),
       {"3:54: `base_url` must begin with http:// or https://"},
       "a scheme"},
      {around("providers: { o: { type: local } }"),
       {"3:14: a provider of type local needs the field `models`, with one model or more"},
       "nothing to serve"},
      {around("providers: { o: { type: local, models: { m: x.gguf }, api_key: a, base_url: b } }"),
       {"3:45: the file /etc/switchyard/x.gguf cannot be read",
        "3:55: `api_key` is not for providers of type local",
        "3:67: `base_url` is not for providers of type local"},
       "hosted fields of a local provider"},
      {around("providers: { o: { type: openai, api_key: \"${NAME}\", device: cuda, queue: 1 } }"),
       {"3:53: `device` is for providers of type local",
        "3:61: `device`: cuda is not supported by this version",
        "3:67: `queue` is for providers of type local"},
       "local fields of a hosted provider"},
      {around("models: { m: { targets: [] } }"),
       {"3:25: `targets` is empty: nothing could serve this model"},
       "no targets"},
      {around("models: { m: { targets: [ { provider: p } ] } }"),
       {"3:39: no provider is called \"p\"; did you mean \"o\"?"},
       "a target that names no provider"},
      {around("models: { m: { targets: [ { provider: \"${NAME}\" } ] } }"),
       {"3:39: no provider is called the expanded value"},
       "what was expanded is not shown"},
      {around("models: { m: { targets: [ { provider: o, weight: -1, tier: 1.5 } ] } }"),
       {"3:50: `weight` must be a number from 0 to 1000000",
        "3:60: `tier` must be a whole number from 0 to 100"},
       "ranges"},
      {around("models: { m: { targets: [ { provider: o } ] }, m: { targets: [ { provider: o } ] } }"),
       {"3:48: duplicate field \"m\"; the first is on line 3"},
       "a duplicate"},
      {around(
           "models: { \"a*\": { targets: [ { provider: o } ] }, \"*a\": { targets: [ { provider: o } ] } }"),
       {"3:51: as specific as the pattern \"a*\", and some names match both: make one more specific"},
       "a conflict of patterns"},
      {around("models: { m: { targets: [ { provider: o } ], strategy: wieghted, strict: yes, retry: { "
              "attempts: 0, "
              "budget: 2 } } }"),
       {"3:56: `strategy` must be priority, weighted, latency, cost, least_busy or score; did you mean "
        "\"weighted\"?",
        "3:74: `strict` must be true or false", "3:98: `attempts` must be a whole number from 1 to 10",
        "3:109: `budget` must be a share from 0% to 100%, such as 20%"},
       "types"},
      {around("keys: [ { name: a, secret: x }, { name: a, secret: \"${TEAM_A_KEY}\", models: [ n ], limits: "
              "{} } ]"),
       {"4:41: another key is called \"a\"", "4:79: no model is called \"n\"; did you mean \"m\"?",
        "4:84: `limits` is not supported by this version"},
       "keys"},
      {around("keys: [ { name: a, secret: \"${NAME}\" }, { name: b, secret: \"${NAME}\" } ]"),
       {"4:60: the secret is also that of the key \"a\""},
       "one secret, two names"},
      {around("keys: [ { name: a, secret: \"sha256:zz\" } ]"),
       {"4:28: sha256: is followed by 64 hexadecimal digits"},
       "a digest cut short"},
      {around("keys: [ { name: a, secret: 12345 } ]"),
       {"4:28: `secret` must be text: put it in quotes"},
       "a number"},
      {around("store: { ledger: l.db, responses: { keep: 8761h, max: 0, bytes: 1TB } }"),
       {"4:43: `keep` must be a duration such as 250ms, 2s, 10m or 1h, up to 8760h",
        "4:55: `max` must be a whole number from 1 to 10000000",
        "4:65: `bytes` must be a size such as 64KiB, 32MiB or 1GiB, up to 64GiB"},
       "a store without measure"},
      {around("keys:"), {"4:1: `keys` must be a list"}, "a heading without its content"},
      {around("store: {}\ntelemetry: { content: on, otlp: x }"),
       {"4:1: a store needs the field `ledger`", "5:23: `content`: on is not supported by this version",
        "5:27: `otlp` is not supported by this version"},
       "what this version would not do"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const auto result = load(row.text);
    EXPECT_FALSE(result.config);
    EXPECT_EQ(texts(result.problems), row.problems);
    for (const Problem& problem : result.problems) EXPECT_THAT(problem.message, Not(HasSubstr("hidden")));
  }
}

TEST(Load, Warnings) {
  const struct {
    std::string text;
    std::vector<std::string> warnings;
    const char* why;
  } rows[] = {
      {around("providers: { o: { type: openai, api_key: sk-1 } }"),
       {"3:42: a literal secret in the file; ${NAME} or ${file:PATH} keep it out"},
       "a literal"},
      {around("providers: { o: { type: openai_compatible, base_url: \"http://example.com/v1\" } }"),
       {"3:54: plain http to an address that is not private: prompts and credentials can be read on the way"},
       "not encrypted"},
      {around("providers: { o: { type: openai_compatible, base_url: \"http://127.0.0.1:8000/v1\" } }"),
       {},
       "loopback"},
      {around("providers: { o: { type: openai_compatible, base_url: \"http://vllm:8000\" } }"),
       {},
       "one label"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const auto result = load(row.text);
    EXPECT_TRUE(result.config);
    EXPECT_EQ(texts(result.warnings), row.warnings);
  }
}

TEST(Load, AnAliasIsItsAnchor) {
  const auto result =
      load(around("models: { a: &a { targets: [ { provider: o } ], retry: { attempts: 9 } }, b: *a }"));
  ASSERT_TRUE(result.config);
  EXPECT_EQ(result.config->models[1].retry.attempts, 9);
  const auto wrong = load(around("models: { a: &a { targets: [ { provider: p } ] }, b: *a, c: *a }"));
  EXPECT_EQ(wrong.problems.size(), 1u) << "wrong in one place only";
}

// Sixteen levels of ten aliases each: 10^16 values for whoever follows them all.
TEST(Load, AliasesDoNotMultiplyWithoutBound) {
  std::string text = around("x: &a0 [ a ]\n");
  for (int i = 1; i < 16; ++i) {
    text += "x" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) text += (k ? ", *a" : " *a") + std::to_string(i - 1);
    text += " ]\n";
  }
  EXPECT_FALSE(load(text).config);
  std::string targets = around("models:\n  m0: &m { targets: [ { provider: o }");
  targets.pop_back();
  for (int i = 0; i < 1000; ++i) targets += ", { provider: o }";
  targets += " ] }\n";
  for (int i = 1; i < 1000; ++i) targets += "  m" + std::to_string(i) + ": *m\n";
  const auto result = load(targets);
  EXPECT_THAT(texts(result.problems), testing::Contains(HasSubstr("too many values")));
}

TEST(Load, AFileThatIsNotThere) {
  const auto result = load_file("/none.yaml", test::usual().environment());
  ASSERT_EQ(result.problems.size(), 1u);
  EXPECT_EQ(result.problems[0].text(), "/none.yaml: the file cannot be read, or is larger than 1 MiB");
}

TEST(Load, JsonIsYaml) {
  const auto result = load(
      R"({"version": 1, "providers": {"o": {"type": "openai", "api_key": "${OPENAI_API_KEY}"}},
          "models": {"m": {"targets": [{"provider": "o", "weight": 2}], "strict": true}}})");
  ASSERT_THAT(texts(result.problems), IsEmpty());
  EXPECT_EQ(result.config->models[0].targets[0].weight, 2);
}

TEST(Load, EveryExample) {
  const auto fake = test::usual();
  auto environment = fake.environment();
  const auto system = system_environment();
  environment.read_file = system.read_file;
  int examples = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SWITCHYARD_SOURCE_DIR "/config/examples")) {
    SCOPED_TRACE(entry.path().string());
    const auto result = load_file(entry.path().string(), environment);
    EXPECT_TRUE(result.config);
    EXPECT_THAT(texts(result.problems), IsEmpty());
    EXPECT_THAT(texts(result.warnings), IsEmpty());
    ++examples;
  }
  EXPECT_GE(examples, 4);
}

}  // namespace
}  // namespace switchyard::config
