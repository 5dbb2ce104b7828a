#include "config/provider_types.h"

#include "config/load.h"
#include "config/lookup.h"
#include "config/placeholders.h"
#include "config/service_account.h"
#include "tests/unit/config/environment.h"
#include "tests/unit/support/rsa_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace switchyard::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Auth = ProviderType::Auth;

constexpr const char* kName = "/etc/switchyard/c.yaml";

const std::string& account_json() {
  static const std::string kJson = switchyard::test::service_account_json(switchyard::test::RsaKey().pem());
  return kJson;
}

test::Fake fake() {
  test::Fake fake = test::usual();
  fake.variables["SERVICE_ACCOUNT"] = account_json();
  fake.files["/etc/switchyard/account.json"] = account_json();
  fake.files["/etc/switchyard/broken.json"] = "{\"type\": \"authorized_user\"}";
  fake.files["/etc/switchyard/token"] = "token";
  return fake;
}

// A configuration of one provider `p`, which may need types of its own.
LoadResult load(const std::string& provider, const std::string& types = "") {
  const test::Fake environment = fake();
  return load_text("version: 1\n" + (types.empty() ? "" : "provider_types: " + types + "\n") +
                       "providers: { p: { " + provider +
                       " } }\nmodels: { m: { targets: [ { provider: p, model: x } ] } }\n",
                   kName, environment.environment());
}

std::vector<std::string> problems(const LoadResult& result) {
  std::vector<std::string> list;
  for (const Problem& problem : result.problems) {
    list.push_back(std::to_string(problem.line) + ":" + std::to_string(problem.column) + ": " +
                   problem.message);
  }
  return list;
}

TEST(ProviderTypes, FieldsOfAProviderMakeItsAddressAndCredential) {
  const struct {
    std::string provider, base_url, query;
  } rows[] = {
      {"type: openai, api_key: k", "https://api.openai.com/v1", ""},
      {"type: azure_openai, resource: res, api_key: k", "https://res.openai.azure.com/openai/v1", ""},
      {"type: azure_openai, resource: res, api_key: k, api_version: preview",
       "https://res.openai.azure.com/openai/v1", "api-version=preview"},
      {"type: azure_openai, resource: res, api_key: k, deployment_urls: true",
       "https://res.openai.azure.com/openai", "api-version=2024-10-21"},
      {"type: azure_openai, base_url: \"https://x.example/openai/v1\", api_key: k",
       "https://x.example/openai/v1", ""},
      {"type: vertex, location: europe-west1, project: other, service_account: account.json",
       "https://europe-west1-aiplatform.googleapis.com/v1/projects/other/locations/europe-west1", ""},
      {"type: vertex, location: global, service_account: \"${SERVICE_ACCOUNT}\"",
       "https://aiplatform.googleapis.com/v1/projects/the-project/locations/global", ""},
      {"type: bedrock, region: eu-central-1, api_key: k",
       "https://bedrock-runtime.eu-central-1.amazonaws.com", ""},
      {"type: bedrock, region: eu-central-1, access_key_id: i, secret_access_key: s, base_url: "
       "\"http://127.0.0.1:9\"",
       "http://127.0.0.1:9", ""},
      {"type: ollama", "http://127.0.0.1:11434/v1", ""},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.provider);
    const auto result = load(row.provider);
    ASSERT_THAT(problems(result), IsEmpty());
    EXPECT_EQ(result.config->providers[0].base_url, row.base_url);
    EXPECT_EQ(result.config->providers[0].query, row.query);
  }
}

TEST(ProviderTypes, CredentialsOfEachKind) {
  const auto aws =
      load("type: bedrock, region: r1, access_key_id: i, secret_access_key: s, session_token: t");
  ASSERT_TRUE(aws.config);
  EXPECT_EQ(aws.config->providers[0].aws_key->id.reveal(), "i");
  EXPECT_EQ(aws.config->providers[0].aws_key->secret.reveal(), "s");
  EXPECT_EQ(aws.config->providers[0].aws_key->session_token.reveal(), "t");
  EXPECT_EQ(aws.config->providers[0].region, "r1");
  const auto entra = load("type: azure_openai, resource: r, tenant_id: t, client_id: c, client_secret: s");
  ASSERT_TRUE(entra.config);
  EXPECT_EQ(entra.config->providers[0].entra->token_url,
            "https://login.microsoftonline.com/t/oauth2/v2.0/token");
  EXPECT_EQ(entra.config->providers[0].entra->client_secret.reveal(), "s");
  const auto file = load("type: azure_openai, resource: r, token_file: token");
  ASSERT_TRUE(file.config);
  EXPECT_EQ(file.config->providers[0].entra->token_file, "/etc/switchyard/token");
  const auto google =
      load("type: vertex, location: l, service_account: account.json, token_url: \"http://127.0.0.1:1/t\"");
  ASSERT_TRUE(google.config);
  EXPECT_EQ(google.config->providers[0].service_account->token_url, "http://127.0.0.1:1/t");
  EXPECT_EQ(google.config->providers[0].service_account->key_id, "key-1");
  EXPECT_THAT(google.files, testing::Contains("/etc/switchyard/account.json")) << "a new key takes effect";
  const auto headers = load("type: openai, api_key: k, headers: { X-Title: \"My app\", openai-project: p }");
  ASSERT_TRUE(headers.config);
  EXPECT_EQ(headers.config->providers[0].headers[0].first, "x-title");
  EXPECT_EQ(headers.config->providers[0].headers[0].second.reveal(), "My app");
}

