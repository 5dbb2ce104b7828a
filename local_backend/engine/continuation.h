#pragma once

#include "local_backend/model/tokenizer.h"

#include <string>
#include <string_view>
#include <vector>

namespace switchyard::local {

// How an answer goes on whose text was begun elsewhere: the tokens of the text that stands, and the text
// behind them that the next tokens have to spell before they say anything new. Text ends anywhere, models
// think in tokens: after "Fra" as tokens of its own the model would rarely say "nce", since it never saw
// France written so. Taking the last tokens back and holding the model to their text gives it the choice of
// the token that it would have taken ("token healing", from https://github.com/guidance-ai/guidance).
struct Continuation {
  std::vector<int> tokens;
  std::string rest;
};

// `text` in that form. Taken back is its last piece (Tokenizer::last_piece), whose tokens may be others in
// the whole answer, and as much of its end as some token begins with: so every token that could stand across
// the end of the text can still be taken. A sequence of UTF-8 that the text's end cuts is part of `rest`;
// parts that are no UTF-8 are taken as U+FFFD.
Continuation continue_text(std::string_view text, const Tokenizer& tokenizer);

// Whether a token of these bytes may be next while `rest`, which is not empty, has to be spelled: it spells a
// part of it, or all of it and more.
bool may_spell(std::string_view token, std::string_view rest);

}  // namespace switchyard::local
