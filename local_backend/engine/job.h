#pragma once

#include "local_backend/engine/engine.h"
#include "local_backend/model/llama.h"
#include "local_backend/model/tokenizer.h"

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace switchyard::local {

// What a pass of the model gives for some rows: a row of numbers for each row that wants them, in order.
struct PassOutput {
  std::span<const float> logits;  // (rows, vocabulary)
  std::span<const float> hidden;  // (rows, dim)
  const Tokenizer& tokenizer;
  const LlamaConfig& config;
};

// A request in the engine, from the queue to its end: what it feeds to the model, and what it makes of the
// outcome. Belongs to the engine's thread, except id(), cancel() and is_embedding().
class Job {
 public:
  explicit Job(std::uint64_t id) : id_(id) {}

  virtual ~Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  std::uint64_t id() const { return id_; }

  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }

  bool is_cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

  bool is_ended() const { return ended_; }

  virtual bool is_embedding() const = 0;

  // The tokens that it may feed next; what it feeds after them is another turn.
  virtual int pending() const = 0;
  // It feeds one token a pass, and somebody waits for the next.
  virtual bool is_answering() const = 0;

  // Appends the next `count` pending tokens as rows.
  virtual void feed(int count, const LlamaConfig& config, std::vector<LlamaRow>& rows) = 0;
  // The pass is over that ran the `rows` rows of a feed(). Once for each feed(), in their order.
  virtual void receive(int rows, const PassOutput& output) = 0;
  // Ends now with the outcome; `message` says why it failed.
  virtual void end(Outcome::Reason reason, std::string_view message) = 0;

  // The job with the lowest goes next; the engine's own.
  std::uint64_t turn = 0;

 protected:
  bool ended_ = false;

 private:
  const std::uint64_t id_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace switchyard::local
