// Properties: any bytes are read or refused without a fault; what is accepted lies inside the bytes; what is
// built on it (vocabulary, template, configuration, weights) is read or refused as well; and a model that
// loads also runs. corpus/model*.gguf are TinyLlama of tests/unit/local_backend/tiny_llama.h, whole and cut.
#include "local_backend/device/cpu/cpu_device.h"
#include "local_backend/model/chat_template.h"
#include "local_backend/model/gguf.h"
#include "local_backend/model/llama.h"
#include "local_backend/model/tokenizer.h"

#include <cstdint>
#include <cstdlib>
#include <string>

using namespace switchyard::local;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_values(const Gguf& file) {
  for (const auto& [key, value] : file.metadata)
    if (const auto* numbers = std::get_if<NumberArray>(&value))
      for (std::uint64_t i = 0; i < numbers->count; ++i) (void)numbers->at(i);
}

// Three rows of a step: their tokens are the file's.
void check_model(const Gguf& file, const LlamaConfig& config) {
  const KernelList kernels = runnable_kernels();
  CpuDevice device(*kernels.kernels[kernels.count - 1], std::make_unique<Serial>());
  const auto model = Llama::load(file, config, device);
  if (!model) return require(!model.error().message.empty());
  KvCache cache(config);
  const LlamaRow rows[] = {
      {0, 0, &cache, false}, {config.vocabulary - 1, 1, &cache, false}, {0, 2, &cache, true}};
  require((*model)->step(rows) != nullptr);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto file = parse_gguf(bytes);
  if (!file) {
    require(!file.error().message.empty());
    return 0;
  }
  check_values(*file);
  for (const auto& [name, tensor] : file->tensors) {
    require(tensor.data.data() >= bytes.data() &&
            tensor.data.data() + tensor.data.size() <= bytes.data() + size);
    require(tensor.columns() * tensor.rows() / tensor.type->block_weights * tensor.type->block_bytes ==
            tensor.data.size());
  }
  const auto tokenizer = Tokenizer::load(*file);
  const auto config = read_llama_config(*file, tokenizer ? tokenizer->size() : 1);
  if (config) check_model(*file, *config);
  if (!tokenizer) return 0;
  const std::string text = "Hello, 123 world\xC3\xA9\xFF!\n\n";
  std::vector<int> ids;
  tokenizer->encode(text, ids);
  for (const int id : ids) require(id >= 0 && id < tokenizer->size());
  (void)ChatTemplate::load(*file, *tokenizer);
  return 0;
}
