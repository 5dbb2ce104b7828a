#include "local_backend/engine/cpu_engine.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <new>
#include <string>

namespace switchyard::local {
namespace {

// A prompt is tokenized on its caller's thread, which serves others as well, at some 13 MB a second.
constexpr std::size_t kCountedBytesMax = 1U << 20;
// Of a pass in which somebody waits for the next token. An answer lasts as long as its passes: a full one
// takes as long as sixty tokens, and inputs may fill thousands of them.
constexpr int kEmbeddingRowsBesideAnswers = 16;

}  // namespace

// What a text of so many bytes has at least, if it is too large to count; else 0.
int CpuEngine::least_tokens(std::size_t bytes) const {
  if (bytes <= kCountedBytesMax) return 0;
  return static_cast<int>(
      std::min<std::size_t>(bytes / loaded_.tokenizer->longest_bytes(), std::numeric_limits<int>::max()));
}

int CpuEngine::least_tokens(const std::vector<ChatMessage>& messages) const {
  std::size_t bytes = 0;
  for (const ChatMessage& message : messages) bytes += message.content.size();
  return least_tokens(bytes);
}

std::vector<int> CpuEngine::render(const std::vector<ChatMessage>& messages) const {
  std::vector<ChatTurn> turns;
  for (const ChatMessage& message : messages) turns.push_back({message.role, message.content});
  return loaded_.chat.render(turns, *loaded_.tokenizer);
}

// A text that stands for itself.
std::vector<int> CpuEngine::encode(std::string_view text) const {
  std::vector<int> ids;
  if (text.empty()) return ids;
  const Tokenizer& tokenizer = *loaded_.tokenizer;
  if (tokenizer.bos()) ids.push_back(*tokenizer.bos());
  tokenizer.encode(text, ids);
  if (tokenizer.eos()) ids.push_back(*tokenizer.eos());
  return ids;
}

std::optional<int> CpuEngine::count_tokens(const std::vector<ChatMessage>& messages) const {
  if (least_tokens(messages) >= context_tokens()) return std::nullopt;
  return static_cast<int>(render(messages).size());
}

std::optional<int> CpuEngine::count_text_tokens(std::string_view text) const {
  if (least_tokens(text.size()) > context_tokens()) return std::nullopt;
  return static_cast<int>(encode(text).size());
}

Engine::Submitted CpuEngine::submit(GenerateRequest request, std::shared_ptr<Sink> sink) {
  Submitted out;
  out.context_tokens = context_tokens();
  out.prompt_tokens = std::max(least_tokens(request.messages), least_tokens(request.prefix.size()));
  std::vector<int> prompt;
  Continuation begun;
  if (out.prompt_tokens < out.context_tokens) {
    prompt = render(request.messages);
    begun = continue_text(request.prefix, *loaded_.tokenizer);
    out.prompt_tokens = static_cast<int>(prompt.size() + begun.tokens.size());
  }
  if (out.prompt_tokens >= out.context_tokens) {
    out.refusal = Refusal::prompt_too_long;
    return out;
  }
  enqueue(std::make_unique<Sequence>(next_id_++, std::move(request), std::move(prompt), std::move(begun),
                                     std::move(sink)),
          out);
  return out;
}

Engine::Submitted CpuEngine::submit_embedding(EmbeddingRequest request, std::shared_ptr<EmbeddingSink> sink) {
  Submitted out;
  out.context_tokens = context_tokens();
  check_size(request, out);
  if (out.refusal != Refusal::none) return out;
  std::vector<std::vector<int>> inputs = std::move(request.tokens);
  for (const std::string& text : request.texts) inputs.push_back(encode(text));
  check_ids(inputs, out);
  if (out.refusal != Refusal::none) return out;
  enqueue(std::make_unique<Embedding>(next_id_++, std::move(inputs), std::move(sink)), out);
  return out;
}

// Refuses what is too much to be counted on the caller's thread.
void CpuEngine::check_size(const EmbeddingRequest& request, Submitted& out) const {
  std::size_t bytes = 0;
  for (const std::string& text : request.texts) {
    out.prompt_tokens = least_tokens(text.size());
    if (out.prompt_tokens > out.context_tokens) {
      out.refusal = Refusal::prompt_too_long;
      return;
    }
    bytes += text.size();
    ++out.input;
  }
  out.input = 0;
  for (const auto& input : request.tokens) bytes += input.size() * sizeof(int);
  const std::size_t inputs = request.texts.size() + request.tokens.size();
  if (inputs > static_cast<std::size_t>(kInputsMax) || bytes > kCountedBytesMax)
    out.refusal = Refusal::too_large;
}

// Refuses what the model cannot take.
void CpuEngine::check_ids(const std::vector<std::vector<int>>& inputs, Submitted& out) const {
  if (inputs.empty()) out.refusal = Refusal::empty_input;
  const int vocabulary = loaded_.tokenizer->size();
  int total = 0;
  for (const auto& input : inputs) {
    out.prompt_tokens = static_cast<int>(input.size());
    total += out.prompt_tokens;
    if (input.empty())
      out.refusal = Refusal::empty_input;
    else if (out.prompt_tokens > out.context_tokens)
      out.refusal = Refusal::prompt_too_long;
    else if (std::any_of(input.begin(), input.end(), [&](int id) { return id < 0 || id >= vocabulary; }))
      out.refusal = Refusal::unknown_token;
    if (out.refusal != Refusal::none) return;
    ++out.input;
  }
  out.input = 0;
  out.prompt_tokens = total;
}

// To be called with the lock.
Slots CpuEngine::free_slots() const {
  Slots slots;
  for (const auto& job : active_) slots.take(*job);
  return slots;
}

// Queues the job, unless it would wait and the queue is full.
void CpuEngine::enqueue(std::unique_ptr<Job> job, Submitted& out) {
  {
    const std::lock_guard lock(mutex_);
    Slots slots = free_slots();
    int waits = 0;
    for (const auto& waiting : waiting_)
      if (!slots.take(*waiting)) ++waits;
    if (!slots.take(*job) && waits >= queue_max_) {
      out.refusal = Refusal::queue_full;
      return;
    }
    out.id = job->id();
    waiting_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void CpuEngine::cancel(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  for (const Jobs* list : {&waiting_, &active_})
    for (const auto& job : *list)
      if (job->id() == id) job->cancel();
}

EngineStats CpuEngine::stats() const {
  const std::lock_guard lock(mutex_);
  return {static_cast<int>(waiting_.size()), static_cast<int>(active_.size()), prompt_tokens_,
          generated_tokens_};
}

void CpuEngine::run() {
  while (admit()) {
    try {
      step();
    } catch (const std::bad_alloc&) {
      // What a step allocates grows with the sequences: give all of it back and go on serving.
      end_all(Outcome::Reason::failed, "not enough memory");
    }
    drop_ended();
  }
  end_all(Outcome::Reason::cancelled);
  drop_ended();
}

// Waits for work; moves requests from the queue to the active ones, and ends those that were cancelled. False
// when the engine stops.
bool CpuEngine::admit() {
  {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [&] { return stopping_ || !active_.empty() || !waiting_.empty(); });
    if (stopping_) {
      std::move(waiting_.begin(), waiting_.end(), std::back_inserter(active_));
      waiting_.clear();
      return false;
    }
    // A cancelled request leaves the queue at once: it is active for the moment that its end takes.
    Slots slots = free_slots();
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      if ((*it)->is_cancelled() || slots.take(**it)) {
        (*it)->turn = next_turn_++;
        active_.push_back(std::move(*it));
        it = waiting_.erase(it);
      } else {
        ++it;
      }
    }
  }
  for (const auto& job : active_)
    if (job->is_cancelled()) job->end(Outcome::Reason::cancelled, {});
  return true;
}

// One pass of the model: a token of every sequence that is answering, then prompts and inputs to embed, in
// turn, as far as there is room. So a long prompt delays the others by a step's worth of rows at most.
void CpuEngine::step() {
  rows_.clear();
  parts_.clear();
  for (const auto& job : active_)
    if (!job->is_ended() && job->is_answering()) feed(*job);
  const std::size_t answering_rows = rows_.size();
  embedding_rows_left_ = answering_rows > 0 ? kEmbeddingRowsBesideAnswers : Llama::kRowsMax;
  while (Job* job = next_in_turn()) feed(*job);
  if (rows_.empty()) return;
  const float* logits = loaded_.model->step(rows_);
  {
    const std::lock_guard lock(mutex_);
    for (const LlamaRow& row : rows_) generated_tokens_ += row.wants_logits ? 1 : 0;
    prompt_tokens_ += rows_.size() - answering_rows;
  }
  receive(logits);
}

// How many of its pending tokens the pass can take.
int CpuEngine::room_for(const Job& job) const {
  const int room = std::min(job.pending(), Llama::kRowsMax - static_cast<int>(rows_.size()));
  return job.is_embedding() ? std::min(room, embedding_rows_left_) : room;
}

// The job whose prompt or input goes next; null when there is none, or no room.
Job* CpuEngine::next_in_turn() const {
  Job* next = nullptr;
  for (const auto& job : active_) {
    if (job->is_ended() || job->is_answering() || room_for(*job) == 0) continue;
    if (!next || job->turn < next->turn) next = job.get();
  }
  return next;
}

// A prompt or an input that is fed in part goes on before others begin; the input after it goes behind those
// that are there, so that many inputs are no more in the way than one.
void CpuEngine::feed(Job& job) {
  const int pending = job.pending(), count = room_for(job);
  if (job.is_embedding()) embedding_rows_left_ -= count;
  job.feed(count, loaded_.model->config(), rows_);
  parts_.push_back({&job, count});
  if (count == pending) job.turn = next_turn_++;
}

// Gives every job what the pass made of its rows.
void CpuEngine::receive(const float* logits) {
  const LlamaConfig& config = loaded_.model->config();
  auto hidden = loaded_.model->hidden();
  auto row = rows_.begin();
  for (const Part& part : parts_) {
    std::size_t logit_count = 0, hidden_count = 0;
    for (int i = 0; i < part.rows; ++i, ++row) {
      if (row->wants_logits) logit_count += static_cast<std::size_t>(config.vocabulary);
      if (row->wants_hidden) hidden_count += static_cast<std::size_t>(config.dim);
    }
    const PassOutput output{{logits, logit_count}, hidden.first(hidden_count), *loaded_.tokenizer, config};
    if (!part.job->is_ended()) part.job->receive(part.rows, output);
    logits += logit_count;
    hidden = hidden.subspan(hidden_count);
  }
}

void CpuEngine::end_all(Outcome::Reason reason, std::string_view message) {
  for (const auto& job : active_)
    if (!job->is_ended()) job->end(reason, message);
}

void CpuEngine::drop_ended() {
  const std::lock_guard lock(mutex_);
  std::erase_if(active_, [](const auto& job) { return job->is_ended(); });
}

}  // namespace switchyard::local
