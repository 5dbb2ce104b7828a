#include "gateway/scoring/schema.h"

#include <gtest/gtest.h>

#include <string>

namespace switchyard::scoring {
namespace {

using Verdict = JsonSchema::Verdict;

TEST(Schema, TellsWhatKeepsItFromWhatDoesNot) {
  const char* const kPerson =
      R"({"type":"object","properties":{"name":{"type":"string","minLength":1},"age":{"type":"integer","minimum":0},
          "tags":{"type":"array","items":{"enum":["a","b"]},"maxItems":2}},
          "required":["name"],"additionalProperties":false})";
  const char* const kShared =
      R"({"type":"object","properties":{"from":{"$ref":"#/$defs/place"},"to":{"$ref":"#/$defs/place"}},
          "required":["from","to"],"$defs":{"place":{"type":"object","properties":{"city":{"type":"string"}},
          "required":["city"]}}})";

  const struct {
    const char *schema, *instance;
    Verdict verdict;
    const char* why;
  } rows[] = {
      {kPerson, R"({"name":"Ann","age":3,"tags":["a","b"]})", Verdict::kept, "all of it"},
      {kPerson, R"({"name":"Ann"})", Verdict::kept, "optional members left out"},
      {kPerson, R"({"name":"Ann","age":3.0})", Verdict::kept, "an integer written with a point"},
      {kPerson, R"({"name":"Ann","age":"3"})", Verdict::broken, "a string for a number"},
      {kPerson, R"({"name":"Ann","age":-1})", Verdict::broken, "below the minimum"},
      {kPerson, R"({"name":"Ann","age":3.5})", Verdict::broken, "a fraction for an integer"},
      {kPerson, R"({"age":3})", Verdict::broken, "a required member is missing"},
      {kPerson, R"({"name":"Ann","extra":1})", Verdict::broken, "a member too many"},
      {kPerson, R"({"name":"Ann","tags":["c"]})", Verdict::broken, "outside the enumeration"},
      {kPerson, R"({"name":"Ann","tags":["a","b","a"]})", Verdict::broken, "too many elements"},
      {kPerson, R"({"name":""})", Verdict::broken, "too short"},
      {kPerson, R"(["name"])", Verdict::broken, "a list for an object"},
      {kPerson, R"({"name":"Ann")", Verdict::no_json, "cut"},
      {kPerson, R"({'name':'Ann'})", Verdict::no_json, "Python's quotes"},
      {kPerson, "```json\n{\"name\":\"Ann\"}\n```", Verdict::no_json, "in a fence"},
      {kShared, R"({"from":{"city":"Oslo"},"to":{"city":"Rome"}})", Verdict::kept, "references"},
      {kShared, R"({"from":{"city":"Oslo"},"to":{}})", Verdict::broken, "a reference that is not kept"},
      {R"({"type":["string","null"]})", "null", Verdict::kept, "a list of types"},
      {R"({"type":"string","nullable":true})", "null", Verdict::kept, "OpenAPI's nullable"},
      {R"({"type":"string","nullable":true})", "7", Verdict::broken, "nullable is not any type"},
      {R"({"anyOf":[{"type":"string"},{"type":"integer"}]})", "7", Verdict::kept, "anyOf"},
      {R"({"anyOf":[{"type":"string"},{"type":"integer"}]})", "true", Verdict::broken, "none of anyOf"},
      {R"({"oneOf":[{"type":"integer"},{"minimum":2}]})", "3", Verdict::broken, "two of oneOf"},
      {R"({"const":"x"})", R"("x")", Verdict::kept, "const"},
      {R"({"const":"x"})", R"("y")", Verdict::broken, "another than const"},
      {R"({"type":"string","pattern":"^[0-9]+$"})", R"("abc")", Verdict::kept, "patterns are not checked"},
      {R"({"type":"string","pattern":"^[0-9]+$"})", "7", Verdict::broken, "but what is beside them is"},
      {R"({"type":"string","format":"date"})", R"("no date")", Verdict::kept, "formats are annotations"},
      {R"({"patternProperties":{"^x":{"type":"integer"}},"additionalProperties":false})", R"({"x1":"a"})",
       Verdict::kept, "without patterns nobody knows which properties are additional"},
      {R"({"prefixItems":[{"type":"integer"}],"items":{"type":"string"}})", R"([1,"a"])", Verdict::kept,
       "items of a newer draft mean the rest"},
      {"{}", "[1,{\"a\":null}]", Verdict::kept, "the empty schema takes anything"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const auto schema = JsonSchema::compile(row.schema);
    ASSERT_TRUE(schema) << schema.error().message;
    EXPECT_EQ((*schema)->check(row.instance), row.verdict);
  }
}

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(Schema, DoesNotCompileWhatCouldHurt) {
  std::string doubling = R"({"$ref":"#/d/0","d":{)";  // 2 to the 30th subschemas.
  for (int i = 0; i < 30; ++i) {
    const std::string next = R"({"$ref":"#/d/)" + std::to_string(i + 1) + "\"}";
    doubling += '"' + std::to_string(i) + R"(":{"allOf":[)" + next + "," + next + "]},";
  }
  doubling += R"("30":{}}})";

  const struct {
    std::string schema;
    const char* why;
  } rows[] = {
      {"", "empty"},
      {"[]", "no object"},
      {"{", "no JSON"},
      {R"({"type":"nothing"})", "no schema"},
      {R"({"$ref":"#"})", "leads to itself"},
      {R"({"properties":{"a":{"$ref":"#"}}})", "recursive"},
      {R"({"allOf":[{"$ref":"#/d/a"}],"d":{"a":{"allOf":[{"$ref":"#/d/b"}]},"b":{"$ref":"#/d/a"}}})",
       "recursive by way of another"},
      {R"({"$ref":"http://127.0.0.1:1/schema"})", "out of the document"},
      {R"({"$ref":"file:///etc/passwd"})", "a file"},
      {R"({"$ref":"#/nowhere"})", "nowhere"},
      {R"({"$ref":"#/~9"})", "no pointer"},
      {R"({"$ref":7})", "no reference"},
      {R"({"not":{"pattern":"a"}})", "checking less would accept less"},
      {R"({"oneOf":[{"pattern":"a"},{"pattern":"b"}]})", "the same"},
      {R"({"properties":{"a":{"$id":"http://x/y"}}})", "moves what references mean"},
      {repeated(R"({"properties":{"a":)", 100) + "{}" + repeated("}}", 100), "too deep"},
      {repeated("[", 100'000), "much too deep"},
      {R"({"enum":["a)" + std::string(JsonSchema::kTextBytesMax, 'x') + "\"]}", "too long"},
      {doubling, "small, and more than anybody can check"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    EXPECT_FALSE(JsonSchema::compile(row.schema));
  }
}

TEST(Schema, DoesNotCheckWhatCouldHurt) {
  const auto schema = JsonSchema::compile(R"({"items":{"type":"integer"}})");
  ASSERT_TRUE(schema);

  const struct {
    std::string instance;
    const char* why;
  } rows[] = {
      {repeated("[", 70) + repeated("]", 70), "too deep"},
      {"[" + repeated("1,", 5'000) + "1]", "too many values"},
      {'"' + std::string(JsonSchema::kTextBytesMax, 'x') + '"', "too long"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    EXPECT_EQ((*schema)->check(row.instance), Verdict::unknown);
    EXPECT_EQ(check_json(row.instance, false), Verdict::unknown);
  }
}

TEST(Schema, PlainJson) {
  EXPECT_EQ(check_json(R"( {"a":1} )", true), Verdict::kept);
  EXPECT_EQ(check_json("[1]", true), Verdict::broken);
  EXPECT_EQ(check_json("[1]", false), Verdict::kept);
  EXPECT_EQ(check_json("{a:1}", true), Verdict::no_json);
  EXPECT_EQ(check_json("", false), Verdict::no_json);
}

}  // namespace
}  // namespace switchyard::scoring
