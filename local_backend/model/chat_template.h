#pragma once

#include "local_backend/model/gguf.h"
#include "local_backend/model/tokenizer.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::local {

struct ChatTurn {
  std::string_view role, content;
};

// ChatML: "<|im_start|>role\ncontent<|im_end|>\n" a turn, then "<|im_start|>assistant\n". The markers are
// special tokens that only this class writes; a role or content that spells one stays text.
class ChatTemplate {
 public:
  // Fails when the file's template is not ChatML or its vocabulary lacks the markers.
  static Result<ChatTemplate> load(const Gguf& file, const Tokenizer& tokenizer);

  // The prompt's ids, ending where the assistant's answer starts.
  std::vector<int> render(const std::vector<ChatTurn>& turns, const Tokenizer& tokenizer) const;

  // What the file's template puts as system prompt when the first turn is none; render() does the same.
  const std::optional<std::string>& default_system() const { return default_system_; }

 private:
  int start_ = 0, end_ = 0;
  std::optional<std::string> default_system_;
};

}  // namespace switchyard::local
