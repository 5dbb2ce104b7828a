#pragma once

#include "local_backend/device/cpu/cpu_device.h"
#include "local_backend/engine/engine.h"
#include "local_backend/model/chat_template.h"
#include "local_backend/model/gguf.h"
#include "local_backend/model/llama.h"
#include "local_backend/model/tokenizer.h"
#include "tests/unit/local_backend/gguf_builder.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

namespace switchyard::local::testing {

inline std::string mini_path(const std::string& file) {
  return SWITCHYARD_SOURCE_DIR "/local_backend/models/switchyard-mini/" + file;
}

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline nlohmann::json mini_json(const std::string& file) {
  return nlohmann::json::parse(read_file(mini_path(file)));
}

// The parts of a loaded model, as the engine puts them together. `bytes` must outlive them.
struct Parts {
  Gguf file;
  std::unique_ptr<Tokenizer> tokenizer;
  ChatTemplate chat;
  std::unique_ptr<CpuDevice> device;
  std::unique_ptr<Llama> model;
};

inline Result<Parts> load_parts(std::span<const std::byte> bytes, const Kernels& kernels = scalar_kernels(),
                                std::unique_ptr<Parallel> parallel = std::make_unique<Serial>()) {
  Parts parts;
  auto file = parse_gguf(bytes);
  if (!file) return file.error();
  parts.file = std::move(*file);
  auto tokenizer = Tokenizer::load(parts.file);
  if (!tokenizer) return tokenizer.error();
  parts.tokenizer = std::make_unique<Tokenizer>(std::move(*tokenizer));
  auto chat = ChatTemplate::load(parts.file, *parts.tokenizer);
  if (!chat) return chat.error();
  parts.chat = std::move(*chat);
  const auto config = read_llama_config(parts.file, parts.tokenizer->size());
  if (!config) return config.error();
  parts.device = std::make_unique<CpuDevice>(kernels, std::move(parallel));
  auto model = Llama::load(parts.file, *config, *parts.device);
  if (!model) return model.error();
  parts.model = std::move(*model);
  return parts;
}

// The bundled model with every `from` replaced by `to`, which has the same length.
inline std::string patched_mini(std::string_view from, std::string_view to) {
  const auto model = bundled_model();
  std::string bytes(reinterpret_cast<const char*>(model.data()), model.size());
  for (auto at = bytes.find(from); at != std::string::npos; at = bytes.find(from, at + 1))
    bytes.replace(at, to.size(), to);
  return bytes;
}

}  // namespace switchyard::local::testing
