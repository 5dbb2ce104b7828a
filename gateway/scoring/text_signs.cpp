#include "gateway/scoring/text_signs.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace switchyard::scoring {

namespace {

// In small letters, with straight apostrophes. Each is specific enough not to begin an ordinary sentence.
constexpr std::string_view kRefusals[] = {"i'm sorry, but i can",
                                          "i'm sorry, i can't",
                                          "i'm sorry, i cannot",
                                          "i am sorry, but i can",
                                          "i'm sorry, but i'm not able",
                                          "i'm sorry, but i'm unable",
                                          "sorry, but i can't",
                                          "sorry, i can't",
                                          "sorry, but i cannot",
                                          "i apologize, but i can",
                                          "i apologize, but i'm",
                                          "i can't help with",
                                          "i cannot help with",
                                          "i can't help you with",
                                          "i can't assist",
                                          "i cannot assist",
                                          "i can't provide",
                                          "i cannot provide",
                                          "i can't create",
                                          "i cannot create",
                                          "i can't fulfill",
                                          "i cannot fulfill",
                                          "i can't comply",
                                          "i cannot comply",
                                          "i can't generate",
                                          "i'm unable to help",
                                          "i'm unable to assist",
                                          "i'm unable to provide",
                                          "i'm not able to help",
                                          "i'm not able to assist",
                                          "i'm not able to provide",
                                          "i won't be able to help",
                                          "i must decline",
                                          "i have to decline",
                                          "as an ai language model, i can",
                                          "as an ai, i can",
                                          "es tut mir leid, aber ich kann",
                                          "tut mir leid, aber ich kann",
                                          "ich kann dabei nicht helfen",
                                          "ich kann diese anfrage nicht",
                                          "je suis désolé, mais je ne p",
                                          "désolé, mais je ne p",
                                          "je ne peux pas vous aider",
                                          "je ne peux pas répondre à cette",
                                          "lo siento, pero no puedo",
                                          "no puedo ayudarte con",
                                          "desculpe, mas não posso",
                                          "sinto muito, mas não posso",
                                          "mi dispiace, ma non posso",
                                          "het spijt me, maar ik kan",
                                          "przykro mi, ale nie mogę",
                                          "omlouvám se, ale nemohu",
                                          "jag är ledsen, men jag kan inte",
                                          "извините, но я не могу",
                                          "к сожалению, я не могу",
                                          "я не могу помочь",
                                          "вибачте, але я не можу",
                                          "üzgünüm, ancak",
                                          "xin lỗi, nhưng tôi không thể",
                                          "maaf, saya tidak dapat",
                                          "maaf, saya tidak bisa",
                                          "عذرًا، لا يمكنني",
                                          "عذراً، لا يمكنني",
                                          "क्षमा करें, मैं",
                                          "抱歉，我无法",
                                          "抱歉，我不能",
                                          "抱歉，我無法",
                                          "对不起，我不能",
                                          "对不起，我无法",
                                          "我无法提供",
                                          "申し訳ありませんが",
                                          "申し訳ございませんが",
                                          "죄송하지만",
                                          "죄송합니다만"};

// Small letters of ASCII, Latin-1 and Cyrillic; a curly apostrophe made straight. Gives the size.
std::size_t fold(std::string_view text, std::array<char, 64>& out) {
  std::size_t size = 0;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(i < text.size() ? text[i] : 0); };
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char c = byte(i);
    if (c == 0xE2 && byte(i + 1) == 0x80 && byte(i + 2) == 0x99) {
      out[size++] = '\'';
      i += 2;
      continue;
    }
    if (c >= 'A' && c <= 'Z') c |= 0x20;
    if ((c == 0xC3 || c == 0xD0) && i + 1 < text.size()) {
      unsigned char next = byte(++i);
      if (c == 0xC3 && next >= 0x80 && next <= 0x9E) {
        next += 0x20;
      } else if (c == 0xD0 && next >= 0x90 && next <= 0x9F) {
        next += 0x20;
      } else if (c == 0xD0 && next >= 0xA0 && next <= 0xAF) {
        c = 0xD1;
        next -= 0x20;
      }
      out[size++] = static_cast<char>(c);
      c = next;
    }
    out[size++] = static_cast<char>(c);
  }
  return size;
}

// The bytes of the first `characters` of UTF-8 text.
std::size_t bytes_of(std::string_view text, std::size_t characters) {
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80 && characters-- == 0) break;
  }
  return i;
}

constexpr std::size_t kPhraseBytes = 64;  // None is longer.

constexpr unsigned char byte_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

