#pragma once

#include "local_backend/device/device.h"
#include "local_backend/engine/embedding.h"
#include "local_backend/engine/engine.h"
#include "local_backend/engine/job.h"
#include "local_backend/engine/mapped_file.h"
#include "local_backend/engine/sequence.h"
#include "local_backend/model/chat_template.h"
#include "local_backend/model/llama.h"
#include "local_backend/model/tokenizer.h"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace switchyard::local {

// A loaded model: everything that requests share and only the engine's thread changes.
struct Loaded {
  MappedFile file;  // Empty for the bundled model.
  std::unique_ptr<Device> device;
  std::optional<Tokenizer> tokenizer;
  ChatTemplate chat;
  std::unique_ptr<Llama> model;
};

// The requests that may still become active.
struct Slots {
  // An embedding request may take as long as a thousand answers, and fills its passes alone.
  int all = 8, embeddings = 4;

  // Whether there was one.
  bool take(const Job& job) {
    if (all <= 0 || (job.is_embedding() && embeddings <= 0)) return false;
    --all;
    if (job.is_embedding()) --embeddings;
    return true;
  }
};

// The engine: a queue before one thread, which runs the model for up to eight requests at a time.
class CpuEngine : public Engine {
 public:
  CpuEngine(Loaded loaded, const EngineOptions& options)
      : loaded_(std::move(loaded)), queue_max_(options.queue_max), thread_([this] { run(); }) {}

  ~CpuEngine() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }

  Submitted submit(GenerateRequest request, std::shared_ptr<Sink> sink) override;
  Submitted submit_embedding(EmbeddingRequest request, std::shared_ptr<EmbeddingSink> sink) override;
  void cancel(std::uint64_t id) override;
  EngineStats stats() const override;
  std::optional<int> count_tokens(const std::vector<ChatMessage>& messages) const override;
  std::optional<int> count_text_tokens(std::string_view text) const override;

  int context_tokens() const override { return loaded_.model->config().context; }

  int embedding_size() const override { return loaded_.model->config().dim; }

  std::string_view device() const override { return loaded_.device->name(); }

 private:
  using Jobs = std::deque<std::unique_ptr<Job>>;

  // Rows of one job that follow each other in a pass.
  struct Part {
    Job* job;
    int rows;
  };

  void run();
  bool admit();
  void step();
  void feed(Job& job);
  int room_for(const Job& job) const;
  Job* next_in_turn() const;
  void receive(const float* logits);
  Slots free_slots() const;
  void enqueue(std::unique_ptr<Job> job, Submitted& out);
  int least_tokens(std::size_t bytes) const;
  int least_tokens(const std::vector<ChatMessage>& messages) const;
  std::vector<int> render(const std::vector<ChatMessage>& messages) const;
  std::vector<int> encode(std::string_view text) const;
  void check_size(const EmbeddingRequest& request, Submitted& out) const;
  void check_ids(const std::vector<std::vector<int>>& inputs, Submitted& out) const;
  void end_all(Outcome::Reason reason, std::string_view message = {});
  void drop_ended();

  Loaded loaded_;
  const int queue_max_;
  std::atomic<std::uint64_t> next_id_{1};
  mutable std::mutex mutex_;  // Of what follows.
  std::condition_variable wake_;
  bool stopping_ = false;
  Jobs waiting_;
  Jobs active_;  // Changed by the engine's thread only, which reads it without the lock.
  std::uint64_t prompt_tokens_ = 0, generated_tokens_ = 0;
  // Used by the engine's thread only.
  std::vector<LlamaRow> rows_;
  std::vector<Part> parts_;      // The owners of the rows, in order.
  int embedding_rows_left_ = 0;  // That the pass may still take.
  std::uint64_t next_turn_ = 0;
  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace switchyard::local
