#include "gateway/scoring/text_signs.h"

#include "gateway/scoring/script.h"

#include <gtest/gtest.h>

#include <string>

namespace switchyard::scoring {
namespace {

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(TextSigns, Refusals) {
  const struct {
    const char* text;
    bool refuses;
    const char* why;
  } rows[] = {
      {"I'm sorry, but I can't help with that.", true, "the usual one"},
      {"I’m sorry, but I can’t assist with that request.", true, "curly apostrophes"},
      {"I CANNOT PROVIDE that information.", true, "capitals"},
      {"  \n**I can't assist** with this.", true, "behind Markdown"},
      {"That is a difficult topic. I cannot help with it.", true, "a second sentence"},
      {"Es tut mir leid, aber ich kann dabei nicht helfen.", true, "German"},
      {"Désolé, mais je ne peux pas répondre.", true, "French"},
      {"Lo siento, pero no puedo ayudar con eso.", true, "Spanish"},
      {"Извините, но я не могу помочь с этим.", true, "Russian, with a capital"},
      {"К сожалению, я не могу ответить.", true, "Russian"},
      {"Üzgünüm, ancak bu isteğe yanıt veremem.", true, "Turkish, with a capital"},
      {"抱歉，我无法回答这个问题。", true, "Chinese"},
      {"这个问题很敏感。抱歉，我无法回答。", true, "Chinese, a second sentence"},
      {"申し訳ありませんが、お答えできません。", true, "Japanese"},
      {"죄송하지만 도와드릴 수 없습니다.", true, "Korean"},
      {"I can't wait to show you how this works!", false, "an ordinary sentence"},
      {"She said: \"I cannot help with that,\" and left.", false, "a quotation"},
      {"Sorry for the confusion! Here is the corrected code.", false, "an apology that helps"},
      {"I'm sorry to hear that. Here is what you can do:", false, "sympathy"},
      {"You cannot provide two arguments to this function.", false, "about something else"},
      {"", false, "nothing"},
      {"I", false, "a letter"},
      {"\xE2\x80", false, "cut in the middle of a character"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    EXPECT_EQ(begins_with_refusal(row.text), row.refuses);
  }
  EXPECT_FALSE(
      begins_with_refusal(repeated("This is an answer, and a long one. ", 6) + "I cannot help with that."))
      << "only the first 200 characters";
}

TEST(TextSigns, Repetition) {
  const std::string prose =
      "The gateway reads the request, finds the model that it names, and asks the targets in turn. A target "
      "that "
      "fails is left out for a while; one that is slow gets less. Nothing is retried once the first byte has "
      "gone to the client, because what a client has seen cannot be taken back. That rule is old, and it is "
      "the "
      "one thing that every proxy of this kind has in common with all the others, whatever else they do.\n";
  const std::string list =
      "- Install the package with your package manager\n- Start the service with your service manager\n"
      "- Open the page in your browser\n- Log in with your account\n- Change the password of your account\n";

  const struct {
    std::string text;
    bool in_fence, repeats;
    const char* why;
  } rows[] = {
      {prose + repeated("I will now check the file again and see what is in it. ", 8), false, true,
       "sentences"},
      {prose + repeated("the ", 200), false, true, "one word"},
      {repeated("and so it goes on and on and ", 12), false, true, "no sentence at all"},
      {repeated("这是一个没有尽头的循环，它一直重复下去，没有停止。", 8), false, true, "without spaces"},
      {repeated("Step: look at the result of the tool and think about it, then call it once more.\n", 6),
       false, true, "lines"},
      {prose, false, false, "prose"},
      {list, false, false, "a list whose lines are alike"},
      {prose + prose, false, false, "said twice"},
      {"```cpp\n" + repeated("  x = f(x, a, b, c, d, e, g, h);\n", 20) + "```\n", false, false, "code"},
      {repeated("  x = f(x, a, b, c, d, e, g, h, i, j);\n", 20), true, false, "the middle of code"},
      {repeated("| yes | no | yes | no | yes | no | yes | no |\n", 12), false, false, "a table"},
      {repeated("{\"id\": null, \"name\": null, \"kind\": null, \"size\": null, \"at\": null},\n", 12), false,
       false, "lines of JSON"},
      {repeated("0, ", 400), false, false, "numbers"},
      {repeated("=", 500), false, false, "a rule"},
      {repeated("🙂", 300), false, true, "one emoji without end"},
      {"", false, false, "nothing"},
      {"Yes.", false, false, "short"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    EXPECT_EQ(repeats_itself(row.text, row.in_fence), row.repeats);
  }
}

TEST(TextSigns, Fences) {
  const struct {
    const char* text;
    bool open;
    int count;
    const char* why;
  } rows[] = {
      {"text\n```cpp\nint x;\n```\nmore\n", false, 1, "closed"},
      {"text\n```cpp\nint x;\n", true, 1, "left open"},
      {"- item\n  ```\n  x\n  ```\n", false, 1, "in a list"},
      {"> ```\n> x\n> ```\n", false, 1, "in a quotation"},
      {"use ``` to begin a fence\n", false, 0, "within a line"},
      {"````markdown\n```cpp\nx\n```\n````\n", false, 1, "one within a longer one"},
      {"```python\nprint('```not the end')\n```\n", false, 1, "in the middle of a line of code"},
      {"```\na\n```\n```\nb\n```", false, 2, "two, no line break at the end"},
      {"```sh\n```x\n```\n", false, 1, "an end has no word behind it"},
      {"```inline``` code\n", false, 0, "code within a line at its beginning"},
  };

  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    Fences fences;
    fences.feed(row.text);
    EXPECT_EQ(fences.is_open(), row.open);
    EXPECT_EQ(fences.count(), row.count);
  }
}

TEST(TextSigns, Scripts) {
  const struct {
    const char32_t character;
    Script script;
  } rows[] = {
      {U'a', Script::common},  {U'é', Script::common},  {U'π', Script::common},   {U'ж', Script::cyrillic},
      {U'א', Script::hebrew},  {U'ع', Script::arabic},  {U'न', Script::indic},    {U'ไ', Script::thai},
      {U'한', Script::hangul}, {U'か', Script::kana},   {U'カ', Script::kana},    {U'漢', Script::han},
      {U'𠀀', Script::han},    {U'…', Script::common},  {U'🙂', Script::common},  {U'。', Script::common},
      {U'→', Script::common},  {U'€', Script::common},  {U'ქ', Script::georgian}, {U'ម', Script::khmer},
      {U'ｶ', Script::kana},    {U'😀', Script::common}, {U'’', Script::common},   {U'│', Script::common}};

  for (const auto& row : rows)
    EXPECT_EQ(script_of(row.character), row.script) << std::hex << static_cast<std::uint32_t>(row.character);
  EXPECT_EQ(scripts_in_json(R"("Say \u0e44\u0e17\u0e22 and Привет")"),
            bit(Script::thai) | bit(Script::cyrillic));
  EXPECT_EQ(scripts_in_json(R"("caf\u00e9 \u2026 \uD83D\uDE00 \n \u12")"), 0u);
}

}  // namespace
}  // namespace switchyard::scoring
