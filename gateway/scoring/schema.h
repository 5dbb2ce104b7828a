#pragma once

#include "adapters/canonical/result.h"

#include <cstddef>
#include <memory>
#include <string_view>

namespace switchyard::scoring {

// A JSON Schema of draft 7, as callers write them for tools and for formats of answers: compiled once,
// checked often. It comes from a stranger: what could take long is not compiled, and what needs a regular
// expression is not checked. Where that makes it weaker than its text, it accepts more; never less.
class JsonSchema {
 public:
  static constexpr std::size_t kTextBytesMax = 64u << 10;  // Of the schema, and of an instance.
  static constexpr int kDepthMax = 64;
  // Subschemas, each counted as often as references lead to it; so many are checked for each value at most.
  static constexpr int kNodesMax = 2'000;
  static constexpr int kValuesMax = 4'000;       // Of an instance.
  static constexpr long kChecksMax = 1'000'000;  // Subschemas times values.

  // Fails with invalid_request: no JSON, no schema, over a limit, recursive, with a reference out of the
  // document, or with a pattern where checking less would accept less (under `not`, `oneOf`, `if`).
  static Result<std::shared_ptr<const JsonSchema>> compile(std::string_view text);

  JsonSchema();
  ~JsonSchema();
  JsonSchema(const JsonSchema&) = delete;
  JsonSchema& operator=(const JsonSchema&) = delete;

  // no_json: the text is no JSON at all. unknown: it is over a limit.
  enum class Verdict { kept, broken, no_json, unknown };
  Verdict check(std::string_view instance) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
  int nodes_ = 0;
};

// The same for text that need only be JSON; `must_be_object` as for arguments of a call.
JsonSchema::Verdict check_json(std::string_view text, bool must_be_object);

}  // namespace switchyard::scoring
