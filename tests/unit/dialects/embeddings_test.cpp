#include "adapters/dialects/embeddings.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace switchyard {
namespace {

using nlohmann::json;

TEST(Embeddings, OpenAiInputsInEveryForm) {
  const struct {
    const char* input;
    std::size_t texts, lists;
    const char* error;
    const char* why;
  } rows[] = {
      {R"("a")", 1, 0, nullptr, "one text"},
      {R"(["a","b"])", 2, 0, nullptr, "a list"},
      {R"([1,2,3])", 0, 1, nullptr, "one text as tokens"},
      {R"([[1,2],[3]])", 0, 2, nullptr, "a list of them"},
      {R"("")", 0, 0, "input", "an empty text"},
      {R"(["a",""])", 0, 0, "input", "an empty text in a list"},
      {R"([])", 0, 0, "input", "an empty list"},
      {R"([[]])", 0, 0, "input", "an empty list of tokens"},
      {R"(["a",1])", 0, 0, "input", "a mixture"},
      {R"([1,"a"])", 0, 0, "input", "another"},
      {R"([-1])", 0, 0, "input", "a token that is none"},
      {R"(null)", 0, 0, "input", "nothing"},
      {R"({})", 0, 0, "input", "an object"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const auto request =
        openai_embeddings().parse_request(R"({"model":"m","input":)" + std::string(row.input) + "}");
    ASSERT_EQ(bool(request), row.error == nullptr);
    if (row.error) {
      EXPECT_EQ(request.error().kind, ErrorKind::invalid_request);
      EXPECT_EQ(request.error().param, row.error);
    } else {
      EXPECT_EQ(request->texts.size(), row.texts);
      EXPECT_EQ(request->tokens.size(), row.lists);
    }
  }
}

TEST(Embeddings, RefusesWhatNobodyCanMean) {
  for (const char* rest : {R"("encoding_format":"int8")", R"("dimensions":0)", R"("dimensions":"a")"}) {
    EXPECT_FALSE(openai_embeddings().parse_request(R"({"model":"m","input":"a",)" + std::string(rest) + "}"));
  }
}

TEST(Embeddings, VectorsSurviveBase64) {
  const std::vector<float> values{0.0F, -1.5F, 3.14159274F, 1e-30F};
  EXPECT_EQ(encode_floats({1.0F}), "AACAPw==");
  for (std::size_t size = 0; size <= values.size(); ++size) {
    const std::vector<float> some(values.begin(), values.begin() + static_cast<long>(size));
    const auto back = decode_floats(encode_floats(some));
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, some);
  }
  EXPECT_FALSE(decode_floats("AAAA")) << "three bytes are no float";
  EXPECT_FALSE(decode_floats("*"));
}

// Every provider's reply becomes every client's, in the order of the inputs.
TEST(Embeddings, RepliesOfEveryProvider) {
  const struct {
    const char *dialect, *body;
    std::int64_t tokens;
  } rows[] = {
      {"openai_embeddings",
       R"({"data":[{"index":1,"embedding":[0.25,0.5]},{"index":0,"embedding":"AACAPwAAAEA="}],"usage":{"prompt_tokens":3}})",
       3},
      {"openai_embeddings", R"({"data":[{"embedding":[1,2]},{"embedding":[0.25,0.5]}]})", 0},
      {"gemini_embeddings", R"({"embeddings":[{"values":[1,2]},{"values":[0.25,0.5]}]})", 0},
      {"cohere_embeddings",
       R"({"embeddings":{"float":[[1,2],[0.25,0.5]]},"meta":{"billed_units":{"input_tokens":4}}})", 4},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.dialect);
    const auto reply = find_embeddings_dialect(row.dialect)->parse_reply(row.body);
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->input_tokens, row.tokens);
    const std::vector<std::vector<float>> wanted{{1, 2}, {0.25, 0.5}};
    EXPECT_EQ(reply->vectors, wanted);
    EmbeddingsRequest request;
    request.model = "m";
    const json floats = json::parse(openai_embeddings().write_reply(*reply, request));
    EXPECT_EQ(floats["data"][1]["embedding"], json({0.25, 0.5}));
    EXPECT_EQ(floats["data"][1]["index"], 1);
    EXPECT_EQ(floats["usage"]["total_tokens"], row.tokens);
    request.base64 = true;
    const json encoded = json::parse(openai_embeddings().write_reply(*reply, request));
    EXPECT_EQ(encoded["data"][0]["embedding"], "AACAPwAAAEA=");
    const json gemini = json::parse(gemini_embeddings().write_reply(*reply, request));
    EXPECT_EQ(gemini["embeddings"][0]["values"], json({1, 2}));
  }
  const auto titan = find_embeddings_dialect("bedrock_embeddings")
                         ->parse_reply(R"({"embedding":[1],"inputTextTokenCount":2})");
  ASSERT_TRUE(titan);
  EXPECT_EQ(titan->input_tokens, 2);
}

