#include "adapters/dialects/dialect.h"

#include <gtest/gtest.h>

namespace switchyard {
namespace {

const Dialect& dialect() {
  return anthropic_messages();
}

TEST(AnthropicParseRequest, NamesTheFieldThatIsWrong) {
  const std::string head = R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}])";
  const auto block = [](const std::string& role, const std::string& json) {
    return R"({"model":"m","max_tokens":9,"messages":[{"role":")" + role + R"(","content":[)" + json + "]}]}";
  };

  const struct {
    std::string body;
    const char* param;
  } rows[] = {
      {R"({"max_tokens":9,"messages":[{"role":"user","content":"hi"}]})", "model"},
      {R"({"model":"","max_tokens":9,"messages":[{"role":"user","content":"hi"}]})", "model"},
      {R"({"model":"m","messages":[{"role":"user","content":"hi"}]})", "max_tokens"},
      {R"({"model":"m","max_tokens":0,"messages":[{"role":"user","content":"hi"}]})", "max_tokens"},
      {R"({"model":"m","max_tokens":"9","messages":[{"role":"user","content":"hi"}]})", "max_tokens"},
      {R"({"model":"m","max_tokens":9})", "messages"},
      {R"({"model":"m","max_tokens":9,"messages":[]})", "messages"},
      {R"({"model":"m","max_tokens":9,"messages":{}})", "messages"},
      {R"({"model":"m","max_tokens":9,"messages":[5]})", "messages[0]"},
      {R"({"model":"m","max_tokens":9,"messages":[{"content":"hi"}]})", "messages[0].role"},
      {R"({"model":"m","max_tokens":9,"messages":[{"role":"tool","content":"hi"}]})", "messages[0].role"},
      {R"({"model":"m","max_tokens":9,"messages":[{"role":"user"}]})", "messages[0].content"},
      {R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":5}]})", "messages[0].content"},
      {block("user", "5"), "messages[0].content[0]"},
      {block("user", "{}"), "messages[0].content[0].type"},
      {block("user", R"({"type":"text"})"), "messages[0].content[0].text"},
      {block("user", R"({"type":"image"})"), "messages[0].content[0].source"},
      {block("user", R"({"type":"image","source":{"type":"base64","data":"AA=="}})"),
       "messages[0].content[0].source.media_type"},
      {block("user", R"({"type":"document","source":{"type":"url"}})"), "messages[0].content[0].source.url"},
      {block("user", R"({"type":"tool_use","id":"a","name":"b","input":{}})"), "messages[0].content[0]"},
      {block("user", R"({"type":"thinking","thinking":"a"})"), "messages[0].content[0]"},
      {block("assistant", R"({"type":"tool_result","tool_use_id":"a"})"), "messages[0].content[0]"},
      {block("assistant", R"({"type":"tool_use","id":"a","input":{}})"), "messages[0].content[0].name"},
      {block("assistant", R"({"type":"tool_use","id":"a","name":"b","input":"{}"})"),
       "messages[0].content[0].input"},
      {block("system", R"({"type":"image"})"), "messages[0].content[0]"},
      {block("user", R"({"type":"tool_result","tool_use_id":"a","content":[{"type":"text"}]})"),
       "messages[0].content[0].content[0].text"},
      {block("user", R"({"type":"tool_result","tool_use_id":"a","is_error":"no"})"),
       "messages[0].content[0].is_error"},
      {head + R"(,"system":5})", "system"},
      {head + R"(,"system":[{"type":"image"}]})", "system[0]"},
      {head + R"(,"stream":1})", "stream"},
      {head + R"(,"temperature":"hot"})", "temperature"},
      {head + R"(,"top_k":1.5})", "top_k"},
      {head + R"(,"stop_sequences":"a"})", "stop_sequences"},
      {head + R"(,"stop_sequences":[5]})", "stop_sequences[0]"},
      {head + R"(,"metadata":{"user_id":5}})", "metadata.user_id"},
      {head + R"(,"tools":{}})", "tools"},
      {head + R"(,"tools":[{"name":"a"}]})", "tools[0].input_schema"},
      {head + R"(,"tools":[{"input_schema":{}}]})", "tools[0].name"},
      {head + R"(,"tool_choice":"auto"})", "tool_choice"},
      {head + R"(,"tool_choice":{"type":"tool"}})", "tool_choice.name"},
      {head + R"(,"tool_choice":{"type":"many"}})", "tool_choice.type"},
      {head + R"(,"thinking":{"type":"enabled"}})", "thinking.budget_tokens"},
      {head + R"(,"thinking":{"type":"enabled","budget_tokens":0}})", "thinking.budget_tokens"},
      {head + R"(,"output_config":{"effort":5}})", "output_config.effort"},
      {head + R"(,"output_config":{"format":{"type":"json"}}})", "output_config.format.type"},
      {head + R"(,"output_config":{"format":{"type":"json_schema"}}})", "output_config.format.schema"},
      {"[]", ""},
      {"{", ""},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.body);
    const auto request = dialect().parse_request(row.body);
    ASSERT_FALSE(request);
    EXPECT_EQ(request.error().kind, ErrorKind::invalid_request);
    EXPECT_EQ(request.error().param, row.param);
  }
}

TEST(AnthropicParseRequest, NamesWhatItCannotHold) {
  const struct {
    const char* rest;
    const char* unmapped;
  } rows[] = {{R"("container":"c")", "container"},
              {R"("context_management":{})", "context_management"},
              {R"("mcp_servers":[])", "mcp_servers"},
              {R"("speed":null)", ""},
              {R"("a b,c":1)", "a_b_c"},
              {R"("thinking":{"type":"between_tools"})", "thinking (between_tools)"},
              {R"("output_config":{"task_budget":{}})", "output_config.task_budget"},
              {R"("tools":[{"type":"bash_20250124","name":"bash"}])", "tools[0] (bash_20250124)"},
              {R"("tools":[{"name":"a","input_schema":{},"input_examples":[]}])", "tools[0].input_examples"},
              {R"("tools":[{"name":"a","input_schema":{},"eager_input_streaming":true}])", ""}};

  for (const auto& row : rows) {
    SCOPED_TRACE(row.rest);
    const auto request = dialect().parse_request(
        std::string(R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],)") +
        row.rest + "}");
    ASSERT_TRUE(request) << request.error().message;
    std::string unmapped;
    for (const std::string& name : request->unmapped) unmapped += name;
    EXPECT_EQ(unmapped, row.unmapped);
  }
  const auto request = dialect().parse_request(
      R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[
          {"type":"container_upload","file_id":"f"},
          {"type":"image","source":{"type":"file","file_id":"f"}},
          {"type":"document","context":"c","source":{"type":"content","content":"d"}},
          {"type":"tool_result","tool_use_id":"t","content":[{"type":"search_result"}]}]}]})");
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->unmapped,
            (std::vector<std::string>{
                "messages[0].content[0] (container_upload)", "messages[0].content[1].source (file)",
                "messages[0].content[2].context", "messages[0].content[2].source (content)",
                "messages[0].content[3].content[0] (search_result)"}));
}

}  // namespace
}  // namespace switchyard
