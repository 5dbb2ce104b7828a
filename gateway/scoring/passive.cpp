#include "gateway/scoring/passive.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace switchyard::scoring {

namespace {

// A script is out of place from this share of the letters on, and from so many of them.
constexpr std::uint32_t kStrangeShare = 50, kStrangeLetters = 3;
// So many letters of other scripts than Latin are looked at, then the beginning of each batch.
constexpr std::uint32_t kLettersLookedAt = 256;
constexpr std::size_t kBatchBytesLookedAt = 192;
// No tokenizer makes longer tokens of an ordinary answer (white space and rules of dashes are the longest).
constexpr std::uint64_t kTokenBytesMost = 32;

// Of text in ASCII, about so much is letters: that much is enough to know what 2 % of them are.
std::uint32_t letters_about(std::string_view text) {
  return static_cast<std::uint32_t>(text.size() * 3 / 4);
}

bool is_ascii(std::string_view text) {
  unsigned char all = 0;
  for (const char c : text) all |= static_cast<unsigned char>(c);
  return all < 0x80;
}

// [ and { less ] and }.
std::int32_t open_brackets(std::string_view text) {
  std::int32_t open = 0;
  for (const char c : text) {
    const int kind = c | 0x20;  // [ and { are one kind, ] and } the other.
    open += (kind == '{') - (kind == '}');
  }
  return open;
}

// Whether the end of a conversation speaks of a language, so that an answer in another script is no surprise.
bool speaks_of_languages(std::string_view prompt) {
  static constexpr std::string_view kWords[] = {
      "translat", "language", "übersetz", "tradu",   "sprache", "chinese", "mandarin", "cantones",
      "japanes",  "kanji",    "hiragana", "korean",  "hangul",  "russian", "cyrillic", "ukrainia",
      "bulgaria", "serbian",  "arabic",   "persian", "farsi",   "urdu",    "hebrew",   "yiddish",
      "thai",     "hindi",    "sanskrit", "bengali", "tamil",   "telugu",  "marathi",  "nepali",
      "georgian", "armenian", "lao",      "khmer",   "burmese", "tibetan", "amharic",  "mongol",
      "unicode",  "alphabet", "emoji",    "chinois", "japonai", "russe",   "arabe",    "chinesis",
      "russisc",  "arabisc",  "japanisc"};
  std::string small(prompt);
  for (char& c : small) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  }
  return std::ranges::any_of(kWords, [&](std::string_view word) { return small.find(word) != small.npos; });
}

}  // namespace

void ReplyWatch::begin(WatchMemory& memory, const RequestTraits& traits, std::uint32_t target,
                       std::uint64_t model) {
  memory_ = &memory;
  traits_ = &traits;
  model_ = model;
  target_ = target;
  build_ = 0;
  seen_ = bad_ = 0;
  chunks_ = text_bytes_ = call_bytes_ = letters_ = strange_letters_ = 0;
  brackets_ = 0;
  scripts_ = {};
  finish_.reset();
  has_refusal_ = refuses_ = has_thought_ = is_json_ = too_many_ = has_looked_ = false;
  fences_ = Fences();
  calls_.clear();
  output_.clear();
  size_ = looked_ = 0;
  next_look_ = kBatch;
}

void ReplyWatch::on_model(std::string_view model, std::string_view build) {
  if (!model.empty() && build_ == 0) build_ = hash_of(build, hash_of(model));
}

void ReplyWatch::on_text(std::string_view piece) {
  if (piece.empty() || !memory_) return;
  ++chunks_;
  text_bytes_ += static_cast<std::uint32_t>(piece.size());
  if (traits_->wants_json && output_.size() < kKeptBytesMax)
    output_.append(piece.substr(0, kKeptBytesMax - output_.size()));
  while (!piece.empty()) {
    if (size_ == kRoom) {
      look(true);
      std::memmove(room_.data(), room_.data() + size_ - kTail, kTail);
      size_ = looked_ = kTail;
      next_look_ = kTail + kBatch;
    }
    const std::size_t size = std::min(piece.size(), kRoom - size_);
    std::memcpy(room_.data() + size_, piece.data(), size);
    size_ += size;
    piece.remove_prefix(size);
  }
  if (size_ >= next_look_) look(false);
}

void ReplyWatch::on_refusal(std::string_view piece) {
  if (piece.empty()) return;
  ++chunks_;
  has_refusal_ = true;
}

void ReplyWatch::on_thought() {
  has_thought_ = true;
}