// For each first byte of a phrase, and of its capital, the second bytes that follow it, modulo 64.
constexpr std::array<std::uint64_t, 256> beginnings() {
  std::array<std::uint64_t, 256> seconds{};
  for (const std::string_view phrase : kRefusals) {
    const unsigned char first = byte_at(phrase, 0), second = byte_at(phrase, 1);
    const bool is_ascii = first < 0x80;
    for (const unsigned char begin : {first, static_cast<unsigned char>(is_ascii ? first & ~0x20 : first)}) {
      seconds[begin] |= std::uint64_t{1} << (second & 63);
      seconds[begin] |= std::uint64_t{1} << ((second & ~0x20) & 63);
      if (second == '\'') seconds[begin] |= std::uint64_t{1} << (0xE2 & 63);  // A curly apostrophe.
    }
    // Capitals of Cyrillic and Latin-1, two bytes each.
    if (first == 0xD0 || first == 0xC3) seconds[first] |= std::uint64_t{1} << ((second - 0x20u) & 63);
    if (first == 0xD1) seconds[0xD0] |= std::uint64_t{1} << ((second + 0x20u) & 63);
  }
  return seconds;
}

bool refuses_at(std::string_view text) {
  static constexpr std::array<std::uint64_t, 256> kSeconds = beginnings();
  if (text.size() < 2 || !(kSeconds[byte_at(text, 0)] >> (byte_at(text, 1) & 63) & 1)) return false;
  std::array<char, kPhraseBytes> folded;
  const std::string_view sentence(folded.data(), fold(text.substr(0, kPhraseBytes), folded));
  return std::ranges::any_of(kRefusals, [&](std::string_view phrase) {
    return phrase.front() == sentence.front() && sentence.starts_with(phrase);
  });
}

// Bytes that may be the last of what stands before a sentence: ends of others, marks of Markdown.
constexpr std::array<bool, 256> sentence_ends() {
  std::array<bool, 256> ends{};
  for (const unsigned char c : {'.', '!', '?', '*', '#', '\n'}) ends[c] = true;
  ends[0x82] = ends[0x81] = ends[0x9F] = true;  // The last bytes of 。！？
  return ends;
}

// Where the sentence behind the end at `i` would begin; npos: there is none.
std::size_t sentence_behind(std::string_view text, std::size_t i) {
  if (text[i] == '\n') return i + 1;
  if (byte_at(text, i) < 0x80) return i + 1 < text.size() && text[i + 1] == ' ' ? i + 2 : text.npos;
  const std::string_view mark = i >= 2 ? text.substr(i - 2, 3) : std::string_view();
  return mark == "。" || mark == "！" || mark == "？" ? i + 1 : text.npos;
}

bool is_ascii(std::string_view text) {
  unsigned char all = 0;
  for (const char c : text) all |= static_cast<unsigned char>(c);
  return all < 0x80;
}

// --- repetition ---

constexpr std::size_t kWords = 8, kCharacters = 16;
constexpr int kTimes = 4;
constexpr std::size_t kSlots = 1024;  // A power of two above the words of a window.

std::uint64_t mixed(std::uint64_t x) {
  x ^= x >> 32;
  x *= 0x9E3779B97F4A7C15u;
  return x ^ x >> 29;
}

bool is_digit(unsigned char c) {
  return c >= '0' && c <= '9';
}

bool is_word_byte(unsigned char c) {
  return c >= 0x80 || is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '\'';
}

// U+3000 to U+303F, U+FF00 to U+FF1F.
bool is_wide_punctuation(std::string_view text, std::size_t i) {
  if (i + 3 > text.size()) return false;
  const auto first = static_cast<unsigned char>(text[i]), second = static_cast<unsigned char>(text[i + 1]);
  return (first == 0xE3 && second == 0x80) ||
         (first == 0xEF && second == 0xBC && static_cast<unsigned char>(text[i + 2]) < 0xA0);
}

// Counts n-grams of words in prose. Numbers are words: lines that differ in theirs only are a list, no loop.
class Repetition {
 public:
  // True once an n-gram has been seen often enough.
  bool line(std::string_view line) {
    std::size_t i = 0;
    while (i < line.size()) {
      const auto c = static_cast<unsigned char>(line[i]);
      if (!is_word_byte(c)) {
        ++i;
      } else if (is_wide_punctuation(line, i)) {
        i += 3;
      } else if (c >= 0xE3) {  // Most of what is written without spaces is here: each character a word.
        const std::size_t size = std::min<std::size_t>(c >= 0xF0 ? 4 : 3, line.size() - i);
        if (word(line.substr(i, size), kCharacters)) return true;
        i += size;
      } else {
        const std::size_t begin = i;
        while (i < line.size() && is_word_byte(static_cast<unsigned char>(line[i])) &&
               static_cast<unsigned char>(line[i]) < 0xE3) {
          ++i;
        }
        if (word(line.substr(begin, i - begin), kWords)) return true;
      }
    }
    return false;
  }

 private:
  struct Word {
    std::uint64_t hash = 0;
    bool is_number = false;
  };

  // `size`: of the n-gram that it ends.
  bool word(std::string_view text, std::size_t size) {
    std::uint64_t hash = text.size();
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
    recent_[count_++ % kCharacters] = {mixed(hash), is_digit(static_cast<unsigned char>(text.front()))};
    if (count_ < size) return false;
    std::uint64_t gram = size;
    std::size_t numbers = 0;
    for (std::size_t i = count_ - size; i < count_; ++i) {
      gram = mixed(gram * 31 + recent_[i % kCharacters].hash);
      numbers += recent_[i % kCharacters].is_number;
    }
    return numbers < size / 2 && add(gram | 1);
  }

