#include "adapters/dialects/dialect.h"

namespace switchyard {

const Dialect* find_dialect(std::string_view name) {
  for (const Dialect* dialect : {&openai_chat(), &openai_responses(), &openai_completions(),
                                 &anthropic_messages(), &gemini(), &bedrock_converse(), &cohere_chat()}) {
    if (dialect->name() == name) return dialect;
  }
  return nullptr;
}

}  // namespace switchyard