TEST(Embeddings, NoReplyOfTheirsIsAnError) {
  for (const char* name :
       {"openai_embeddings", "gemini_embeddings", "cohere_embeddings", "bedrock_embeddings"}) {
    for (const char* body :
         {"", "[]", "{}", "<html>", R"({"data":[{"index":5,"embedding":[1]}]})",
          R"({"data":[{"index":0,"embedding":["a"]}]})", R"({"data":[{}]})",
          R"({"embeddings":[{"values":"a"}]})", R"({"embeddings":{"float":[1]}})", R"({"embedding":"a"})"}) {
      const auto reply = find_embeddings_dialect(name)->parse_reply(body);
      ASSERT_FALSE(reply) << name << " " << body;
      EXPECT_EQ(reply.error().kind, ErrorKind::bad_reply);
    }
  }
}

TEST(Embeddings, RequestsForEveryProvider) {
  EmbeddingsRequest request;
  request.texts = {"a \"quoted\" text", "b"};
  request.dimensions = 256;
  request.task = "RETRIEVAL_QUERY";
  const auto write = [&](const char* name) {
    return find_embeddings_dialect(name)->write_request(request, "m");
  };
  const json gemini = json::parse(write("gemini_embeddings")->body);
  EXPECT_EQ(gemini["requests"][0]["model"], "models/m");
  EXPECT_EQ(gemini["requests"][0]["content"]["parts"][0]["text"], "a \"quoted\" text");
  EXPECT_EQ(gemini["requests"][1]["outputDimensionality"], 256);
  EXPECT_EQ(gemini["requests"][1]["taskType"], "RETRIEVAL_QUERY");
  const json cohere = json::parse(write("cohere_embeddings")->body);
  EXPECT_EQ(cohere["input_type"], "search_query");
  EXPECT_EQ(cohere["texts"][1], "b");
  const auto openai = write("openai_embeddings");
  EXPECT_EQ(json::parse(openai->body)["input"][0], "a \"quoted\" text");
  EXPECT_EQ(openai->dropped, std::vector<std::string>{"taskType"});
  const auto titan = write("bedrock_embeddings");
  ASSERT_FALSE(titan) << "it takes one text";
  EXPECT_EQ(titan.error().kind, ErrorKind::unsupported);
  EXPECT_EQ(titan.error().param, "input");
  request.texts.clear();
  request.tokens = {{1, 2}};
  EXPECT_TRUE(write("openai_embeddings"));
  EXPECT_FALSE(write("gemini_embeddings")) << "its tokens are others";
}

TEST(Embeddings, GeminiAsksForOneOrForMany) {
  const auto one = gemini_embeddings().parse_request(
      R"({"content":{"parts":[{"text":"a"},{"text":"b"}]},"taskType":"CLUSTERING","output_dimensionality":8})");
  ASSERT_TRUE(one);
  EXPECT_TRUE(one->is_single);
  EXPECT_EQ(one->texts, std::vector<std::string>{"ab"});
  EXPECT_EQ(one->dimensions, 8);
  const json reply = json::parse(gemini_embeddings().write_reply({"m", {{1}}, 2}, *one));
  EXPECT_EQ(reply["embedding"]["values"], json({1}));
  const auto many = gemini_embeddings().parse_request(
      R"({"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]})");
  ASSERT_TRUE(many);
  EXPECT_EQ(many->texts.size(), 2u);
  const auto mixed = gemini_embeddings().parse_request(
      R"({"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]},"taskType":"X"}]})");
  ASSERT_FALSE(mixed);
  EXPECT_EQ(mixed.error().kind, ErrorKind::unsupported);
  for (const char* body : {"{}", R"({"content":{}})", R"({"content":{"parts":[{"inlineData":{}}]}})",
                           R"({"requests":[]})", R"({"content":{"parts":[{"text":""}]}})"}) {
    EXPECT_FALSE(gemini_embeddings().parse_request(body)) << body;
  }
}

TEST(Embeddings, SeesHowVectorsAreWritten) {
  EXPECT_TRUE(has_base64_vectors(R"({"data":[{"object":"embedding","embedding" : "AA=="}]})"));
  EXPECT_FALSE(has_base64_vectors(R"({"data":[{"object":"embedding","embedding":[1]}]})"));
  EXPECT_FALSE(has_base64_vectors(R"({"object":"embedding"})"));
}

}  // namespace
}  // namespace switchyard