void ReplyWatch::on_tool_call(std::int64_t index, std::string_view id, std::string_view name,
                              std::string_view arguments) {
  if (!memory_) return;
  ++chunks_;
  call_bytes_ += static_cast<std::uint32_t>(name.size() + arguments.size());
  const std::uint64_t id_hash = id.empty() ? 0 : hash_of(id);
  const auto same = [&](const Call& call) {
    return call.index == index && (id_hash == 0 || call.id == 0 || call.id == id_hash);
  };
  const auto found = std::find_if(calls_.rbegin(), calls_.rend(), same);
  if (found == calls_.rend() && calls_.size() == kCallsMax) {
    too_many_ = true;
    return;
  }
  Call& call = found != calls_.rend() ? *found : calls_.emplace_back();
  call.index = index;
  if (id_hash != 0) call.id = id_hash;
  if (call.name.empty()) call.name = name.substr(0, 256);
  call.arguments.append(arguments.substr(0, kKeptBytesMax - std::min(kKeptBytesMax, call.arguments.size())));
}

void ReplyWatch::on_finish(FinishReason reason) {
  finish_ = reason;
}

// Looks at what has come since it last did: whole lines, unless the text is at its end or has long ones.
void ReplyWatch::look(bool at_end) {
  const std::string_view rest(room_.data() + looked_, size_ - looked_);
  std::size_t size = rest.size();
  if (!at_end) {
    const void* const line = ::memrchr(rest.data(), '\n', rest.size());
    next_look_ = size_ + kBatch;
    if (line) {
      size = static_cast<std::size_t>(static_cast<const char*>(line) - rest.data()) + 1;
    } else if (rest.size() < 2 * kBatch) {
      return;
    }
  }
  if (!std::exchange(has_looked_, true)) {
    refuses_ = begins_with_refusal({room_.data(), size_});
    const std::size_t begin = rest.find_first_not_of(" \t\r\n");
    is_json_ = begin != rest.npos && (rest[begin] == '{' || rest[begin] == '[');
  }
  look_at(rest.substr(0, size));
  looked_ += size;
}

