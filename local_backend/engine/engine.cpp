#include "local_backend/engine/engine.h"

#include "local_backend/device/cpu/cpu_device.h"
#include "local_backend/engine/mapped_file.h"
#include "local_backend/engine/sequence.h"
#include "local_backend/engine/thread_pool.h"
#include "local_backend/model/chat_template.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <iterator>
#include <limits>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace switchyard::local {
namespace {

constexpr int kActiveMax = 8;  // Sequences that decode together; the others wait.
// Below this size a step takes less than a millisecond, and waking a second thread costs more than it saves.
constexpr std::size_t kSerialBytesMax = 32U << 20;
constexpr int kThreadsMax = 8;
// A prompt is tokenized on its caller's thread, which serves others as well, at some 13 MB a second.
constexpr std::size_t kCountedBytesMax = 1U << 20;

// A loaded model: everything that requests share and only the engine's thread changes.
struct Loaded {
  MappedFile file;  // Empty for the bundled model.
  std::unique_ptr<Device> device;
  std::optional<Tokenizer> tokenizer;
  ChatTemplate chat;
  std::unique_ptr<Llama> model;
};

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
  void cancel(std::uint64_t id) override;
  EngineStats stats() const override;

  int context_tokens() const override { return loaded_.model->config().context; }

  std::string_view device() const override { return loaded_.device->name(); }

 private:
  using Sequences = std::deque<std::unique_ptr<Sequence>>;

  void run();
  bool admit();
  void step();
  int least_tokens(const GenerateRequest& request) const;
  void end_all(Outcome::Reason reason, std::string_view message = {});
  void drop_ended();

  Loaded loaded_;
  const int queue_max_;
  mutable std::mutex mutex_;  // Of what follows.
  std::condition_variable wake_;
  bool stopping_ = false;
  std::uint64_t next_id_ = 1;
  Sequences waiting_;
  Sequences active_;  // Changed by the engine's thread only, which reads it without the lock.
  std::uint64_t prompt_tokens_ = 0, generated_tokens_ = 0;
  // Used by the engine's thread only.
  std::vector<LlamaRow> rows_;
  std::vector<Sequence*> sampled_;  // The owners of the rows that want logits, in order.
  std::thread thread_;              // Last: it uses all of the above.
};

// What a prompt has at least, if it is too large to count; else 0.
int CpuEngine::least_tokens(const GenerateRequest& request) const {
  std::size_t bytes = 0;
  for (const ChatMessage& message : request.messages) bytes += message.content.size();
  if (bytes <= kCountedBytesMax) return 0;
  return static_cast<int>(
      std::min<std::size_t>(bytes / loaded_.tokenizer->longest_bytes(), std::numeric_limits<int>::max()));
}

Engine::Submitted CpuEngine::submit(GenerateRequest request, std::shared_ptr<Sink> sink) {
  Submitted out;
  out.context_tokens = context_tokens();
  out.prompt_tokens = least_tokens(request);
  std::vector<int> prompt;
  if (out.prompt_tokens < out.context_tokens) {
    std::vector<ChatTurn> turns;
    for (const ChatMessage& message : request.messages) turns.push_back({message.role, message.content});
    prompt = loaded_.chat.render(turns, *loaded_.tokenizer);
    out.prompt_tokens = static_cast<int>(prompt.size());
  }
  if (out.prompt_tokens >= out.context_tokens) {
    out.refusal = Refusal::prompt_too_long;
    return out;
  }
  {
    const std::lock_guard lock(mutex_);
    const int free = kActiveMax - static_cast<int>(active_.size());
    if (static_cast<int>(waiting_.size()) >= queue_max_ + free) {
      out.refusal = Refusal::queue_full;
      return out;
    }
    out.id = next_id_++;
    waiting_.push_back(
        std::make_unique<Sequence>(out.id, std::move(request), std::move(prompt), std::move(sink)));
  }
  wake_.notify_one();
  return out;
}

void CpuEngine::cancel(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  for (const Sequences* list : {&waiting_, &active_})
    for (const auto& sequence : *list)
      if (sequence->id() == id) sequence->cancel();
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
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      if ((*it)->is_cancelled() || static_cast<int>(active_.size()) < kActiveMax) {
        active_.push_back(std::move(*it));
        it = waiting_.erase(it);
      } else {
        ++it;
      }
    }
  }
  for (const auto& sequence : active_)
    if (sequence->is_cancelled()) sequence->end(Outcome::Reason::cancelled);
  return true;
}

