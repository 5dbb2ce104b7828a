#define PCRE2_CODE_UNIT_WIDTH 8
#include "local_backend/model/pretokenizer.h"

#include <pcre2.h>

#include <string>
#include <utility>

namespace switchyard::local {
namespace {

// Unicode's White_Space, spelled out: PCRE2's own \s also holds U+180E.
#define SPACES \
  "\\x09-\\x0d\\x20\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"

// https://github.com/openai/gpt-2/blob/master/src/encoder.py
constexpr const char* kGpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^" SPACES
                              "\\p{L}\\p{N}]+|[" SPACES "]+(?![^" SPACES "])|[" SPACES "]+";
constexpr const char* kDigit = "\\p{N}";

struct Named {
  std::string_view name;
  std::vector<const char*> patterns;
};

const std::vector<Named>& table() {
  static const std::vector<Named> rows = {{"gpt-2", {kGpt2}}, {"smollm", {kDigit, kGpt2}}};
  return rows;
}

struct FreeMatch {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};

// Matches are pieces, and so is what lies between them. A match that fails for lack of memory or backtracking
// ends the search: the rest is one piece, which merges still encode without loss.
void split_by(const pcre2_code* code, std::string_view text, std::vector<std::string_view>& out) {
  const std::unique_ptr<pcre2_match_data, FreeMatch> match(pcre2_match_data_create(1, nullptr));
  std::size_t at = 0;
  while (match && at < text.size()) {
    const int found = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                  PCRE2_NO_UTF_CHECK, match.get(), nullptr);
    if (found < 0) break;
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(match.get());
    if (range[1] <= at) break;
    if (range[0] > at) out.push_back(text.substr(at, range[0] - at));
    out.push_back(text.substr(range[0], range[1] - range[0]));
    at = range[1];
  }
  if (at < text.size()) out.push_back(text.substr(at));
}

}  // namespace

struct PreTokenizer::Pattern {
  std::unique_ptr<pcre2_code, FreeCode> code;
};

PreTokenizer::PreTokenizer() = default;
PreTokenizer::~PreTokenizer() = default;

Result<std::unique_ptr<PreTokenizer>> PreTokenizer::make(std::string_view name) {
  for (const auto& row : table()) {
    if (row.name != name) continue;
    std::unique_ptr<PreTokenizer> out(new PreTokenizer);
    for (const char* pattern : row.patterns) {
      int error = 0;
      PCRE2_SIZE where = 0;
      pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern), PCRE2_ZERO_TERMINATED,
                                       PCRE2_UTF | PCRE2_UCP, &error, &where, nullptr);
      if (!code) return fail("pre-tokenizer '" + std::string(name) + "': PCRE2 refuses its pattern");
      pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // Where there is no JIT the interpreter serves.
      out->patterns_.push_back({std::unique_ptr<pcre2_code, FreeCode>(code)});
    }
    return out;
  }
  std::string known;
  for (const auto& row : table()) known += (known.empty() ? "" : ", ") + std::string(row.name);
  return fail("metadata 'tokenizer.ggml.pre': pre-tokenizer '" + std::string(name.substr(0, 64)) +
              "' is not supported (supported: " + known + ")");
}

std::vector<std::string_view> PreTokenizer::split(std::string_view text) const {
  std::vector<std::string_view> pieces{text};
  for (const Pattern& pattern : patterns_) {
    std::vector<std::string_view> finer;
    for (const auto piece : pieces) split_by(pattern.code.get(), piece, finer);
    pieces = std::move(finer);
  }
  return pieces;
}

}  // namespace switchyard::local