TEST(ProviderTypes, EveryProblemAtItsPlace) {
  const struct {
    std::string provider;
    std::vector<std::string> problems;
  } rows[] = {
      {"type: azure_openai, api_key: k",
       {"2:14: a provider of type azure_openai needs the field `resource`, or `base_url`"}},
      {"type: azure_openai, resource: r",
       {"2:14: a provider of type azure_openai needs the field `api_key`, or `tenant_id`, `client_id` and "
        "`client_secret`, or `token_file`"}},
      {"type: azure_openai, resource: r, tenant_id: t, client_id: c",
       {"2:14: a provider of type azure_openai needs the field `client_secret` or `token_file`, and not "
        "both"}},
      {"type: azure_openai, resource: r, api_key: k, token_file: token",
       {"2:64: `token_file` and `api_key` are both given"}},
      {"type: azure_openai, resource: \"a/b\", api_key: k",
       {"2:49: `resource` is 1 to 64 letters, digits, dots, underscores and dashes"}},
      {"type: openai, api_key: k, resource: r, region: e, deployment_urls: true",
       {"2:45: `resource` is not for providers of type openai",
        "2:58: `region` is not for providers of type openai",
        "2:69: `deployment_urls` is not for providers of type openai"}},
      {"type: openai, api_key: k, api_version: v, access_key_id: a, service_account: s, tenant_id: t, "
       "token_url: u",
       {"2:45: `api_version` is not for providers of type openai",
        "2:61: `access_key_id` is not for providers of type openai",
        "2:79: `service_account` is not for providers of type openai",
        "2:99: `tenant_id` is not for providers of type openai",
        "2:113: `token_url` is not for providers of type openai"}},
      {"type: vertex, location: l",
       {"2:14: a provider of type vertex needs the field `project`, or `base_url`",
        "2:14: a provider of type vertex needs the field `service_account`"}},
      {"type: vertex, location: l, project: p, service_account: none.json",
       {"2:75: the file /etc/switchyard/none.json cannot be read"}},
      {"type: vertex, location: l, project: p, service_account: broken.json",
       {"2:75: `service_account` is not of \"type\": \"service_account\""}},
      {"type: vertex, location: l, service_account: account.json, api_key: k",
       {"2:77: `api_key` is not for providers of type vertex"}},
      {"type: bedrock, api_key: k",
       {"2:14: a provider of type bedrock needs the field `region`, or `base_url`"}},
      {"type: bedrock, region: r",
       {"2:14: a provider of type bedrock needs the field `api_key`, or `access_key_id` and "
        "`secret_access_key`"}},
      {"type: bedrock, region: r, access_key_id: i",
       {"2:14: a provider of type bedrock needs the field `secret_access_key`"}},
      {"type: bedrock, region: r, api_key: k, access_key_id: i, secret_access_key: s",
       {"2:57: `access_key_id` and `api_key` are both given",
        "2:75: `secret_access_key` and `api_key` are both given"}},
      {"type: openai, api_key: k, headers: { Authorization: x, \"a b\": y, ok: \"\" }",
       {"2:56: the header field authorization is the gateway's own",
        "2:74: a header field's name is 1 to 64 letters, digits and dashes",
        "2:88: a header field's value is 1 to 1024 visible characters and blanks"}},
      {"type: openai, api_key: k, base_url: \"https://{zone}.example\"",
       {"2:55: `base_url` may hold {region}, {resource}, {project} and {location} only"}},
      {"type: openai, api_key: k, headers: { X-A: \"1\", x-a: \"2\" }",
       {"2:66: the header field x-a is given twice"}},
      {"type: gemeni, api_key: k", {"2:25: unknown provider type \"gemeni\"; did you mean \"gemini\"?"}},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.provider);
    const auto result = load(row.provider);
    EXPECT_THAT(problems(result), testing::UnorderedElementsAreArray(row.problems));
    for (const Problem& problem : result.problems) EXPECT_THAT(problem.message, Not(HasSubstr("PRIVATE")));
  }
}

