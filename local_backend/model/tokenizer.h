#pragma once

#include "local_backend/model/gguf.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace switchyard::local {

class PreTokenizer;

// Byte-level BPE as GGUF files carry it (tokenizer.ggml.model = "gpt2"). Immutable once loaded, so any thread
// may use it. Text is only ever text: "<|im_end|>" inside it becomes ordinary tokens, never the special one.
class Tokenizer {
 public:
  // Fails naming the key. Copies what it needs: the file's bytes need not stay.
  static Result<Tokenizer> load(const Gguf& file);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // Appends the ids of `text`; parts that are no UTF-8 are taken as U+FFFD.
  void encode(std::string_view text, std::vector<int>& ids) const;

  // Where the last of the text's pieces begins that no token crosses. What is put behind the text changes no
  // token before it.
  std::size_t last_piece(std::string_view text) const;

  // The bytes that a token stands for, not always whole UTF-8 sequences; empty for a special token.
  std::string_view bytes(int id) const { return bytes_[static_cast<std::size_t>(id)]; }

  // The id of a special token such as "<|im_start|>".
  std::optional<int> special(std::string_view name) const;

  int size() const { return static_cast<int>(bytes_.size()); }

  // Of all tokens, at least 1: a text of n bytes has n / longest_bytes() tokens or more.
  std::size_t longest_bytes() const { return longest_bytes_; }

  // Set when every prompt starts with this token.
  std::optional<int> bos() const { return bos_; }

  // Set when a text that is no prompt but stands for itself ends with this token.
  std::optional<int> eos() const { return eos_; }

  // Whether the token ends the model's turn.
  bool ends_turn(int id) const { return ends_[static_cast<std::size_t>(id)]; }

 private:
  struct Merge {
    int rank = 0, result = 0;
  };

  Tokenizer();
  Result<void> read_tokens(const Gguf& file);
  Result<void> read_merges(const Gguf& file);
  Result<void> read_special(const Gguf& file);
  void encode_piece(std::string_view piece, std::vector<int>& ids) const;

  std::unique_ptr<PreTokenizer> pre_;
  std::vector<std::string> bytes_;
  std::size_t longest_bytes_ = 1;
  std::vector<bool> ends_;
  std::unordered_map<std::string, int> special_;
  std::unordered_map<std::string, int> id_of_;       // By the file's spelling; emptied once loaded.
  std::unordered_map<std::uint64_t, Merge> merges_;  // By left id << 32 | right id.
  int byte_id_[256] = {};
  std::optional<int> bos_, eos_;
};

}  // namespace switchyard::local
