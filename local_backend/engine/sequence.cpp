#include "local_backend/engine/sequence.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace switchyard::local {

Sequence::Sequence(std::uint64_t id, GenerateRequest request, std::vector<int> prompt, Continuation begun,
                   std::shared_ptr<Sink> sink)
    : Job(id),
      max_tokens_(request.max_tokens),
      tokens_(std::move(prompt)),
      prompt_tokens_(static_cast<int>(tokens_.size())),
      rest_(std::move(begun.rest)),
      sink_(std::move(sink)),
      output_tokens_(static_cast<int>(begun.tokens.size())),
      prefix_tokens_(output_tokens_),
      sampler_(request.sampling),
      stop_(std::move(request.stop)) {
  tokens_.insert(tokens_.end(), begun.tokens.begin(), begun.tokens.end());
  says_more_ = request.prefix.empty();
  if (says_more_) return;
  // The filters see the whole text, since a character or a stop string may stand across its end.
  const std::string whole = utf8_.feed(request.prefix);
  given_ = whole.size() + utf8_.held().size() - stop_.feed(whole).size();
}

void Sequence::feed(int count, const LlamaConfig& config, std::vector<LlamaRow>& rows) {
  if (!cache_) cache_.emplace(config);
  for (int i = 0; i < count; ++i, ++fed_)
    rows.push_back({tokens_[static_cast<std::size_t>(fed_)], fed_, &*cache_, pending() == 1});
}

void Sequence::receive(int, const PassOutput& output) {
  if (!output.logits.empty()) advance(output.logits, output.tokenizer, output.config.context);
}

void Sequence::advance(std::span<const float> logits, const Tokenizer& tokenizer, int context) {
  // What was given may be all that there can be.
  if (stop_.stopped()) return end(Outcome::Reason::stop_string);
  if (is_full(context)) return end(Outcome::Reason::length);
  const int token = pick(logits, tokenizer);
  if (!rest_.empty() && !may_spell(tokenizer.bytes(token), rest_))
    return end(Outcome::Reason::failed, "the model's numbers are none");
  if (tokenizer.ends_turn(token)) return end(Outcome::Reason::stop);
  has_sampled_ = true;
  tokens_.push_back(token);
  ++output_tokens_;
  send(utf8_.feed(past_prefix(tokenizer.bytes(token))));
  if (stop_.stopped()) return end(Outcome::Reason::stop_string);
  if (is_full(context)) end(Outcome::Reason::length);
}

bool Sequence::is_full(int context) const {
  return (max_tokens_ > 0 && output_tokens_ >= max_tokens_) || static_cast<int>(tokens_.size()) >= context;
}

int Sequence::pick(std::span<const float> logits, const Tokenizer& tokenizer) {
  if (rest_.empty()) return sampler_.pick(logits);
  allowed_.assign(logits.size(), -std::numeric_limits<float>::infinity());
  for (int id = 0; id < tokenizer.size(); ++id) {
    const auto at = static_cast<std::size_t>(id);
    if (may_spell(tokenizer.bytes(id), rest_)) allowed_[at] = logits[at];
  }
  return sampler_.pick(allowed_);
}

// What of the token is new.
std::string_view Sequence::past_prefix(std::string_view token) {
  const std::size_t spelled = std::min(token.size(), rest_.size());
  if (!token.empty() && spelled == token.size()) ++prefix_tokens_;
  rest_.erase(0, spelled);
  if (rest_.empty()) allowed_ = {};
  says_more_ |= spelled < token.size();
  return token.substr(spelled);
}

// Sends what is not the prefix's and may go out.
void Sequence::send(std::string_view text) {
  if (text.empty()) return;
  std::string out = stop_.feed(text);
  deliver(out);
}

void Sequence::deliver(std::string_view text) {
  const std::size_t known = std::min(given_, text.size());
  given_ -= known;
  text.remove_prefix(known);
  if (!text.empty()) sink_->on_text(text);
}

void Sequence::end(Outcome::Reason reason, std::string_view message) {
  if (says_more_ && !stop_.stopped()) {
    send(utf8_.finish());
    if (stop_.stopped())
      reason = Outcome::Reason::stop_string;
    else
      deliver(stop_.finish());
  }
  ended_ = true;
  cache_.reset();
  Outcome outcome;
  outcome.reason = reason;
  outcome.stop_string = stop_.stopped().value_or("");
  outcome.message = message;
  outcome.input_tokens = prompt_tokens_;
  outcome.output_tokens = output_tokens_;
  outcome.prefix_tokens = prefix_tokens_;
  sink_->on_end(outcome);
  sink_.reset();
}

}  // namespace switchyard::local
