#include "local_backend/model/chat_template.h"

namespace switchyard::local {
namespace {

constexpr std::string_view kStart = "<|im_start|>", kEnd = "<|im_end|>";

// Templates are Jinja sources. One with a default system prompt holds it as a literal between the markers,
// such as '<|im_start|>system\nYou are ...<|im_end|>\n'; a quote in between means that it is put together
// from parts.
std::optional<std::string> literal_system(std::string_view source) {
  for (const std::string_view newline : {"\\n", "\n"}) {
    const std::string lead = std::string(kStart) + "system" + std::string(newline);
    const auto at = source.find(lead);
    if (at == std::string_view::npos) continue;
    const auto rest = source.substr(at + lead.size());
    const auto text = rest.substr(0, rest.find(kEnd));
    if (text.size() == rest.size() || text.empty() ||
        text.find_first_of("'\"{}+\\") != std::string_view::npos)
      continue;
    return std::string(text);
  }
  return std::nullopt;
}

}  // namespace

Result<ChatTemplate> ChatTemplate::load(const Gguf& file, const Tokenizer& tokenizer) {
  const auto source = file.text("tokenizer.chat_template");
  if (!source) return source.error();
  if (source->find(kStart) == std::string_view::npos || source->find(kEnd) == std::string_view::npos)
    return fail("metadata 'tokenizer.chat_template' is not ChatML, the only chat format that is supported");
  const auto start = tokenizer.special(kStart), end = tokenizer.special(kEnd);
  if (!start || !end)
    return fail("metadata 'tokenizer.ggml.tokens' lacks the ChatML markers as control tokens");
  ChatTemplate out;
  out.start_ = *start;
  out.end_ = *end;
  out.default_system_ = literal_system(*source);
  return out;
}

std::vector<int> ChatTemplate::render(const std::vector<ChatTurn>& turns, const Tokenizer& tokenizer) const {
  std::vector<int> ids;
  if (tokenizer.bos()) ids.push_back(*tokenizer.bos());
  const auto turn = [&](std::string_view role, std::string_view content) {
    ids.push_back(start_);
    // Role and content are one text: a merge or a run of white space may cross the newline between them.
    tokenizer.encode(std::string(role) + "\n" + std::string(content), ids);
    ids.push_back(end_);
    tokenizer.encode("\n", ids);
  };
  if (default_system_ && (turns.empty() || turns[0].role != "system")) turn("system", *default_system_);
  for (const ChatTurn& t : turns) turn(t.role, t.content);
  ids.push_back(start_);
  tokenizer.encode("assistant\n", ids);
  return ids;
}

}  // namespace switchyard::local
