#include "local_backend/engine/continuation.h"

#include "local_backend/model/utf8.h"

#include <algorithm>
#include <cstddef>

namespace switchyard::local {
namespace {

// Of a piece that is taken back for its own sake: a word has fewer, and each costs a pass of the model.
constexpr int kPieceTokensMax = 16;

// The length of the longest end of the text with which a longer token begins.
std::size_t longest_begun(std::string_view text, const Tokenizer& tokenizer) {
  std::size_t longest = 0;
  for (int id = 0; id < tokenizer.size(); ++id) {
    const std::string_view token = tokenizer.bytes(id);
    for (std::size_t n = std::min(token.size(), text.size() + 1); n-- > longest + 1;) {
      if (text.ends_with(token.substr(0, n))) longest = n;
    }
  }
  return longest;
}

}  // namespace

Continuation continue_text(std::string_view text, const Tokenizer& tokenizer) {
  Continuation out;
  if (text.empty()) return out;
  Utf8Stream utf8;
  std::string whole = utf8.feed(text);
  tokenizer.encode(whole, out.tokens);
  std::size_t standing = whole.size();
  const std::size_t piece = tokenizer.last_piece(whole);
  whole += utf8.held();
  const std::size_t begun = whole.size() - std::max<std::size_t>(longest_begun(whole, tokenizer), 1);
  for (int back = 0; !out.tokens.empty(); ++back) {
    if (standing <= begun && (standing <= piece || back >= kPieceTokensMax)) break;
    standing -= tokenizer.bytes(out.tokens.back()).size();
    out.tokens.pop_back();
  }
  out.rest = whole.substr(standing);
  return out;
}

bool may_spell(std::string_view token, std::string_view rest) {
  return !token.empty() && (rest.starts_with(token) || token.starts_with(rest));
}

}  // namespace switchyard::local
