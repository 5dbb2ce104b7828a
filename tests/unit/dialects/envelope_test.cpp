#include "adapters/dialects/dialect.h"

#include <gtest/gtest.h>

#include <cstring>

namespace switchyard {
namespace {

Result<Envelope> read(const std::string& body) {
  return read_envelope(body, body.size());
}

TEST(Envelope, ReadsWhatRoutingNeedsAndWhereTheModelStands) {
  const struct {
    std::string body, model, value;
    bool stream, has_options, usage;
    const char* why;
  } rows[] = {
      {R"({"model":"a"})", "a", R"("a")", false, false, false, "the smallest"},
      {R"( {"stream":true , "model" : "a" })", "a", R"("a")", true, false, false, "white space anywhere"},
      {R"({"model":"a\u0062\"c"})", "ab\"c", R"("a\u0062\"c")", false, false, false, "escapes"},
      {R"({"mod\u0065l":"a"})", "a", R"("a")", false, false, false, "an escaped name is the same name"},
      {R"({"messages":[{"model":"x"}],"model":"a"})", "a", R"("a")", false, false, false,
       "a nested one is not"},
      {R"({"model":"a","stream":null,"stream_options":null})", "a", R"("a")", false, false, false,
       "null: not given"},
      {R"({"model":"a","stream":true,"stream_options":{"x":[1],"include_usage":true}})", "a", R"("a")", true,
       true, true, "options"},
      {R"({"seed":123456789012345678901234567890,"model":"a"})", "a", R"("a")", false, false, false,
       "an integer of more than 64 bits is JSON"},
      {"{\"model\":\"h\xC3\xA9\"}", "h\xC3\xA9", "\"h\xC3\xA9\"", false, false, false, "UTF-8"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const auto envelope = read(row.body);
    ASSERT_TRUE(envelope) << envelope.error().message;
    EXPECT_EQ(envelope->model, row.model);
    EXPECT_EQ(row.body.substr(envelope->model_begin, envelope->model_end - envelope->model_begin), row.value);
    EXPECT_EQ(row.body[envelope->object_begin], '{');
    EXPECT_EQ(envelope->stream, row.stream);
    EXPECT_EQ(envelope->has_stream_options, row.has_options);
    EXPECT_EQ(envelope->include_usage, row.usage);
  }
}

TEST(Envelope, RefusesWhatIsNoChatBody) {
  std::string deep = R"({"model":"a","x":)";
  for (int i = 0; i < 300; ++i) deep += '[';
  for (int i = 0; i < 300; ++i) deep += ']';
  deep += '}';

  const struct {
    std::string body, param;
    const char* why;
  } rows[] = {
      {"", "", "empty"},
      {"[]", "", "no object"},
      {"{", "", "cut"},
      {R"({"model":"a")", "", "cut behind the model"},
      {R"({"model":"a"} x)", "", "something behind it"},
      {R"({"model":"a"}{})", "", "a second object"},
      {R"({"model":"a",})", "", "a comma too many"},
      {R"({"model":"a" "stream":true})", "", "a comma too few"},
      {R"({"model":"a","x":[1,2})", "", "brackets that do not fit"},
      {R"({"model":"a","x":tru})", "", "no such word"},
      {R"({"model":"a","x":1.})", "", "no number"},
      {R"({"model":"a","x":01})", "", "no number either"},
      {R"({"model":"a","x":"\q"})", "", "no such escape"},
      {R"({"model":"a","x":"\u12g4"})", "", "no such character"},
      {"{\"model\":\"a\",\"x\":\"\n\"}", "", "a control character in a string"},
      {"{\"model\":\"a\",\"x\":\"\xC3\"}", "", "not UTF-8"},
      {R"({"model":"a","x":[{"y":nul}]})", "", "deep inside"},
      {deep, "", "nested too deeply"},
      {"{}", "model", "no model"},
      {R"({"model":null})", "model", "null for a model"},
      {R"({"model":""})", "model", "an empty model"},
      {R"({"model":7})", "model", "a number for a model"},
      {R"({"model":"a","model":"b"})", "model", "two readers could take two models"},
      {R"({"model":"a","mod\u0065l":"b"})", "model", "however it is written"},
      {R"({"model":"a","stream":1})", "stream", "a number for a boolean"},
      {R"({"model":"a","stream":true,"stream":false})", "stream", "twice"},
      {R"({"model":"a","stream_options":true})", "stream_options", "no object"},
      {R"({"model":"a","stream_options":{"include_usage":"yes"}})", "stream_options.include_usage",
       "no boolean"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const auto envelope = read(row.body);
    ASSERT_FALSE(envelope);
    EXPECT_EQ(envelope.error().kind, ErrorKind::invalid_request);
    EXPECT_EQ(envelope.error().param, row.param);
  }
}

TEST(Envelope, NeedsNoCopyWhereTheBufferHasRoom) {
  const std::string body = R"({"model":"a","stream":true})";
  std::string buffer(body.size() + kBodyPadding, '}');
  std::memcpy(buffer.data(), body.data(), body.size());
  const auto envelope = read_envelope(std::string_view(buffer).substr(0, body.size()), buffer.size());
  ASSERT_TRUE(envelope);
  EXPECT_TRUE(envelope->stream);
}

TEST(Envelope, SaysWhatTheAnswerMustBeLike) {
  const struct {
    std::string body;
    bool tools, json, stop, reasons;
    std::uint32_t limit, choices;
    const char* why;
  } rows[] = {
      {R"({"model":"a"})", false, false, false, false, 0, 1, "nothing"},
      {R"({"model":"a","tools":[{}],"max_tokens":5,"n":2})", true, false, false, false, 5, 2,
       "OpenAI's chat"},
      {R"({"model":"a","tools":[],"stop":[],"max_tokens":null,"response_format":null})", false, false, false,
       false, 0, 1, "nothing in them"},
      {R"({"model":"a","tools":[ ],"stop":null})", false, false, false, false, 0, 1, "white space in a list"},
      {R"({"model":"a","stop":"x","response_format":{"type":"json_object"}})", false, true, true, false, 0, 1,
       "a format"},
      {R"({"model":"a","response_format":{"type":"text"}})", false, false, false, false, 0, 1,
       "text is none"},
      {R"({"model":"a","text":{"verbosity":"low","format":{"type":"json_schema"}},"max_output_tokens":7})",
       false, true, false, false, 7, 1, "OpenAI's responses"},
      {R"({"model":"a","reasoning_effort":"high"})", false, false, false, true, 0, 1, "effort"},
      {R"({"model":"a","reasoning_effort":"none"})", false, false, false, false, 0, 1, "none of it"},
      {R"({"model":"a","reasoning":{"effort":"low","summary":"auto"}})", false, false, false, true, 0, 1,
       "nested"},
      {R"({"model":"a","thinking":{"type":"enabled","budget_tokens":2000}})", false, false, false, true, 0, 1,
       "Anthropic's budget"},
      {R"({"model":"a","thinking":{"type":"disabled"}})", false, false, false, false, 0, 1, "turned off"},
      {R"({"model":"a","output_config":{"format":{"type":"json_schema","schema":{}}},"stop_sequences":["x"]})",
       false, true, true, false, 0, 1, "Anthropic's format"},
      {R"({"model":"a","generationConfig":{"maxOutputTokens":9,"candidateCount":3,"stopSequences":["x"],
          "responseMimeType":"application/json","thinkingConfig":{"thinkingBudget":100}}})",
       false, true, true, true, 9, 3, "Gemini's"},
      {R"({"model":"a","generationConfig":{"thinkingConfig":{"thinkingBudget":0}}})", false, false, false,
       false, 0, 1, "Gemini's, turned off"},
      {R"({"model":"a","max_tokens":99999999999999,"n":-1})", false, false, false, false, 1u << 30, 1,
       "numbers out of range"},
      {R"({"model":"a","metadata":{"tools":[1],"messages":[2]}})", false, false, false, false, 0, 1,
       "members of a group are not the body's"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const auto envelope = read(row.body);
    ASSERT_TRUE(envelope) << envelope.error().message;
    EXPECT_EQ(envelope->has_tools, row.tools);
    EXPECT_EQ(envelope->wants_json, row.json);
    EXPECT_EQ(envelope->has_stop, row.stop);
    EXPECT_EQ(envelope->asks_to_reason, row.reasons);
    EXPECT_EQ(envelope->output_tokens_max, row.limit);
    EXPECT_EQ(envelope->choices, row.choices);
  }
}