// One pass of the model: a token of every sequence that is answering, then prompts, the oldest first, as far
// as there is room. So a long prompt delays the others by a step's worth of rows at most.
void CpuEngine::step() {
  rows_.clear();
  sampled_.clear();
  const LlamaConfig& config = loaded_.model->config();
  std::size_t answering_rows = 0;
  for (const bool answering : {true, false})
    for (const auto& sequence : active_) {
      if (sequence->is_ended() || sequence->is_answering() != answering) continue;
      const int count = std::min(sequence->pending(), Llama::kRowsMax - static_cast<int>(rows_.size()));
      if (count == 0) continue;
      sequence->feed(count, config, rows_);
      answering_rows += answering ? 1 : 0;
      if (sequence->pending() == 0) sampled_.push_back(sequence.get());
    }
  if (rows_.empty()) return;
  const float* logits = loaded_.model->step(rows_);
  {
    const std::lock_guard lock(mutex_);
    generated_tokens_ += sampled_.size();
    prompt_tokens_ += rows_.size() - answering_rows;
  }
  const auto vocabulary = static_cast<std::size_t>(config.vocabulary);
  for (Sequence* sequence : sampled_) {
    sequence->advance({logits, vocabulary}, *loaded_.tokenizer, config.context);
    logits += vocabulary;
  }
}

void CpuEngine::end_all(Outcome::Reason reason, std::string_view message) {
  for (const auto& sequence : active_)
    if (!sequence->is_ended()) sequence->end(reason, message);
}

void CpuEngine::drop_ended() {
  const std::lock_guard lock(mutex_);
  std::erase_if(active_, [](const auto& sequence) { return sequence->is_ended(); });
}

std::unique_ptr<Parallel> make_parallel(int threads, std::size_t model_bytes) {
  if (threads <= 0) {
    const int cores = static_cast<int>(std::thread::hardware_concurrency());
    threads = model_bytes <= kSerialBytesMax ? 1 : std::clamp(cores, 1, kThreadsMax);
  }
  if (threads == 1) return std::make_unique<Serial>();
  return std::make_unique<ThreadPool>(threads);
}

Result<std::unique_ptr<Engine>> load_mapped(std::span<const std::byte> bytes, MappedFile file,
                                            const EngineOptions& options) {
  Loaded out;
  out.file = std::move(file);
  const auto gguf = parse_gguf(bytes);
  if (!gguf) return gguf.error();
  auto tokenizer = Tokenizer::load(*gguf);
  if (!tokenizer) return tokenizer.error();
  auto chat = ChatTemplate::load(*gguf, *tokenizer);
  if (!chat) return chat.error();
  const auto config = read_llama_config(*gguf, tokenizer->size());
  if (!config) return config.error();
  const KernelList kernels = runnable_kernels();
  out.device = std::make_unique<CpuDevice>(*kernels.kernels[kernels.count - 1],
                                           make_parallel(options.threads, bytes.size()));
  auto model = Llama::load(*gguf, *config, *out.device);
  if (!model) return model.error();
  out.tokenizer = std::move(*tokenizer);
  out.chat = std::move(*chat);
  out.model = std::move(*model);
  drop_pages(bytes);  // The device has copies of the quantised weights, which are most of what was read.
  return std::unique_ptr<Engine>(new CpuEngine(std::move(out), options));
}

// `bytes` are a file's, mapped: what is short of memory or threads is an error too, since a running gateway
// loads models when its configuration changes.
Result<std::unique_ptr<Engine>> load(std::span<const std::byte> bytes, MappedFile file,
                                     const EngineOptions& options) {
  try {
    return load_mapped(bytes, std::move(file), options);
  } catch (const std::bad_alloc&) {
    return fail("not enough memory for the model");
  } catch (const std::system_error& error) {
    return fail(std::string("no thread for the model: ") + error.what());
  }
}

}  // namespace

Result<std::unique_ptr<Engine>> load_engine(const std::string& path, const EngineOptions& options) {
  auto file = MappedFile::open(path);
  if (!file) return file.error();
  const auto bytes = file->bytes();
  auto engine = load(bytes, std::move(*file), options);
  if (!engine) return fail(path + ": " + engine.error().message);
  return engine;
}

Result<std::unique_ptr<Engine>> load_bundled_engine(const EngineOptions& options) {
  return load(bundled_model(), {}, options);
}

}  // namespace switchyard::local
