#include "local_backend/engine/engine.h"

#include "local_backend/device/cpu/cpu_device.h"
#include "local_backend/engine/cpu_engine.h"
#include "local_backend/engine/thread_pool.h"

#include <algorithm>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

namespace switchyard::local {
namespace {

// Below this size a step takes less than a millisecond, and waking a second thread costs more than it saves.
constexpr std::size_t kSerialBytesMax = 32U << 20;
constexpr int kThreadsMax = 8;

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