TEST(Envelope, ExpectationsAreReadWithoutTheConversation) {
  const struct {
    const Dialect& dialect;
    std::string body;
  } rows[] = {
      {openai_chat(), R"({"messages":"never read","tools":[{"type":"function","function":{"name":"f",
          "parameters":{"type":"object"}}}],"model":"m",
          "response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"array"}}}})"},
      {openai_responses(),
       R"({"input":7,"tools":[{"type":"function","name":"f","parameters":{"type":"object"}}],
          "model":"m","text":{"format":{"type":"json_schema","name":"x","schema":{"type":"array"}}}})"},
      {anthropic_messages(),
       R"({"messages":7,"tools":[{"name":"f","input_schema":{"type":"object"}}],"model":"m",
          "output_config":{"format":{"type":"json_schema","schema":{"type":"array"}}}})"},
      {gemini(), R"({"contents":7,"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":
          {"type":"object"}}]}],"generationConfig":{"temperature":1,"responseMimeType":"application/json",
          "responseJsonSchema":{"type":"array"}},"model":"m"})"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.dialect.name());
    const auto envelope = read(row.body);
    ASSERT_TRUE(envelope) << envelope.error().message;
    const auto read = read_expectations(row.dialect, row.body, *envelope);
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(read->tools.size(), 1u);
    EXPECT_EQ(read->tools[0].name, "f");
    EXPECT_EQ(read->tools[0].parameters, R"({"type":"object"})");
    ASSERT_TRUE(read->format);
    EXPECT_EQ(read->format->schema, R"({"type":"array"})");
  }
}

}  // namespace
}  // namespace switchyard
