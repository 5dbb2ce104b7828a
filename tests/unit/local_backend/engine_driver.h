#pragma once

// What tests ask an engine with, and wait for.

#include "local_backend/engine/engine.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::local::testing {

class Recorder : public Sink {
 public:
  void on_text(std::string_view text) override {
    EXPECT_FALSE(ended_) << "text after the end";
    text_ += text;
    if (each_text) each_text();
  }

  void on_end(const Outcome& outcome) override {
    if (at_end) at_end();
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(ended_) << "two ends";
    outcome_ = outcome;
    ended_ = true;
    changed_.notify_all();
  }

  const Outcome& wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_; });
    return outcome_;
  }

  const std::string& text() const { return text_; }

  std::function<void()> each_text, at_end;  // Set before the request is submitted.

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  std::string text_;
  Outcome outcome_;
};

// Opened once; wait() returns from then on.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

inline GenerateRequest ask(std::string question, int max_tokens = 0) {
  GenerateRequest request;
  request.messages = {{"user", std::move(question)}};
  request.max_tokens = max_tokens;
  request.sampling.temperature = 0;
  return request;
}

inline std::unique_ptr<Engine> bundled(EngineOptions options = {}) {
  auto engine = load_bundled_engine(options);
  EXPECT_TRUE(engine) << engine.error().message;
  return std::move(*engine);
}

struct Answer {
  Outcome outcome;
  std::string text;
};

inline Answer answer(Engine& engine, GenerateRequest request) {
  auto sink = std::make_shared<Recorder>();
  const auto submitted = engine.submit(std::move(request), sink);
  EXPECT_EQ(submitted.refusal, Engine::Refusal::none);
  if (submitted.refusal != Engine::Refusal::none) return {};
  const Outcome outcome = sink->wait();
  return {outcome, sink->text()};
}

// Stops the engine's thread inside the first text of a request of its own, until release().
class Stall {
 public:
  explicit Stall(Engine& engine) : sink_(std::make_shared<Recorder>()) {
    sink_->each_text = [this] {
      entered_.open();
      released_.wait();
    };
    engine.submit(ask("Hello!"), sink_);
    entered_.wait();
  }

  ~Stall() { release(); }

  void release() {
    released_.open();
    sink_->wait();
  }

 private:
  Gate entered_, released_;
  std::shared_ptr<Recorder> sink_;
};

// Waits for the end of an embedding request.
class Vectors : public EmbeddingSink {
 public:
  void on_end(EmbeddingOutcome outcome) override {
    if (at_end) at_end();
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(ended_) << "two ends";
    outcome_ = std::move(outcome);
    ended_ = true;
    changed_.notify_all();
  }

  const EmbeddingOutcome& wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ended_; });
    return outcome_;
  }

  std::function<void()> at_end;  // Set before the request is submitted.

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  EmbeddingOutcome outcome_;
};

inline EmbeddingOutcome embed(Engine& engine, EmbeddingRequest request) {
  auto sink = std::make_shared<Vectors>();
  const auto submitted = engine.submit_embedding(std::move(request), sink);
  EXPECT_EQ(submitted.refusal, Engine::Refusal::none);
  if (submitted.refusal != Engine::Refusal::none) return {};
  return sink->wait();
}

inline EmbeddingOutcome embed_texts(Engine& engine, std::vector<std::string> texts) {
  return embed(engine, EmbeddingRequest{std::move(texts), {}});
}

}  // namespace switchyard::local::testing
