// A stranger's schema and an instance, cut at the first line break: neither harms, and one that is checked
// twice gets the same verdict.
#include "gateway/scoring/schema.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using switchyard::scoring::JsonSchema;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = text.find('\n');
  const std::string_view instance = end == text.npos ? std::string_view() : text.substr(end + 1);
  const auto schema = JsonSchema::compile(text.substr(0, end));
  const auto plain = switchyard::scoring::check_json(instance, false);
  if (!schema) return 0;
  const auto verdict = (*schema)->check(instance);
  if (verdict != (*schema)->check(instance)) std::abort();
  const bool is_json = plain == JsonSchema::Verdict::kept;
  if ((verdict == JsonSchema::Verdict::kept || verdict == JsonSchema::Verdict::broken) && !is_json)
    std::abort();
  return 0;
}