  bool add(std::uint64_t gram) {
    for (std::size_t at = gram % kSlots, tries = 0; tries < kSlots; at = (at + 1) % kSlots, ++tries) {
      if (grams_[at] == 0) grams_[at] = gram;
      if (grams_[at] == gram) return ++times_[at] >= kTimes;
    }
    return false;
  }

  std::array<std::uint64_t, kSlots> grams_{};
  std::array<std::uint16_t, kSlots> times_{};
  std::array<Word, kCharacters> recent_{};
  std::size_t count_ = 0;
};

// How often a part of the text, by those of its bytes, occurs in it: at most 250 at each step, of 240 places.
// Few operations a place, so that compilers make vectors of them.
template <std::size_t... kOffsets>
int times_of(std::string_view text, std::size_t from, std::size_t part) {
  int times = 0;
  for (std::size_t begin = 0; begin + part <= text.size(); begin += 240) {
    const std::size_t size = std::min<std::size_t>(240, text.size() - part + 1 - begin);
    const char* const at = text.data() + begin;
    const char* const wanted = text.data() + from;
    unsigned char found = 0;
    for (std::size_t i = 0; i < size; ++i)
      found = static_cast<unsigned char>(found + (... & (at[i + kOffsets] == wanted[kOffsets])));
    times += found;
  }
  return times;
}

// A quick look that most texts end with: text that repeats itself has a part of its end at least three times
// more. In scripts of several bytes a character many bytes are alike, so that more of them are compared.
bool may_repeat(std::string_view text) {
  constexpr std::size_t kPart = 12;
  for (const std::size_t back : {std::size_t{0}, std::size_t{67}}) {
    if (text.size() < back + 4 * kPart) break;
    const std::size_t from = text.size() - back - kPart;
    const bool is_latin = is_ascii(text.substr(from, kPart));
    const int times = is_latin ? times_of<0, 5, 11>(text, from, kPart)
                               : times_of<0, 1, 2, 4, 5, 7, 8, 11>(text, from, kPart);
    if (times >= kTimes) return true;
  }
  return false;
}

}  // namespace

bool begins_with_refusal(std::string_view text) {
  constexpr std::size_t kCharactersMax = 200;
  static constexpr std::array<bool, 256> kEnds = sentence_ends();
  text = text.substr(0, kRefusalBytes);
  const std::string_view begin = text.substr(0, kCharactersMax);
  text = is_ascii(begin) ? begin : text.substr(0, bytes_of(text, kCharactersMax));
  std::size_t first = 0;
  while (first < text.size() && (text[first] == ' ' || text[first] == '\n' || text[first] == '*')) ++first;
  if (refuses_at(text.substr(first))) return true;
  for (std::size_t i = first; i < text.size(); ++i) {
    if (!kEnds[byte_at(text, i)]) continue;
    const std::size_t next = sentence_behind(text, i);
    if (next < text.size() && refuses_at(text.substr(next))) return true;
  }
  return false;
}

bool repeats_itself(std::string_view text, bool in_fence) {
  if (!may_repeat(text)) return false;
  // The fences in the text and what it ends in tell what it begins in.
  int fences = 0;
  for (std::size_t at = text.find("```"); at != text.npos; at = text.find("```", at + 3)) {
    const std::size_t line = text.rfind('\n', at);
    const std::size_t begin = line == text.npos ? 0 : line + 1;
    fences += text.substr(begin, at - begin).find_first_not_of(" \t>") == text.npos;
  }
  bool inside = in_fence != (fences % 2 == 1);
  Repetition repetition;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line.remove_prefix(std::min(line.find_first_not_of(" \t>"), line.size()));
    if (line.starts_with("```")) {
      inside = !inside;
    } else if (!inside && !line.starts_with('|') && !line.starts_with('{') && !line.starts_with('[') &&
               !line.starts_with('"') && !line.starts_with('<') && repetition.line(line)) {
      return true;
    }
  }
  return false;
}

void Fences::feed(std::string_view lines) {
  for (std::size_t at = lines.find("```"); at != lines.npos; at = lines.find("```", at)) {
    const std::size_t before = lines.rfind('\n', at);
    const std::size_t begin = before == lines.npos ? 0 : before + 1;
    const std::size_t end = std::min(lines.find('\n', at), lines.size());
    // In a list or a quotation a fence is indented.
    if (lines.substr(begin, at - begin).find_first_not_of(" \t>") == lines.npos)
      take(lines.substr(at, end - at));
    at = end;
  }
}

void Fences::take(std::string_view line) {
  const std::size_t ticks = std::min(line.find_first_not_of('`'), line.size());
  const std::string_view info = line.substr(ticks);
  if (ticks_ == 0) {
    if (info.find('`') != info.npos) return;  // Code within a line.
    ticks_ = ticks;
    ++count_;
  } else if (ticks >= ticks_ && info.find_first_not_of(" \t\r") == info.npos) {
    ticks_ = 0;
  }
}

}  // namespace switchyard::scoring
