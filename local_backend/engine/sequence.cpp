#include "local_backend/engine/sequence.h"

#include <utility>

namespace switchyard::local {

Sequence::Sequence(std::uint64_t id, GenerateRequest request, std::vector<int> prompt,
                   std::shared_ptr<Sink> sink)
    : Job(id),
      max_tokens_(request.max_tokens),
      tokens_(std::move(prompt)),
      prompt_tokens_(static_cast<int>(tokens_.size())),
      sink_(std::move(sink)),
      sampler_(request.sampling),
      stop_(std::move(request.stop)) {}

void Sequence::feed(int count, const LlamaConfig& config, std::vector<LlamaRow>& rows) {
  if (!cache_) cache_.emplace(config);
  for (int i = 0; i < count; ++i, ++fed_)
    rows.push_back({tokens_[static_cast<std::size_t>(fed_)], fed_, &*cache_, pending() == 1});
}

void Sequence::receive(int, const PassOutput& output) {
  if (!output.logits.empty()) advance(output.logits, output.tokenizer, output.config.context);
}

void Sequence::advance(std::span<const float> logits, const Tokenizer& tokenizer, int context) {
  const int token = sampler_.pick(logits);
  if (tokenizer.ends_turn(token)) return end(Outcome::Reason::stop);
  tokens_.push_back(token);
  ++output_tokens_;
  send(utf8_.feed(tokenizer.bytes(token)));
  if (stop_.stopped()) return end(Outcome::Reason::stop_string);
  if (output_tokens_ == max_tokens_ || static_cast<int>(tokens_.size()) >= context)
    end(Outcome::Reason::length);
}

void Sequence::send(std::string text) {
  const std::string out = stop_.feed(text);
  if (!out.empty()) sink_->on_text(out);
}

void Sequence::end(Outcome::Reason reason, std::string_view message) {
  if (!stop_.stopped()) {
    send(utf8_.finish());
    if (stop_.stopped())
      reason = Outcome::Reason::stop_string;
    else if (const std::string held = stop_.finish(); !held.empty())
      sink_->on_text(held);
  }
  ended_ = true;
  cache_.reset();
  Outcome outcome;
  outcome.reason = reason;
  outcome.stop_string = stop_.stopped().value_or("");
  outcome.message = message;
  outcome.input_tokens = prompt_tokens_;
  outcome.output_tokens = output_tokens_;
  sink_->on_end(outcome);
  sink_.reset();
}

}  // namespace switchyard::local
