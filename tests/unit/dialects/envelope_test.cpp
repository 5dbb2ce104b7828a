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

}  // namespace
}  // namespace switchyard