void ReplyWatch::look_at(std::string_view text) {
  if (text.find('`') != text.npos) fences_.feed(text);
  if (fences_.count() > 0) brackets_ += open_brackets(text);
  if (is_ascii(text)) {
    letters_ += letters_about(text);
    return;
  }
  if (strange_letters_ > kLettersLookedAt) text = text.substr(0, kBatchBytesLookedAt);
  std::array<std::uint32_t, kScripts> counts{};
  count_scripts(text, counts);
  for (std::size_t i = 1; i < kScripts; ++i) {
    scripts_[i] += counts[i];
    strange_letters_ += counts[i];
    letters_ += counts[i];
  }
  std::uint32_t ascii = 0;
  for (const char c : text) ascii += (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
  letters_ += ascii;
}

void ReplyWatch::judge(Signal signal, bool is_bad) {
  seen_ |= bit(signal);
  if (is_bad) bad_ |= bit(signal);
}

void ReplyWatch::judge_calls(End how) {
  if (calls_.empty() || how != End::complete || finish_ == FinishReason::length || too_many_) return;
  AnswerRules* const rules = traits_->rules.get();
  bool is_known = true, is_bad = false;
  for (const Call& call : calls_) {
    auto verdict = AnswerRules::CallVerdict::unknown;
    if (call.arguments.size() >= kKeptBytesMax) {
      is_known = false;
      continue;
    }
    if (rules) {
      verdict = rules->check_call(call.name, call.arguments);
    } else {
      const bool is_blank = call.arguments.find_first_not_of(" \t\r\n") == std::string::npos;
      const auto checked = is_blank ? JsonSchema::Verdict::kept : check_json(call.arguments, true);
      if (checked != JsonSchema::Verdict::unknown) {
        verdict = checked == JsonSchema::Verdict::kept ? AnswerRules::CallVerdict::good
                                                       : AnswerRules::CallVerdict::bad;
      }
    }
    is_known &= verdict != AnswerRules::CallVerdict::unknown;
    is_bad |= verdict == AnswerRules::CallVerdict::bad;
  }
  if (is_known || is_bad) judge(Signal::tool_call_invalid, is_bad);
}

// An answer that was cut at its limit, or that is a refusal, is judged as such.
void ReplyWatch::judge_output(End how) {
  const bool is_whole = finish_ == FinishReason::stop && how == End::complete;
  if (!traits_->wants_json || !traits_->rules || !is_whole || !calls_.empty() || has_refusal_) return;
  if (output_.empty() || output_.size() >= kKeptBytesMax) return;
  const auto verdict = traits_->rules->check_output(output_);
  if (verdict != JsonSchema::Verdict::unknown)
    judge(Signal::output_invalid, verdict != JsonSchema::Verdict::kept);
}

void ReplyWatch::judge_text(End how) {
  if (text_bytes_ == 0) return;
  if (!is_json_ && !traits_->wants_json) {
    judge(Signal::loop,
          repeats_itself({room_.data() + size_ - std::min(size_, kTail), std::min(size_, kTail)},
                         fences_.is_open()));
  }
  judge_scripts();
  const bool is_whole = finish_ == FinishReason::stop && how == End::complete;
  // Brackets are counted where there is code: in prose they are smileys and list marks.
  if (is_whole && !traits_->has_stop && !traits_->wants_json)
    judge(Signal::unbalanced, fences_.is_open() || (fences_.count() > 0 && brackets_ > 0));
}

void ReplyWatch::judge_scripts() {
  std::uint32_t strange = 0, present = 0;
  for (std::size_t i = 1; i < kScripts; ++i) {
    if (scripts_[i] == 0) continue;
    const bool counts = scripts_[i] >= kStrangeLetters && scripts_[i] * kStrangeShare > letters_;
    if (counts) present |= bit(static_cast<Script>(i));
  }
  strange = present & ~memory_->usual_scripts(model_);
  if (strange != 0) {
    const std::string_view prompt(traits_->prompt.data(), traits_->prompt_bytes);
    std::uint32_t asked = scripts_in_json(prompt);
    if (asked & bit(Script::kana)) asked |= bit(Script::han);  // Japanese is written in both.
    strange &= ~asked;
    if (strange != 0 && speaks_of_languages(prompt)) return;
  }
  memory_->count_answer(model_, present);
  judge(Signal::script_mismatch, strange != 0);
}

void ReplyWatch::judge_end(End how, const std::optional<Usage>& usage) {
  judge(Signal::aborted, how == End::left);
  if (how == End::left) return;
  const bool is_empty = text_bytes_ == 0 && calls_.empty() && !has_refusal_ && !has_thought_;
  if (how == End::broken) {
    judge(Signal::truncated, true);
  } else if (finish_ == FinishReason::length) {
    // Without a limit of the caller's own, who knows which one was reached.
    if (traits_->asked_tokens > 0 && usage && usage->output_tokens > 0 && traits_->is_single) {
      const std::int64_t asked = traits_->asked_tokens;
      judge(Signal::truncated, usage->output_tokens < asked - std::max<std::int64_t>(2, asked / 50));
    }
  } else if (finish_ != FinishReason::content_filter) {
    // A stop sequence may come first of all.
    if (!is_empty || !traits_->has_stop) judge(Signal::truncated, is_empty);
  }
  if (how == End::complete && !is_empty)
    judge(Signal::refusal, refuses_ || has_refusal_ || finish_ == FinishReason::content_filter);
}

void ReplyWatch::judge_usage(const std::optional<Usage>& usage, std::int64_t now_ms) {
  if (!usage || (usage->input_tokens == 0 && usage->output_tokens == 0)) return;
  const auto said = static_cast<std::int64_t>((text_bytes_ + call_bytes_) / kTokenBytesMost);
  const bool adds_up = usage->cached_tokens <= usage->input_tokens &&
                       usage->reasoning_tokens <= usage->output_tokens && usage->output_tokens >= said;
  const auto agrees = memory_->answered(*traits_, target_, usage->input_tokens, now_ms);
  judge(Signal::usage_mismatch, !adds_up || agrees == false);
}

void ReplyWatch::end(End how, const std::optional<Usage>& usage, std::int64_t now_ms, Observation& out) {
  if (!memory_) return;
  if (looked_ < size_) look(true);
  judge_end(how, usage);
  judge_calls(how);
  judge_output(how);
  judge_text(how);
  if (how == End::complete) {
    judge_usage(usage, now_ms);
    if (traits_->conversation != 0) judge(Signal::regenerated, false);
    if (build_ != 0) {
      const auto usual = memory_->is_usual_build(hash_of({}, model_ + target_), build_);
      if (usual) judge(Signal::declared_identity, !*usual);
    }
  }
  out.seen = seen_;
  out.bad = bad_;
  out.finished_with_tools = !calls_.empty();
  out.had_tools = traits_->has_tools;
  out.asked_tokens = traits_->asked_tokens;
  out.text_bytes = text_bytes_;
  if (usage && chunks_ > 0)
    out.chunk_tokens = static_cast<float>(usage->output_tokens) / static_cast<float>(chunks_);
  memory_ = nullptr;
}

}  // namespace switchyard::scoring