TEST(ProviderTypes, AConfigurationAddsAndChangesTypes) {
  const auto result =
      load("type: lab, api_key: k",
           "{ lab: { extends: openai_compatible, base_url: \"https://llm.example/v1\", auth: api_key, "
           "key_optional: false, rewrite: true, own_fields: [ mode ], quirks: { seed_field: none, "
           "refused: [ user ] }, models: [ { match: [ \"big*\" ], quirks: { images: false }, "
           "context_tokens: 1000, prices: { input: 0.5, output: 2 } } ] },\n"
           "  labs: { extends: lab, quirks: { refused: [ n ] } },\n"
           "  openai: { quirks: { audio: false } } }");
  ASSERT_THAT(problems(result), IsEmpty());
  const auto& own = result.config->provider_types;
  const ProviderType& lab = *find_type(own, "lab");
  EXPECT_EQ(result.config->providers[0].base_url, "https://llm.example/v1");
  EXPECT_EQ(lab.auth, Auth::api_key);
  EXPECT_TRUE(lab.rewrite);
  EXPECT_NE(lab.find_surface("openai_embeddings"), nullptr) << "of the row that it extends";
  EXPECT_EQ(target_traits(lab, "small").seed_field, "");
  EXPECT_TRUE(target_traits(lab, "small").images);
  EXPECT_FALSE(target_traits(lab, "big-1").images);
  EXPECT_EQ(model_facts(lab, "big-1").context_tokens, 1000);
  EXPECT_EQ(model_facts(lab, "big-1").usd_per_mtok_out, 2.0);
  EXPECT_FALSE(model_facts(lab, "small").context_tokens);
  EXPECT_THAT(target_traits(*find_type(own, "labs"), "x").refused, ElementsAre("user", "n"));
  EXPECT_FALSE(target_traits(*find_type(own, "openai"), "gpt-4o").audio);
  EXPECT_TRUE(find_type(own, "openai")->find_surface("openai_responses")) << "the rest is as it was";
  EXPECT_EQ(find_type(own, "azure_openai"), find_provider_type("azure_openai"));
}

TEST(ProviderTypes, ProblemsOfTypes) {
  const struct {
    std::string types;
    std::vector<std::string> problems;
  } rows[] = {
      {"{ a: { extends: opnai } }",
       {"2:33: no provider type is called \"opnai\"; did you mean \"openai\"?",
        "2:19: a provider type needs the field `surfaces`, or `extends`"}},
      {"{ a: { base_url: \"https://x\" } }",
       {"2:19: a provider type needs the field `surfaces`, or `extends`"}},
      {"{ a: { extends: openai, base_url: \"https://{x}\", models_of: [ anthropc ] } }",
       {"2:51: `base_url` may hold {region}, {resource}, {project} and {location} only",
        "2:79: no provider type is called \"anthropc\"; did you mean \"anthropic\"?"}},
      {"{ a: { surfaces: [ { dialect: openai_chat, path: chat } ] } }",
       {"2:66: `path` must begin with / and hold visible characters only"}},
      {"{ a: { surfaces: [ { dialect: openai_chats, path: /chat } ] } }",
       {"2:47: `dialect` must be openai_chat, openai_responses, openai_completions, openai_embeddings, "
        "anthropic_messages, anthropic_count_tokens, gemini, gemini_embeddings, gemini_count_tokens, "
        "bedrock_converse, bedrock_embeddings, cohere_chat or cohere_embeddings; did you mean "
        "\"openai_chat\"?"}},
      {"{ a: { extends: openai, quirks: { audoi: true, tools: 1 } } }",
       {"2:51: unknown field `audoi`; did you mean \"audio\"?", "2:71: `tools` must be true or false"}},
      {"{ a: { extends: openai, models: [ { quirks: {} } ] } }",
       {"2:51: a model_row needs the field `match`"}},
      {"{ \"a b\": { extends: openai } }",
       {"2:19: a provider type's name is 1 to 64 letters, digits, dots, underscores and dashes"}},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.types);
    EXPECT_THAT(problems(load("type: openai, api_key: k", row.types)),
                testing::UnorderedElementsAreArray(row.problems));
  }
}

