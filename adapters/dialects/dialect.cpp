#include "adapters/dialects/dialect.h"

namespace switchyard {

const Dialect* find_dialect(std::string_view name) {
  for (const Dialect* dialect : {&openai_chat(), &anthropic_messages()}) {
    if (dialect->name() == name) return dialect;
  }
  return nullptr;
}

}  // namespace switchyard