TEST(ProviderTypes, TheDefaultConfigurationTakesEachWhoseVariablesAreSet) {
  for (const ProviderType& type : provider_types()) {
    if (type.key_environment.empty() && type.environment.empty()) continue;
    SCOPED_TRACE(type.name);
    test::Fake environment{{}, {{"/account.json", account_json()}}};
    if (!type.key_environment.empty()) environment.variables[type.key_environment] = "the-key";
    for (const auto& [field, variable] : type.environment) {
      const bool is_access_key = field.find("access_key") != std::string::npos || field == "session_token";
      environment.variables[variable] = field == "origin"            ? "https://x.openai.azure.com/"
                                        : field == "service_account" ? "/account.json"
                                        : is_access_key              ? ""
                                                                     : "somewhere";
    }
    const Config config = default_config(environment.environment());
    ASSERT_EQ(config.providers.size(), 2u);
    EXPECT_EQ(config.providers[1].type, type.name);
    const std::string asked = type.name + "/some/model";
    const Model* model = find_model(config, asked);
    ASSERT_NE(model, nullptr);
    EXPECT_EQ(upstream_model(*model, model->targets[0], asked), "some/model");
    for (const std::string& pattern : type.default_models)
      EXPECT_NE(find_model(config, pattern), nullptr) << pattern;
  }
  const test::Fake keys{{{"AWS_REGION", "r"}, {"AWS_ACCESS_KEY_ID", "i"}, {"AWS_SECRET_ACCESS_KEY", "s"}},
                        {}};
  EXPECT_TRUE(default_config(keys.environment()).providers.at(1).aws_key);
  const test::Fake no_region{{{"AWS_ACCESS_KEY_ID", "i"}, {"AWS_SECRET_ACCESS_KEY", "s"}}, {}};
  EXPECT_EQ(default_config(no_region.environment()).providers.size(), 1u);
  const test::Fake user{{{"GOOGLE_APPLICATION_CREDENTIALS", "/user.json"},
                         {"GOOGLE_CLOUD_PROJECT", "p"},
                         {"GOOGLE_CLOUD_LOCATION", "l"}},
                        {{"/user.json", "{\"type\": \"authorized_user\"}"}}};
  EXPECT_EQ(default_config(user.environment()).providers.size(), 1u)
      << "a person's login is no service account";
}

TEST(ProviderTypes, TheRestOfAPatternsName) {
  const struct {
    std::string pattern, model, asked, upstream;
  } rows[] = {
      {"groq/*", "*", "groq/a/b", "a/b"}, {"*-eu", "*", "gpt-eu", "gpt"},       {"x*y", "*", "xy", ""},
      {"gpt-*", "", "gpt-5", "gpt-5"},    {"gpt-*", "other", "gpt-5", "other"},
  };

  for (const auto& row : rows) {
    Model model;
    model.name = row.pattern;
    Target target;
    target.model = row.model;
    EXPECT_EQ(upstream_model(model, target, row.asked), row.upstream) << row.pattern;
  }
  const test::Fake environment = test::usual();
  const auto star = [&](const std::string& name) {
    return load_text(
        "version: 1\nproviders: { o: { type: openai, api_key: \"${OPENAI_API_KEY}\" } }\nmodels: { \"" +
            name + "\": { targets: [ { provider: o, model: \"*\" } ] } }\n",
        kName, environment.environment());
  };
  EXPECT_TRUE(star("o/*").config);
  EXPECT_FALSE(star("o").config);
  EXPECT_FALSE(star("*o*").config);
}

TEST(ServiceAccount, OnlyTheKeyFileOfOne) {
  EXPECT_TRUE(parse_service_account(account_json()).account);
  for (const char* text : {"", "[]", "{", R"({"type":"service_account"})",
                           R"({"type":"service_account","client_email":"a","private_key":"-----BEGIN"})"}) {
    const auto parsed = parse_service_account(text);
    EXPECT_FALSE(parsed.account) << text;
    EXPECT_FALSE(parsed.fault.empty());
  }
}

TEST(Placeholders, AreFilledOrNamed) {
  const auto fill = [](std::string_view text) {
    return fill_placeholders(text, [](std::string_view name) {
      return name == "a" ? std::optional<std::string>("1") : std::nullopt;
    });
  };
  EXPECT_EQ(fill("x{a}y{a}").text, "x1y1");
  EXPECT_EQ(fill("{b}{c}").missing, "b");
  EXPECT_EQ(fill("{}").missing, "{}");
  EXPECT_EQ(fill("a{").text, "a{");
}

}  // namespace
}  // namespace switchyard::config
